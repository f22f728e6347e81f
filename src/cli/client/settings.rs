//! Settings as users of Kafka's tools have them: in a file, and with units that Kafka itself does not know.

use std::fs::File;
use std::io::Read;

use super::arguments::{Assignment, parse_assignment};
use crate::base::limits::SETTINGS_FILE_BYTES_MAX;
use crate::config::units::{parse_duration, parse_size};

/// The settings in a file, in its order, without `bootstrap.servers`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SettingsFile(pub Vec<Assignment>);

/// Reads a file of settings.
pub fn parse_file(path: &str) -> Result<SettingsFile, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(SETTINGS_FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > SETTINGS_FILE_BYTES_MAX {
        return Err(format!("it is longer than {SETTINGS_FILE_BYTES_MAX} bytes"));
    }
    parse_settings(&text)
}

/// Java's properties, as far as such files need them: no line goes on in the next one, and a backslash is one.
fn parse_settings(text: &str) -> Result<SettingsFile, String> {
    let lines = text.lines().map(str::trim).enumerate();
    let meant = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with(['#', '!']));
    let parsed = meant.map(|(index, line)| {
        let Assignment { key, value } =
            parse_assignment(line).map_err(|error| format!("line {}: {error}", index + 1))?;
        Ok(Assignment { key, value: value.trim_start().to_owned() })
    });
    let mut settings = parsed.collect::<Result<Vec<_>, String>>()?;
    // As with Kafka's tools, whose --bootstrap-server says it alone.
    settings.retain(|setting| setting.key != "bootstrap.servers");
    Ok(SettingsFile(settings))
}

/// Reads KEY=VALUE of a topic's or broker's config. Kafka takes plain numbers: where the key says that it counts bytes
/// or milliseconds, `64MiB` and `7d` become one. Anything else is for the broker to judge.
pub fn parse_config(text: &str) -> Result<Assignment, String> {
    let Assignment { key, value } = parse_assignment(text)?;
    let number = if key.ends_with(".bytes") {
        parse_size(&value).ok()
    } else if key.ends_with(".ms") {
        parse_duration(&value).ok().and_then(|duration| u64::try_from(duration.as_millis()).ok())
    } else {
        None
    };
    Ok(Assignment { key, value: number.map_or(value, |number| number.to_string()) })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse_settings(text).unwrap().0.into_iter().map(|it| (it.key, it.value)).collect()
    }

    #[test]
    fn a_file_of_kafkas_tools() {
        let text = "# who we are\n! too\n\n security.protocol = SASL_PLAINTEXT\nsasl.password=a=b \r\n\
            bootstrap.servers=elsewhere:9092\n";
        let expected = [("security.protocol", "SASL_PLAINTEXT"), ("sasl.password", "a=b")];
        assert_eq!(pairs(text), expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        assert_eq!(parse_settings("a=1\nb"), Err("line 2: write KEY=VALUE".to_owned()));
    }

    #[test]
    fn files_are_bounded() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"client.id=me\n").unwrap();
        let path = file.path().to_str().unwrap().to_owned();
        assert_eq!(parse_file(&path).unwrap().0[0].value, "me");
        assert!(parse_file("/nowhere/at/all").unwrap_err().contains("No such file"));
        assert!(parse_file("/dev/zero").unwrap_err().contains("longer than"));
    }

    #[test]
    fn units_become_kafkas_numbers() {
        for (text, value) in [
            ("segment.bytes=64MiB", "67108864"),
            ("retention.ms=7d", "604800000"),
            ("retention.bytes=-1", "-1"),
            ("segment.bytes=1048576", "1048576"),
            ("retention.ms=1000", "1000"),
            ("retention.ms=soon", "soon"),
            ("cleanup.policy=7d", "7d"),
        ] {
            assert_eq!(parse_config(text).unwrap().value, value, "{text}");
        }
        assert!(parse_config("retention.ms").is_err());
    }
}
