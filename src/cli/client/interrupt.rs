//! Ctrl-C and SIGTERM: the first asks the command to finish what it has begun, the second ends the process at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{SigId, flag, low_level};

use super::error::ClientError;

/// Whether the process was asked to end.
pub struct Interrupt {
    is_set: Arc<AtomicBool>,
    at_once: Vec<SigId>,
}

impl Interrupt {
    /// Takes the signals from now on.
    pub fn catch() -> Result<Self, ClientError> {
        let is_set = Arc::new(AtomicBool::new(false));
        let mut at_once = Vec::new();
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag down, and raises it.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&is_set))
                .and_then(|id| {
                    at_once.push(id);
                    flag::register(signal, Arc::clone(&is_set))
                })
                .map_err(|error| ClientError::Library(format!("cannot take signals: {error}")))?;
        }
        Ok(Self { is_set, at_once })
    }

    /// Leaves it to the command to end, however many signals come: it has something to put back first, and looks often
    /// whether one came. `timeout` and some supervisors send two in a row.
    pub fn never_at_once(&mut self) {
        for id in self.at_once.drain(..) {
            low_level::unregister(id);
        }
    }

    /// Whether a signal came.
    pub fn is_set(&self) -> bool {
        self.is_set.load(Ordering::Relaxed)
    }
}
