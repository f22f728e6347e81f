//! Prints what is in the files: checkpoint, journal groups and entries, segments, batches, records. Row by row, so that
//! the length of a log does not matter.

use std::io;
use std::path::Path;

use serde::Serialize;

use super::error::OfflineError;
use super::finding::{Finding, FindingKind, Findings};
use super::journal::ShardCheck;
use super::segments::{BatchPlace, Visitor, walk_partition};
use super::site::Site;
use crate::base::ids::{LeaderEpoch, Offset, PartitionId, ShardId};
use crate::base::limits::OFFLINE_UNPACKED_BYTES_MAX;
use crate::log::journal::entry::EntryKind;
use crate::log::recovery::Examined;
use crate::log::segment::{SegmentRecord, path};
use crate::log::walk::BadRange;
use crate::protocol::batch::{BatchView, Compression, TimestampType, records};
use crate::protocol::codec::unpack;

/// What is printed.
#[derive(Clone, Debug)]
pub struct DumpOptions {
    /// Of one partition, or of all.
    pub partition: Option<PartitionId>,
    /// Checkpoints and journals too.
    pub journal: bool,
    /// The records of each batch too.
    pub records: bool,
    /// Batches from the one that holds this offset on.
    pub from: Offset,
    /// So many batches of each partition at most.
    pub batches_max: u64,
}

/// A line of a dump.
#[derive(Debug, Serialize)]
#[serde(tag = "row", rename_all = "snake_case")]
pub enum Row {
    /// The checkpoint of a shard that counts.
    Checkpoint {
        /// The shard.
        shard: ShardId,
        /// Counts checkpoints.
        generation: u64,
        /// Partitions in it.
        partitions: usize,
        /// The number of the journal file with which replay begins.
        file_number: u64,
        /// The sequence of that file's first group.
        sequence: u64,
    },
    /// A live group of a journal.
    Group {
        /// The shard.
        shard: ShardId,
        /// Its sequence.
        sequence: u64,
        /// Recoveries before it.
        recovery_count: u64,
        /// The last group that was known to be durable.
        durable_through: u64,
        /// Whether a recovery wrote it.
        is_start: bool,
        /// Entries in it.
        entries: usize,
        /// Its length.
        bytes: usize,
    },
    /// An entry of such a group.
    Entry {
        /// The shard.
        shard: ShardId,
        /// The group's sequence.
        sequence: u64,
        /// What it does.
        kind: EntryKind,
        /// The partition's name.
        partition: String,
        /// The term.
        leader_epoch: LeaderEpoch,
        /// The offset that it is about.
        base_offset: Offset,
        /// The last one.
        last_offset: Offset,
        /// The segment that its bytes belong to.
        segment_base: Offset,
        /// Where in that, in bytes.
        position: u64,
        /// How many bytes; none if they are rotten.
        bytes: Option<usize>,
    },
    /// A segment, before its batches.
    Segment {
        /// The partition's name.
        partition: String,
        /// Its file.
        file: String,
        /// Offset of its first record.
        base_offset: Offset,
        /// Offset behind its last record.
        next_offset: Offset,
        /// Bytes of its batches.
        bytes: u64,
        /// Of these, bytes that the file is known to hold.
        synced_bytes: u64,
        /// Whether it is complete.
        is_sealed: bool,
    },
    /// A batch.
    Batch(Batch),
    /// A record of the batch before it.
    Record(Record),
    /// What cannot be printed, because it is not what was written.
    Damage(Finding),
}

