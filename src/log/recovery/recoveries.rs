//! How many recoveries a shard's journal has begun, kept beside the checkpoints: on the data's device, so that a journal
//! that is an older copy of itself is not taken for one that a crash has cut.
//!
//! ```text
//! offset size  (little-endian), in each of two blocks that take turns
//!      0    4  magic "CLRC"
//!      4    4  format version
//!      8   16  journal id
//!     24    8  recovery count
//!     32    4  checksum, CRC-32 of bytes 0 to 31
//! ```
//! A start writes it when its own group is durable in the journal, and before anything is accepted. So a whole journal is
//! at this count or beyond. A file that is missing, as one of an earlier version is, or cannot be read, says nothing.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::base::buffer::AlignedBuf;
use crate::base::limits::BLOCK_BYTES;
use crate::base::planted::{Bug, is_planted};
use crate::log::journal::reader::Scan;
use crate::log::{LogError, is_no_space};
use crate::runtime::{OpenMode, Runtime};

const MAGIC: [u8; 4] = *b"CLRC";
const VERSION: u32 = 1;
const LENGTH: usize = 36;
const SLOTS: u64 = 2;

/// The file of the shard whose checkpoints are in `directory`.
pub fn path(directory: &Path) -> PathBuf {
    directory.join("recoveries")
}

/// The newest count that was noted of a journal; 0 if none is known.
pub(super) async fn read(
    runtime: &Rc<dyn Runtime>,
    directory: &Path,
    journal_id: [u8; 16],
) -> Result<u64, LogError> {
    let path = path(directory);
    let file = match runtime.open(&path, OpenMode::Read).await {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(LogError::io(&path)(error)),
    };
    let mut newest = 0;
    for slot in 0..SLOTS {
        // Each on its own: a sector that cannot be read costs what it says, not the start.
        match file.read_at(slot * BLOCK_BYTES as u64, BLOCK_BYTES).await {
            Ok(block) => {
                newest = decode(block.as_slice(), journal_id).map_or(newest, |count| newest.max(count))
            }
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "a note of recoveries cannot be read")
            }
        }
    }
    Ok(newest)
}

/// Notes durably that the journal has begun this recovery. A disk without room for a new file keeps nobody from
/// starting: then nothing is noted.
pub async fn note(
    runtime: &Rc<dyn Runtime>,
    directory: &Path,
    journal_id: [u8; 16],
    recovery_count: u64,
) -> Result<(), LogError> {
    let path = path(directory);
    let noted = async {
        let file = runtime.open(&path, OpenMode::WriteDurable).await?;
        file.allocate(SLOTS * BLOCK_BYTES as u64).await?;
        let block = encode(journal_id, recovery_count);
        file.write_at(recovery_count % SLOTS * BLOCK_BYTES as u64, block.view(0..BLOCK_BYTES)).await?;
        // Each time: a start that made the file may have been cut off before this.
        runtime.sync_dir(directory).await
    };
    match noted.await {
        Err(error) if is_no_space(&error) => {
            tracing::warn!(file = %path.display(), "no room to note that the journal has begun a recovery");
            Ok(())
        }
        noted => noted.map_err(LogError::io(&path)),
    }
}

/// What is wrong with a journal that ends before a recovery that it has begun.
pub(super) fn missing(scan: &Scan, journal: &Path, noted: u64) -> Option<LogError> {
    let link = scan.end().link;
    let is_older = link.recovery_count < noted && !is_planted(Bug::IgnoreRecoveries);
    is_older.then(|| LogError::OldJournal {
        path: journal.to_owned(),
        sequence: link.sequence,
        found: link.recovery_count,
        noted,
    })
}

fn encode(journal_id: [u8; 16], recovery_count: u64) -> AlignedBuf {
    let mut block = AlignedBuf::with_capacity(BLOCK_BYTES);
    block.append(&MAGIC);
    block.append(&VERSION.to_le_bytes());
    block.append(&journal_id);
    block.append(&recovery_count.to_le_bytes());
    let checksum = crc32fast::hash(block.as_slice());
    block.append(&checksum.to_le_bytes());
    block.pad_to_block();
    block
}

/// `None` if the block is damaged, was never written, or is of another journal.
fn decode(block: &[u8], journal_id: [u8; 16]) -> Option<u64> {
    let bytes = block.get(..LENGTH)?;
    let is_whole = bytes[..4] == MAGIC
        && bytes[4..8] == VERSION.to_le_bytes()
        && bytes[8..24] == journal_id
        && bytes[32..] == crc32fast::hash(&bytes[..32]).to_le_bytes();
    is_whole.then(|| u64::from_le_bytes(bytes[24..32].try_into().expect("8 bytes")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::sim::SimWorld;

    #[test]
    fn the_newest_whole_count_of_the_journal_counts() {
        let world = SimWorld::new(1);
        let runtime = world.runtime();
        let directory = Path::new("/shard");
        let count = |id| {
            let read = world.block_on(read(&runtime, directory, id));
            read.expect("no crash").expect("read")
        };
        let note = |count| world.block_on(note(&runtime, directory, [1; 16], count)).expect("no crash");
        world.block_on(runtime.create_dir(directory)).expect("no crash").expect("created");
        assert_eq!(count([1; 16]), 0, "no file");
        for recovery in [0, 1, 2, 3, 7, 8] {
            note(recovery).expect("noted");
            assert_eq!(count([1; 16]), recovery);
        }
        assert_eq!(count([2; 16]), 0, "another journal's");
        // 8 is in the first block.
        world.rot(&path(directory), 25);
        assert_eq!(count([1; 16]), 7);
        world.rot(&path(directory), BLOCK_BYTES as u64);
        assert_eq!(count([1; 16]), 0);
    }
}
