//! The table of keys as Markdown, for docs/configuration.md.

use super::key::{Fallback, Key};
use super::keys::KEYS;

/// One row for each key.
pub fn markdown() -> String {
    let mut text = String::from("| Key | Flag | Default | Values | What it does |\n|---|---|---|---|---|\n");
    for key in &KEYS {
        text.push_str(&row(key));
    }
    text
}

fn row(key: &Key) -> String {
    let flag = key.flag.map(|flag| format!("`--{flag}`")).unwrap_or_default();
    let default = match key.fallback {
        Fallback::Fixed(value) => format!("`{value}`"),
        Fallback::Derived(words) => words.to_string(),
    };
    format!("| `{}` | {flag} | {default} | {} | {} |\n", key.name, key.kind.describe(), key.doc)
}