/// See [`Row`].
#[derive(Debug, Serialize)]
pub struct Batch {
    /// The partition's name.
    pub partition: String,
    /// Offset of the first record.
    pub base_offset: Offset,
    /// Offset of the last record.
    pub last_offset: Offset,
    /// Number of records.
    pub records: i32,
    /// The segment.
    pub segment_base: Offset,
    /// Where in the segment, in bytes.
    pub position: u64,
    /// Length.
    pub bytes: usize,
    /// `segment` if all of it is in the segment's file, `journal` if the journal has the end of it.
    pub place: &'static str,
    /// The term of the leader.
    pub leader_epoch: LeaderEpoch,
    /// The codec.
    pub compression: String,
    /// `create` or `append`.
    pub timestamp_type: &'static str,
    /// The largest timestamp, in ms since 1970.
    pub max_timestamp: i64,
    /// The idempotent producer; -1 for none.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// Its sequence number of the first record.
    pub base_sequence: i32,
    /// Whether it belongs to a transaction.
    pub is_transactional: bool,
    /// Whether its records are control records.
    pub is_control: bool,
    /// Its CRC-32C, which holds.
    pub crc: u32,
}

/// See [`Row`].
#[derive(Debug, Serialize)]
pub struct Record {
    /// Its offset.
    pub offset: Offset,
    /// Its timestamp, in ms since 1970.
    pub timestamp: i64,
    /// Its key; what is no UTF-8 is replaced.
    pub key: Option<String>,
    /// Its value, likewise.
    pub value: Option<String>,
}

/// Where rows go.
pub type Dump<'a> = &'a mut dyn FnMut(Row) -> io::Result<()>;

/// Dumps a data directory. `Ok(Err)` is what the taker of rows said.
pub async fn dump(site: &Site, options: &DumpOptions, out: Dump<'_>) -> Result<io::Result<()>, OfflineError> {
    for (shard, paths) in &site.shards {
        let mut findings = Findings::default();
        let examined = ShardCheck { site, shard: *shard, paths, findings: &mut findings }.check().await?;
        let is_wanted = |finding: &Finding| options.journal || finding.kind == FindingKind::Corruption;
        for finding in findings.listed.into_iter().filter(is_wanted) {
            if let Err(error) = out(Row::Damage(finding)) {
                return Ok(Err(error));
            }
        }
        let Some(examined) = examined else { continue };
        if options.journal
            && let Err(error) = dump_journal(site, *shard, &examined, options, out)
        {
            return Ok(Err(error));
        }
        let is_wanted = |id| options.partition.is_none_or(|wanted| wanted == id);
        for partition in examined.partitions(is_wanted).values() {
            let Some(directory) = site.directory(partition.id) else { continue };
            let name = site.name(partition.id);
            let out = &mut *out;
            let mut printing = Printing { name, directory, options, batches: 0, failure: None, out };
            walk_partition(site, partition, directory, &mut printing, &()).await?;
            if let Some(error) = printing.failure {
                return Ok(Err(error));
            }
        }
    }
    Ok(Ok(()))
}

fn dump_journal(
    site: &Site,
    shard: ShardId,
    examined: &Examined,
    options: &DumpOptions,
    out: Dump<'_>,
) -> io::Result<()> {
    let start = examined.checkpoint.start;
    out(Row::Checkpoint {
        shard,
        generation: examined.checkpoint.generation,
        partitions: examined.records.len(),
        file_number: start.file_number,
        sequence: start.link.sequence,
    })?;
    for group in examined.groups() {
        let header = &group.header;
        out(Row::Group {
            shard,
            sequence: header.sequence,
            recovery_count: header.recovery_count,
            durable_through: header.durable_through,
            is_start: header.is_start,
            entries: group.entries.len(),
            bytes: group.total_bytes,
        })?;
        for (entry, payload) in &group.entries {
            if options.partition.is_some_and(|wanted| wanted != entry.partition) {
                continue;
            }
            out(Row::Entry {
                shard,
                sequence: header.sequence,
                kind: entry.kind,
                partition: site.name(entry.partition),
                leader_epoch: entry.leader_epoch,
                base_offset: entry.base_offset,
                last_offset: entry.last_offset,
                segment_base: entry.segment_base,
                position: entry.position,
                bytes: payload.as_ref().map(bytes::Bytes::len),
            })?;
        }
    }
    Ok(())
}

/// Makes rows of what a walk finds.
struct Printing<'a> {
    name: String,
    directory: &'a Path,
    options: &'a DumpOptions,
    batches: u64,
    failure: Option<io::Error>,
    out: Dump<'a>,
}

