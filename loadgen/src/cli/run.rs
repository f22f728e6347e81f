//! From the command line to an exit code.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use super::arguments::{Arguments, Command, RunArguments, VerifyArguments};
use super::{expand, presets, resolve};
use crate::commands::{self, CommandError, Invocation};
use crate::report::repeat_command;

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
    let invocation = Invocation { command: repeat_command(arguments.into_iter()), settings };
    match parsed.command {
        Command::Presets => {
            presets::PRESETS.iter().for_each(|(name, flags)| println!("{name}\n    {flags}"));
            ExitCode::SUCCESS
        }
        Command::Verify(arguments) => verify_command(&arguments, &invocation),
        Command::Compare(arguments) => finished(commands::compare(&arguments.reports)),
        Command::Run(arguments) => run_command(&arguments, &invocation),
    }
}

fn run_command(arguments: &RunArguments, invocation: &Invocation) -> ExitCode {
    let workload = match resolve::workload(&arguments.workload) {
        Ok(workload) => workload,
        Err(error) => return wrongly_called(&error),
    };
    finished(match arguments.null {
        true => commands::null(workload),
        false => commands::run(workload, arguments.report.as_deref(), invocation),
    })
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
