//! The metadata quorum of a node that is alone: one voter, which leads from the start, decides by itself and sends
//! nothing. It needs no clock: nobody else could be elected, and it does not wait to be.
//!
//! Its store and its log are DATA_DIR/control/metadata.redb. A change is a proposal, and is answered once the entry is
//! durable and applied to the records in memory. Those in the store follow with the next transaction; after a crash
//! they are made good from the log. redb checks every page against its checksum when the store is opened.

use std::path::{Path, PathBuf};

use redb::Database;

use super::migration::{self, database_error, raft_id};
use super::record_text::{change_of, image_of};
use super::reserve::{FreeBytes, Reserve, free_bytes};
use super::store::{MetadataStore, Space, StoreError};
use super::store_file::{StoreFile, unapplied_bytes};
use crate::base::limits::{LONE_QUORUM_LOG_BYTES_MAX, LONE_QUORUM_LOG_ENTRIES_MAX, REGISTRATION_PIECE_BYTES};
use crate::cluster::{Change, ClusterRecord, DiskId, Image};
use crate::quorum::{
    self, Effect, Members, Node, ProposalId, QuorumStore, QuorumStoreError, Rejection, Settings, State,
};

/// What became of a proposal.
type Outcome = (ProposalId, Result<(), Rejection>);

/// A quorum of one.
pub struct LoneQuorum {
    path: PathBuf,
    store: QuorumStore,
    node: Node,
    reserve: Reserve,
    /// Proposals so far; the last one's id.
    proposals: u64,
    /// Changes that the next transaction writes into the store's records.
    unsaved_bytes: u64,
}

impl LoneQuorum {
    /// Makes the store of a new cluster. What an interrupted attempt left is removed.
    pub fn create(dir: &Path, cluster: ClusterRecord, disk: DiskId) -> Result<Self, StoreError> {
        let begin = |database: &Database, path: &Path| {
            migration::begin_cluster(database, path, raft_id(disk), cluster)
        };
        let StoreFile { database, path, reserve } = StoreFile::create(dir, begin)?;
        Self::elect(database, &path, reserve)
    }

    /// Opens the store that was made in `dir`. Never makes one: a store that is gone is a loss to be told of.
    pub fn open(dir: &Path, disk: DiskId) -> Result<Self, StoreError> {
        Self::open_with(dir, disk, free_bytes())
    }

    /// The same, with another idea of the free space.
    pub(super) fn open_with(dir: &Path, disk: DiskId, free_bytes: FreeBytes) -> Result<Self, StoreError> {
        let StoreFile { database, path, reserve } = StoreFile::open(dir, disk, free_bytes)?;
        Self::elect(database, &path, reserve)
    }

    /// Lets go of the space that is held for what must be written on a full disk. The next commit takes it back.
    pub fn release_reserve(&mut self) -> Result<(), StoreError> {
        tracing::warn!("the disk is full: the metadata store's reserve is used");
        self.reserve.release()
    }

    /// Commits what concerns every partition of the node, in order, in as many proposals as it takes. A crash may leave
    /// the first of them without the others.
    pub fn register(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let (mut piece, mut bytes) = (Vec::new(), 0);
        for change in changes.iter().map(change_of) {
            // A single record is far shorter than that: no piece is empty.
            if bytes + change.bytes() > REGISTRATION_PIECE_BYTES {
                self.propose(std::mem::take(&mut piece), Space::Essential)?;
                bytes = 0;
            }
            bytes += change.bytes();
            piece.push(change);
        }
        self.propose(piece, Space::Essential)
    }

