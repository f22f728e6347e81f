//! The end of a life: the faults end, everything heals, and all nodes stop and start once more.

use std::collections::BTreeSet;

use corelane::base::ids::{NodeId, PartitionId};
use corelane::cluster::{Election, elect_leaders};

use super::{SESSION_TIMEOUT_MS, World};

impl World {
    /// The faults end: all nodes run, and what leads follows from who is there.
    pub(super) fn heal(&mut self) {
        self.asked.clear();
        self.controllers_die = false;
        let failed: Vec<usize> =
            (0..self.nodes.len()).filter(|at| !self.nodes[*at].failed.is_empty()).collect();
        failed.into_iter().for_each(|at| self.kill(at));
        self.start_all();
        let leaderless: Vec<PartitionId> = self.leaderless();
        for id in &leaderless {
            let partition = self.image.partition(*id).expect("exists");
            let is_lost = partition.in_sync().all(|replica| self.node(replica.node).disk.id != replica.disk);
            assert!(is_lost, "{id} has no leader, though a disk that was in sync is there");
        }
        self.elect_unclean(&leaderless);
        assert_eq!(self.leaderless(), []);
    }

    /// What was acknowledged may be lost now, but no copy that was in sync once gives way to an empty one.
    fn elect_unclean(&mut self, leaderless: &[PartitionId]) {
        let acknowledged: Vec<Vec<u64>> =
            leaderless.iter().map(|id| self.checks.acknowledged.remove(id).unwrap_or_default()).collect();
        let mut better: Vec<BTreeSet<NodeId>> = Vec::new();
        for id in leaderless {
            let copies = &self.image.partition(*id).expect("exists").replicas;
            let nodes = copies.iter().map(|replica| replica.node);
            better.push(nodes.filter(|node| self.checks.has_counted(*id, self.node(*node))).collect());
        }
        let results =
            self.command("unclean", |draft, _, _| elect_leaders(draft, Election::Unclean, leaderless));
        assert!(results.iter().all(Result::is_ok));
        for ((id, acknowledged), better) in leaderless.iter().zip(acknowledged).zip(better) {
            let leader =
                self.image.partition(*id).and_then(|partition| partition.leader).expect("was elected");
            assert!(
                better.is_empty() || better.contains(&leader),
                "{id}: node {leader} has nothing, and nodes {better:?} have what was in sync once"
            );
            self.checks.lose(*id, &acknowledged, &self.nodes[leader.0 as usize - 1]);
        }
    }

    pub(super) fn stop_and_start_all(&mut self) {
        for at in 0..self.nodes.len() {
            self.nodes[at].is_stopping = true;
            self.heartbeat(at);
            assert!(!self.nodes[at].is_up, "it may stop at once");
        }
        self.start_all();
        assert_eq!(self.leaderless(), [], "a clean stop costs no leader");
        self.is_calm = true;
        for _ in 0..3 {
            (0..self.nodes.len()).for_each(|at| self.produce(at));
            (0..self.nodes.len()).for_each(|at| self.propose(at));
            while !self.asked.is_empty() {
                self.deliver();
            }
            self.settle();
        }
        self.elect_preferred();
        for partition in self.image.partitions() {
            assert_eq!(partition.in_sync_replicas.len(), partition.replicas.len(), "all catch up");
            assert_eq!(partition.leader, Some(partition.replicas[0].node), "the preferred one leads");
        }
    }

    fn start_all(&mut self) {
        for _ in 0..10 {
            for at in 0..self.nodes.len() {
                if !self.nodes[at].is_up {
                    self.start_as_it_is(at);
                }
            }
            self.settle();
            self.now_ms += SESSION_TIMEOUT_MS / 2;
        }
        self.settle();
        assert!(self.image.nodes().all(|node| node.is_active()), "all take part");
    }

    fn leaderless(&self) -> Vec<PartitionId> {
        let partitions = self.image.partitions().filter(|partition| partition.leader.is_none());
        partitions.map(|partition| partition.id()).collect()
    }
}
