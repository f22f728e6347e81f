//! A TOML file: nested tables flatten to dotted keys, `[[listener]]` tables describe listeners.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use toml::{Table, Value};

use super::error::ConfigError;
use super::settings::{Assignment, Origin};
use crate::base::limits::CONFIG_FILE_BYTES_MAX;

/// What a file says.
#[derive(Default, PartialEq, Eq, Debug)]
pub(super) struct FileContent {
    /// Top-level keys.
    pub assignments: Vec<Assignment>,
    /// The keys of each `[[listener]]`.
    pub listeners: Vec<Vec<Assignment>>,
}

/// Reads and flattens a file.
pub(super) fn read(path: &Path) -> Result<FileContent, Vec<ConfigError>> {
    let unreadable = |source| vec![ConfigError::FileUnreadable { path: path.to_path_buf(), source }];
    let mut text = String::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(CONFIG_FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > CONFIG_FILE_BYTES_MAX {
        let path = path.to_path_buf();
        return Err(vec![ConfigError::FileTooLong { path, limit_bytes: CONFIG_FILE_BYTES_MAX }]);
    }
    parse(path, &text)
}

fn parse(path: &Path, text: &str) -> Result<FileContent, Vec<ConfigError>> {
    let mut table: Table = text.parse().map_err(|error: toml::de::Error| {
        vec![ConfigError::FileSyntax { path: path.to_path_buf(), message: error.to_string() }]
    })?;
    let origin = Origin::File(path.to_path_buf());
    let mut content = FileContent::default();
    let mut errors = Vec::new();
    for listener in take_listeners(&mut table) {
        let mut assignments = Vec::new();
        flatten("", &listener, &origin, &mut assignments, &mut errors);
        content.listeners.push(assignments);
    }
    flatten("", &table, &origin, &mut content.assignments, &mut errors);
    if errors.is_empty() { Ok(content) } else { Err(errors) }
}

/// Takes `[[listener]]` out of the table; anything else of that name stays and is reported as unknown.
fn take_listeners(table: &mut Table) -> Vec<Table> {
    let is_tables = |value: &Value| value.as_array().is_some_and(|array| array.iter().all(Value::is_table));
    if !table.get("listener").is_some_and(is_tables) {
        return Vec::new();
    }
    let Some(Value::Array(array)) = table.remove("listener") else { unreachable!("looked at above") };
    array
        .into_iter()
        .filter_map(|value| if let Value::Table(table) = value { Some(table) } else { None })
        .collect()
}

fn flatten(
    prefix: &str,
    table: &Table,
    origin: &Origin,
    assignments: &mut Vec<Assignment>,
    errors: &mut Vec<ConfigError>,
) {
    for (name, value) in table {
        let key = format!("{prefix}{name}");
        match value {
            // Depth is bounded by the parser's own limit of recursion.
            Value::Table(inner) => flatten(&format!("{key}."), inner, origin, assignments, errors),
            value => match scalar(value) {
                Ok(value) => assignments.push(Assignment { key, value, origin: origin.clone() }),
                Err(found) => errors.push(ConfigError::NotAScalar { key, origin: origin.clone(), found }),
            },
        }
    }
}

/// The text of a scalar, or of an array of scalars with commas; else the name of what was found.
fn scalar(value: &Value) -> Result<String, &'static str> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Boolean(value) => Ok(value.to_string()),
        Value::Array(items) => {
            let items: Result<Vec<_>, _> = items.iter().map(scalar).collect();
            items.map(|items| items.join(","))
        }
        Value::Float(_) => Err("a fraction"),
        Value::Datetime(_) => Err("a date"),
        Value::Table(_) => Err("a table"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(assignments: &[Assignment]) -> Vec<(&str, &str)> {
        assignments.iter().map(|a| (a.key.as_str(), a.value.as_str())).collect()
    }

    #[test]
    fn tables_flatten_to_dotted_keys() {
        let text = r#"
            memory = "4GiB"
            cpus = [0, 2]
            log.segment.bytes = 1048576
            "data.dir" = "/d"
            [auto.create.topics]
            enable = false
            [[listener]]
            name = "inside"
            listen = "10.0.0.1:9092"
            [[listener]]
            name = "outside"
            advertised.host = "kafka.example.com"
            [listener.shard]
            ports = 30000
        "#;
        let content = parse(Path::new("c.toml"), text).unwrap();
        let mut top = pairs(&content.assignments);
        top.sort_unstable();
        let expected = [
            ("auto.create.topics.enable", "false"),
            ("cpus", "0,2"),
            ("data.dir", "/d"),
            ("log.segment.bytes", "1048576"),
            ("memory", "4GiB"),
        ];
        assert_eq!(top, expected);
        assert_eq!(content.listeners.len(), 2);
        let outside = pairs(&content.listeners[1]);
        assert!(outside.contains(&("advertised.host", "kafka.example.com")));
        assert!(outside.contains(&("shard.ports", "30000")));
    }

    #[test]
    fn what_is_no_scalar_is_named() {
        let errors = parse(Path::new("c.toml"), "a.b = 1.5\nc = [{ d = 1 }]\ne = 2020-01-01").unwrap_err();
        let text: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(text.len(), 3);
        assert!(text[0].contains("file c.toml: `a.b`") && text[0].contains("a fraction"), "{text:?}");
    }

    #[test]
    fn bad_syntax_names_the_line() {
        let errors = parse(Path::new("c.toml"), "a = 1\nb = = 2").unwrap_err();
        assert!(errors[0].to_string().contains("line 2"), "{}", errors[0]);
    }

    #[test]
    fn a_listener_that_is_no_list_of_tables_is_an_unknown_key() {
        let content = parse(Path::new("c.toml"), "[listener]\nlisten = \"a:1\"").unwrap();
        assert_eq!(pairs(&content.assignments), [("listener.listen", "a:1")]);
    }

    #[test]
    fn nesting_beyond_reason_is_refused_by_the_parser() {
        let text = format!("a = {}1{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(matches!(
            parse(Path::new("c.toml"), &text).unwrap_err()[..],
            [ConfigError::FileSyntax { .. }]
        ));
        let key = vec!["a"; 100_000].join(".");
        assert!(parse(Path::new("c.toml"), &format!("{key} = 1")).is_err());
    }
}
