//! Sessions: a node that is silent for longer than its lease is fenced. The leases are the active controller's own; a
//! new one grants them anew, as nobody knows how long the nodes have been waiting for it.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use super::heartbeat::{Heartbeat, HeartbeatAnswer, beat};
use super::registration::{Registration, RegistrationError, deal_shards, register};
use crate::base::ids::NodeId;
use crate::base::planted::{Bug, is_planted};
use crate::cluster::draft::Draft;
use crate::cluster::image::Image;
use crate::cluster::leadership::settle_copies_of;
use crate::cluster::records::{NodeRecord, Record};

/// What a node says was said under another registration than its last one: STALE_BROKER_EPOCH, and for a node that
/// never registered BROKER_ID_NOT_REGISTERED. It must register (anew), or make way for the process that has.
#[derive(Error, Clone, Copy, PartialEq, Eq, Debug)]
#[error("node {node} is not registered in epoch {found}: {}", match known {
    Some(known) => format!("its last registration was epoch {known}"),
    None => "it never was".to_owned(),
})]
pub struct StaleRegistration {
    /// The node.
    pub node: NodeId,
    /// The epoch that it spoke of.
    pub found: u64,
    /// Its last one.
    pub known: Option<u64>,
}

/// Whether `registration_epoch` is that of the node's last registration.
pub fn check_registration(
    image: &Image,
    node: NodeId,
    registration_epoch: u64,
) -> Result<&NodeRecord, StaleRegistration> {
    let record = image.node(node);
    record.filter(|record| record.registration_epoch == registration_epoch).ok_or(StaleRegistration {
        node,
        found: registration_epoch,
        known: record.map(|record| record.registration_epoch),
    })
}

/// The nodes as the active controller sees them. Each call is one event, at a time in ms of a steady clock; what it
/// leads to is in the draft.
#[derive(Clone, Debug)]
pub struct Membership {
    session_timeout_ms: u64,
    /// When each session ends.
    leases: BTreeMap<NodeId, u64>,
}

impl Membership {
    /// That of a controller that begins its work: every node has a lease, and what the one before it left half done
    /// (changes are committed in pieces) is completed.
    pub fn begin(draft: &mut Draft, session_timeout_ms: u64, now_ms: u64) -> Self {
        let nodes: Vec<(NodeId, u16)> = draft.image().nodes().map(|node| (node.node, node.shards)).collect();
        for &(node, shards) in &nodes {
            let is_elsewhere = draft
                .image()
                .partitions()
                .filter_map(|partition| partition.replica(node))
                .any(|r| r.shard.0 >= shards);
            if is_elsewhere {
                deal_shards(draft, node, shards);
            }
        }
        if !is_planted(Bug::ControllerLeaveHalfDone) {
            settle_copies_of(draft, &nodes.iter().map(|(node, _)| *node).collect());
        }
        let lease = now_ms.saturating_add(session_timeout_ms);
        Membership { session_timeout_ms, leases: nodes.into_iter().map(|(node, _)| (node, lease)).collect() }
    }

    /// When the next lease ends, if it is not renewed.
    pub fn next_expiry_ms(&self) -> Option<u64> {
        self.leases.values().min().copied()
    }

    /// Fences the nodes whose leases have ended, all at once: of partitions that are in sync with several of them none
    /// loses its place.
    pub fn expire(&mut self, draft: &mut Draft, now_ms: u64) -> BTreeSet<NodeId> {
        let silent = self.leases.iter().filter(|(_, lease_ms)| **lease_ms <= now_ms);
        let silent: BTreeSet<NodeId> = silent.map(|(node, _)| *node).collect();
        self.leases.retain(|_, lease_ms| *lease_ms > now_ms);
        let records = silent.iter().filter_map(|node| draft.image().node(*node));
        let unfenced: Vec<NodeRecord> = records.filter(|record| !record.fenced).cloned().collect();
        let fenced: BTreeSet<NodeId> = unfenced.iter().map(|record| record.node).collect();
        for record in unfenced {
            put_next(draft, NodeRecord { fenced: true, ..record });
        }
        if !is_planted(Bug::ControllerForgetFenced) {
            settle_copies_of(draft, &fenced);
        }
        fenced
    }

    /// Registers a start of a node and returns its registration epoch. Its copies do not lead or count before the node
    /// has learnt of its registration and said so.
    pub fn register(
        &mut self,
        draft: &mut Draft,
        registration: &Registration,
        now_ms: u64,
    ) -> Result<u64, RegistrationError> {
        self.expire(draft, now_ms);
        let epoch = register(draft, registration, self.leases.contains_key(&registration.node))?;
        self.renew(registration.node, now_ms);
        Ok(epoch)
    }

    /// A node is there.
    pub fn heartbeat(
        &mut self,
        draft: &mut Draft,
        heartbeat: &Heartbeat,
        now_ms: u64,
    ) -> Result<HeartbeatAnswer, StaleRegistration> {
        self.expire(draft, now_ms);
        let answer = beat(draft, heartbeat)?;
        self.renew(heartbeat.node, now_ms);
        Ok(answer)
    }

    fn renew(&mut self, node: NodeId, now_ms: u64) {
        self.leases.insert(node, now_ms.saturating_add(self.session_timeout_ms));
    }
}

/// Replaces a node's record by its next one.
pub(super) fn put_next(draft: &mut Draft, record: NodeRecord) {
    draft.put(Record::Node(NodeRecord { record_epoch: record.record_epoch + 1, ..record }));
}
