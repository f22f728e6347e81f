//! `corelane log`.

use std::io::{self, Write};
use std::rc::Rc;

use serde::Serialize;

use super::arguments::Output;
use super::log_arguments::{DumpCommand, LogAction, StatCommand, Subject, VerifyCommand};
use super::log_repair;
use super::log_rows::{findings_text, line_of};
use super::progress_bar::Bar;
use super::table::table;
use crate::base::ids::PartitionId;
use crate::offline::{
    Access, DataDirectory, DumpOptions, OfflineError, PartitionStat, ShardStat, Site, Stat, Verified,
    check_metadata, dump, stat, verify,
};
use crate::server::run_command;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum LogCommandError {
    /// At the data.
    #[error(transparent)]
    Offline(#[from] OfflineError),
    /// At printing.
    #[error("cannot print: {0}")]
    Print(io::Error),
    /// The runtime does not start.
    #[error("cannot use io_uring, through which files are read: {0}")]
    Runtime(io::Error),
}

/// Carries out the command; whether all is well.
pub(super) fn run(action: LogAction) -> Result<bool, LogCommandError> {
    let outcome = match action {
        LogAction::Dump(command) => run_dump(command),
        LogAction::Verify(command) => run_verify(command),
        LogAction::Stat(command) => run_stat(command),
        LogAction::Repair(command) => return log_repair::run(command),
    };
    match outcome {
        // Who reads the output has seen enough.
        Err(LogCommandError::Print(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(true),
        outcome => outcome,
    }
}

/// Opens the directory and does something with it on a runtime of its own.
pub(super) fn with_site<T, F>(
    subject: &Subject,
    access: Access,
    then: impl FnOnce(Site) -> F + 'static,
) -> Result<T, LogCommandError>
where
    T: 'static,
    F: Future<Output = Result<T, LogCommandError>> + 'static,
{
    let journal = subject.journal_dir.as_ref().unwrap_or(&subject.data_dir);
    let directory = Rc::new(DataDirectory::open(&subject.data_dir, journal, access)?);
    let held = Rc::clone(&directory);
    let ran = run_command(|runtime| async move { then(held.site(runtime).await?).await });
    ran.map_err(LogCommandError::Runtime)?
}

fn find(site: &Site, partition: Option<&String>) -> Result<Option<PartitionId>, OfflineError> {
    partition.map(|name| site.find(name)).transpose()
}

fn print_json(value: &impl Serialize) -> Result<(), LogCommandError> {
    let mut out = io::stdout().lock();
    let printed = serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from);
    printed.and_then(|()| writeln!(out)).map_err(LogCommandError::Print)
}

fn print_text(text: &str) -> Result<(), LogCommandError> {
    io::stdout().lock().write_all(text.as_bytes()).map_err(LogCommandError::Print)
}

fn run_dump(command: DumpCommand) -> Result<bool, LogCommandError> {
    let DumpCommand { subject, partition, records, journal, from, batches } = command;
    let output = subject.output;
    with_site(&subject, Access::Read, move |site| async move {
        let partition = find(&site, partition.as_ref())?;
        let batches_max = batches.unwrap_or(u64::MAX);
        let options = DumpOptions { partition, journal, records, from, batches_max };
        let mut out = io::BufWriter::new(io::stdout().lock());
        let mut print = |row: crate::offline::Row| match output {
            Output::Human => writeln!(out, "{}", line_of(&row)),
            Output::Json => {
                serde_json::to_writer(&mut out, &row)?;
                out.write_all(b"\n")
            }
        };
        let printed = dump(&site, &options, &mut print).await?;
        printed.and_then(|()| out.flush()).map_err(LogCommandError::Print)?;
        Ok(true)
    })
}

fn run_verify(command: VerifyCommand) -> Result<bool, LogCommandError> {
    let VerifyCommand { subject, partition } = command;
    let output = subject.output;
    with_site(&subject, Access::Read, move |site| async move {
        let partition = find(&site, partition.as_ref())?;
        let mut verified = verify(&site, partition, &Bar::default()).await?;
        if partition.is_none() {
            check_metadata(&site.data)?.into_iter().for_each(|finding| verified.findings.push(finding));
        }
        match output {
            Output::Human => print_text(&verified_text(&verified))?,
            Output::Json => print_json(&verified)?,
        }
        Ok(verified.is_sound())
    })
}

fn verified_text(verified: &Verified) -> String {
    let totals = &verified.totals;
    let verdict = match (verified.is_sound(), verified.findings.listed.is_empty()) {
        (true, true) => "Everything is as it was written".to_owned(),
        (true, false) => "Nothing is corrupt; a start sets right what is noted above".to_owned(),
        (false, _) => format!("{} corruptions", verified.findings.corruptions),
    };
    format!(
        "{}{verdict}: {} shards, {} journal groups with {} entries, {} partitions, {} segments, {} batches, {} bytes.\n",
        findings_text(&verified.findings),
        totals.shards,
        totals.journal_groups,
        totals.journal_entries,
        totals.partitions,
        totals.segments,
        totals.batches,
        totals.bytes
    )
}

fn run_stat(command: StatCommand) -> Result<bool, LogCommandError> {
    let StatCommand { subject, partition } = command;
    let output = subject.output;
    with_site(&subject, Access::Read, move |site| async move {
        let partition = find(&site, partition.as_ref())?;
        let stat = stat(&site, partition).await?;
        match output {
            Output::Human => print_text(&stat_text(&stat))?,
            Output::Json => print_json(&stat)?,
        }
        Ok(stat.findings.corruptions == 0)
    })
}

fn stat_text(stat: &Stat) -> String {
    let shard = |it: &ShardStat| {
        let cells = [
            u64::from(it.shard.0),
            it.checkpoint_generation,
            it.journal_bytes,
            it.live_groups,
            it.live_bytes,
            it.recovery_count,
        ];
        cells.map(|cell| cell.to_string()).to_vec()
    };
    let partition = |it: &PartitionStat| {
        let epoch = it.leader_epoch.map_or("-".to_owned(), |epoch| epoch.to_string());
        vec![
            it.partition.clone(),
            it.shard.to_string(),
            it.state.to_owned(),
            it.log_start.to_string(),
            it.log_end.to_string(),
            epoch,
            it.segments.to_string(),
            it.bytes.to_string(),
            it.journal_only_bytes.to_string(),
            it.producers.to_string(),
        ]
    };
    let shards = ["shard", "checkpoint", "journal bytes", "live groups", "live bytes", "recoveries"];
    let partitions = [
        "partition",
        "shard",
        "state",
        "log start",
        "log end",
        "epoch",
        "segments",
        "bytes",
        "in journal only",
        "producers",
    ];
    format!(
        "{}\n{}{}",
        table(&shards, &stat.shards.iter().map(shard).collect::<Vec<_>>()),
        table(&partitions, &stat.partitions.iter().map(partition).collect::<Vec<_>>()),
        findings_text(&stat.findings)
    )
}
