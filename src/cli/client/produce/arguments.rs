//! Arguments of `corelane produce`.

use clap::{Args, ValueEnum};

use super::super::arguments::Connection;

const EXAMPLES: &str = "\
Examples:
  seq 1 1000 | corelane produce numbers
  echo 'paid' | corelane produce orders --key 17 -H source=shop
  printf '17\\tpaid\\n18\\topen\\n' | corelane produce orders --key-separator '\\t'
  echo '{\"key\": \"17\", \"value\": \"paid\", \"headers\": {\"source\": \"shop\"}}' | corelane produce orders --input json
  corelane consume orders --output json | corelane produce copy --input json";

/// Arguments of `corelane produce`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct ProduceCommand {
    #[command(flatten)]
    pub connection: Connection,
    /// Topic to write to
    pub topic: String,
    /// What a line is: a value, or a JSON object with key, value, headers, partition, timestamp
    #[arg(long, value_enum, default_value_t = Input::Lines)]
    pub input: Input,
    /// Split each line at the first of these into key and value; \t is a tab
    #[arg(long, value_name = "TEXT", value_parser = separator, conflicts_with = "key")]
    pub key_separator: Option<Separator>,
    /// Key of records that do not bring their own
    #[arg(short, long)]
    pub key: Option<String>,
    /// Header of every record; can be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE", value_parser = header)]
    pub headers: Vec<(String, String)>,
    /// Write to this partition, instead of the one that the key decides
    #[arg(short, long, value_parser = clap::value_parser!(i32).range(0..))]
    pub partition: Option<i32>,
    /// Compress batches
    #[arg(short = 'z', long, value_enum, default_value_t = Compression::None)]
    pub compression: Compression,
    /// Who has to have a record before it counts as written
    #[arg(long, value_enum, default_value_t = Acks::All)]
    pub acks: Acks,
    /// Let retries write records twice; without --acks all this is so anyway
    #[arg(long)]
    pub no_idempotence: bool,
    /// Let the broker create the topic if it does not exist
    #[arg(long)]
    pub create: bool,
}

/// What a line is.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Input {
    /// A value, byte for byte
    Lines,
    /// A JSON object
    Json,
}

/// Kafka's codecs.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compression {
    /// Not at all
    None,
    /// Zlib's
    Gzip,
    /// Fast, and compresses least
    Snappy,
    /// Fast
    Lz4,
    /// Compresses most for its time
    Zstd,
}

impl Compression {
    /// As librdkafka and Kafka write it.
    pub fn word(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Snappy => "snappy",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        }
    }
}

/// Who has to have a record before it counts as written.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acks {
    /// All in-sync replicas
    All,
    /// The partition's leader
    #[value(name = "1")]
    Leader,
    /// Nobody: what fails is not noticed
    #[value(name = "0")]
    Nobody,
}

impl Acks {
    /// As librdkafka and Kafka write it.
    pub fn word(self) -> &'static str {
        match self {
            Acks::All => "all",
            Acks::Leader => "1",
            Acks::Nobody => "0",
        }
    }
}

/// What stands between key and value; never empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Separator(pub Vec<u8>);

/// Takes `\t`, `\0` and `\\` for what they mean, as shells have no handy way of writing a tab.
pub fn separator(text: &str) -> Result<Separator, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next() {
                Some(b't') => b'\t',
                Some(b'0') => 0,
                Some(b'\\') => b'\\',
                _ => return Err("\\t, \\0 and \\\\ are known".to_owned()),
            },
            byte => byte,
        });
    }
    match bytes.is_empty() {
        true => Err("it cannot be empty".to_owned()),
        false => Ok(Separator(bytes)),
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators() {
        let read = |text: &str| separator(text).map(|separator| separator.0);
        assert_eq!(read(":"), Ok(b":".to_vec()));
        assert_eq!(read("\\t"), Ok(b"\t".to_vec()));
        assert_eq!(read("a\\\\\\0"), Ok(b"a\\\0".to_vec()));
        assert!(read("").is_err() && read("\\").is_err() && read("\\x").is_err());
    }

    #[test]
    fn headers() {
        assert_eq!(header("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(header("a="), Ok(("a".to_owned(), String::new())));
        assert!(header("a").is_err() && header("=b").is_err());
    }
}
