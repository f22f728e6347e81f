//! `corelane completions`: what a shell needs to complete the command line.

use std::io::{self, Write};

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::{Shell, generate};

use super::arguments::Arguments;

const EXAMPLES: &str = "\
Examples:
  corelane completions bash > ~/.local/share/bash-completion/completions/corelane
  corelane completions zsh > ~/.zfunc/_corelane     # with fpath+=~/.zfunc before compinit in ~/.zshrc
  corelane completions fish > ~/.config/fish/completions/corelane.fish";

/// Arguments of `corelane completions`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct CompletionsCommand {
    /// For this shell
    shell: KnownShell,
}

/// Shells that this is tried with.
#[derive(ValueEnum, Clone, Copy, Debug)]
enum KnownShell {
    Bash,
    Zsh,
    Fish,
}

impl CompletionsCommand {
    /// Prints the script.
    pub fn print(&self, mut out: impl Write) -> io::Result<()> {
        let shell = match self.shell {
            KnownShell::Bash => Shell::Bash,
            KnownShell::Zsh => Shell::Zsh,
            KnownShell::Fish => Shell::Fish,
        };
        // Into memory first: `generate` panics where it cannot write, such as into a closed pipe.
        let mut script = Vec::new();
        generate(shell, &mut Arguments::command(), "corelane", &mut script);
        out.write_all(&script)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_completed() {
        for shell in [KnownShell::Bash, KnownShell::Zsh, KnownShell::Fish] {
            let mut script = Vec::new();
            CompletionsCommand { shell }.print(&mut script).unwrap();
            let script = String::from_utf8(script).unwrap();
            for command in Arguments::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{} for {shell:?}", command.get_name());
            }
            assert!(script.contains("replication-factor"), "{shell:?}");
        }
    }
}
