//! Reads back what a crash left of the journal.
//!
//! The live groups are those chained from the checkpoint: each names its predecessor's sequence and checksum
//! and carries its recovery count. Everything else in the files is older, or a ghost: a group written behind
//! one that never became durable. A chain ends at the first group that is not whole. Whether that is a torn
//! tail (never acknowledged) or damage (acknowledged) is told by the groups behind it, every header of which
//! says up to which sequence everything was durable when it was written, and by the checkpoint.

use std::collections::VecDeque;
use std::path::Path;
use std::rc::Rc;

use bytes::Bytes;

use super::entry::Entry;
use super::file_header::JournalIdentity;
use super::group::{self, Group, GroupBuilder, GroupHeader};
use super::ring::{FileStart, Link, Ring, RingShape};
use super::writer::JournalStart;
use crate::base::buffer::AlignedBuf;
use crate::base::limits::{BLOCK_BYTES, JOURNAL_READ_BYTES};
use crate::base::planted::{Bug, is_planted};
use crate::log::LogError;
use crate::runtime::File;

/// The live part of a journal.
#[derive(Debug)]
pub struct Scan {
    /// The live groups in order; payloads that are `None` in them are damage of acknowledged data.
    pub groups: Vec<Group>,
    /// Groups behind these that are chained to them, and of which not all bytes are there: they are torn.
    pub torn_groups: usize,
    live: VecDeque<FileStart>,
    position: u64,
    link: Link,
}

/// A journal's open files.
pub struct JournalFiles<'a> {
    /// For messages.
    pub directory: &'a Path,
    /// By slot.
    pub files: &'a [Rc<dyn File>],
    /// Their shape.
    pub shape: RingShape,
    /// Whose groups count.
    pub identity: JournalIdentity,
}

struct Chained {
    group: Group,
    file_number: u64,
    end_position: u64,
}

/// Reads all live groups from `start` on. All groups up to `durable_through` are known to be durable. Damage among
/// them is an error.
pub async fn scan(
    journal: &JournalFiles<'_>,
    start: FileStart,
    durable_through: u64,
) -> Result<Scan, LogError> {
    match scan_whole(journal, start, durable_through).await? {
        (scan, None) => Ok(scan),
        (_, Some(damage)) => Err(damage),
    }
}

/// The same up to the first group that is damaged among those that are known to be durable, and that damage.
pub async fn scan_whole(
    journal: &JournalFiles<'_>,
    start: FileStart,
    durable_through: u64,
) -> Result<(Scan, Option<LogError>), LogError> {
    let mut walk = Walk { journal_id: journal.identity.journal_id, link: start.link };
    let mut chain: Vec<Chained> = Vec::new();
    let mut file_number = start.file_number;
    let mut bytes = read_file(journal, file_number).await?;
    let (mut position, mut behind) = follow(&mut walk, &bytes, file_number, &mut chain);
    // A group that does not fit behind the last one is at the start of the next file.
    while file_number + 1 < start.file_number + journal.shape.file_count {
        bytes = read_file(journal, file_number + 1).await?;
        let before = chain.len();
        let (next_position, next_behind) = follow(&mut walk, &bytes, file_number + 1, &mut chain);
        if chain.len() == before {
            behind = behind.max(next_behind);
            break;
        }
        (file_number, position, behind) = (file_number + 1, next_position, next_behind);
    }
    let durable_through = behind.unwrap_or(0).max(durable_through);
    let is_damaged = durable_through >= walk.link.sequence && !is_planted(Bug::TakeRotForTear);
    let damage = is_damaged.then(|| {
        let path = journal.directory.to_owned();
        LogError::CorruptJournal { path, sequence: walk.link.sequence }
    });
    Ok((conclude(chain, start, position, durable_through), damage))
}

/// What the next live group must look like.
struct Walk {
    journal_id: [u8; 16],
    link: Link,
}

impl Walk {
    fn accepts(&self, header: &GroupHeader) -> bool {
        if is_planted(Bug::IgnoreChain) {
            return header.journal_id == self.journal_id && header.sequence == self.link.sequence;
        }
        let recovery = if header.is_start {
            header.recovery_count > self.link.recovery_count
        } else {
            header.recovery_count == self.link.recovery_count
        };
        header.journal_id == self.journal_id
            && header.sequence == self.link.sequence
            && header.previous_checksum == self.link.previous_checksum
            && recovery
    }
}

