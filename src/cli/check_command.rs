//! `corelane check`.

use std::io::{self, Write};

use super::arguments::Output;
use crate::check::{Finding, Status};

/// Prints what was found.
pub fn print(findings: &[Finding], output: Output, mut out: impl Write) -> io::Result<()> {
    match output {
        Output::Human => out.write_all(table(findings).as_bytes()),
        Output::Json => {
            serde_json::to_writer_pretty(&mut out, findings)?;
            writeln!(out)
        }
    }
}

/// Whether a broker could serve here.
pub fn can_serve(findings: &[Finding]) -> bool {
    count(findings, Status::Problem) == 0
}

fn count(findings: &[Finding], status: Status) -> usize {
    findings.iter().filter(|finding| finding.status == status).count()
}

/// A line for each finding, with the reason and the remedy where there is something to do, and a summary.
fn table(findings: &[Finding]) -> String {
    const STATUS_WIDTH: usize = "problem".len();
    let subject_width = findings.iter().map(|finding| finding.subject.len()).max().unwrap_or(0);
    let mut text = String::new();
    for finding in findings {
        let Finding { subject, status, found, why, change } = finding;
        let word = status.word();
        text.push_str(&format!("{word:STATUS_WIDTH$}  {subject:subject_width$}  {found}\n"));
        if let Some(change) = change {
            let indent = " ".repeat(STATUS_WIDTH + 2);
            text.push_str(&format!("{indent}why: {why}\n{indent}change: {change}\n"));
        }
    }
    let verdict = if can_serve(findings) { "A broker can serve here" } else { "A broker cannot serve here" };
    let counted = [Status::Ok, Status::Advice, Status::Problem, Status::Unknown]
        .map(|status| format!("{} {}", count(findings, status), status.word()));
    text.push_str(&format!("\n{verdict}: {}. tuning.md says more.\n", counted.join(", ")));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(status: Status, change: Option<&str>) -> Finding {
        let (subject, found) = ("swap".to_owned(), "on /dev/sda2".to_owned());
        Finding { subject, status, found, why: "It waits.", change: change.map(str::to_owned) }
    }

    fn printed(findings: &[Finding], output: Output) -> String {
        let mut out = Vec::new();
        print(findings, output, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn both_outputs() {
        let findings = [finding(Status::Ok, None), finding(Status::Advice, Some("swapoff -a"))];
        let expected = "ok       swap  on /dev/sda2\n\
            advice   swap  on /dev/sda2\n         why: It waits.\n         change: swapoff -a\n\n\
            A broker can serve here: 1 ok, 1 advice, 0 problem, 0 unknown. tuning.md says more.\n";
        assert_eq!(printed(&findings, Output::Human), expected);
        let json: serde_json::Value = serde_json::from_str(&printed(&findings, Output::Json)).unwrap();
        let expected = serde_json::json!({
            "subject": "swap", "status": "advice", "found": "on /dev/sda2", "why": "It waits.", "change": "swapoff -a"
        });
        assert_eq!(json[1], expected);
        assert_eq!(json[0]["change"], serde_json::Value::Null);
    }

    #[test]
    fn only_problems_keep_it_from_serving() {
        assert!(can_serve(&[finding(Status::Advice, None), finding(Status::Unknown, None)]));
        let problem = [finding(Status::Problem, None)];
        assert!(!can_serve(&problem) && printed(&problem, Output::Human).contains("cannot serve here"));
    }
}
