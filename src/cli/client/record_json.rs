//! Records as JSON, one on a line: what `consume --output json` prints, and `produce --input json` reads.
//!
//! Keys and values are bytes to Kafka. What is UTF-8 stands there as text; what is not is in base64, and a field
//! beside it says so.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::produce::{Headers, Record};

/// What `*_encoding` says of what is not UTF-8.
const BASE64: &str = "base64";

/// A record that was read from a topic.
#[derive(Serialize)]
pub struct ConsumedRecord<'a> {
    /// Topic.
    pub topic: &'a str,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Milliseconds since 1970; null if there is none.
    pub timestamp: Option<i64>,
    /// `create` if the producer set the timestamp, `append` if the broker did.
    pub timestamp_type: Option<&'static str>,
    /// Key; null if there is none.
    pub key: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_encoding: Option<&'static str>,
    /// Value; null marks the key as deleted in a compacted topic.
    pub value: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_encoding: Option<&'static str>,
    /// Headers, in their order.
    pub headers: Vec<ConsumedHeader<'a>>,
}

/// A header of a record that was read.
#[derive(Serialize)]
pub struct ConsumedHeader<'a> {
    key: Cow<'a, str>,
    value: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_encoding: Option<&'static str>,
}

/// Where a record was found, and when it was written.
pub struct Place<'a> {
    /// Topic.
    pub topic: &'a str,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Milliseconds since 1970, and whose clock it was: `create` or `append`.
    pub timestamp: Option<(i64, &'static str)>,
}

impl<'a> ConsumedRecord<'a> {
    /// A record as it is printed.
    pub fn new(
        place: Place<'a>,
        key: Option<&'a [u8]>,
        value: Option<&'a [u8]>,
        headers: impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    ) -> Self {
        let Place { topic, partition, offset, timestamp } = place;
        let (key, key_encoding) = encode(key);
        let (value, value_encoding) = encode(value);
        let headers = headers.map(|(name, bytes)| {
            let (value, value_encoding) = encode(bytes);
            ConsumedHeader { key: String::from_utf8_lossy(name), value, value_encoding }
        });
        Self {
            topic,
            partition,
            offset,
            timestamp: timestamp.map(|(epoch_ms, _)| epoch_ms),
            timestamp_type: timestamp.map(|(_, whose)| whose),
            key,
            key_encoding,
            value,
            value_encoding,
            headers: headers.collect(),
        }
    }
}

fn encode(bytes: Option<&[u8]>) -> (Option<Cow<'_, str>>, Option<&'static str>) {
    match bytes.map(std::str::from_utf8) {
        None => (None, None),
        Some(Ok(text)) => (Some(Cow::Borrowed(text)), None),
        Some(Err(_)) => (bytes.map(|bytes| Cow::Owned(STANDARD.encode(bytes))), Some(BASE64)),
    }
}

/// A record to be written, as a line of JSON describes it. Fields that only say where a record was found are
/// accepted and left aside, so that what `consume` prints can be produced again; others are refused, since a
/// misspelt field would be lost.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProducedRecord {
    key: Option<String>,
    key_encoding: Option<Encoding>,
    // Without a default: a value that is forgotten would delete the key in a compacted topic.
    #[serde(deserialize_with = "Option::deserialize")]
    value: Option<String>,
    value_encoding: Option<Encoding>,
    #[serde(default)]
    headers: ProducedHeaders,
    partition: Option<i32>,
    timestamp: Option<i64>,
    #[serde(rename = "topic")]
    _topic: Option<IgnoredAny>,
    #[serde(rename = "offset")]
    _offset: Option<IgnoredAny>,
    #[serde(rename = "timestamp_type")]
    _timestamp_type: Option<IgnoredAny>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    Text,
    Base64,
}