/// Follows the chain through one file from its first group on. Returns the position behind the last live
/// group, and the newest `durable_through` that groups behind the chain's end name. Groups of an older recovery
/// count do not speak of this chain: they are ghosts. Those of a newer one do: only their start group can have
/// been damaged, since nothing follows one that is not durable.
fn follow(walk: &mut Walk, file: &Bytes, file_number: u64, chain: &mut Vec<Chained>) -> (u64, Option<u64>) {
    let mut position = BLOCK_BYTES;
    while let Some(group) = group::decode(&file.slice(position..)).filter(|group| walk.accepts(&group.header))
    {
        walk.link = link_behind(&group);
        position += group.total_bytes;
        chain.push(Chained { group, file_number, end_position: position as u64 });
        if position >= file.len() {
            break;
        }
    }
    let behind = (position..file.len())
        .step_by(BLOCK_BYTES)
        .filter_map(|at| group::decode(&file.slice(at..)))
        .map(|group| group.header)
        .filter(|header| header.journal_id == walk.journal_id)
        .filter(|header| {
            header.recovery_count >= walk.link.recovery_count && header.sequence >= walk.link.sequence
        })
        .map(|header| header.durable_through)
        .max();
    (position as u64, behind)
}

/// Cuts the chain where a payload is damaged that was never known durable, and says where writing goes on.
/// `durable_through` is what is known from elsewhere than the chain.
fn conclude(mut chain: Vec<Chained>, start: FileStart, position: u64, mut durable_through: u64) -> Scan {
    let mut keep = chain.len();
    for (index, chained) in chain.iter().enumerate().rev() {
        let whole = chained.group.entries.iter().all(|(_, payload)| payload.is_some());
        if !whole && durable_through < chained.group.header.sequence {
            keep = index;
        }
        durable_through = durable_through.max(chained.group.header.durable_through);
    }
    let position = if keep == chain.len() { position } else { position_before(&chain, keep) };
    let torn_groups = chain.len() - keep;
    chain.truncate(keep);
    let mut live = VecDeque::from([start]);
    let mut link = start.link;
    for chained in &chain {
        if chained.file_number > live.back().expect("never empty").file_number {
            live.push_back(FileStart { file_number: chained.file_number, link });
        }
        link = link_behind(&chained.group);
    }
    let groups = chain.into_iter().map(|chained| chained.group).collect();
    Scan { groups, torn_groups, live, position, link }
}

fn link_behind(group: &Group) -> Link {
    Link {
        sequence: group.header.sequence + 1,
        previous_checksum: group.checksum,
        recovery_count: group.header.recovery_count,
    }
}

/// Where the chain ends if only its first `keep` groups count. Where that is the end of a file, the dropped
/// group stood at the start of the next one; writing goes on behind the last kept group all the same.
fn position_before(chain: &[Chained], keep: usize) -> u64 {
    keep.checked_sub(1).map_or(BLOCK_BYTES as u64, |last| chain[last].end_position)
}

/// The headers of all whole groups that are in a journal's files, live or not, with the entries that they have.
pub async fn all_groups(journal: &JournalFiles<'_>) -> Result<Vec<(GroupHeader, Vec<Entry>)>, LogError> {
    let mut found = Vec::new();
    for slot in 0..journal.shape.file_count {
        let groups = groups_in(journal, slot).await?.into_iter();
        found.extend(
            groups.map(|group| (group.header, group.entries.iter().map(|(entry, _)| *entry).collect())),
        );
    }
    Ok(found)
}

/// The whole groups of a journal that are in one of its files, live or not, with their payloads: at most as many bytes as
/// the file has. The other files need not be there. `path` is for messages.
pub async fn whole_groups_in(
    file: &dyn File,
    path: &Path,
    file_bytes: u64,
    journal_id: [u8; 16],
) -> Result<Vec<PlacedGroup>, LogError> {
    let bytes = read_all(file, path, file_bytes as usize).await?;
    let mut found = Vec::new();
    for position in (BLOCK_BYTES..bytes.len()).step_by(BLOCK_BYTES) {
        let Some(group) = group::decode(&bytes.slice(position..)) else { continue };
        if group.header.journal_id != journal_id {
            continue;
        }
        // Payloads are parts of what was read: that tells their place. Empty ones have none.
        let start = bytes.as_ptr() as usize;
        let place = |payload: &Bytes| match payload.is_empty() {
            true => position as u64,
            false => (payload.as_ptr() as usize - start) as u64,
        };
        let payloads = group.entries.iter().map(|(_, payload)| payload.as_ref().map(place)).collect();
        found.push(PlacedGroup { group, payloads });
    }
    Ok(found)
}

