//! From arguments to an exit code.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use super::arguments::{Arguments, CheckCommand, Command, ConfigCommand, Settings};
use super::client::{self, commands};
use super::{check_command, config_command, log_command, serve};
use crate::check;
use crate::config::{ConfigErrors, Loaded, Machine, load, reference};

const FAILED: u8 = 1;
/// Also clap's own exit code for arguments that it refuses.
const WRONGLY_CONFIGURED: u8 = 2;

/// Carries out the command line.
pub fn run() -> ExitCode {
    match Arguments::parse().command {
        Command::Serve(settings) => with_configuration(settings, |loaded, machine| {
            match serve::serve(loaded.config, machine) {
                Ok(()) => ExitCode::SUCCESS,
                // Already logged.
                Err(_) => ExitCode::from(FAILED),
            }
        }),
        Command::Check(CheckCommand { settings, output }) => {
            with_configuration(settings, |loaded, machine| {
                let findings = check::check(&loaded.config, machine, Path::new("/"));
                let printed = printed(check_command::print(&findings, output, io::stdout().lock()));
                if check_command::can_serve(&findings) { printed } else { ExitCode::from(FAILED) }
            })
        }
        Command::Log(command) => match log_command::run(command.action) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::from(FAILED),
            Err(error) => {
                eprintln!("corelane: {error}");
                ExitCode::from(FAILED)
            }
        },
        Command::Client(command) => commands::run(command),
        Command::Completions(command) => printed(command.print(io::stdout().lock())),
        Command::Config(ConfigCommand { action: Some(action), .. }) => {
            commands::exit_code(client::config::run(action))
        }
        Command::Config(ConfigCommand { markdown: true, .. }) => {
            printed(io::stdout().write_all(reference::markdown().as_bytes()))
        }
        Command::Config(ConfigCommand { settings, output, .. }) => {
            with_configuration(settings, |loaded, _| {
                printed(config_command::print(&loaded.effective, output, io::stdout().lock()))
            })
        }
    }
}

fn with_configuration(settings: Settings, then: impl FnOnce(Loaded, &Machine) -> ExitCode) -> ExitCode {
    let machine = match Machine::detect() {
        Ok(machine) => machine,
        Err(error) => {
            eprintln!("corelane: cannot tell this machine's memory: {error}; is /proc mounted?");
            return ExitCode::from(FAILED);
        }
    };
    let loaded = settings
        .inputs()
        .map_err(|error| ConfigErrors(vec![error]))
        .and_then(|inputs| load(&inputs, &machine));
    match loaded {
        Ok(loaded) => then(loaded, &machine),
        Err(ConfigErrors(errors)) => {
            errors.iter().for_each(|error| eprintln!("corelane: {error}"));
            ExitCode::from(WRONGLY_CONFIGURED)
        }
    }
}

/// A reader that has seen enough (`corelane config | head`) is no failure.
fn printed(result: io::Result<()>) -> ExitCode {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("corelane: cannot print: {error}");
            ExitCode::from(FAILED)
        }
        _ => ExitCode::SUCCESS,
    }
}
