//! Presets and files become flags in front of those that were given, so that there is one way to read values.

use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory};
use thiserror::Error;

use super::arguments::Arguments;
use super::presets;

/// Longest file that is read.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Pairs of flags of which one replaces the other when it stands in a stronger place.
const RIVALS: [(&str, &str); 2] = [("rate", "closed"), ("threads", "cpus")];

/// What is wrong with a preset or a file.
#[derive(Debug, Error)]
pub enum ExpandError {
    /// No such preset.
    #[error("there is no preset `{name}`{}; `loadgen presets` lists them", did_you_mean(nearest))]
    Preset {
        /// As written.
        name: String,
        /// The most alike.
        nearest: Option<String>,
    },
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is longer than a configuration can be.
    #[error("{} is longer than {FILE_BYTES_MAX} bytes", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// The file is not TOML.
    #[error("{} is not TOML: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        message: String,
    },
    /// A key that is no flag.
    #[error("{}: unknown key `{key}`{}", path.display(), did_you_mean(nearest))]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key as written.
        key: String,
        /// The most alike.
        nearest: Option<String>,
    },
    /// A value of a type that no flag takes.
    #[error("{}: `{key}` takes a string, a number or a boolean, not {found}", path.display())]
    NotAScalar {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The TOML type.
        found: &'static str,
    },
    /// A value that its flag does not take.
    #[error("{}: {message}", path.display())]
    BadValue {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
}

fn did_you_mean(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!(", did you mean `{name}`?")).unwrap_or_default()
}

/// A flag and its value; `None` for a flag that takes none.
type Flag = (String, Option<String>);

/// The command line with what preset and file add to it. `matches` is the command line as it was given.
pub fn expand(arguments: &[String], matches: &ArgMatches) -> Result<Vec<String>, ExpandError> {
    let Some((command, own)) = matches.subcommand() else { return Ok(arguments.to_vec()) };
    let mut weaker: Vec<Flag> = Vec::new();
    let mut name = given::<String>(own, "preset");
    let file = match given::<PathBuf>(own, "config") {
        None => Vec::new(),
        Some(path) => {
            let flags = read_file(&path, command)?;
            check_values(&path, command, &flags)?;
            flags
        }
    };
    if name.is_none() {
        name = file.iter().find(|(flag, _)| flag == "preset").and_then(|(_, value)| value.clone());
    }
    if let Some(name) = name {
        let flags = presets::find(&name).ok_or_else(|| {
            let nearest = nearest(&name, presets::PRESETS.iter().map(|(preset, _)| *preset));
            ExpandError::Preset { name, nearest }
        })?;
        // A preset says more than some commands ask: a sweep has no rate.
        let known = known_flags(command);
        let flags = flags.into_iter().filter(|(flag, _)| known.contains(flag));
        weaker.extend(flags.into_iter().map(|(flag, value)| (flag, Some(value))));
        let is_kept = |(flag, _): &Flag| !file.iter().any(|(stronger, _)| replaces(stronger, flag));
        weaker.retain(is_kept);
    }
    weaker.extend(file);
    let is_given = |id: &str| {
        let id = id.replace('-', "_");
        own.try_contains_id(&id).unwrap_or(false) && own.value_source(&id) == Some(ValueSource::CommandLine)
    };
    let is_replaced = |flag: &str| {
        RIVALS
            .iter()
            .any(|(one, other)| (flag == *one && is_given(other)) || (flag == *other && is_given(one)))
    };
    weaker.retain(|(flag, _)| !is_given(flag) && !is_replaced(flag));
    let mut expanded = arguments[..2].to_vec();
    expanded.extend(weaker.into_iter().flat_map(as_arguments));
    expanded.extend_from_slice(&arguments[2..]);
    Ok(expanded)
}

fn given<T: Clone + Send + Sync + 'static>(own: &ArgMatches, id: &str) -> Option<T> {
    own.try_get_one::<T>(id).ok().flatten().cloned()
}

fn replaces(stronger: &str, weaker: &str) -> bool {
    stronger == weaker || RIVALS.iter().any(|pair| *pair == (stronger, weaker) || *pair == (weaker, stronger))
}

fn as_arguments((flag, value): Flag) -> Vec<String> {
    match value {
        Some(value) => vec![format!("--{flag}={value}")],
        None => vec![format!("--{flag}")],
    }
}

