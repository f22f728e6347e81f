//! The question before something is destroyed.

use std::io::{self, BufRead, IsTerminal, Write};

use super::error::ClientError;
use super::output::tell;

/// Says what will be lost, and returns if that is agreed to by typing `yes` on a terminal. Without a terminal nobody can
/// agree, so scripts pass `--yes`, with which this is not called.
pub fn confirm(what_is_lost: &str) -> Result<(), ClientError> {
    tell(what_is_lost);
    if !io::stdin().is_terminal() {
        tell("corelane: pass --yes to do this without being asked");
        return Err(ClientError::NotAgreed);
    }
    // Whoever cannot see the question can still refuse it.
    let _ = io::stderr().write_all(b"Type yes to do this: ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(ClientError::Read)?;
    if answer.trim() == "yes" { Ok(()) } else { Err(ClientError::NotAgreed) }
}
