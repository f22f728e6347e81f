//! Kafka's way to write a UUID: URL-safe base64 without padding, 22 characters (org.apache.kafka.common.Uuid).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const TEXT_BYTES: usize = 22;

/// A UUID that is written as Kafka writes it, as the cluster id is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct KafkaUuid(pub Uuid);

/// A text that is not a UUID in Kafka's form.
#[derive(Error, Clone, PartialEq, Eq, Debug)]
#[error("{0:?} is not an id in Kafka's form: 22 characters of A-Z, a-z, 0-9, '-' and '_'")]
pub struct KafkaUuidError(String);

impl KafkaUuid {
    /// A version 4 UUID of 128 random bits; `None` for the few that command lines would take for an option
    /// (Kafka's `Uuid.randomUuid` skips them too).
    pub fn from_random(bits: u128) -> Option<Self> {
        let id = KafkaUuid(uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid());
        (!id.to_string().starts_with('-')).then_some(id)
    }
}

impl fmt::Display for KafkaUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.0.as_u128();
        // 21 characters of 6 bits from the top, and one of the last 2 bits.
        for index in 0..TEXT_BYTES - 1 {
            let six = (bits >> (122 - 6 * index)) & 63;
            fmt::Write::write_char(f, char::from(ALPHABET[six as usize]))?;
        }
        fmt::Write::write_char(f, char::from(ALPHABET[((bits & 3) << 4) as usize]))
    }
}

impl fmt::Debug for KafkaUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KafkaUuid {
    type Err = KafkaUuidError;

    fn from_str(text: &str) -> Result<Self, KafkaUuidError> {
        let parse = || {
            let bytes: &[u8; TEXT_BYTES] = text.as_bytes().try_into().ok()?;
            let mut bits = 0u128;
            for (index, byte) in bytes.iter().enumerate() {
                let six = ALPHABET.iter().position(|letter| letter == byte)? as u128;
                if index < TEXT_BYTES - 1 {
                    bits = bits << 6 | six;
                } else {
                    // The last character carries 2 bits; others in it would be a second text of one id.
                    bits = (six & 15 == 0).then_some(bits << 2 | six >> 4)?;
                }
            }
            Some(KafkaUuid(Uuid::from_u128(bits)))
        };
        parse().ok_or_else(|| KafkaUuidError(text.chars().take(2 * TEXT_BYTES).collect()))
    }
}

impl From<KafkaUuid> for String {
    fn from(id: KafkaUuid) -> String {
        id.to_string()
    }
}

impl TryFrom<String> for KafkaUuid {
    type Error = KafkaUuidError;

    fn try_from(text: String) -> Result<Self, KafkaUuidError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_text_is_kafkas() {
        // Uuid.ONE_UUID and Uuid.ZERO_UUID, as Kafka's own tests print them.
        assert_eq!(KafkaUuid(Uuid::from_u128(0)).to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(KafkaUuid(Uuid::from_u128(1)).to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        let id = Uuid::from_u128(0xfbff_ffff_ffff_ffff_ffff_ffff_ffff_ffff);
        assert_eq!(KafkaUuid(id).to_string(), format!("-{}w", "_".repeat(20)));
    }

    #[test]
    fn an_id_that_looks_like_an_option_is_not_made() {
        assert_eq!(KafkaUuid::from_random(0xfbff << 112), None);
        assert_eq!(KafkaUuid::from_random(7).expect("starts with A").0.get_version_num(), 4);
    }

    proptest! {
        #[test]
        fn every_id_survives_its_text(bits: u128) {
            let id = KafkaUuid(Uuid::from_u128(bits));
            prop_assert_eq!(id.to_string().len(), TEXT_BYTES);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }

        #[test]
        fn any_text_is_an_id_or_an_error(text in "\\PC{0,30}|[A-Za-z0-9_-]{22}") {
            if let Ok(id) = text.parse::<KafkaUuid>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
