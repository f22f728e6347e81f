//! Ids for idempotent producers, taken from the metadata in blocks.

use std::cell::Cell;

use super::metadata::{Metadata, MetadataUnavailable};
use crate::cluster::ProducerIdBlock;

/// A shard's present block of producer ids.
pub(super) struct ProducerIds {
    block: Cell<ProducerIdBlock>,
    /// Held while a block is asked for, so that one is asked for at a time.
    turn: tokio::sync::Mutex<()>,
}

impl Default for ProducerIds {
    fn default() -> Self {
        ProducerIds { block: Cell::new(ProducerIdBlock { first: 0, count: 0 }), turn: Default::default() }
    }
}

impl ProducerIds {
    /// An id that nobody has.
    pub(super) async fn next(&self, metadata: &dyn Metadata) -> Result<i64, MetadataUnavailable> {
        loop {
            if let Some(id) = self.take() {
                return Ok(id);
            }
            let _turn = self.turn.lock().await;
            if self.block.get().count == 0 {
                self.block.set(metadata.allocate_producer_ids().await?);
            }
        }
    }

    fn take(&self) -> Option<i64> {
        let ProducerIdBlock { first, count } = self.block.get();
        if count == 0 {
            return None;
        }
        self.block.set(ProducerIdBlock { first: first + 1, count: count - 1 });
        Some(first)
    }
}
