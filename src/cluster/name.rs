//! Topic names: Kafka's rules (org.apache.kafka.common.internals.Topic), word for word.

use std::borrow::Cow;

use super::error::ClusterError;
use crate::base::limits::TOPIC_NAME_BYTES_MAX;

/// Topics in which the broker keeps state of its own.
const INTERNAL: [&str; 2] = ["__consumer_offsets", "__transaction_state"];

/// Whether a topic of this name is the broker's own.
pub fn is_internal(name: &str) -> bool {
    INTERNAL.contains(&name)
}

/// Whether a topic may have this name, apart from others that exist.
pub fn validate_topic_name(name: &str) -> Result<(), ClusterError> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let reason = match name {
        "" => "the empty string is not allowed".to_owned(),
        "." | ".." => format!("'{name}' is not allowed"),
        _ if name.len() > TOPIC_NAME_BYTES_MAX => {
            let shown: String = name.chars().take(TOPIC_NAME_BYTES_MAX + 1).collect();
            format!("the length of '{shown}' is longer than the max allowed length {TOPIC_NAME_BYTES_MAX}")
        }
        _ if !name.bytes().all(legal) => format!(
            "'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
        ),
        _ => return Ok(()),
    };
    Err(ClusterError::InvalidName(format!("Topic name is invalid: {reason}")))
}

/// The name as metrics see it: '.' and '_' are one. No two topics may agree in it.
pub fn folded(name: &str) -> Cow<'_, str> {
    if name.contains('.') { Cow::Owned(name.replace('.', "_")) } else { Cow::Borrowed(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str) -> String {
        validate_topic_name(name).expect_err("an illegal name").to_string()
    }

    #[test]
    fn legal_names_pass() {
        for name in ["a", "...", "-", "_", "__consumer_offsets", "A.b-c_9"] {
            assert_eq!(validate_topic_name(name), Ok(()));
        }
        assert_eq!(validate_topic_name(&"x".repeat(249)), Ok(()));
    }

    #[test]
    fn illegal_names_are_refused_in_kafkas_words() {
        assert_eq!(refusal(""), "Topic name is invalid: the empty string is not allowed");
        assert_eq!(refusal("."), "Topic name is invalid: '.' is not allowed");
        assert_eq!(refusal(".."), "Topic name is invalid: '..' is not allowed");
        assert!(refusal("a b").ends_with("other than ASCII alphanumerics, '.', '_' and '-'"));
        for name in ["a/b", "a\0", "é", "a:b"] {
            assert!(refusal(name).contains("other than ASCII alphanumerics"));
        }
        let long = "x".repeat(250);
        assert_eq!(
            refusal(&long),
            format!(
                "Topic name is invalid: the length of '{long}' is longer than the max allowed length 249"
            )
        );
        assert!(refusal(&"x".repeat(100_000)).len() < 400, "a hostile name is not echoed whole");
    }
}