fn read_file(path: &Path, command: &str) -> Result<Vec<Flag>, ExpandError> {
    let unreadable = |source| ExpandError::Unreadable { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(unreadable)?.len() > FILE_BYTES_MAX {
        return Err(ExpandError::TooLong { path: path.to_owned() });
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| ExpandError::Syntax {
        path: path.to_owned(),
        message: error.to_string(),
    })?;
    let known = known_flags(command);
    let mut flags = Vec::new();
    for (key, value) in table {
        if !known.contains(&key) {
            let nearest = nearest(&key, known.iter().map(String::as_str));
            return Err(ExpandError::UnknownKey { path: path.to_owned(), key, nearest });
        }
        let value = match value {
            toml::Value::String(text) => Some(text),
            toml::Value::Integer(number) => Some(number.to_string()),
            toml::Value::Float(number) => Some(number.to_string()),
            toml::Value::Boolean(true) => None,
            toml::Value::Boolean(false) => continue,
            other => {
                let found = other.type_str();
                return Err(ExpandError::NotAScalar { path: path.to_owned(), key, found });
            }
        };
        flags.push((key, value));
    }
    Ok(flags)
}

/// Parses the file's flags alone, so that what is wrong is said of the file.
fn check_values(path: &Path, command: &str, flags: &[Flag]) -> Result<(), ExpandError> {
    let arguments = ["loadgen".to_owned(), command.to_owned()];
    let arguments = arguments.into_iter().chain(flags.iter().cloned().flat_map(as_arguments));
    match Arguments::command().try_get_matches_from(arguments) {
        Ok(_) => Ok(()),
        Err(error) => {
            let text = error.to_string();
            let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
            Err(ExpandError::BadValue { path: path.to_owned(), message })
        }
    }
}

/// The flags of a sub-command that a file may have: all but that for the file itself.
fn known_flags(command: &str) -> Vec<String> {
    let arguments = Arguments::command();
    let own = arguments.find_subcommand(command).expect("clap has matched it");
    let names = own.get_arguments().filter_map(|argument| argument.get_long());
    names.filter(|name| !["config", "help", "version"].contains(name)).map(str::to_owned).collect()
}

/// The name that is written most alike, if any is alike at all.
fn nearest<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    known
        .map(|name| (strsim::jaro_winkler(written, name), name))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(arguments: &[&str]) -> Result<Vec<String>, ExpandError> {
        let arguments: Vec<String> =
            ["loadgen", "run"].iter().chain(arguments).map(|text| text.to_string()).collect();
        let matches = Arguments::command().try_get_matches_from(&arguments).unwrap();
        expand(&arguments, &matches).map(|expanded| expanded[2..].to_vec())
    }

    fn file(text: &str) -> (tempfile::TempDir, String) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("load.toml");
        std::fs::write(&path, text).unwrap();
        (directory, path.to_str().unwrap().to_owned())
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_the_preset() {
        let (_directory, path) = file("rate = \"7k\"\nbatch = 5\nidempotence = true\nsize = \"2KiB\"");
        let all = expanded(&["--config", &path, "--preset", "hard", "--batch", "9"]).unwrap();
        let has = |text: &str| all.iter().any(|argument| argument == text);
        assert!(has("--rate=7k") && has("--idempotence") && has("--size=2KiB") && has("--producers=10"));
        assert!(!has("--batch=5") && !has("--batch=1") && !has("--rate=50000") && !has("--size=100"));
        let matches = Arguments::command()
            .try_get_matches_from(["loadgen", "run"].into_iter().chain(all.iter().map(String::as_str)));
        assert!(matches.is_ok(), "{matches:?}");
    }

    #[test]
    fn a_rival_of_a_stronger_place_replaces_a_weaker_one() {
        let all = expanded(&["--preset", "hard", "--closed"]).unwrap();
        assert!(!all.iter().any(|argument| argument.starts_with("--rate")));
        let (_directory, path) = file("closed = true");
        let all = expanded(&["--preset", "hard", "--config", &path]).unwrap();
        assert!(!all.iter().any(|argument| argument.starts_with("--rate")));
    }

    #[test]
    fn what_a_file_has_wrong_is_named_with_the_nearest_key() {
        let error = |text: &str| {
            let (_directory, path) = file(text);
            expanded(&["--config", &path]).unwrap_err().to_string()
        };
        assert!(error("partitons = 3").contains("did you mean `partitions`?"));
        assert!(error("config = \"x\"").contains("unknown key `config`"));
        assert!(error("rate = [1]").contains("not array"));
        assert!(error("rate = ").contains("is not TOML"));
        assert!(error("rate = \"fast\"").contains("--rate"));
        let preset = expanded(&["--preset", "1-topic-16-partition-1kb"]).unwrap_err().to_string();
        assert!(preset.contains("did you mean `1-topic-16-partitions-1kb`?"), "{preset}");
    }

    #[test]
    fn every_preset_is_accepted() {
        for (name, _) in presets::PRESETS {
            let all = expanded(&["--preset", name]).unwrap();
            let all = ["loadgen", "run"].into_iter().chain(all.iter().map(String::as_str));
            assert!(Arguments::command().try_get_matches_from(all).is_ok(), "{name}");
        }
    }
}
