//! What a look at one shard's checkpoints and journal finds.

use std::path::PathBuf;

use super::damage::lost_offsets;
use super::error::OfflineError;
use super::finding::{Finding, FindingKind, Findings};
use super::site::Site;
use crate::base::ids::ShardId;
use crate::base::limits::BLOCK_BYTES;
use crate::log::LogError;
use crate::log::checkpoint::{self, CheckpointState};
use crate::log::journal::files;
use crate::log::journal::group::{self, GroupHeader};
use crate::log::journal::reader::{self, JournalFiles, ScanEnd};
use crate::log::recovery::{Examined, ShardPaths, examine};

/// One shard while its files are looked at.
pub(super) struct ShardCheck<'a> {
    pub site: &'a Site,
    pub shard: ShardId,
    pub paths: &'a ShardPaths,
    pub findings: &'a mut Findings,
}

impl ShardCheck<'_> {
    fn tell(&mut self, finding: Finding) {
        self.findings.push(finding.of_shard(self.shard));
    }

    /// Both checkpoints and the journal; `None` where a start is refused for want of them.
    pub async fn check(&mut self) -> Result<Option<Examined>, OfflineError> {
        self.checkpoints().await?;
        match examine(&self.site.runtime, self.paths, self.site.disk_id).await {
            Ok(examined) => {
                self.journal(&examined).await?;
                Ok(Some(examined))
            }
            Err(error) => {
                let file = match &error {
                    LogError::Io { path, .. }
                    | LogError::ForeignJournal { path, .. }
                    | LogError::ForeignCheckpoint { path }
                    | LogError::MissingJournal { path }
                    | LogError::NoCheckpoint { path } => path.clone(),
                    _ => self.paths.journal_directory.clone(),
                };
                let outcome = "nothing of the shard can be had before that is mended";
                self.tell(Finding::new(FindingKind::Corruption, file, error.to_string(), outcome));
                Ok(None)
            }
        }
    }

    async fn checkpoints(&mut self) -> Result<(), OfflineError> {
        for generation in 0..2 {
            let path = checkpoint::path(&self.paths.directory, generation);
            let (kind, what) = match checkpoint::read_state(&self.site.runtime, &path).await? {
                CheckpointState::Whole(_) | CheckpointState::Missing | CheckpointState::Unwritten => continue,
                CheckpointState::OtherBody => (
                    FindingKind::Note,
                    "the body of the checkpoint is torn, or rotten: it cannot be told which",
                ),
                CheckpointState::Rotten => {
                    (FindingKind::Corruption, "the header of the checkpoint is rotten")
                }
            };
            let outcome = "a start uses the other checkpoint; this one is written over by a later one";
            self.tell(Finding::new(kind, path, what, outcome));
        }
        Ok(())
    }

    async fn journal(&mut self, examined: &Examined) -> Result<(), OfflineError> {
        match &examined.damage {
            Some(damage) => self.missing_group(examined, damage).await?,
            None => self.tail(examined).await?,
        }
        let rotten = examined.groups().iter().flat_map(|group| {
            let sequence = group.header.sequence;
            let damaged = group.entries.iter().filter(|(_, payload)| payload.is_none());
            damaged.map(move |(entry, _)| (sequence, entry))
        });
        for (sequence, entry) in rotten {
            let what = format!("the bytes of an entry of journal group {sequence} are rotten");
            let outcome = "if nothing else has them, the partition is damaged, which is told on its own";
            let finding = Finding::new(FindingKind::Note, &self.paths.journal_directory, what, outcome)
                .of_partition(&self.site.name(entry.partition))
                .on_offsets(entry.base_offset, entry.last_offset + 1);
            self.tell(finding);
        }
        Ok(())
    }

    /// Acknowledged groups are gone.
    async fn missing_group(&mut self, examined: &Examined, damage: &LogError) -> Result<(), OfflineError> {
        let end = examined.live.end();
        let sequence = end.link.sequence;
        let lost = lost_offsets(&reader::all_groups(&self.files(examined)).await?, &end.link);
        let (file, position) = self.place(examined, end);
        let outcome = "the shard stores nothing more; restore the file, or give up what is behind it with `corelane \
                       log repair --journal`";
        self.tell(Finding::new(FindingKind::Corruption, &file, damage.to_string(), outcome).at(position));
        for (partition, range) in lost {
            let what = format!("whole groups behind group {sequence} hold records of the partition");
            let outcome = "they are lost if the journal is repaired without the missing group";
            let finding = Finding::new(FindingKind::Corruption, &file, what, outcome)
                .of_partition(&self.site.name(partition))
                .on_offsets(range.from, range.until);
            self.tell(finding);
        }
        Ok(())
    }

    /// What stands behind the last group that counts.
    async fn tail(&mut self, examined: &Examined) -> Result<(), OfflineError> {
        let live_end = examined.live.end();
        let (file, position) = self.place(examined, live_end);
        let sequence = live_end.link.sequence;
        let outcome = "a start cuts it off; nobody was told that it is durable";
        if examined.live.torn_groups > 0 {
            let what = format!("journal group {sequence} is torn: not all of its entries' bytes are there");
            self.tell(Finding::new(FindingKind::TornTail, file, what, outcome).at(position));
            return Ok(());
        }
        if self.claims_to_follow(examined, live_end).await? {
            let what = format!("journal group {sequence} is torn");
            self.tell(Finding::new(FindingKind::TornTail, file, what, outcome).at(position));
        }
        let is_ghost = |header: &GroupHeader| {
            header.recovery_count == live_end.link.recovery_count && header.sequence > sequence
        };
        let groups = reader::all_groups(&self.files(examined)).await?;
        if let Some((ghost, _)) = groups.iter().find(|(header, _)| is_ghost(header)) {
            let (file, position) = self.place(examined, live_end);
            let what =
                format!("journal group {} is whole, but not group {sequence} before it", ghost.sequence);
            self.tell(Finding::new(FindingKind::TornTail, file, what, outcome).at(position));
        }
        Ok(())
    }

    /// Whether a group that is not whole stands where the next one would, here or at the start of the next file.
    async fn claims_to_follow(&self, examined: &Examined, end: ScanEnd) -> Result<bool, OfflineError> {
        let block = BLOCK_BYTES as u64;
        for (file_number, position) in [(end.file_number, end.position), (end.file_number + 1, block)] {
            let slot = (file_number % examined.shape.file_count) as usize;
            if position >= examined.shape.file_bytes {
                continue;
            }
            let path = files::path(&self.paths.journal_directory, slot as u64);
            let read = examined.files[slot].read_at(position, BLOCK_BYTES).await;
            let head = read.map_err(LogError::io(&path))?;
            let is_next = |header: GroupHeader| {
                header.journal_id == examined.identity().journal_id
                    && header.sequence == end.link.sequence
                    && header.recovery_count >= end.link.recovery_count
            };
            if group::claimed_header(head.as_slice()).is_some_and(is_next) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn place(&self, examined: &Examined, end: ScanEnd) -> (PathBuf, u64) {
        let slot = end.file_number % examined.shape.file_count;
        (files::path(&self.paths.journal_directory, slot), end.position)
    }

    fn files<'b>(&'b self, examined: &'b Examined) -> JournalFiles<'b> {
        JournalFiles {
            directory: &self.paths.journal_directory,
            files: &examined.files,
            shape: examined.shape,
            identity: examined.identity(),
        }
    }
}
