//! What librdkafka tells a client beside its answers: log lines, and that brokers cannot be reached.

use std::sync::{Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;

use super::output::tell;

/// A context for clients that are created from [`super::arguments::Connection::client_config`]. Prints log lines only
/// if asked to, and remembers why brokers cannot be reached. Called from librdkafka's polling.
#[derive(Default, Debug)]
pub struct Watch {
    is_verbose: bool,
    reach: Mutex<Reach>,
}

#[derive(Default, Debug)]
struct Reach {
    reason: Option<String>,
    all_are_down: bool,
}

impl Watch {
    /// `is_verbose`: whether log lines go to stderr.
    pub fn new(is_verbose: bool) -> Self {
        Self { is_verbose, reach: Mutex::default() }
    }

    /// Whether log lines go to stderr.
    pub fn is_verbose(&self) -> bool {
        self.is_verbose
    }

    /// Whether no broker that is known of can be reached.
    pub fn all_are_down(&self) -> bool {
        self.with(|reach| reach.all_are_down)
    }

    /// Why a broker could not be reached, if one could not.
    pub fn reason(&self) -> Option<String> {
        self.with(|reach| reach.reason.clone())
    }

    /// To be told when an answer came: brokers are there.
    pub fn answered(&self) {
        self.with(|reach| *reach = Reach::default());
    }

    fn with<T>(&self, then: impl FnOnce(&mut Reach) -> T) -> T {
        // Plain values: whoever panicked with the lock has not left them half-written.
        then(&mut self.reach.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ClientContext for Watch {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if self.is_verbose {
            tell(format_args!("librdkafka {level:?} {facility}: {message}"));
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.with(|reach| match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AllBrokersDown) => reach.all_are_down = true,
            _ => reach.reason = Some(plain(reason)),
        });
        if self.is_verbose {
            tell(format_args!("librdkafka: {error}: {reason}"));
        }
    }
}

impl ConsumerContext for Watch {}

impl ProducerContext for Watch {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

/// librdkafka's reason without what only its authors want to know: "127.0.0.1:1/bootstrap: Connect to
/// ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)".
fn plain(reason: &str) -> String {
    let without_state = reason.split(" (after ").next().unwrap_or(reason);
    let broker_and_rest = without_state.split_once("/bootstrap: ").map(|(_, rest)| rest);
    broker_and_rest.unwrap_or(without_state).replace("ipv4#", "").replace("ipv6#", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_plain() {
        let watch = Watch::new(false);
        let long = "127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)";
        watch.error(KafkaError::Global(RDKafkaErrorCode::BrokerTransportFailure), long);
        assert_eq!(watch.reason().as_deref(), Some("Connect to 127.0.0.1:1 failed: Connection refused"));
        assert!(!watch.all_are_down());
        watch.error(KafkaError::Global(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
        assert!(watch.all_are_down() && watch.reason().unwrap().contains("refused"));
        watch.answered();
        assert!(!watch.all_are_down() && watch.reason().is_none());
    }
}
