//! Ctrl-C and SIGTERM: the first asks the command to finish what it has begun, the second ends the process at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::error::ClientError;

/// Whether the process was asked to end.
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Takes the signals from now on.
    pub fn catch() -> Result<Self, ClientError> {
        let is_set = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag down, and raises it.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&is_set))
                .and_then(|_| flag::register(signal, Arc::clone(&is_set)))
                .map_err(|error| ClientError::Library(format!("cannot take signals: {error}")))?;
        }
        Ok(Self(is_set))
    }

    /// Whether a signal came.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
