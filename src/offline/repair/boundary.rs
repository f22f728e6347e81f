//! Where a log can be cut: the last boundary between batches at or before an offset.

use std::path::Path;

use bytes::Bytes;

use crate::base::ids::Offset;
use crate::base::limits::BLOCK_BYTES;
use crate::log::LogError;
use crate::log::recovery::ExaminedPartition;
use crate::log::segment::{SegmentRecord, path};
use crate::log::walk::BadRange;
use crate::offline::error::OfflineError;
use crate::offline::segments::{BatchPlace, Visitor, walk_partition};
use crate::offline::site::Site;
use crate::protocol::batch::BatchView;
use crate::runtime::OpenMode;

/// A place to cut a log at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Cut {
    /// The log's new end.
    pub offset: Offset,
    /// The segment that it is in.
    pub segment_base: Offset,
    /// Where in that, in bytes.
    pub position: u64,
}

/// Remembers the last boundary at or before an offset.
struct Boundaries {
    wanted: Offset,
    segment_base: Offset,
    cut: Cut,
}

impl Boundaries {
    fn note(&mut self, offset: Offset, position: u64) {
        if offset <= self.wanted && offset >= self.cut.offset {
            self.cut = Cut { offset, position, ..self.cut };
        }
    }
}

impl Visitor for Boundaries {
    fn segment(&mut self, segment: &SegmentRecord, _file: &Path) -> bool {
        segment.base_offset == self.segment_base
    }

    fn batch(&mut self, place: BatchPlace, batch: &BatchView<'_>) {
        let header = batch.header();
        self.note(header.base_offset, place.position);
        self.note(header.last_offset() + 1, place.position + batch.bytes().len() as u64);
    }

    fn bad(&mut self, file: &Path, bad: &BadRange, _until: Offset) {
        if path::segment_of(file).is_some_and(|name| name.base == self.segment_base) {
            self.note(bad.from, bad.position);
        }
    }
}

/// The last place at or before `offset`, which the log reaches, where it can be cut.
pub(super) async fn find(
    site: &Site,
    partition: &ExaminedPartition,
    directory: &Path,
    offset: Offset,
) -> Result<Option<Cut>, OfflineError> {
    // A cut between two segments is at the end of the first one, as it is when a running broker cuts.
    let bases = partition.segments.iter().map(|(segment, _)| segment.base_offset);
    let Some(segment_base) = bases.take_while(|base| *base < offset).last().or_else(|| {
        partition.segments.first().map(|(first, _)| first.base_offset).filter(|base| *base == offset)
    }) else {
        return Ok(None);
    };
    let cut = Cut { offset: segment_base, segment_base, position: 0 };
    let mut boundaries = Boundaries { wanted: offset, segment_base, cut };
    walk_partition(site, partition, directory, &mut boundaries, &()).await?;
    Ok(Some(boundaries.cut))
}

/// The bytes that stay of the block that a cut goes through, which the journal has to repeat.
pub(super) async fn kept_block(
    site: &Site,
    partition: &ExaminedPartition,
    directory: &Path,
    cut: Cut,
) -> Result<Bytes, OfflineError> {
    let start = cut.position - cut.position % BLOCK_BYTES as u64;
    let found = partition.segments.iter().find(|(segment, _)| segment.base_offset == cut.segment_base);
    let (segment, journaled) = found.expect("the cut is in a segment");
    let on_disk = segment.synced.clamp(start, cut.position);
    let mut kept = Vec::new();
    if on_disk > start {
        let file = path::log_file(directory, segment.name());
        let reader = site.runtime.open(&file, OpenMode::Read).await.map_err(LogError::io(&file))?;
        let block = reader.read_at(start, BLOCK_BYTES).await.map_err(LogError::io(&file))?;
        let wanted = (on_disk - start) as usize;
        let short =
            || OfflineError::Io { path: file.clone(), source: std::io::ErrorKind::UnexpectedEof.into() };
        kept.extend_from_slice(block.as_slice().get(..wanted).ok_or_else(short)?);
    }
    if cut.position > on_disk {
        let range = (on_disk - segment.synced) as usize..(cut.position - segment.synced) as usize;
        // The boundary was found in these bytes.
        kept.extend_from_slice(&journaled[range]);
    }
    Ok(kept.into())
}
