//! What was found, and what to do about it.

use serde::Serialize;

/// How a thing stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// It could be better for a broker.
    Advice,
    /// It keeps the broker from serving.
    Problem,
    /// This machine does not tell.
    Unknown,
}

impl Status {
    /// The word for it, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Advice => "advice",
            Status::Problem => "problem",
            Status::Unknown => "unknown",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// What it is.
    pub subject: String,
    /// How it stands.
    pub status: Status,
    /// What there is.
    pub found: String,
    /// Why it matters.
    pub why: &'static str,
    /// What changes it: a command as root, or what else to do.
    pub change: Option<String>,
}

/// A thing that is looked at, and why.
#[derive(Clone, Copy, Debug)]
pub struct Topic {
    /// What it is.
    pub subject: &'static str,
    /// Why it matters.
    pub why: &'static str,
}

impl Topic {
    /// It is as it should be.
    pub fn ok(&self, found: impl Into<String>) -> Finding {
        self.finding(Status::Ok, found.into(), None)
    }

    /// It could be better, by this change.
    pub fn advice(&self, found: impl Into<String>, change: impl Into<String>) -> Finding {
        self.finding(Status::Advice, found.into(), Some(change.into()))
    }

    /// Nothing tells.
    pub fn unknown(&self, found: impl Into<String>) -> Finding {
        self.finding(Status::Unknown, found.into(), None)
    }

    fn finding(&self, status: Status, found: String, change: Option<String>) -> Finding {
        Finding { subject: self.subject.to_owned(), status, found, why: self.why, change }
    }
}