impl Printing<'_> {
    fn print(&mut self, row: Row) {
        if self.failure.is_none() {
            self.failure = (self.out)(row).err();
        }
    }

    fn print_records(&mut self, place: BatchPlace, batch: &BatchView<'_>) {
        let header = batch.header();
        let unpacked = match header.attributes.compression() {
            Ok(Compression::None) => Ok(batch.records().to_vec()),
            Ok(codec) => {
                unpack(codec, batch.records(), OFFLINE_UNPACKED_BYTES_MAX).map_err(|error| error.to_string())
            }
            Err(code) => Err(format!("unknown compression code {code}")),
        };
        let unpacked = match unpacked {
            Ok(unpacked) => unpacked,
            Err(what) => return self.print_unreadable(place, batch, what),
        };
        let text = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        for record in records(&unpacked, header.record_count) {
            match record {
                Ok(record) => self.print(Row::Record(Record {
                    offset: header.base_offset.saturating_add(record.offset_delta.into()),
                    timestamp: header.base_timestamp.saturating_add(record.timestamp_delta),
                    key: text(record.key),
                    value: text(record.value),
                })),
                Err(error) => self.print_unreadable(place, batch, error.to_string()),
            }
        }
    }

    /// The CRC holds, so this is what its producer sent.
    fn print_unreadable(&mut self, place: BatchPlace, batch: &BatchView<'_>, what: String) {
        let outcome = "it is served as it is; consumers will refuse it";
        let file = path::log_file(self.directory, place.segment);
        let finding = Finding::new(FindingKind::Note, file, what, outcome)
            .of_partition(&self.name)
            .at(place.position)
            .on_offsets(batch.header().base_offset, batch.header().last_offset() + 1);
        self.print(Row::Damage(finding));
    }
}

impl Visitor for Printing<'_> {
    fn segment(&mut self, segment: &SegmentRecord, file: &Path) -> bool {
        let is_wanted = segment.next_offset > self.options.from;
        if is_wanted {
            self.print(Row::Segment {
                partition: self.name.clone(),
                file: file.display().to_string(),
                base_offset: segment.base_offset,
                next_offset: segment.next_offset,
                bytes: segment.end_position,
                synced_bytes: segment.synced,
                is_sealed: segment.sealed,
            });
        }
        is_wanted
    }

    fn batch(&mut self, place: BatchPlace, batch: &BatchView<'_>) {
        let header = batch.header();
        if header.last_offset() < self.options.from {
            return;
        }
        self.batches += 1;
        let compression = match header.attributes.compression() {
            Ok(codec) => format!("{codec:?}").to_lowercase(),
            Err(code) => format!("unknown ({code})"),
        };
        let timestamp_type = match header.attributes.timestamp_type() {
            TimestampType::CreateTime => "create",
            TimestampType::LogAppendTime => "append",
        };
        self.print(Row::Batch(Batch {
            partition: self.name.clone(),
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            records: header.record_count,
            segment_base: place.segment.base,
            position: place.position,
            bytes: batch.bytes().len(),
            place: if place.is_on_disk { "segment" } else { "journal" },
            leader_epoch: header.partition_leader_epoch,
            compression,
            timestamp_type,
            max_timestamp: header.max_timestamp,
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            base_sequence: header.base_sequence,
            is_transactional: header.attributes.is_transactional(),
            is_control: header.attributes.is_control(),
            crc: header.crc,
        }));
        if self.options.records {
            self.print_records(place, batch);
        }
    }

    fn bad(&mut self, file: &Path, bad: &BadRange, until: Offset) {
        let outcome = "these offsets cannot be read";
        let finding = Finding::new(FindingKind::Corruption, file, bad.what.clone(), outcome)
            .of_partition(&self.name)
            .at(bad.position)
            .on_offsets(bad.from, until);
        self.print(Row::Damage(finding));
    }

    fn is_done(&self) -> bool {
        self.failure.is_some() || self.batches >= self.options.batches_max
    }
}
