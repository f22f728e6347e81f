//! Variables `CORELANE_*`: `CORELANE_LOG_SEGMENT_BYTES` sets `log.segment.bytes`.

use super::error::ConfigError;
use super::key::Key;
use super::keys::{KEYS, nearest};
use super::settings::{Assignment, Origin};

/// The variable that names the configuration file, as `--config` does.
pub const CONFIG_VARIABLE: &str = "CORELANE_CONFIG";

/// The variable that names the cluster of client commands, as `--brokers` does. It is no setting of a broker, but may be
/// set where one runs.
pub const BROKERS_VARIABLE: &str = "CORELANE_BROKERS";

const PREFIX: &str = "CORELANE_";

/// What the variables assign. A `CORELANE_*` that sets nothing is an error, since it is a typing error.
pub(super) fn read(variables: &[(String, String)]) -> (Vec<Assignment>, Vec<ConfigError>) {
    let mut assignments = Vec::new();
    let mut errors = Vec::new();
    for (variable, value) in variables {
        let is_other = [CONFIG_VARIABLE, BROKERS_VARIABLE].contains(&variable.as_str());
        if !variable.starts_with(PREFIX) || is_other || is_service_link(variable, value) {
            continue;
        }
        let origin = Origin::Environment(variable.clone());
        match KEYS.iter().find(|key| key.variable() == *variable) {
            Some(key) => {
                assignments.push(Assignment { key: key.name.to_string(), value: value.clone(), origin });
            }
            None => errors.push(unknown(variable, origin)),
        }
    }
    (assignments, errors)
}

fn unknown(variable: &str, origin: Origin) -> ConfigError {
    let known: Vec<String> = KEYS.iter().map(Key::variable).collect();
    let nearest = nearest(variable, known.iter().map(String::as_str)).map(str::to_string);
    ConfigError::UnknownKey { key: variable.to_string(), origin, nearest }
}

/// Kubernetes gives every pod variables for the services of its namespace; one named `corelane` makes
/// `CORELANE_SERVICE_HOST`, `CORELANE_PORT=tcp://..` and the like, which nobody meant for us.
fn is_service_link(variable: &str, value: &str) -> bool {
    variable.ends_with("_SERVICE_HOST")
        || variable.contains("_SERVICE_PORT")
        || (variable.ends_with("_PORT") && value.contains("://"))
        || ["_TCP", "_UDP", "_SCTP"].iter().any(|protocol| {
            variable.contains("_PORT_")
                && (variable.ends_with(protocol) || variable.contains(&format!("{protocol}_")))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
    }

    #[test]
    fn a_variable_sets_its_key() {
        let given = variables(&[
            ("HOME", "/"),
            ("CORELANE_LOG_SEGMENT_BYTES", "7"),
            ("CORELANE_CONFIG", "f"),
            ("CORELANE_BROKERS", "b:1"),
        ]);
        let (assignments, errors) = read(&given);
        assert!(errors.is_empty());
        assert_eq!(assignments.len(), 1);
        assert_eq!(assignments[0].key, "log.segment.bytes");
        assert_eq!(assignments[0].origin.to_string(), "environment CORELANE_LOG_SEGMENT_BYTES");
    }

    #[test]
    fn a_wrong_variable_is_an_error_that_names_the_right_one() {
        let (_, errors) = read(&variables(&[("CORELANE_DATADIR", "/d")]));
        assert!(errors[0].to_string().ends_with("did you mean `CORELANE_DATA_DIR`?"), "{}", errors[0]);
    }

    #[test]
    fn kubernetes_service_links_are_none_of_our_business() {
        let (assignments, errors) = read(&variables(&[
            ("CORELANE_SERVICE_HOST", "10.0.0.1"),
            ("CORELANE_SERVICE_PORT", "9092"),
            ("CORELANE_SERVICE_PORT_KAFKA", "9092"),
            ("CORELANE_PORT", "tcp://10.0.0.1:9092"),
            ("CORELANE_PORT_9092_TCP", "tcp://10.0.0.1:9092"),
            ("CORELANE_PORT_9092_TCP_ADDR", "10.0.0.1"),
            ("CORELANE_0_PORT_9092_TCP_PROTO", "tcp"),
        ]));
        assert!(assignments.is_empty() && errors.is_empty(), "{errors:?}");
    }
}