/// A group of which is known where in its file the payloads are.
pub struct PlacedGroup {
    /// The group.
    pub group: Group,
    /// For each entry the position of its payload in the journal's file, in bytes; `None` where that is damaged.
    pub payloads: Vec<Option<u64>>,
}

async fn groups_in(journal: &JournalFiles<'_>, slot: u64) -> Result<Vec<Group>, LogError> {
    let file = read_file(journal, slot).await?;
    let groups = (BLOCK_BYTES..file.len())
        .step_by(BLOCK_BYTES)
        .filter_map(|at| group::decode(&file.slice(at..)))
        .filter(|group| group.header.journal_id == journal.identity.journal_id);
    Ok(groups.collect())
}

async fn read_file(journal: &JournalFiles<'_>, file_number: u64) -> Result<Bytes, LogError> {
    let slot = (file_number % journal.shape.file_count) as usize;
    read_all(&*journal.files[slot], journal.directory, journal.shape.file_bytes as usize).await
}

async fn read_all(file: &dyn File, path: &Path, length: usize) -> Result<Bytes, LogError> {
    let mut whole = AlignedBuf::with_capacity(length);
    while whole.len() < length {
        let want = (length - whole.len()).min(JOURNAL_READ_BYTES);
        let part = file
            .read_at(whole.len() as u64, want)
            .await
            .and_then(|part| {
                if part.len() == want { Ok(part) } else { Err(std::io::ErrorKind::UnexpectedEof.into()) }
            })
            .map_err(LogError::io(path))?;
        whole.append(part.as_slice());
    }
    Ok(whole.view(0..length))
}

/// Where the live part of a journal ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScanEnd {
    /// The file of the last group, or the first one to be replayed.
    pub file_number: u64,
    /// The position behind the last group, in bytes.
    pub position: u64,
    /// What the next group has to follow.
    pub link: Link,
}

impl Scan {
    /// Where the live part ends.
    pub fn end(&self) -> ScanEnd {
        let file_number = self.live.back().expect("never empty").file_number;
        ScanEnd { file_number, position: self.position, link: self.link }
    }

    /// For a writer that will write nothing: what was read, and a journal that is left as it was found.
    pub fn stand_still(self, journal: &JournalFiles<'_>) -> (JournalStart, Vec<Group>) {
        let ring = Ring::new(journal.shape, self.live, self.position);
        let journal_id = journal.identity.journal_id;
        (JournalStart { journal_id, link: self.link, ring }, self.groups)
    }

    /// Recovery's own group: durably says that a new count begins behind the chain's end. What lies behind it
    /// in the files is dead from then on, whatever it looks like. Nothing may be accepted before.
    pub async fn begin(self, journal: &JournalFiles<'_>) -> Result<(JournalStart, Vec<Group>), LogError> {
        let recovery_count = self.link.recovery_count + 1;
        self.begin_count(journal, recovery_count).await
    }

    /// The same with a recovery count that is higher than any other, where groups of a later count than the chain's
    /// are to be dead too.
    pub async fn begin_count(
        self,
        journal: &JournalFiles<'_>,
        recovery_count: u64,
    ) -> Result<(JournalStart, Vec<Group>), LogError> {
        assert!(recovery_count > self.link.recovery_count, "a recovery raises the count");
        let mut ring = Ring::new(journal.shape, self.live, self.position);
        let builder = GroupBuilder::new(AlignedBuf::with_capacity(BLOCK_BYTES));
        let place = ring
            .place(builder.encoded_bytes() as u64, self.link)
            .ok_or_else(|| LogError::JournalFull { path: journal.directory.to_owned() })?;
        let header = GroupHeader {
            journal_id: journal.identity.journal_id,
            recovery_count,
            sequence: self.link.sequence,
            durable_through: self.link.sequence - 1,
            previous_checksum: self.link.previous_checksum,
            is_start: true,
        };
        let (buffer, checksum) = builder.finish(&header);
        let write = journal.files[place.slot].write_at(place.position, buffer.view(0..buffer.len()));
        write.await.map_err(LogError::io(journal.directory))?;
        let link = Link {
            sequence: header.sequence + 1,
            previous_checksum: checksum,
            recovery_count: header.recovery_count,
        };
        Ok((JournalStart { journal_id: header.journal_id, link, ring }, self.groups))
    }
}
