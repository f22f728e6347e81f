//! SIGTERM and SIGINT: the first stops the broker in order, the second ends it at once.

use std::io;
use std::sync::mpsc;
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::events::{Event, Signal};

/// Exit status of a process that a signal ended, as shells give it: 128 and the signal's number.
const SIGNALLED: i32 = 128;

/// Reports the first signal from now on; at the second, the process ends with status 128 and its number (143
/// for SIGTERM, 130 for SIGINT). What was acknowledged is safe then as at any time.
pub fn watch(events: mpsc::Sender<Event>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let wait = move || {
        let mut signals = signals.forever();
        if let Some(signal) = signals.next() {
            let signal = if signal == SIGINT { Signal::Interrupt } else { Signal::Terminate };
            // The main thread may have ended by itself.
            let _ = events.send(Event::Signal(signal));
        }
        if let Some(signal) = signals.next() {
            tracing::warn!(signal, "second signal: ending at once");
            std::process::exit(SIGNALLED + signal);
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(wait)?;
    Ok(())
}
