//! A draft: the next image in the making, with the changes that lead to it.

use super::image::Image;
use super::records::{Change, ClusterRecord, ProducerIdBlock, ProducerIdsRecord, Record};
use crate::base::limits::PRODUCER_ID_BLOCK;

/// An image that commands are applied to one after the other, each seeing what those before it did, until all
/// is committed as one transaction.
#[derive(Clone, Debug)]
pub struct Draft {
    image: Image,
    changes: Vec<Change>,
}

impl Draft {
    /// A draft without changes.
    pub fn of(image: &Image) -> Self {
        Draft { image: image.clone(), changes: Vec::new() }
    }

    /// The image as the draft's changes leave it.
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// The changes so far.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The next version of the image, once the changes are durable.
    pub fn finish(self) -> Image {
        let mut image = self.image;
        image.set_version(image.version() + 1);
        image
    }

    /// Takes in a change that was committed already, by whoever decides.
    ///
    /// # Panics
    /// If it does not fit the image: a partition without its topic. All nodes take in the same changes in the same
    /// order, so whoever decided had such an image.
    pub fn follow(&mut self, change: Change) {
        self.change(change);
    }

    /// The cluster's records are of this version of the format from now on.
    pub fn raise_format(&mut self, format_version: u32) {
        let cluster = self.image.cluster();
        if cluster.format_version < format_version {
            let cluster = ClusterRecord { format_version, ..cluster.clone() };
            self.put(Record::Cluster(cluster));
        }
    }

    /// Gives out a block of producer ids; `None` when all 2^63 are given out.
    pub fn allocate_producer_ids(&mut self) -> Option<ProducerIdBlock> {
        let first = self.image.next_producer_id();
        let next_producer_id = first.checked_add(PRODUCER_ID_BLOCK)?;
        self.put(Record::ProducerIds(ProducerIdsRecord { next_producer_id }));
        Some(ProducerIdBlock { first, count: PRODUCER_ID_BLOCK })
    }

    pub(super) fn put(&mut self, record: Record) {
        self.change(Change::Put(record));
    }

    pub(super) fn change(&mut self, change: Change) {
        self.image.apply(&change);
        self.changes.push(change);
    }
}
