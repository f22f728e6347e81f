//! From the command line to an exit code.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use super::arguments::{
    Arguments, BackpressureArguments, Command, CpuArguments, DiskArguments, NetArguments, RunArguments,
    SweepArguments, VerifyArguments,
};
use super::{expand, presets, resolve};
use crate::commands::{self, CommandError, DiskPlan, Invocation, ROUND_TRIP_BYTES_MAX};
use crate::report::{ReportError, make_directory, repeat_command};
use crate::settings::CpuList;

const FAILED: u8 = 1;
/// Also clap's own exit code for arguments that it refuses.
const WRONGLY_CALLED: u8 = 2;

/// Carries out the command line.
pub fn run() -> ExitCode {
    let arguments: Vec<String> = std::env::args_os().map(|it| it.to_string_lossy().into_owned()).collect();
    let given = Arguments::command().get_matches_from(&arguments);
    let expanded = match expand::expand(&arguments, &given) {
        Ok(expanded) => expanded,
        Err(error) => return wrongly_called(&error),
    };
    let matches = Arguments::command().get_matches_from(expanded);
    let parsed = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let settings = matches.subcommand().map(|(_, own)| settings(own)).unwrap_or_default();
    if let Some(error) = unusable_report(&matches) {
        return wrongly_called(&error);
    }
    let invocation = Invocation { command: repeat_command(arguments.into_iter()), settings };
    match parsed.command {
        Command::Presets => {
            presets::PRESETS.iter().for_each(|(name, flags)| say!("{name}\n    {flags}"));
            ExitCode::SUCCESS
        }
        Command::Sweep(arguments) => sweep_command(&arguments, &invocation),
        Command::Backpressure(arguments) => backpressure_command(&arguments, &invocation),
        Command::Disk(arguments) => disk_command(arguments),
        Command::Net(arguments) => net_command(&arguments),
        Command::Cpu(arguments) => cpu_command(&arguments),
        Command::Verify(arguments) => verify_command(&arguments, &invocation),
        Command::Compare(arguments) => finished(commands::compare(&arguments.reports)),
        Command::Run(arguments) => run_command(&arguments, &invocation),
    }
}

fn run_command(arguments: &RunArguments, invocation: &Invocation) -> ExitCode {
    let workload = match resolve::run(arguments) {
        Ok(workload) => workload,
        Err(error) => return wrongly_called(&error),
    };
    finished(match arguments.null {
        true => commands::null(workload),
        false => commands::run(workload, arguments.report.as_deref(), invocation),
    })
}

fn sweep_command(arguments: &SweepArguments, invocation: &Invocation) -> ExitCode {
    match resolve::sweep(arguments) {
        Ok(workload) => {
            let (p99, directory) = (arguments.p99.0, arguments.report.as_deref());
            finished(commands::sweep(workload, p99, arguments.resolution, directory, invocation))
        }
        Err(error) => wrongly_called(&error),
    }
}

fn backpressure_command(arguments: &BackpressureArguments, invocation: &Invocation) -> ExitCode {
    match resolve::backpressure(arguments) {
        Ok((workload, capacity)) => finished(commands::backpressure(
            workload,
            capacity,
            resolve::at_capacity,
            (arguments.broker_pid, arguments.broker_admin.as_deref()),
            arguments.report.as_deref(),
            invocation,
        )),
        Err(error) => wrongly_called(&error),
    }
}

fn disk_command(arguments: DiskArguments) -> ExitCode {
    let plan = DiskPlan {
        directory: arguments.dir,
        file_bytes: arguments.file_size.0,
        sizes: arguments.sizes.iter().map(|size| size.0).collect(),
        depths: arguments.depths,
        duration: arguments.duration.0,
    };
    finished(commands::disk(&plan, arguments.report.as_deref()))
}

/// Those that were asked for, or all that may be used.
fn cpus_of(given: Option<&CpuList>) -> Vec<usize> {
    match given {
        Some(CpuList(cpus)) => cpus.clone(),
        None => core_affinity::get_core_ids().unwrap_or_default().into_iter().map(|core| core.id).collect(),
    }
}

fn no_cpu() -> ExitCode {
    eprintln!("loadgen: no CPU may be used");
    ExitCode::from(FAILED)
}

fn cpu_command(arguments: &CpuArguments) -> ExitCode {
    let cpus = cpus_of(arguments.cpus.as_ref());
    if cpus.is_empty() {
        return no_cpu();
    }
    finished(commands::cpu(&cpus, arguments.duration.0, arguments.report.as_deref()))
}

fn net_command(arguments: &NetArguments) -> ExitCode {
    let cpus = cpus_of(arguments.cpus.as_ref());
    let (Some(first), bytes) = (cpus.first().copied(), arguments.size.0) else { return no_cpu() };
    if !(1..=ROUND_TRIP_BYTES_MAX).contains(&bytes) {
        eprintln!("loadgen: --size must be 1 to {ROUND_TRIP_BYTES_MAX} bytes");
        return ExitCode::from(WRONGLY_CALLED);
    }
    let second = cpus.get(1).copied().unwrap_or(first);
    finished(commands::net(bytes, arguments.duration.0, (first, second), arguments.report.as_deref()))
}

fn verify_command(arguments: &VerifyArguments, invocation: &Invocation) -> ExitCode {
    match resolve::verification(arguments) {
        Ok(workload) => {
            let (patience, directory) = (arguments.patience.0, arguments.report.as_deref());
            finished(commands::verify(workload, patience, directory, invocation))
        }
        Err(error) => wrongly_called(&error),
    }
}

/// Why the directory for the report cannot be used, which is better known before the measurement than after it.
fn unusable_report(matches: &clap::ArgMatches) -> Option<ReportError> {
    let (_, own) = matches.subcommand()?;
    let directory = own.try_get_one::<PathBuf>("report").ok()??;
    make_directory(directory).err()
}

fn finished(result: Result<(), CommandError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("loadgen: {error}");
            ExitCode::from(FAILED)
        }
    }
}

fn wrongly_called(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("loadgen: {error}");
    ExitCode::from(WRONGLY_CALLED)
}

/// Every flag that has a value, given or by default.
fn settings(own: &clap::ArgMatches) -> BTreeMap<String, String> {
    let text = |id: &clap::Id| {
        let values = own.get_raw(id.as_str())?.map(|value| value.to_string_lossy().into_owned());
        Some((id.as_str().replace('_', "-"), values.collect::<Vec<_>>().join(",")))
    };
    // The groups that clap makes of flattened structs have the same interface and no values of their own.
    own.ids().filter(|id| !id.as_str().ends_with("Arguments")).filter_map(text).collect()
}
