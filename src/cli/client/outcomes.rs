//! What came of doing the same to several things.

use serde::Serialize;

use super::super::arguments::Output;
use super::super::table::table;
use super::error::{ClientError, Status};
use super::output;

/// What came of doing the same to several things, one by one.
#[derive(Default)]
pub struct Outcomes(Vec<(String, Result<&'static str, ClientError>)>);

/// A row of it, as programs get it.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    /// What was done, or `failed`.
    result: &'a str,
    /// Why it failed.
    error: Option<String>,
}

impl Outcomes {
    /// Adds what came of one: what was done, in one word (`created`), or why not.
    pub fn add(&mut self, name: impl Into<String>, outcome: Result<&'static str, ClientError>) {
        self.0.push((name.into(), outcome));
    }

    /// Prints what was done to stdout, and sums up the errors as [`sum_up`] does.
    pub fn finish(self, heading: &str, output: Output) -> Result<(), ClientError> {
        output::print(output, &self.rows(), || self.text(heading))?;
        let total = self.0.len();
        sum_up(self.0.into_iter().filter_map(|(_, outcome)| outcome.err()).collect(), total)
    }

    fn rows<'a>(&'a self) -> Vec<Row<'a>> {
        let row = |(name, outcome): &'a (String, Result<&'static str, ClientError>)| match outcome {
            Ok(result) => Row { name, result, error: None },
            Err(error) => Row { name, result: "failed", error: Some(error.to_string()) },
        };
        self.0.iter().map(row).collect()
    }

    fn text(&self, heading: &str) -> String {
        let done = self.0.iter().filter_map(|(name, outcome)| Some((name, outcome.as_ref().ok()?)));
        let rows: Vec<_> = done.map(|(name, result)| vec![name.clone(), (*result).to_owned()]).collect();
        if rows.is_empty() { String::new() } else { table(&[heading, "result"], &rows) }
    }
}

/// What a command ends with that did `total` things and met these errors: the error itself if there was but one thing
/// to do; else all of them are told on stderr, and it ends with [`ClientError::Several`].
pub fn sum_up(mut errors: Vec<ClientError>, total: usize) -> Result<(), ClientError> {
    let Some(first) = errors.first().map(ClientError::status) else { return Ok(()) };
    if total == 1 {
        return Err(errors.remove(0));
    }
    errors.iter().for_each(|error| output::tell(format_args!("corelane: {error}")));
    let all_alike = errors.len() == total && errors.iter().all(|error| error.status() == first);
    let status = if all_alike { first } else { Status::Partial };
    Err(ClientError::Several { failed: errors.len(), total, status })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(what: &str) -> ClientError {
        ClientError::NotFound { what: what.to_owned(), remedy: "make it" }
    }

    #[test]
    fn the_status_says_whether_some_or_all_failed() {
        let status = |errors, total| sum_up(errors, total).err().map(|error| error.status());
        assert_eq!(status(vec![], 2), None);
        assert_eq!(status(vec![missing("a")], 1), Some(Status::NotFound));
        assert_eq!(status(vec![missing("a"), missing("b")], 2), Some(Status::NotFound));
        assert_eq!(status(vec![missing("a")], 2), Some(Status::Partial));
        assert_eq!(status(vec![missing("a"), ClientError::NotAgreed], 2), Some(Status::Partial));
    }

    #[test]
    fn people_see_what_was_done_and_programs_see_all() {
        let mut all = Outcomes::default();
        all.add("orders", Ok("deleted"));
        all.add("b", Err(missing("topic b")));
        assert_eq!(all.text("topic"), "topic   result\norders  deleted\n");
        let json = serde_json::to_value(all.rows()).unwrap();
        assert_eq!(json[0], serde_json::json!({ "name": "orders", "result": "deleted", "error": null }));
        assert_eq!(json[1]["result"], "failed");
        assert_eq!(json[1]["error"], "topic b does not exist; make it");
    }
}
