//! From a record to the line that is printed.

use super::super::record_json::{ConsumedRecord, Place};

/// How records are printed.
#[derive(Debug)]
pub enum Format {
    /// The value, byte for byte, and a line end.
    Values,
    /// Key, separator, value, and a line end.
    KeysAndValues(Vec<u8>),
    /// A JSON object on a line.
    Json,
}

/// What is printed of a record.
pub struct Printed<'a, H> {
    /// Where it was found.
    pub place: Place<'a>,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
    /// Makes its headers, which are only wanted for JSON.
    pub headers: H,
}

impl Format {
    /// Appends a record's line to `line`.
    pub fn append<'a, H, I>(&self, record: Printed<'a, H>, line: &mut Vec<u8>)
    where
        H: FnOnce() -> I,
        I: Iterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    {
        let Printed { place, key, value, headers } = record;
        match self {
            Format::Values => line.extend_from_slice(value.unwrap_or_default()),
            Format::KeysAndValues(separator) => {
                for part in [key.unwrap_or_default(), separator, value.unwrap_or_default()] {
                    line.extend_from_slice(part);
                }
            }
            Format::Json => {
                let record = ConsumedRecord::new(place, key, value, headers());
                serde_json::to_writer(&mut *line, &record).expect("plain data into memory");
            }
        }
        line.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(format: &Format, key: Option<&[u8]>, value: Option<&[u8]>) -> String {
        let place = Place { topic: "t", partition: 0, offset: 7, timestamp: None };
        let mut line = Vec::new();
        format.append(Printed { place, key, value, headers: std::iter::empty }, &mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn formats() {
        assert_eq!(printed(&Format::Values, Some(b"k"), Some(b"v")), "v\n");
        assert_eq!(printed(&Format::Values, None, None), "\n");
        let pairs = Format::KeysAndValues(b"\t".to_vec());
        assert_eq!(printed(&pairs, Some(b"k"), Some(b"v")), "k\tv\n");
        assert_eq!(printed(&pairs, None, Some(b"v")), "\tv\n");
        let json = printed(&Format::Json, None, Some(b"a\nb"));
        let expected = r#"{"topic":"t","partition":0,"offset":7,"timestamp":null,"timestamp_type":null,"key":null,"value":"a\nb","headers":[]}"#;
        assert_eq!(json, format!("{expected}\n"));
    }
}
