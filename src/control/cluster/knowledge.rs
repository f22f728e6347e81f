//! What the node knows: the image that the committed log makes, and which version of it every shard has applied.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::record_text::{cluster_change, image_of};
use crate::base::ids::NodeId;
use crate::cluster::{Draft, Image};
use crate::quorum::{self, State};

/// The image of the applied log.
#[derive(Default)]
pub struct Knowledge {
    /// `None` while a new member has nothing.
    image: Option<Arc<Image>>,
    /// The version that the next image gets.
    version: u64,
    /// The last entry that the image reflects.
    index: u64,
    /// Of the node's own record: from which version on it had which epoch. The oldest go when shards have passed them.
    own_epochs: VecDeque<(u64, u64)>,
}

impl Knowledge {
    /// The image as of the last applied entry.
    pub fn image(&self) -> Option<&Arc<Image>> {
        self.image.as_ref()
    }

    /// The last entry that it reflects.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// All records came anew: at the start, or by a snapshot.
    pub fn replace(&mut self, own: NodeId, index: u64, state: &State) -> Result<(), String> {
        self.index = index;
        if state.records().len() > 0 {
            let image = image_of(state)?;
            self.publish(own, image);
        }
        Ok(())
    }

    /// The entry at `index` was applied; its changes in order. One that is known already, since all records came with
    /// it, is passed over.
    pub fn follow(&mut self, own: NodeId, index: u64, changes: &[quorum::Change]) -> Result<(), String> {
        if index <= self.index {
            return Ok(());
        }
        self.index = index;
        if changes.is_empty() {
            return Ok(());
        }
        let image = self.image.as_ref().ok_or("changes of records that are not there")?;
        let mut draft = Draft::of(image);
        for change in changes {
            draft.follow(cluster_change(change)?);
        }
        let image = draft.finish();
        self.publish(own, image);
        Ok(())
    }

    fn publish(&mut self, own: NodeId, image: Image) {
        self.version += 1;
        let image = image.at_version(self.version);
        let epoch = image.node(own).map_or(0, |node| node.record_epoch);
        if self.own_epochs.back().is_none_or(|(_, last)| *last != epoch) {
            self.own_epochs.push_back((self.version, epoch));
        }
        self.image = Some(Arc::new(image));
    }

    /// The epoch of the node's own record that all shards have applied, which are at this version; 0 for none.
    pub fn applied_record_epoch(&mut self, applied_version: u64) -> u64 {
        while self.own_epochs.get(1).is_some_and(|(from, _)| *from <= applied_version) {
            self.own_epochs.pop_front();
        }
        let known = self.own_epochs.front().filter(|(from, _)| *from <= applied_version);
        known.map_or(0, |(_, epoch)| *epoch)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::super::record_text::change_of;
    use super::*;
    use crate::cluster::{
        Change, ClusterRecord, DiskId, KafkaUuid, METADATA_FORMAT_OF_CLUSTERS, NodeRecord, Record,
    };

    const OWN: NodeId = NodeId(1);

    fn put(record_epoch: u64) -> Vec<quorum::Change> {
        let node = NodeRecord::of_lone_node(OWN, DiskId(Uuid::from_u128(1)), 1, 1);
        vec![change_of(&Change::Put(Record::Node(NodeRecord { record_epoch, ..node })))]
    }

    fn known() -> Knowledge {
        let cluster_id = KafkaUuid(Uuid::from_u128(1));
        let cluster = ClusterRecord { format_version: METADATA_FORMAT_OF_CLUSTERS, cluster_id };
        let mut state = State::default();
        state.apply(&change_of(&Change::Put(Record::Cluster(cluster))));
        let mut knowledge = Knowledge::default();
        knowledge.replace(OWN, 1, &state).expect("sound");
        knowledge
    }

    #[test]
    fn a_record_counts_as_known_when_every_shard_has_applied_it() {
        let mut knowledge = known();
        knowledge.follow(OWN, 2, &put(4)).expect("sound");
        knowledge.follow(OWN, 3, &put(4)).expect("sound");
        knowledge.follow(OWN, 4, &put(5)).expect("sound");
        assert_eq!(knowledge.image().expect("there").version(), 4);
        let epochs: Vec<u64> =
            [0, 1, 2, 3, 4, 9].map(|version| knowledge.applied_record_epoch(version)).to_vec();
        assert_eq!(epochs, [0, 0, 4, 4, 5, 5]);
    }

    #[test]
    fn versions_go_on_when_all_records_come_anew() {
        let mut knowledge = known();
        knowledge.follow(OWN, 2, &put(4)).expect("sound");
        let mut state = State::default();
        let cluster_id = KafkaUuid(Uuid::from_u128(1));
        let cluster = ClusterRecord { format_version: METADATA_FORMAT_OF_CLUSTERS, cluster_id };
        state.apply(&change_of(&Change::Put(Record::Cluster(cluster))));
        knowledge.replace(OWN, 9, &state).expect("sound");
        assert_eq!((knowledge.index(), knowledge.image().expect("there").version()), (9, 3));
    }

    #[test]
    fn changes_that_fit_nothing_are_an_error() {
        assert!(Knowledge::default().follow(OWN, 1, &put(1)).is_err());
        let unknown = vec![quorum::Change::Put { key: "what".to_owned(), value: Vec::new() }];
        assert!(known().follow(OWN, 2, &unknown).is_err());
    }
}
