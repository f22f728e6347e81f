//! What may stand behind `corelane log`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::arguments::Output;
use crate::base::limits::{JOURNAL_BYTES_MAX, JOURNAL_BYTES_MIN};
use crate::config::units::{format_size, parse_size};

const VERIFY_STATUS: &str = "\
Exit status: 0 if everything is as it was written, also where a crash left a torn tail that the next start cuts off; 1 \
if something is not, or could not be looked at; 2 if the arguments are wrong.";

const REPAIR_EXAMPLES: &str = "\
Examples:
  corelane log repair /var/lib/corelane orders-3 --truncate-at 1847200
  corelane log repair /var/lib/corelane --journal --shard 0
  corelane log repair /var/lib/corelane --checkpoint

Nothing is changed before the plan was shown and agreed to. What is changed is backed up below DATA_DIR/repairs first, and \
noted in DATA_DIR/repairs/repairs.log.";

/// Arguments of `corelane log`.
#[derive(Args, Debug)]
pub struct LogCommand {
    /// What to do.
    #[command(subcommand)]
    pub action: LogAction,
}

/// What to do with a data directory.
#[derive(Subcommand, Debug)]
pub enum LogAction {
    /// Print segments and batches; with --records their records, with --journal also checkpoints and journals
    ///
    /// With --output json a JSON object for each line.
    Dump(DumpCommand),
    /// Check every checksum of segments, indexes, journals and checkpoints, and say what a start would do
    #[command(after_help = VERIFY_STATUS)]
    Verify(VerifyCommand),
    /// Show the partitions, their offsets and sizes, and what of them only the journal holds
    Stat(StatCommand),
    /// Give up records that cannot be had, so that what is left can be used
    #[command(after_help = REPAIR_EXAMPLES)]
    Repair(RepairCommand),
}

/// Which data, and how to print.
#[derive(Args, Debug)]
pub struct Subject {
    /// The broker's `data.dir`; no broker may run on it
    #[arg(value_name = "DATA_DIR")]
    pub data_dir: PathBuf,
    /// The broker's `journal.dir`, if that is another [default: DATA_DIR]
    #[arg(long, value_name = "DIR")]
    pub journal_dir: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Output::Human)]
    pub output: Output,
}

/// Arguments of `corelane log dump`.
#[derive(Args, Debug)]
pub struct DumpCommand {
    #[command(flatten)]
    pub subject: Subject,
    /// Only this partition, such as orders-3
    #[arg(value_name = "TOPIC-PARTITION")]
    pub partition: Option<String>,
    /// Print the records of each batch
    #[arg(long)]
    pub records: bool,
    /// Print checkpoints, and the groups and entries of journals
    #[arg(long)]
    pub journal: bool,
    /// Begin with the batch that holds this offset
    #[arg(long, value_name = "OFFSET", default_value_t = 0)]
    pub from: i64,
    /// Print at most so many batches of each partition
    #[arg(long, value_name = "N")]
    pub batches: Option<u64>,
}

/// Arguments of `corelane log verify`.
#[derive(Args, Debug)]
pub struct VerifyCommand {
    #[command(flatten)]
    pub subject: Subject,
    /// Only this partition, and checkpoints and journals
    #[arg(value_name = "TOPIC-PARTITION")]
    pub partition: Option<String>,
}

/// Arguments of `corelane log stat`.
#[derive(Args, Debug)]
pub struct StatCommand {
    #[command(flatten)]
    pub subject: Subject,
    /// Only this partition
    #[arg(value_name = "TOPIC-PARTITION")]
    pub partition: Option<String>,
}

/// Arguments of `corelane log repair`.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["truncate_at", "journal", "checkpoint"]))]
pub struct RepairCommand {
    #[command(flatten)]
    pub subject: Subject,
    /// The partition to cut, such as orders-3
    #[arg(value_name = "TOPIC-PARTITION", requires = "truncate_at")]
    pub partition: Option<String>,
    /// End the partition's log here, or before the batch that holds this offset: all records from there on are lost
    #[arg(long, value_name = "OFFSET", requires = "partition")]
    pub truncate_at: Option<i64>,
    /// End a damaged journal before its first damaged group, or make an empty one where it is missing: all records that
    /// only the rest held are lost, of all partitions of the shard
    #[arg(long, conflicts_with = "partition")]
    pub journal: bool,
    /// Make a shard's checkpoint anew from its segments and journal, where both of its checkpoints are damaged
    #[arg(long, conflicts_with = "partition")]
    pub checkpoint: bool,
    /// The shard whose journal or checkpoint is meant [default: the only one that is damaged]
    #[arg(long, value_name = "N", conflicts_with = "partition")]
    pub shard: Option<u16>,
    /// Length of a journal that is made anew, such as 512MiB, where neither what is left of it nor another shard's tells
    /// the one that it had: the broker's `journal.bytes` [default: 192MiB]
    #[arg(long, value_name = "SIZE", value_parser = journal_bytes, conflicts_with = "partition")]
    pub journal_bytes: Option<u64>,
    /// Also where the node is one of a cluster, which counts its copies as whole: other nodes cut their own copies to what
    /// is left here if this one comes back first
    #[arg(long)]
    pub in_cluster: bool,
    /// Do it without asking
    #[arg(long)]
    pub yes: bool,
}

/// A length that `journal.bytes` takes.
fn journal_bytes(text: &str) -> Result<u64, String> {
    let bytes = parse_size(text).map_err(|error| error.to_string())?;
    match (JOURNAL_BYTES_MIN..=JOURNAL_BYTES_MAX).contains(&bytes) {
        true => Ok(bytes),
        false => {
            let (least, most) = (format_size(JOURNAL_BYTES_MIN), format_size(JOURNAL_BYTES_MAX));
            Err(format!("a journal has {least} to {most}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_as_long_as_its_key_allows() {
        assert_eq!(journal_bytes("512MiB"), Ok(512 << 20));
        for refused in ["1MiB", "1000TiB", "long", ""] {
            assert!(journal_bytes(refused).is_err(), "{refused}");
        }
    }
}
