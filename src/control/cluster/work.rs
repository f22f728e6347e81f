//! What the controller has decided and the quorum has not: the changes, in as many proposals as it takes, and the reply
//! that waits for them.

use tokio::sync::oneshot;

use super::super::client::ControlError;
use super::super::record_text::change_of;
use super::super::store::Space;
use super::message::Reply;
use crate::base::limits::REGISTRATION_PIECE_BYTES;
use crate::cluster;
use crate::quorum::{Change, ProposalId, Rejection};

/// Whom to reply to, and what.
type Answer = (oneshot::Sender<Vec<u8>>, Reply);

/// See the module.
pub struct Work {
    /// The proposal that is under way.
    pub proposal: Option<ProposalId>,
    pieces: std::vec::IntoIter<Vec<Change>>,
    space: Space,
    answer: Option<Answer>,
}

impl Work {
    /// What may be committed in pieces, since every controller completes what the one before it has begun.
    pub fn of_membership(changes: &[cluster::Change], answer: Option<Answer>) -> Self {
        let (mut pieces, mut bytes) = (Vec::new(), usize::MAX);
        for change in changes.iter().map(change_of) {
            bytes = bytes.saturating_add(change.bytes());
            if bytes > REGISTRATION_PIECE_BYTES {
                bytes = change.bytes();
                pieces.push(Vec::new());
            }
            pieces.last_mut().expect("the first change begins one").push(change);
        }
        Work { proposal: None, pieces: pieces.into_iter(), space: Space::Essential, answer }
    }

    /// A command, which is carried out as a whole.
    pub fn of_command(changes: &[cluster::Change], space: Space, answer: Answer) -> Self {
        let changes: Vec<Change> = changes.iter().map(change_of).collect();
        let pieces = if changes.is_empty() { Vec::new() } else { vec![changes] };
        Work { proposal: None, pieces: pieces.into_iter(), space, answer: Some(answer) }
    }

    /// What it may do to a disk that is nearly full.
    pub fn space(&self) -> Space {
        self.space
    }

    /// What is to be proposed next.
    pub fn next_piece(&mut self) -> Option<Vec<Change>> {
        self.pieces.next()
    }

    /// All of it is committed, at this entry of the log or before.
    pub fn done(self, index: u64) {
        let Some((sender, reply)) = self.answer else { return };
        let reply = match reply {
            Reply::Done { answer, .. } => Reply::Done { index, answer },
            other => other,
        };
        send(sender, &reply);
    }

    /// It is not carried out, or not by this controller.
    pub fn failed(self, why: Rejection) {
        let Some((sender, _)) = self.answer else { return };
        let reply = match why {
            Rejection::TooLong => {
                let text = "this changes too much metadata at once: ask for less in one request";
                Reply::Refused(ControlError::TooLong(text.to_owned()))
            }
            Rejection::Uncertain => Reply::Uncertain,
            Rejection::NotLeader(_) | Rejection::Busy | Rejection::Refused => Reply::NotController(None),
        };
        send(sender, &reply);
    }

    /// It is not carried out.
    pub fn refuse(self, error: ControlError) {
        if let Some((sender, _)) = self.answer {
            send(sender, &Reply::Refused(error));
        }
    }
}

fn send(sender: oneshot::Sender<Vec<u8>>, reply: &Reply) {
    // Who asked may be gone.
    let _ = sender.send(reply.encode());
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::base::ids::NodeId;
    use crate::cluster::{DiskId, NodeRecord, Record};

    fn changes(count: u32) -> Vec<cluster::Change> {
        let node = |id| NodeRecord {
            rack: Some("r".repeat(60_000)),
            ..NodeRecord::of_lone_node(NodeId(id), DiskId(Uuid::nil()), 1, 1)
        };
        (0..count).map(|id| cluster::Change::Put(Record::Node(node(id)))).collect()
    }

    #[test]
    fn long_work_comes_in_pieces_and_loses_nothing() {
        for count in [0, 1, 63, 64, 200] {
            let mut work = Work::of_membership(&changes(count), None);
            let pieces: Vec<Vec<Change>> = std::iter::from_fn(|| work.next_piece()).collect();
            assert_eq!(pieces.iter().map(Vec::len).sum::<usize>(), count as usize);
            let bytes = |piece: &Vec<Change>| piece.iter().map(Change::bytes).sum::<usize>();
            assert!(pieces.iter().all(|piece| !piece.is_empty() && bytes(piece) <= REGISTRATION_PIECE_BYTES));
        }
    }

    #[test]
    fn a_reply_has_the_entry_that_was_committed_or_says_what_is_known() {
        let work = || {
            let (sender, receiver) = oneshot::channel();
            let reply =
                Reply::Done { index: 0, answer: super::super::super::client::Answer::Done(Vec::new()) };
            (Work::of_command(&changes(1), Space::Spend, (sender, reply)), receiver)
        };
        let heard = |receiver: oneshot::Receiver<Vec<u8>>| {
            Reply::decode(&receiver.blocking_recv().expect("an answer")).expect("ours")
        };
        let (done, receiver) = work();
        done.done(9);
        assert!(matches!(heard(receiver), Reply::Done { index: 9, .. }));
        let (lost, receiver) = work();
        lost.failed(Rejection::Uncertain);
        assert_eq!(heard(receiver), Reply::Uncertain);
        let (busy, receiver) = work();
        busy.failed(Rejection::Busy);
        assert_eq!(heard(receiver), Reply::NotController(None));
    }
}
