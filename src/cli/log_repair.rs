//! `corelane log repair`: shows the plan, asks, and has it carried out.

use std::io::{self, BufRead, IsTerminal, Write};

use super::arguments::Output;
use super::log_arguments::RepairCommand;
use super::log_command::{LogCommandError, with_site};
use super::progress_bar::Bar;
use crate::base::ids::ShardId;
use crate::offline::{
    Access, CheckpointPlan, JournalPlan, OfflineError, Repair, Site, TruncatePlan, plan_checkpoint,
    plan_journal, plan_truncate,
};

/// Carries out the command; `false` if it was not agreed to.
pub(super) fn run(command: RepairCommand) -> Result<bool, LogCommandError> {
    let RepairCommand {
        subject,
        partition,
        truncate_at,
        checkpoint,
        shard,
        journal_bytes,
        in_cluster,
        yes,
        ..
    } = command;
    let output = subject.output;
    with_site(&subject, Access::Write, move |mut site| async move {
        site.journal_bytes = journal_bytes;
        if site.in_cluster && !in_cluster {
            return Err(OfflineError::InCluster.into());
        }
        let shard = shard.map(ShardId);
        let plan = match checkpoint {
            true => Plan::Checkpoint(Box::new(plan_checkpoint(&site, shard).await?)),
            false => Plan::make(&site, partition, truncate_at, shard).await?,
        };
        if output == Output::Human {
            print(&plan_text(plan.repair(), truncate_at))?;
        }
        if !yes && !is_agreed().map_err(LogCommandError::Print)? {
            eprintln!("corelane: nothing was changed");
            return Ok(false);
        }
        let repair = plan.carry_out(&site).await?;
        match output {
            Output::Human => print(&format!("Done. The backup is in {}.\n", repair.backup.display()))?,
            Output::Json => {
                let mut text = serde_json::to_string_pretty(&repair).expect("plain data");
                text.push('\n');
                print(&text)?;
            }
        }
        Ok(true)
    })
}

enum Plan {
    Truncate(Box<TruncatePlan>),
    Journal(Box<JournalPlan>),
    Checkpoint(Box<CheckpointPlan>),
}

impl Plan {
    async fn make(
        site: &Site,
        partition: Option<String>,
        truncate_at: Option<i64>,
        shard: Option<ShardId>,
    ) -> Result<Self, OfflineError> {
        match (partition, truncate_at) {
            (Some(partition), Some(offset)) => {
                let plan = plan_truncate(site, site.find(&partition)?, offset).await?;
                Ok(Plan::Truncate(Box::new(plan)))
            }
            // The arguments allow nothing else.
            _ => Ok(Plan::Journal(Box::new(plan_journal(site, shard).await?))),
        }
    }

    fn repair(&self) -> &Repair {
        match self {
            Plan::Truncate(plan) => &plan.repair,
            Plan::Journal(plan) => &plan.repair,
            Plan::Checkpoint(plan) => &plan.repair,
        }
    }

    async fn carry_out(self, site: &Site) -> Result<Repair, OfflineError> {
        match self {
            Plan::Truncate(plan) => plan.carry_out(site, &Bar::default()).await,
            Plan::Journal(plan) => plan.carry_out(site, &Bar::default()).await,
            Plan::Checkpoint(plan) => plan.carry_out(site, &Bar::default()).await,
        }
    }
}

fn print(text: &str) -> Result<(), LogCommandError> {
    io::stdout().lock().write_all(text.as_bytes()).map_err(LogCommandError::Print)
}

fn plan_text(repair: &Repair, truncate_at: Option<i64>) -> String {
    let mut text = format!("This will {}.\n", repair.what);
    for lost in &repair.lost {
        let (from, until) = (lost.offsets.from, lost.offsets.until);
        let note = lost.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
        let records = match (until - from, lost.and_more) {
            (0, false) => "no records that are known of".to_owned(),
            (0, true) => format!("unknown, from offset {from} on"),
            (count, false) => format!("{count} records, offsets {from} to {}", until - 1),
            (count, true) => format!("{count} records, offsets {from} to {}, and unknown behind", until - 1),
        };
        text.push_str(&format!("LOST: {}: {records}{note}\n", lost.partition));
    }
    if let (Some(asked), [lost]) = (truncate_at, &repair.lost[..])
        && asked != lost.offsets.from
    {
        text.push_str(&format!("No batch that can be read begins at {asked}: the cut is before it.\n"));
    }
    text.push_str(&format!("What is changed is copied to {} first.\n", repair.backup.display()));
    text
}

/// Asks on a terminal; without one nobody can agree.
fn is_agreed() -> io::Result<bool> {
    if !io::stdin().is_terminal() {
        eprintln!("corelane: pass --yes to do this without being asked");
        return Ok(false);
    }
    eprint!("Type yes to do this: ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}
