//! Carries out `corelane top`: on a terminal, once, or as lines of JSON.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use super::super::super::arguments::Output;
use super::super::cluster::Cluster;
use super::super::error::ClientError;
use super::super::interrupt::Interrupt;
use super::super::output;
use super::admin::Admin;
use super::arguments::TopCommand;
use super::live::{LOOK_TIMEOUT, Looks, show};
use super::sample::Sample;
use super::sections::text;
use super::view::View;

/// How long one wait for a look takes, between looks at signals.
const POLL: Duration = Duration::from_millis(100);

/// Carries out `corelane top`.
pub fn run(command: TopCommand) -> Result<(), ClientError> {
    let is_live = !command.once && command.connection.output == Output::Human;
    if is_live && !io::stdout().is_terminal() {
        return Err(ClientError::Usage(
            "stdout is no terminal; --once or --output json print to it".to_owned(),
        ));
    }
    if is_live && command.connection.verbose && io::stderr().is_terminal() {
        return Err(ClientError::Usage(
            "-v would write over the view; send stderr elsewhere: 2>log".to_owned(),
        ));
    }
    // Signals end it at once while it connects.
    let mut cluster = Cluster::connect(&command.connection)?;
    let mut interrupt = Interrupt::catch()?;
    if !command.once {
        cluster.timeout = cluster.timeout.min(LOOK_TIMEOUT);
    }
    let admin = command.admin.as_deref().map(Admin::new);
    let looks = Looks::begin(cluster, admin, command.interval);
    if is_live {
        interrupt.never_at_once();
        show(&command, &looks, &interrupt)
    } else {
        print(&command, &looks, &interrupt)
    }
}

/// Prints what each two looks show: once, or until a signal.
fn print(command: &TopCommand, looks: &Looks, interrupt: &Interrupt) -> Result<(), ClientError> {
    let mut before: Option<Sample> = None;
    loop {
        if interrupt.is_set() {
            // Without --once it has no other end.
            return if command.once { Err(ClientError::Interrupted) } else { Ok(()) };
        }
        let now = match looks.next(POLL)? {
            None => continue,
            Some(Ok(now)) => now,
            // Whoever goes on looking says so, and waits for the brokers to come back.
            Some(Err(error)) if before.is_some() && !command.once => {
                output::tell(format_args!("corelane: {error}"));
                continue;
            }
            Some(Err(error)) => return Err(error),
        };
        if let Some(before) = &before {
            let view = View::between(before, &now, command.internal);
            if command.once {
                view.notes.iter().for_each(|note| output::tell(format_args!("corelane: {note}")));
                return output::print(command.connection.output, &view, || text(&view));
            }
            if !is_printed(&view)? {
                return Ok(());
            }
        }
        before = Some(now);
    }
}

/// Prints a line of JSON. `false` if nobody reads our output.
fn is_printed(view: &View) -> Result<bool, ClientError> {
    let mut line = serde_json::to_vec(view).expect("plain data with keys that are text");
    line.push(b'\n');
    let mut out = io::stdout().lock();
    match out.write_all(&line).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(ClientError::Print(error)),
    }
}
