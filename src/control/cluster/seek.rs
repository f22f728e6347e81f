//! To which cluster does a node belong that has an empty data directory? It asks the voters.
//!
//! - A voter that belongs to a cluster says to which: the node joins it.
//! - If all other voters have empty directories too, this is a new cluster, and the voter with the lowest id founds it.
//!   All of them must have said so: a voter that lost its disk while others are down must not found a second cluster
//!   beside theirs. So the first start of a cluster needs all its voters, and no later one does.
//! - A node that was on its own has a cluster: that grows, whichever id the node has.

use std::collections::BTreeMap;

use crate::base::ids::NodeId;

/// What follows from what was heard so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The node belongs to this cluster.
    Join([u8; 16]),
    /// It founds one.
    Found,
    /// Ask again.
    Wait,
    /// Two voters belong to two clusters.
    Disagree {
        /// A voter and its cluster.
        one: (NodeId, [u8; 16]),
        /// Another and its other one.
        other: (NodeId, [u8; 16]),
    },
}

/// What was heard of the voters.
#[derive(Clone, Debug)]
pub struct Seeking {
    own: NodeId,
    voters: Vec<NodeId>,
    /// The last answer of each: its cluster, or that it has none.
    heard: BTreeMap<NodeId, Option<[u8; 16]>>,
}

impl Seeking {
    /// Nothing was heard yet.
    pub fn new(own: NodeId, voters: Vec<NodeId>) -> Self {
        Seeking { own, voters, heard: BTreeMap::new() }
    }

    /// A voter has answered.
    pub fn hear(&mut self, voter: NodeId, cluster: Option<[u8; 16]>) {
        self.heard.insert(voter, cluster);
    }

    /// A voter does not answer (any more): what it said before may not hold now.
    pub fn miss(&mut self, voter: NodeId) {
        self.heard.remove(&voter);
    }

    /// The other voters that have not answered.
    pub fn missing(&self) -> Vec<NodeId> {
        let others = self.voters.iter().filter(|voter| **voter != self.own);
        others.filter(|voter| !self.heard.contains_key(voter)).copied().collect()
    }

    /// What follows.
    pub fn verdict(&self) -> Verdict {
        let mut known = self.heard.iter().filter_map(|(node, cluster)| Some((*node, (*cluster)?)));
        if let Some(one) = known.next() {
            let other = known.find(|(_, cluster)| *cluster != one.1);
            return other.map_or(Verdict::Join(one.1), |other| Verdict::Disagree { one, other });
        }
        let is_first = self.voters.iter().min() == Some(&self.own);
        if is_first && self.missing().is_empty() { Verdict::Found } else { Verdict::Wait }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seeking(own: u32) -> Seeking {
        Seeking::new(NodeId(own), [1, 2, 3].map(NodeId).to_vec())
    }

    #[test]
    fn the_lowest_voter_founds_when_all_others_are_blank() {
        let mut first = seeking(1);
        assert_eq!(first.verdict(), Verdict::Wait);
        first.hear(NodeId(3), None);
        assert_eq!((first.verdict(), first.missing()), (Verdict::Wait, vec![NodeId(2)]));
        first.hear(NodeId(2), None);
        assert_eq!(first.verdict(), Verdict::Found);
        first.miss(NodeId(3));
        assert_eq!(first.verdict(), Verdict::Wait);
        assert_eq!(Seeking::new(NodeId(1), vec![NodeId(1)]).verdict(), Verdict::Found);
    }

    #[test]
    fn nobody_else_founds() {
        for own in [2, 3, 4] {
            let mut other = seeking(own);
            [1, 2, 3]
                .map(NodeId)
                .into_iter()
                .filter(|node| node.0 != own)
                .for_each(|node| other.hear(node, None));
            assert_eq!(other.verdict(), Verdict::Wait, "{own}");
        }
    }

    #[test]
    fn who_has_a_cluster_is_joined_though_others_are_silent() {
        let mut first = seeking(1);
        first.hear(NodeId(3), Some([7; 16]));
        assert_eq!(first.verdict(), Verdict::Join([7; 16]));
        first.hear(NodeId(2), None);
        assert_eq!(first.verdict(), Verdict::Join([7; 16]));
        first.hear(NodeId(2), Some([8; 16]));
        let (one, other) = ((NodeId(2), [8; 16]), (NodeId(3), [7; 16]));
        assert_eq!(first.verdict(), Verdict::Disagree { one, other });
    }
}
