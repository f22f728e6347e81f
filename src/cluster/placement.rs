//! Which shard of a node gets a copy when the node's number of shards changes.

use super::records::Owner;
use crate::base::ids::{NodeId, ShardId};

/// How many copies each of a node's shards has.
#[derive(Clone, PartialEq, Eq, Debug)]
struct ShardLoads {
    counts: Vec<usize>,
    /// Where the search for the least loaded shard starts, so that ties go round.
    next: usize,
}

impl ShardLoads {
    /// Adds a copy to the least loaded shard.
    fn place(&mut self) -> ShardId {
        let shard = self.least_loaded();
        self.counts[usize::from(shard.0)] += 1;
        shard
    }

    /// The least loaded shard, the next one in turn if there are several.
    fn least_loaded(&mut self) -> ShardId {
        let shards = self.counts.len();
        let in_turn = (self.next..self.next + shards).map(|shard| shard % shards);
        let shard = in_turn.min_by_key(|&shard| self.counts[shard]).expect("a node has a shard");
        self.next = (shard + 1) % shards;
        ShardId(shard as u16)
    }
}

/// Deals a node's partitions to a new number of shards: for each in the order of `owners` its shard, which is
/// the same as before where that shard still exists and has no more than its share. Moving is costly (the
/// leader's clients have to follow), so as few partitions move as make the loads differ by at most one.
pub fn deal_anew(owners: &[Owner], node: NodeId, shards: u16) -> Vec<ShardId> {
    let shard_of =
        |owner: &Owner| (owner.node == node && owner.shard.0 < shards).then_some(usize::from(owner.shard.0));
    let mut had = vec![0; usize::from(shards)];
    owners.iter().filter_map(shard_of).for_each(|shard| had[shard] += 1);
    let (share, mut larger) = (owners.len() / usize::from(shards), owners.len() % usize::from(shards));
    // The remainder of the division goes to shards that have it already, as far as there are any.
    let keep = |had: usize| {
        let one_more = usize::from(had > share && larger > 0);
        larger -= one_more;
        had.min(share + one_more)
    };
    let mut to_keep: Vec<usize> = had.into_iter().map(keep).collect();
    let mut loads = ShardLoads { counts: to_keep.clone(), next: 0 };
    let deal = |owner: &Owner| match shard_of(owner).filter(|&shard| to_keep[shard] > 0) {
        Some(shard) => {
            to_keep[shard] -= 1;
            owner.shard
        }
        None => loads.place(),
    };
    owners.iter().map(deal).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NODE: NodeId = NodeId(1);

    fn counts(dealt: &[ShardId], shards: u16) -> Vec<usize> {
        (0..shards).map(|shard| dealt.iter().filter(|dealt| dealt.0 == shard).count()).collect()
    }

    #[test]
    fn ties_go_round() {
        let mut loads = ShardLoads { counts: vec![0, 1, 0], next: 0 };
        let placed: Vec<u16> = (0..6).map(|_| loads.place().0).collect();
        assert_eq!(placed, [0, 2, 0, 1, 2, 0]);
        assert_eq!(loads.counts, [3, 2, 2]);
    }

    #[test]
    fn the_same_number_of_shards_moves_nothing_that_is_balanced() {
        let owners: Vec<Owner> = (0..7).map(|i| Owner { node: NODE, shard: ShardId(i % 3) }).collect();
        let dealt = deal_anew(&owners, NODE, 3);
        assert!(owners.iter().zip(&dealt).all(|(owner, shard)| owner.shard == *shard));
    }

    proptest! {
        #[test]
        fn dealing_anew_balances_and_moves_no_more_than_it_must(
            old in proptest::collection::vec(0u16..8, 0..200), shards in 1u16..8,
        ) {
            let owners: Vec<Owner> =
                old.iter().map(|&shard| Owner { node: NODE, shard: ShardId(shard) }).collect();
            let dealt = deal_anew(&owners, NODE, shards);
            let after = counts(&dealt, shards);
            prop_assert_eq!(after.iter().sum::<usize>(), old.len());
            prop_assert!(after.iter().max().unwrap() - after.iter().min().unwrap() <= 1);
            // A shard that exists before and after keeps all it had, or its full share.
            let before: Vec<ShardId> = owners.iter().map(|owner| owner.shard).collect();
            let had = counts(&before, shards);
            for shard in 0..shards {
                let kept = (0..old.len()).filter(|&i| old[i] == shard && dealt[i].0 == shard).count();
                prop_assert!(kept >= had[shard as usize].min(old.len() / shards as usize));
            }
        }
    }
}
