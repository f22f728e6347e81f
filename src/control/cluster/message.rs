//! What nodes ask each other's control, as JSON in the frames of a control stream. A field that is added later has a
//! default; what is asked that this version does not know is refused by name.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::client::{Answer, ControlError, Request};
use crate::base::ids::NodeId;
use crate::base::limits::CONTROL_FRAME_BYTES_MAX;
use crate::cluster::{Heartbeat, HeartbeatAnswer, Registration};

/// A question, with who the asking node takes for the voters: two nodes that disagree must not decide anything together.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Asked {
    /// The nodes that are voters, in order.
    pub voters: Vec<NodeId>,
    /// What is asked.
    pub ask: Ask,
}

/// What is asked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Ask {
    /// To which cluster does the node belong? Any node answers.
    Seek,
    /// A start of a node wants to take part. The controller answers this and what follows.
    Register(Registration),
    /// It is there.
    Heartbeat(Heartbeat),
    /// It wants metadata changed.
    Command(Request),
}

/// The answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Reply {
    /// To [`Ask::Seek`]: the cluster, if the node knows one.
    Cluster(Option<Uuid>),
    /// The nodes do not agree on who the voters are; these are the answering node's.
    OtherVoters(Vec<NodeId>),
    /// Another node decides, if any does. Nothing was changed.
    NotController(Option<NodeId>),
    /// The controller has lost its office half way: whether it is carried out shows later.
    Uncertain,
    /// The start has this registration epoch.
    Registered(u64),
    /// It must not take part, and why.
    RegistrationRefused(String),
    /// The heartbeat is heard.
    Heard(HeartbeatAnswer),
    /// Another start of the node has registered since, or none ever did.
    Stale(String),
    /// The command is carried out: who has applied the log up to `index` sees it.
    Done {
        /// The index.
        index: u64,
        /// What came of it.
        answer: Answer,
    },
    /// It is not.
    Refused(ControlError),
    /// The question is of another version.
    NotUnderstood(String),
}

impl Asked {
    /// Its bytes; `None` if they are too many for a frame.
    pub fn encode(&self) -> Option<Vec<u8>> {
        bounded(serde_json::to_vec(self).expect("plain data"))
    }

    /// Reads a question, or says what is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }
}

impl Reply {
    /// Its bytes. Answers are about as long as their questions, so one that is too long for a frame is not carried
    /// further: what was asked is done, and that is said.
    pub fn encode(&self) -> Vec<u8> {
        let bytes = |reply: &Reply| serde_json::to_vec(reply).expect("plain data");
        bounded(bytes(self)).unwrap_or_else(|| bytes(&Reply::Uncertain))
    }

    /// Reads an answer, or says what is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }
}

fn bounded(bytes: Vec<u8>) -> Option<Vec<u8>> {
    Some(bytes).filter(|bytes| bytes.len() <= CONTROL_FRAME_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{ClusterError, NewTopic};

    #[test]
    fn questions_and_answers_are_read_as_they_were_written() {
        let topics = vec![NewTopic::with_defaults("t")];
        let ask = Ask::Command(Request::CreateTopics { topics, validate_only: true });
        let asked = Asked { voters: vec![NodeId(1), NodeId(3)], ask };
        assert_eq!(Asked::decode(&asked.encode().expect("short")), Ok(asked));
        let refused = Err(ClusterError::TopicExists("t".to_owned()));
        let reply = Reply::Done { index: 7, answer: Answer::Created(vec![refused]) };
        assert_eq!(Reply::decode(&reply.encode()), Ok(reply));
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for bytes in [&b""[..], b"{}", b"\xff", br#"{"voters":[1],"ask":"Abdicate"}"#] {
            assert!(Asked::decode(bytes).is_err());
        }
        let deep = [b'['; 100_000];
        assert!(Asked::decode(&deep).is_err() && Reply::decode(&deep).is_err());
    }
}
