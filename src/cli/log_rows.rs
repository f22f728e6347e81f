//! What `corelane log` prints for people: a line for each row of a dump, and findings.

use crate::offline::{Batch, Finding, FindingKind, Findings, Record, Row};

/// A dump's row as a line.
pub(super) fn line_of(row: &Row) -> String {
    match row {
        Row::Checkpoint { shard, generation, partitions, file_number, sequence } => format!(
            "shard {shard}: checkpoint {generation} of {partitions} partitions; replay begins with group {sequence} in \
             journal file {file_number}"
        ),
        Row::Group { sequence, recovery_count, durable_through, is_start, entries, bytes, .. } => {
            let kind = if *is_start { "start group" } else { "group" };
            format!(
                "  {kind} {sequence}: recovery {recovery_count}, durable through {durable_through}, {entries} entries, \
                 {bytes} bytes"
            )
        }
        Row::Entry { kind, partition, base_offset, last_offset, segment_base, position, bytes, .. } => {
            let bytes = bytes.map_or("rotten bytes".to_owned(), |bytes| format!("{bytes} bytes"));
            format!(
                "    {kind:?} {partition} offsets {base_offset}..{last_offset} at {segment_base}:{position}, {bytes}"
            )
        }
        Row::Segment { partition, file, base_offset, next_offset, bytes, synced_bytes, is_sealed } => {
            let state = if *is_sealed { "sealed" } else { "being filled" };
            format!(
                "{partition} segment {base_offset}..{next_offset}, {bytes} bytes, {synced_bytes} of them on disk, \
                 {state}: {file}"
            )
        }
        Row::Batch(batch) => batch_line(batch),
        Row::Record(record) => record_line(record),
        Row::Damage(finding) => finding_text(finding),
    }
}

fn batch_line(batch: &Batch) -> String {
    let Batch { base_offset, last_offset, records, position, bytes, leader_epoch, .. } = batch;
    let mut line = format!(
        "  batch {base_offset}..{last_offset} records {records} position {position} bytes {bytes} epoch \
         {leader_epoch} codec {} {} time {} crc {:#010x} in {}",
        batch.compression, batch.timestamp_type, batch.max_timestamp, batch.crc, batch.place
    );
    if batch.producer_id >= 0 {
        let Batch { producer_id, producer_epoch, base_sequence, .. } = batch;
        line.push_str(&format!(" producer {producer_id}/{producer_epoch} sequence {base_sequence}"));
    }
    for (is_so, word) in [(batch.is_transactional, " transactional"), (batch.is_control, " control")] {
        line.push_str(if is_so { word } else { "" });
    }
    line
}

fn record_line(record: &Record) -> String {
    let text = |text: &Option<String>| text.as_ref().map_or("null".to_owned(), |text| format!("{text:?}"));
    let (key, value) = (text(&record.key), text(&record.value));
    format!("    offset {} time {} key {key} value {value}", record.offset, record.timestamp)
}

/// A finding in two lines.
pub(super) fn finding_text(finding: &Finding) -> String {
    let word = match finding.kind {
        FindingKind::Note => "note",
        FindingKind::TornTail => "torn tail",
        FindingKind::Corruption => "CORRUPT",
    };
    let mut text = word.to_owned();
    if let Some(shard) = finding.shard {
        text.push_str(&format!(", shard {shard}"));
    }
    if let Some(partition) = &finding.partition {
        text.push_str(&format!(", partition {partition}"));
    }
    if let Some(offsets) = finding.offsets {
        text.push_str(&format!(", offsets {} to {}", offsets.from, offsets.until - 1));
    }
    text.push_str(&format!(": {}", finding.file.display()));
    if let Some(position) = finding.position {
        text.push_str(&format!(" at byte {position}"));
    }
    format!("{text}\n    {}\n    {}", finding.what, finding.outcome)
}

/// All findings, and how many there are besides.
pub(super) fn findings_text(findings: &Findings) -> String {
    let mut text = String::new();
    for finding in &findings.listed {
        text.push_str(&finding_text(finding));
        text.push('\n');
    }
    if findings.not_listed > 0 {
        text.push_str(&format!("and {} more\n", findings.not_listed));
    }
    text
}