    /// Goes on from what is stored, and has the node elected.
    pub(super) fn elect(database: Database, path: &Path, reserve: Reserve) -> Result<Self, StoreError> {
        let damaged = |detail: &str| StoreError::Damaged { path: path.to_owned(), detail: detail.to_owned() };
        let store = QuorumStore::of(database, path);
        let stored = store.load().map_err(store_error)?;
        let stored = stored.ok_or_else(|| damaged("its quorum was never begun"))?;
        let id = stored.head.id;
        if stored.head.members != Members::of_voters(vec![id]) {
            return Err(StoreError::OfSeveral { path: path.to_owned() });
        }
        let unapplied_bytes = unapplied_bytes(&stored);
        let settings = Settings {
            log_entries_max: LONE_QUORUM_LOG_ENTRIES_MAX,
            log_bytes_max: LONE_QUORUM_LOG_BYTES_MAX,
            // Chance decides between members, and there is one.
            ..Settings::new(id, id)
        };
        let node = Node::new(settings, stored);
        let path = path.to_owned();
        let mut quorum = LoneQuorum { path, store, node, reserve, proposals: 0, unsaved_bytes: 0 };
        quorum.reserve.make_room(unapplied_bytes, Space::Essential)?;
        quorum.carry_out()?;
        quorum.node.campaign();
        quorum.carry_out()?;
        // What was in the log may have changed the members.
        if !quorum.node.is_settled_leader() || quorum.node.status().members != Members::of_voters(vec![id]) {
            return Err(damaged("its quorum has other members than this node"));
        }
        quorum.reserve.restore();
        Ok(quorum)
    }

    fn propose(&mut self, changes: Vec<quorum::Change>, space: Space) -> Result<(), StoreError> {
        let bytes = bytes_of(&changes);
        // Twice: in the log now, among the records with the next transaction. What is left from the last one comes along.
        self.reserve.make_room(2 * bytes + self.unsaved_bytes, space)?;
        self.proposals += 1;
        self.node.propose(ProposalId(self.proposals), changes);
        let answer = self.carry_out()?;
        self.reserve.restore();
        match answer {
            Some((id, Ok(()))) if id.0 == self.proposals => Ok(()),
            Some((_, Err(Rejection::TooLong))) => Err(StoreError::TooLong { bytes }),
            Some((_, Err(why))) => Err(StoreError::Rejected { path: self.path.clone(), why }),
            _ => unreachable!("a proposal of a leader that is alone is answered when its disk has it"),
        }
    }

    /// Does what the node wants done until it wants nothing more. Returns what became of the proposal under way.
    fn carry_out(&mut self) -> Result<Option<Outcome>, StoreError> {
        let mut answer = None;
        loop {
            let effects = self.node.take_effects();
            if effects.is_empty() {
                return Ok(answer);
            }
            for effect in effects {
                match effect {
                    Effect::Persist(persist) => {
                        self.store.persist(&persist).map_err(store_error)?;
                        self.unsaved_bytes = 0;
                        self.node.persisted(persist.number);
                    }
                    Effect::Applied { changes, .. } => self.unsaved_bytes += bytes_of(&changes),
                    Effect::Committed { proposal, .. } => answer = Some((proposal, Ok(()))),
                    Effect::Rejected { proposal, why } => answer = Some((proposal, Err(why))),
                    Effect::Halted { what } => {
                        return Err(StoreError::Damaged { path: self.path.clone(), detail: what.to_owned() });
                    }
                    Effect::Role { role, term, .. } => tracing::debug!(?role, term, "the metadata quorum"),
                    Effect::Send { .. }
                    | Effect::Restored { .. }
                    | Effect::ReadReady { .. }
                    | Effect::ReadRefused { .. }
                    | Effect::Suspicious { .. } => {
                        unreachable!("nobody is there to send to or to hear from, and nobody reads")
                    }
                }
            }
        }
    }

    /// The records as of the last commit.
    pub(super) fn state(&self) -> &State {
        self.node.state()
    }
}

impl MetadataStore for LoneQuorum {
    fn load(&self) -> Result<Image, StoreError> {
        image_of(self.state()).map_err(|detail| StoreError::Damaged { path: self.path.clone(), detail })
    }

    fn commit(&mut self, changes: &[Change], space: Space) -> Result<(), StoreError> {
        self.propose(changes.iter().map(change_of).collect(), space)
    }
}

pub(super) fn bytes_of(changes: &[quorum::Change]) -> u64 {
    changes.iter().map(|change| change.bytes() as u64).sum()
}

/// The remedy that the quorum's own error names is for a member among others.
pub(super) fn store_error(error: QuorumStoreError) -> StoreError {
    match error {
        QuorumStoreError::Damaged { path, detail } => StoreError::Damaged { path, detail },
        QuorumStoreError::Database { path, source } => database_error(&path, *source),
    }
}
