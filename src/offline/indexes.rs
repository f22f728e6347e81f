//! The index files of a sealed segment, held against its batches: the checks that `kafka-dump-log.sh` makes of a row,
//! and that the rows are in order.

use std::io;
use std::path::{Path, PathBuf};

use super::error::OfflineError;
use super::segments::Visitor;
use super::site::Site;
use crate::base::ids::Offset;
use crate::base::limits::BLOCK_BYTES;
use crate::log::LogError;
use crate::log::segment::index::{SparseIndex, TimeRow};
use crate::log::segment::{SegmentRecord, path};
use crate::protocol::batch::BatchHeader;
use crate::runtime::OpenMode;

/// The two files of a segment.
pub(super) struct IndexFiles {
    /// What they say, if they fit their segment.
    pub index: Option<SparseIndex>,
    problem: Option<(PathBuf, String)>,
    is_missing: bool,
}

impl IndexFiles {
    /// Reads them.
    pub async fn read(site: &Site, directory: &Path, segment: &SegmentRecord) -> Result<Self, OfflineError> {
        let name = segment.name();
        let paths = [path::index_file(directory, name), path::time_index_file(directory, name)];
        let length_max = SparseIndex::encoded_bytes_max(segment.end_position);
        let mut contents = Vec::new();
        for path in &paths {
            match read_bounded(site, path, length_max).await? {
                Ok(bytes) => contents.push(bytes),
                Err(Refused { what, is_missing }) => {
                    return Ok(IndexFiles { index: None, problem: Some((path.clone(), what)), is_missing });
                }
            }
        }
        let index = SparseIndex::decode(name.base, segment.end_position, &contents[0], &contents[1]);
        let problem = index.is_none().then(|| {
            let [first, _] = paths;
            (first, "this file and the .timeindex beside it do not fit their segment".to_owned())
        });
        Ok(IndexFiles { index, problem, is_missing: false })
    }

    /// Tells what is wrong with them on their own.
    pub fn tell(&self, visitor: &mut dyn Visitor) {
        if let Some((path, what)) = &self.problem {
            visitor.index(path, what.clone(), self.is_missing);
        }
    }
}

/// Why a file is no index.
struct Refused {
    what: String,
    is_missing: bool,
}

/// A file's content, or what keeps it from being an index.
async fn read_bounded(
    site: &Site,
    path: &Path,
    length_max: u64,
) -> Result<Result<Vec<u8>, Refused>, OfflineError> {
    let refused = |what: String| Ok(Err(Refused { what, is_missing: false }));
    let file = match site.runtime.open(path, OpenMode::Read).await {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Err(Refused { what: "the file is missing".to_owned(), is_missing: true }));
        }
        Err(error) => return Err(LogError::io(path)(error).into()),
    };
    let length = file.length().await.map_err(LogError::io(path))?;
    if length > length_max {
        return refused(format!("{length} bytes are more than an index of its segment has"));
    }
    let blocks = (length as usize).max(1).next_multiple_of(BLOCK_BYTES);
    match file.read_at(0, blocks).await {
        Ok(bytes) => Ok(Ok(bytes.as_slice().to_vec())),
        Err(error) => refused(format!("it cannot be read: {error}")),
    }
}

/// The rows of an index, while the batches of its segment go by.
pub(super) struct RowCheck<'a> {
    index: Option<&'a SparseIndex>,
    offsets_seen: usize,
    times_seen: usize,
    largest: TimeRow,
    wrong: Option<String>,
}

impl<'a> RowCheck<'a> {
    /// Nothing is checked without an index.
    pub fn new(index: Option<&'a SparseIndex>) -> Self {
        let largest = TimeRow { timestamp: i64::MIN, offset: 0 };
        RowCheck { index, offsets_seen: 0, times_seen: 0, largest, wrong: None }
    }

    /// The segment's next batch.
    pub fn note(&mut self, position: u64, header: &BatchHeader) {
        let Some(index) = self.index.filter(|_| self.wrong.is_none()) else { return };
        let (offsets, times) = index.rows();
        let last_offset = header.last_offset();
        let timestamp = header.largest_record_timestamp();
        if timestamp > self.largest.timestamp {
            self.largest = TimeRow { timestamp, offset: last_offset };
        }
        if let Some(row) = offsets.get(self.offsets_seen).filter(|row| row.position <= position) {
            self.offsets_seen += 1;
            if row.position != position || row.last_offset != last_offset {
                let (at, offset) = (row.position, row.last_offset);
                self.wrong = Some(format!("it has a batch at byte {at} that ends with offset {offset}"));
            }
        }
        if let Some(row) = times.get(self.times_seen).filter(|row| row.offset <= last_offset) {
            self.times_seen += 1;
            self.check_time(*row, last_offset);
        }
    }

    fn check_time(&mut self, row: TimeRow, last_offset: Offset) {
        if row.offset != last_offset || row != self.largest {
            let TimeRow { timestamp, offset } = row;
            self.wrong = Some(format!(
                "the .timeindex beside it has {timestamp} as the largest timestamp up to offset {offset}"
            ));
        }
    }

    /// What is wrong with it, now that all batches have gone by.
    pub fn finish(self) -> Option<String> {
        let (offsets, times) = self.index?.rows();
        let wrong = self.wrong.map(|wrong| format!("{wrong}, which is not so"));
        let is_over = self.offsets_seen == offsets.len() && self.times_seen == times.len();
        wrong.or_else(|| (!is_over).then(|| "it has rows beyond its segment".to_owned()))
    }
}
