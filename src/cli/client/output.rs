//! Results on stdout: a table for people, or JSON for programs. Everything else on stderr.

use std::fmt::Display;
use std::io::{self, Write};

use serde::Serialize;

use super::super::arguments::Output;
use super::error::ClientError;

/// Prints a result: `human` makes the text for people, `json` is what programs get, as one document.
pub fn print(
    output: Output,
    json: &impl Serialize,
    human: impl FnOnce() -> String,
) -> Result<(), ClientError> {
    match output {
        Output::Human => print_text(&human()),
        Output::Json => print_text(&pretty(json)),
    }
}

/// Prints text as it is. A reader that has seen enough (`corelane topic list | head`) is no failure.
pub fn print_text(text: &str) -> Result<(), ClientError> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(ClientError::Print(error)),
        _ => Ok(()),
    }
}

fn pretty(json: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(json).expect("plain data with keys that are text");
    text.push('\n');
    text
}

/// Says a line on stderr. Where nobody reads it (`2>&1 | head`), it is lost and the command goes on: `eprintln!` would
/// panic, and records that are on their way would be lost with the line.
pub fn tell(line: impl Display) {
    // In one write, so that lines of several threads are not mixed.
    let _ = io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}

/// Ids or other small things as one cell: `1,2,3`, or `-` if there are none.
pub fn cell_of(items: impl IntoIterator<Item = impl ToString>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if items.is_empty() { "-".to_owned() } else { items.join(",") }
}

/// A cell for what may not be known.
pub fn cell(item: Option<impl ToString>) -> String {
    item.map_or("-".to_owned(), |item| item.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells() {
        assert_eq!(cell_of([1, 2]), "1,2");
        assert_eq!(cell_of([0; 0]), "-");
        assert_eq!((cell(Some(5)), cell(None::<i32>)), ("5".to_owned(), "-".to_owned()));
        assert_eq!(pretty(&serde_json::json!([])), "[]\n");
    }
}
