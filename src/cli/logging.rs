//! Logs to stderr, in UTC. stdout is for results.

use std::io::{self, IsTerminal};
use std::panic;

use tracing_subscriber::EnvFilter;

use crate::api;
use crate::config::LogFormat;

/// Starts logging. `filter` was checked by the configuration.
pub fn start(filter: &str, format: LogFormat) {
    let filter = EnvFilter::builder().parse(filter).expect("checked by the configuration");
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match format {
        LogFormat::Human => builder.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}

/// Makes every panic a log line with its place, and the end of the process unless it is caught around a client's
/// bytes: a defect in code that keeps records must not go on.
pub fn end_at_panics() {
    panic::set_hook(Box::new(|info| {
        let message = info.payload_as_str().unwrap_or("a panic without a message");
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current();
        let backtrace = std::backtrace::Backtrace::capture();
        tracing::error!(place, thread = thread.name().unwrap_or("unnamed"), %backtrace, "panic: {message}");
        if !api::is_guarded() {
            std::process::abort();
        }
    }));
}
