//! This node's member of the quorum: what it wants made durable is, in control/metadata.redb; everything else it wants
//! is handed on.

use std::path::{Path, PathBuf};

use redb::Database;

use super::super::lone_quorum::{bytes_of, store_error};
use super::super::migration::{begin_blank, begin_cluster, raft_id};
use super::super::reserve::{Reserve, free_bytes};
use super::super::store::{Space, StoreError};
use super::super::store_file::{StoreFile, unapplied_bytes};
use super::super::watch::ControlWatch;
use crate::cluster::{ClusterRecord, DiskId};
use crate::quorum::{
    Change, Effect, Members, Message, Node, ProposalId, QuorumStore, RaftId, Rejection, Settings,
};

/// What the member's host has to see to, in order.
#[derive(Debug)]
pub enum News {
    /// To be sent, or to be lost.
    Send { to: RaftId, message: Message },
    /// An entry was applied.
    Applied { index: u64, changes: Vec<Change> },
    /// All records are others.
    Restored,
    /// A proposal is carried out.
    Committed { proposal: ProposalId, index: u64 },
    /// A proposal is not, or nobody knows.
    Rejected { proposal: ProposalId, why: Rejection },
}

/// A member with its store.
pub struct Member {
    id: RaftId,
    path: PathBuf,
    store: QuorumStore,
    node: Node,
    reserve: Reserve,
    watch: ControlWatch,
    proposals: u64,
    /// Changes that the next transaction writes into the store's records.
    unsaved_bytes: u64,
}

impl Member {
    /// The first member of a new cluster.
    pub fn found(dir: &Path, disk: DiskId, cluster: ClusterRecord) -> Result<(), StoreError> {
        let begin = |database: &Database, path: &Path| begin_cluster(database, path, raft_id(disk), cluster);
        StoreFile::create(dir, begin).map(drop)
    }

    /// A member that is to learn everything from the others.
    pub fn join(dir: &Path, disk: DiskId, cluster: ClusterRecord) -> Result<(), StoreError> {
        let begin = |database: &Database, path: &Path| begin_blank(database, path, raft_id(disk), cluster);
        StoreFile::create(dir, begin).map(drop)
    }

    /// Goes on from what is stored, as a member among others or on its own; `seed` is where its chance comes from, and `watch`
    /// sees how long its disk takes.
    pub fn open(
        dir: &Path,
        disk: DiskId,
        seed: u64,
        watch: ControlWatch,
    ) -> Result<(Self, Vec<News>), StoreError> {
        let StoreFile { database, path, mut reserve } = StoreFile::open(dir, disk, free_bytes())?;
        let store = QuorumStore::of(database, &path);
        let stored = store.load().map_err(store_error)?;
        let damaged = |detail: &str| StoreError::Damaged { path: path.clone(), detail: detail.to_owned() };
        let stored = stored.ok_or_else(|| damaged("its quorum was never begun"))?;
        let id = raft_id(disk);
        if stored.head.id != id {
            return Err(damaged("it is that of another disk"));
        }
        reserve.make_room(unapplied_bytes(&stored), Space::Essential)?;
        let is_alone = stored.head.members == Members::of_voters(vec![id]);
        let node = Node::new(Settings::new(id, seed), stored);
        let mut member = Member { id, path, store, node, reserve, watch, proposals: 0, unsaved_bytes: 0 };
        let mut news = member.carry_out()?;
        if is_alone {
            news.extend(member.act(Node::campaign)?);
        }
        Ok((member, news))
    }

    /// What an error is that the store's records have.
    pub fn damaged(&self, detail: String) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), detail }
    }

    /// Which member it is.
    pub fn id(&self) -> RaftId {
        self.id
    }

    /// The member itself, to look at.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Something happens to the member; what comes of it.
    pub fn act(&mut self, event: impl FnOnce(&mut Node)) -> Result<Vec<News>, StoreError> {
        event(&mut self.node);
        self.carry_out()
    }

    /// Has changes proposed. [`StoreError::DiskFull`] changes nothing, and so does a rejection for its length.
    pub fn propose(
        &mut self,
        changes: Vec<Change>,
        space: Space,
    ) -> Result<(ProposalId, Vec<News>), StoreError> {
        // Twice: in the log now, among the records with the next transaction.
        self.reserve.make_room(2 * bytes_of(&changes) + self.unsaved_bytes, space)?;
        let proposal = self.next_proposal();
        Ok((proposal, self.act(|node| node.propose(proposal, changes))?))
    }

    /// A name for a proposal.
    pub fn next_proposal(&mut self) -> ProposalId {
        self.proposals += 1;
        ProposalId(self.proposals)
    }

    fn carry_out(&mut self) -> Result<Vec<News>, StoreError> {
        let mut news = Vec::new();
        loop {
            let effects = self.node.take_effects();
            if effects.is_empty() {
                return Ok(news);
            }
            for effect in effects {
                news.extend(self.carry_out_one(effect)?);
            }
        }
    }

    fn carry_out_one(&mut self, effect: Effect) -> Result<Option<News>, StoreError> {
        Ok(Some(match effect {
            Effect::Persist(persist) => {
                let entries = persist.entries.iter().map(|entry| entry.entry.data.len() as u64).sum::<u64>();
                let records = persist.replacement.as_ref().map_or(0, |records| records.bytes() as u64);
                // What comes from the leader cannot be refused.
                self.reserve.make_room(entries + records + bytes_of(&persist.changes), Space::Essential)?;
                self.watch.during(|| self.store.persist(&persist)).map_err(store_error)?;
                self.unsaved_bytes = 0;
                self.node.persisted(persist.number);
                self.reserve.restore();
                return Ok(None);
            }
            Effect::Send { to, message } => News::Send { to, message },
            Effect::Applied { index, changes, .. } => {
                self.unsaved_bytes += bytes_of(&changes);
                News::Applied { index, changes }
            }
            Effect::Restored { .. } => News::Restored,
            Effect::Committed { proposal, index } => News::Committed { proposal, index },
            Effect::Rejected { proposal, why } => News::Rejected { proposal, why },
            Effect::Halted { what } => {
                return Err(StoreError::Damaged { path: self.path.clone(), detail: what.to_owned() });
            }
            Effect::Suspicious { from, what } => {
                tracing::error!(member = from, "a member of the metadata quorum breaks the rules: {what}");
                return Ok(None);
            }
            Effect::Role { role, term, leader } => {
                tracing::info!(?role, term, leader, "the metadata quorum");
                return Ok(None);
            }
            Effect::ReadReady { .. } | Effect::ReadRefused { .. } => {
                unreachable!("nobody reads by the quorum")
            }
        }))
    }
}
