//! Unpacks and packs produced records for topics whose configs demand it. It is the longest work that a request can
//! ask of a shard, so it is done in steps with everything else of the shard in between, and for one batch of the shard
//! at a time, so that memory is bounded.

use crate::base::limits::{CODEC_STEP_BYTES, RECOMPRESSED_BYTES_MAX};
use crate::protocol::batch::{
    BadRecord, BatchHeader, Compression, HEADER_BYTES, RecordsCheck, TimestampRange,
};
use crate::protocol::codec::{Packer, UnpackError, Unpacker};
use crate::shard::{Charge, Shard};

use crate::base::guard::guarded;

/// Why records cannot be unpacked.
#[derive(thiserror::Error, Clone, PartialEq, Eq, Debug)]
pub(super) enum BadRecords {
    /// By the codec.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// What came out are no records.
    #[error(transparent)]
    Record(#[from] BadRecord),
}

/// A shard's turn at unpacking and packing.
pub(super) struct Recompression<'a> {
    shard: &'a Shard,
    _turn: tokio::sync::MutexGuard<'a, ()>,
    /// What is unpacked counts like the request that it is part of.
    charge: Charge,
}

impl<'a> Recompression<'a> {
    /// Waits for the turn.
    pub(super) async fn begin(shard: &'a Shard) -> Self {
        let turn = shard.recompression_turn.lock().await;
        Recompression { shard, _turn: turn, charge: shard.budgets.requests.force(0) }
    }

    /// Unpacks a batch's records, and checks that they are as the header says.
    pub(super) async fn unpack(
        &mut self,
        header: &BatchHeader,
        codec: Compression,
        packed: &[u8],
    ) -> Result<(Vec<u8>, TimestampRange), BadRecords> {
        let damaged = |_| UnpackError::Damaged;
        // The bytes are a client's, and decoders are intricate.
        let unpacker = guarded(|| Unpacker::new(codec, packed, RECOMPRESSED_BYTES_MAX));
        let mut unpacker = unpacker.ok_or(()).map_err(damaged)??;
        while guarded(|| unpacker.step()).ok_or(()).map_err(damaged)?? {
            self.charge.adjust(unpacker.unpacked_bytes() as u64);
            self.shard.runtime.yield_now().await;
        }
        let records = unpacker.into_unpacked();
        self.charge.adjust(records.len() as u64);
        let mut check = RecordsCheck::new(&records, header);
        while check.step(CODEC_STEP_BYTES)? {
            self.shard.runtime.yield_now().await;
        }
        let timestamps = check.timestamps();
        Ok((records, timestamps))
    }

    /// Packs records with a codec, behind room for a header; `None` if the batch would be longer than
    /// `batch_bytes_max`.
    pub(super) async fn pack(
        &mut self,
        codec: Compression,
        records: &[u8],
        batch_bytes_max: usize,
    ) -> Option<Vec<u8>> {
        let room = vec![0; HEADER_BYTES];
        // What does not fit is the only thing that fails.
        let mut packer = Packer::new(codec, records.len(), room, batch_bytes_max).ok()?;
        for piece in records.chunks(CODEC_STEP_BYTES) {
            packer.step(piece).ok()?;
            self.shard.runtime.yield_now().await;
        }
        packer.finish().ok()
    }
}