/// Headers in their order, or the short form for those without duplicates.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "headers are {\"name\": \"value\"} or [{\"key\": \"name\", \"value\": \"value\"}]"
)]
enum ProducedHeaders {
    List(Vec<ProducedHeader>),
    Map(BTreeMap<String, Option<String>>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProducedHeader {
    key: String,
    value: Option<String>,
    value_encoding: Option<Encoding>,
}

impl Default for ProducedHeaders {
    fn default() -> Self {
        ProducedHeaders::List(Vec::new())
    }
}

/// Reads a record from a line of JSON; the error says what is wrong with it.
pub fn parse(line: &[u8]) -> Result<Record, String> {
    let mut deserializer = serde_json::Deserializer::from_slice(line);
    let parsed = ProducedRecord::deserialize(&mut deserializer).and_then(|record| {
        deserializer.end()?;
        Ok(record)
    });
    let record = parsed.map_err(|error| plain(&error))?;
    if record.partition.is_some_and(|partition| partition < 0) {
        return Err("a partition is 0 or more".to_owned());
    }
    if record.timestamp.is_some_and(|timestamp| timestamp < 0) {
        return Err("a timestamp is in milliseconds since 1970".to_owned());
    }
    // librdkafka takes 0 for none, and would write now instead.
    if record.timestamp == Some(0) {
        return Err("a timestamp of 0 cannot be sent; without one it is the time of sending".to_owned());
    }
    Ok(Record {
        key: decode("key", record.key, record.key_encoding)?,
        value: decode("value", record.value, record.value_encoding)?,
        headers: headers(record.headers)?,
        partition: record.partition,
        timestamp_ms: record.timestamp,
    })
}

/// serde's message; the line of the input is said elsewhere, and it is always line 1 of the record.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let message = text.split(" at line ").next().unwrap_or(&text);
    format!("{message} at column {}", error.column())
}

fn headers(headers: ProducedHeaders) -> Result<Headers, String> {
    match headers {
        ProducedHeaders::List(list) => list
            .into_iter()
            .map(|header| {
                let value = decode("value of a header", header.value, header.value_encoding)?;
                Ok((header.key, value))
            })
            .collect(),
        ProducedHeaders::Map(map) => {
            Ok(map.into_iter().map(|(name, value)| (name, value.map(String::into_bytes))).collect())
        }
    }
}

fn decode(what: &str, text: Option<String>, encoding: Option<Encoding>) -> Result<Option<Vec<u8>>, String> {
    match (text, encoding) {
        (None, _) => Ok(None),
        (Some(text), None | Some(Encoding::Text)) => Ok(Some(text.into_bytes())),
        (Some(text), Some(Encoding::Base64)) => {
            STANDARD.decode(text).map(Some).map_err(|error| format!("the {what} is not base64: {error}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;

    use super::*;

    fn line(record: &Record) -> String {
        let place = Place { topic: "t", partition: 3, offset: 17, timestamp: Some((5, "create")) };
        let headers = record.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_deref()));
        let consumed = ConsumedRecord::new(place, record.key.as_deref(), record.value.as_deref(), headers);
        serde_json::to_string(&consumed).unwrap()
    }

    #[test]
    fn what_is_not_text_is_base64_and_says_so() {
        let record = Record {
            key: Some(b"k".to_vec()),
            value: Some(vec![0xff, 0]),
            headers: vec![("h".to_owned(), None)],
            partition: None,
            timestamp_ms: None,
        };
        let expected = r#"{"topic":"t","partition":3,"offset":17,"timestamp":5,"timestamp_type":"create","key":"k","value":"/wA=","value_encoding":"base64","headers":[{"key":"h","value":null}]}"#;
        assert_eq!(line(&record), expected);
    }

    proptest! {
        #[test]
        fn what_is_printed_can_be_read(
            key in option::of(vec(any::<u8>(), 0..20)),
            value in option::of(vec(any::<u8>(), 0..50)),
            headers in vec(("\\PC{0,5}", option::of(vec(any::<u8>(), 0..9))), 0..4),
        ) {
            let record = Record { key, value, headers, partition: Some(3), timestamp_ms: Some(5) };
            prop_assert_eq!(parse(line(&record).as_bytes()), Ok(record));
        }

        #[test]
        fn nothing_panics(line in vec(any::<u8>(), 0..60)) {
            let _ = parse(&line);
        }
    }

    #[test]
    fn the_short_form() {
        let record = parse(br#" {"value": "v", "headers": {"b": "2", "a": null}} "#).unwrap();
        assert_eq!(record.value.as_deref(), Some(&b"v"[..]));
        assert_eq!((record.key, record.partition, record.timestamp_ms), (None, None, None));
        assert_eq!(record.headers, [("a".to_owned(), None), ("b".to_owned(), Some(b"2".to_vec()))]);
        assert_eq!(parse(br#"{"value": null}"#).unwrap().value, None);
    }

    #[test]
    fn errors_say_what_is_wrong() {
        for (line, words) in [
            (&br#"{"key": "k"}"#[..], "missing field `value`"),
            (br#"{"value": "v", "vaule": 1}"#, "unknown field `vaule`"),
            (br#"{"value": 1}"#, "invalid type: integer `1`, expected a string at column"),
            (br#"{"value": "v"} x"#, "trailing characters"),
            (br#"plain text"#, "expected value"),
            (br#"{"value": "v", "partition": -1}"#, "a partition is 0 or more"),
            (br#"{"value": "v", "timestamp": -1}"#, "milliseconds since 1970"),
            (br#"{"value": "v", "timestamp": 0}"#, "a timestamp of 0 cannot be sent"),
            (br#"{"value": "=", "value_encoding": "base64"}"#, "the value is not base64"),
            (br#"{"value": "v", "headers": 7}"#, "headers are {"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
