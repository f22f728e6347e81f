//! A machine: a member, its disk, and its ends of connections.

use std::collections::BTreeMap;
use std::path::Path;

use corelane::quorum::{Incoming, Node, Outgoing, Persist, QuorumStore, RaftId, Settings, State, Stored};
use redb::backends::InMemoryBackend;

pub const CLUSTER: [u8; 16] = *b"a cluster of its";
pub const LOG_ENTRIES_MAX: usize = 40;

pub struct Machine {
    pub id: RaftId,
    /// Which start this is.
    pub incarnation: u64,
    pub node: Option<Node>,
    /// What the disk has for sure.
    stored: Stored,
    /// In some lives the same, in the real store.
    store: Option<QuorumStore>,
    under_way: Option<Persist>,
    pub incoming: Incoming,
    pub outgoing: BTreeMap<usize, Outgoing>,
    sessions: u64,
    pub paused_until_ms: u64,
    pub tick_ms: u64,
    seed: u64,
}

impl Machine {
    pub fn new(at: usize, count: usize, seed: u64, has_store: bool) -> Self {
        let ids: Vec<RaftId> = (0..count).map(first_id).collect();
        let mut records = State::default();
        records.put("cluster".to_owned(), b"begins".as_slice().into());
        let stored = Stored::founding(first_id(at), ids, records);
        let mut machine = Machine {
            id: first_id(at),
            incarnation: 0,
            node: None,
            stored: stored.clone(),
            store: None,
            under_way: None,
            incoming: Incoming::new(CLUSTER, first_id(at), 0),
            outgoing: BTreeMap::new(),
            sessions: 0,
            paused_until_ms: 0,
            tick_ms: 48 + at as u64,
            seed: seed.wrapping_mul(1_000) + at as u64,
        };
        if has_store {
            machine.begin_store();
        }
        machine
    }

    fn begin_store(&mut self) {
        let mut store = QuorumStore::open_in(InMemoryBackend::new(), Path::new("in memory")).expect("memory");
        store.begin(&self.stored).expect("memory");
        self.store = Some(store);
    }

    /// The member starts from what is on the disk.
    pub fn start(&mut self) {
        assert!(self.node.is_none(), "it is down");
        self.incarnation += 1;
        if let Some(store) = &self.store {
            let loaded = store.load().expect("it was written").expect("it was begun");
            assert!(loaded == self.stored, "the store has something else than what was made durable");
        }
        self.incoming = Incoming::new(CLUSTER, self.id, self.incarnation);
        self.outgoing.clear();
        assert_eq!(self.stored.fault(), None, "the disk of {}", self.id);
        let seed = self.seed.wrapping_mul(1_000_003) + self.incarnation;
        let settings =
            Settings { log_entries_max: LOG_ENTRIES_MAX, chunk_bytes: 300, ..Settings::new(self.id, seed) };
        self.node = Some(Node::new(settings, self.stored.clone()));
    }

    /// The member is gone, and with it what was not durable.
    pub fn crash(&mut self, is_under_way_durable: bool) {
        self.node = None;
        if is_under_way_durable {
            self.finish_persist();
        }
        self.under_way = None;
    }

    /// The disk is replaced by an empty one.
    pub fn wipe(&mut self, keeps_id: bool) {
        assert!(self.node.is_none(), "it is down");
        if !keeps_id {
            self.id += 100;
        }
        self.stored = Stored::blank(self.id);
        if self.store.is_some() {
            self.begin_store();
        }
    }

    pub fn persist(&mut self, persist: Persist) {
        assert!(self.under_way.is_none(), "one at a time");
        self.under_way = Some(persist);
    }

    /// What was under way is durable; its number.
    pub fn finish_persist(&mut self) -> Option<u64> {
        let persist = self.under_way.take()?;
        self.stored.take(&persist);
        if let Some(store) = &mut self.store {
            store.persist(&persist).expect("memory");
        }
        Some(persist.number)
    }

    /// A new connection to another machine.
    pub fn connect(&mut self, to: usize, id: RaftId, incarnation: u64) {
        self.sessions += 1;
        let session = self.incarnation * 1_000_000 + self.sessions;
        self.outgoing.insert(to, Outgoing::new(CLUSTER, self.id, id, session, incarnation));
    }
}

fn first_id(at: usize) -> RaftId {
    at as u64 + 1
}
