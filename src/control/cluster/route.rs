//! Whom a node asks for the controller: who led last, as far as it knows; else the voters, one after the other.

use crate::base::ids::NodeId;

/// Where the controller may be.
#[derive(Clone, Debug)]
pub struct Route {
    voters: Vec<NodeId>,
    /// Who is said to lead, and has not been found wanting since.
    leader: Option<NodeId>,
    /// The voter whose turn it is when nobody is known to lead.
    turn: usize,
}

impl Route {
    /// Nobody was asked yet. There is at least one voter.
    pub fn new(voters: Vec<NodeId>) -> Self {
        assert!(!voters.is_empty(), "the configuration allows no other");
        Route { voters, leader: None, turn: 0 }
    }

    /// Whom to ask next.
    pub fn next(&self) -> NodeId {
        self.leader.unwrap_or(self.voters[self.turn % self.voters.len()])
    }

    /// The own member of the quorum knows who leads. It may be late, so what `next` has just been told outweighs
    /// nothing that is known.
    pub fn suggest(&mut self, leader: Option<NodeId>) {
        if self.leader.is_none() {
            self.leader = leader.filter(|leader| self.voters.contains(leader));
        }
    }

    /// Who was asked does not lead, and says who does. Whether it is worth to go on at once: somebody new is named.
    pub fn redirect(&mut self, from: NodeId, leader: Option<NodeId>) -> bool {
        let named = leader.filter(|leader| *leader != from && self.voters.contains(leader));
        let is_news = named.is_some() && self.leader != named;
        self.pass(from);
        self.leader = named;
        is_news
    }

    /// Who was asked does not answer.
    pub fn fail(&mut self, from: NodeId) {
        self.pass(from);
        self.leader = None;
    }

    /// The turn goes to the voter behind this one.
    fn pass(&mut self, from: NodeId) {
        if let Some(at) = self.voters.iter().position(|voter| *voter == from) {
            self.turn = (at + 1) % self.voters.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route() -> Route {
        Route::new([1, 2, 3].map(NodeId).to_vec())
    }

    #[test]
    fn the_one_that_is_named_is_asked_until_it_fails() {
        let mut route = route();
        assert_eq!(route.next(), NodeId(1));
        assert!(route.redirect(NodeId(1), Some(NodeId(3))));
        assert_eq!(route.next(), NodeId(3));
        route.fail(NodeId(3));
        assert_eq!(route.next(), NodeId(1));
        route.suggest(Some(NodeId(2)));
        assert_eq!(route.next(), NodeId(2));
        route.suggest(Some(NodeId(3)));
        assert_eq!(route.next(), NodeId(2), "it has not failed");
    }

    #[test]
    fn without_a_leader_the_voters_are_asked_in_turn_and_nobody_else() {
        let mut route = route();
        for voter in [1, 2, 3, 1] {
            assert_eq!(route.next(), NodeId(voter));
            assert!(!route.redirect(NodeId(voter), None));
        }
        assert!(!route.redirect(NodeId(2), Some(NodeId(9))), "no voter");
        assert_eq!(route.next(), NodeId(3));
        assert!(!route.redirect(NodeId(3), Some(NodeId(3))), "itself");
    }
}
