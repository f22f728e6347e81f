//! How partitions are spread over the shards of all nodes.
//!
//! A partition is led by the shard that leads least; ties go round, over the nodes first. Its followers are the shards
//! of the same number (modulo the peer's count) on other nodes, of other racks as far as there are any. Which nodes
//! follows from node and shard alone, so all partitions of a shard have one set of followers, and a journal group makes
//! few frames; shards beside each other have other sets, so what a failed node led is shared by all.

use std::collections::BTreeMap;

use super::hosts::Host;
use super::image::Image;
use crate::base::ids::ShardId;

/// What a new partition is to get.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    /// So many copies, anywhere.
    Any(usize),
    /// One on each of these nodes (places in the list of hosts), perhaps on this shard, the preferred leader's first.
    Assigned(Vec<(usize, Option<ShardId>)>),
}

#[derive(Clone, Copy, Default, Debug)]
struct Load {
    /// Partitions of which the shard is the preferred leader.
    leads: usize,
    /// Copies that it has.
    holds: usize,
}

/// The load of each shard, and whose turn it is.
#[derive(Clone, Debug)]
pub(super) struct Spread {
    /// By host and shard.
    loads: Vec<Vec<Load>>,
    /// The live hosts, with racks taking turns.
    ring: Vec<usize>,
    /// The shards of live hosts that can write, in the order in which they take turns to lead.
    turns: Vec<(usize, ShardId)>,
    /// Where the search for the least loaded shard starts, so that ties go round.
    next: usize,
}

impl Spread {
    /// The loads as they are. Copies on shards that are no more count for none.
    pub(super) fn of(image: &Image, hosts: &[Host]) -> Self {
        let mut loads: Vec<Vec<Load>> =
            hosts.iter().map(|host| vec![Load::default(); host.shards.into()]).collect();
        for partition in image.partitions() {
            for (at, replica) in partition.replicas.iter().enumerate() {
                let host = hosts.binary_search_by_key(&replica.node, |host| host.node).ok();
                let load = host.and_then(|host| loads[host].get_mut(usize::from(replica.shard.0)));
                if let Some(load) = load {
                    load.leads += usize::from(at == 0);
                    load.holds += 1;
                }
            }
        }
        let ring = ring(hosts);
        let shards = ring.iter().map(|&host| hosts[host].shards).max().unwrap_or(0);
        let turns = (0..shards).flat_map(|shard| {
            let is_there = move |host: &Host| shard < host.shards && host.has_working(ShardId(shard));
            let having = ring.iter().filter(move |&&host| is_there(&hosts[host]));
            having.map(move |&host| (host, ShardId(shard)))
        });
        Spread { loads, turns: turns.collect(), ring, next: 0 }
    }

    /// Chooses a place for each copy of a partition. What is wanted can be had: as many live hosts, or shards that are.
    pub(super) fn place(&mut self, hosts: &[Host], wanted: Wanted) -> Vec<(usize, ShardId)> {
        let places = match wanted {
            Wanted::Any(factor) => {
                let leader = self.least_loaded(|_| true).expect("a live host has a shard");
                self.with_followers(hosts, leader, factor)
            }
            Wanted::Assigned(assigned) => self.fill_in(hosts, &assigned),
        };
        for (at, (host, shard)) in places.iter().enumerate() {
            let load = &mut self.loads[*host][usize::from(shard.0)];
            load.leads += usize::from(at == 0);
            load.holds += 1;
        }
        places
    }

    /// The largest number of copies that a shard has.
    pub(super) fn highest(&self) -> usize {
        self.loads.iter().flatten().map(|load| load.holds).max().unwrap_or(0)
    }

    /// The shard that leads least among the live ones of some hosts, the next in turn if there are several.
    fn least_loaded(&mut self, is_wanted: impl Fn(usize) -> bool) -> Option<(usize, ShardId)> {
        let count = self.turns.len();
        let in_turn = (self.next..self.next + count).map(|turn| turn % count);
        let wanted = in_turn.filter(|&turn| is_wanted(self.turns[turn].0));
        let turn = wanted.min_by_key(|&turn| {
            let (host, shard) = self.turns[turn];
            self.loads[host][usize::from(shard.0)].leads
        })?;
        self.next = (turn + 1) % count;
        Some(self.turns[turn])
    }

    fn with_followers(
        &self,
        hosts: &[Host],
        leader: (usize, ShardId),
        factor: usize,
    ) -> Vec<(usize, ShardId)> {
        let (first, shard) = leader;
        let at = self.ring.iter().position(|&host| host == first).expect("a live host is in the ring");
        let others = self.ring.len() - 1;
        // Each step leads every node to another one, so followers are spread as evenly as leaders.
        let step = |step: usize| self.ring[(at + 1 + (usize::from(shard.0) + step) % others) % (others + 1)];
        let candidates: Vec<usize> = (0..others).map(step).collect();
        let mut chosen = vec![first];
        // A node without a rack is one of its own. In the second round racks come twice.
        for any_rack in [false, true] {
            for &host in &candidates {
                let rack = &hosts[host].rack;
                let is_taken = rack.is_some() && chosen.iter().any(|&other| hosts[other].rack == *rack);
                if chosen.len() < factor && !chosen.contains(&host) && (any_rack || !is_taken) {
                    chosen.push(host);
                }
            }
        }
        chosen.into_iter().map(|host| (host, hosts[host].working_from(shard))).collect()
    }

    /// An assignment with a shard for each copy: where a node is meant as a whole the least loaded one, and for
    /// followers the one of the leader's number.
    fn fill_in(&mut self, hosts: &[Host], assigned: &[(usize, Option<ShardId>)]) -> Vec<(usize, ShardId)> {
        let (first, shard) = assigned[0];
        let shard = shard.or_else(|| Some(self.least_loaded(|host| host == first)?.1));
        // A host that is not live has no turn.
        let leading = shard.unwrap_or(ShardId(0));
        let followers = assigned[1..]
            .iter()
            .map(|&(host, shard)| (host, shard.unwrap_or(hosts[host].working_from(leading))));
        std::iter::once((first, leading)).chain(followers).collect()
    }
}

/// The live hosts, one of each rack after the other for as long as there are any.
fn ring(hosts: &[Host]) -> Vec<usize> {
    let mut racks: BTreeMap<Option<&str>, Vec<usize>> = BTreeMap::new();
    for (at, host) in hosts.iter().enumerate().filter(|(_, host)| host.live) {
        racks.entry(host.rack.as_deref()).or_default().push(at);
    }
    let rounds = racks.values().map(Vec::len).max().unwrap_or(0);
    let rounds = (0..rounds).flat_map(|round| racks.values().filter_map(move |rack| rack.get(round)));
    rounds.copied().collect()
}
