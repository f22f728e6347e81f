//! From a line of input to a record.

use super::super::record_json;
use super::arguments::{Input, ProduceCommand};

/// Headers in their order; names may repeat.
pub type Headers = Vec<(String, Option<Vec<u8>>)>;

/// A record to be written.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Record {
    /// Key, if it has one.
    pub key: Option<Vec<u8>>,
    /// Value; none marks the key as deleted in a compacted topic.
    pub value: Option<Vec<u8>>,
    /// Headers, in their order.
    pub headers: Headers,
    /// The partition; none lets the key decide.
    pub partition: Option<i32>,
    /// Milliseconds since 1970; none is now.
    pub timestamp_ms: Option<i64>,
}

/// How lines become records.
#[derive(Debug)]
pub struct Format {
    input: Input,
    key_separator: Option<Vec<u8>>,
    /// What a record has that does not say otherwise. Its headers come first.
    default: Record,
}

impl Format {
    /// The format that the arguments ask for.
    pub fn of(command: &ProduceCommand) -> Self {
        let bytes = |text: &String| text.clone().into_bytes();
        let headers = command.headers.iter().map(|(name, value)| (name.clone(), Some(bytes(value))));
        Self {
            input: command.input,
            key_separator: command.key_separator.as_ref().map(|separator| separator.0.clone()),
            default: Record {
                key: command.key.as_ref().map(bytes),
                headers: headers.collect(),
                partition: command.partition,
                ..Record::default()
            },
        }
    }

    /// Makes a record of a line; the error says what is wrong with it.
    pub fn record(&self, line: Vec<u8>) -> Result<Record, String> {
        let own = match (self.input, &self.key_separator) {
            (Input::Json, _) => record_json::parse(&line)?,
            (Input::Lines, None) => Record { value: Some(line), ..Record::default() },
            (Input::Lines, Some(separator)) => split(&line, separator)?,
        };
        Ok(self.completed(own))
    }

    fn completed(&self, own: Record) -> Record {
        let mut headers = self.default.headers.clone();
        headers.extend(own.headers);
        Record {
            key: own.key.or_else(|| self.default.key.clone()),
            headers,
            partition: own.partition.or(self.default.partition),
            ..own
        }
    }
}

fn split(line: &[u8], separator: &[u8]) -> Result<Record, String> {
    let at = line.windows(separator.len()).position(|window| window == separator);
    let at = at.ok_or_else(|| "there is no key separator".to_owned())?;
    let (key, value) = (line[..at].to_vec(), line[at + separator.len()..].to_vec());
    Ok(Record { key: Some(key), value: Some(value), ..Record::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(input: Input, key_separator: Option<&str>) -> Format {
        let default = Record {
            key: Some(b"default".to_vec()),
            headers: vec![("all".to_owned(), Some(b"1".to_vec()))],
            partition: Some(2),
            ..Record::default()
        };
        Format { input, key_separator: key_separator.map(|text| text.as_bytes().to_vec()), default }
    }

    #[test]
    fn a_line_is_a_value() {
        let record = format(Input::Lines, None).record(b"a\tb\xff".to_vec()).unwrap();
        assert_eq!(record.key.as_deref(), Some(&b"default"[..]));
        assert_eq!(record.value.as_deref(), Some(&b"a\tb\xff"[..]));
        assert_eq!(record.partition, Some(2));
    }

    #[test]
    fn a_line_is_split_at_the_first_separator() {
        let format = format(Input::Lines, Some("::"));
        let record = format.record(b"k::v::w".to_vec()).unwrap();
        assert_eq!((record.key.as_deref(), record.value.as_deref()), (Some(&b"k"[..]), Some(&b"v::w"[..])));
        let record = format.record(b"::".to_vec()).unwrap();
        assert_eq!((record.key.as_deref(), record.value.as_deref()), (Some(&b""[..]), Some(&b""[..])));
        assert!(format.record(b"k:v".to_vec()).is_err());
        assert!(format.record(Vec::new()).is_err());
    }

    #[test]
    fn what_a_record_says_of_itself_wins() {
        let line = br#"{"key": "k", "value": "v", "partition": 1, "headers": {"own": "2"}}"#;
        let record = format(Input::Json, None).record(line.to_vec()).unwrap();
        assert_eq!((record.key.as_deref(), record.partition), (Some(&b"k"[..]), Some(1)));
        let names: Vec<&str> = record.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["all", "own"]);
        let record = format(Input::Json, None).record(br#"{"value": null}"#.to_vec()).unwrap();
        assert_eq!(
            (record.key.as_deref(), record.value, record.partition),
            (Some(&b"default"[..]), None, Some(2))
        );
    }
}
