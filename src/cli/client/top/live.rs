//! The live view: a thread looks at the cluster, while this one draws and takes keys.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::super::cluster::Cluster;
use super::super::error::ClientError;
use super::super::interrupt::Interrupt;
use super::admin::Admin;
use super::arguments::TopCommand;
use super::ask::ask;
use super::sample::Sample;
use super::screen::{Key, Screen};
use super::view::View;
use crate::runtime::wall_clock_ms;

/// How long one wait for a key takes, between looks at signals and at what the other thread has found.
const POLL: Duration = Duration::from_millis(100);

/// How long a look waits for an answer, if `--timeout` does not say less: what is gone is seen to be gone, and looked for
/// again soon. Looks that are made once wait for the whole of `--timeout`.
pub const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

/// What came of a look.
pub type Look = Result<Sample, ClientError>;

/// What looks find, for as long as somebody takes it.
pub struct Looks {
    found: Receiver<Look>,
    /// Dropped with the rest, which ends the thread's wait.
    _stop: Sender<()>,
}

impl Looks {
    /// Looks every `interval` from now on.
    pub fn begin(cluster: Cluster, admin: Option<Admin>, interval: Duration) -> Self {
        let (sender, found) = sync_channel(1);
        let (stop, stopped) = channel();
        // It may wait for an answer: the process does not wait for it.
        thread::spawn(move || look(&cluster, admin.as_ref(), interval, &sender, &stopped));
        Self { found, _stop: stop }
    }

    /// The next one, if it comes in time. Fails if none will ever come.
    pub fn next(&self, wait: Duration) -> Result<Option<Look>, ClientError> {
        match self.found.recv_timeout(wait) {
            Ok(look) => Ok(Some(look)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            // The thread ends only when it is told to, unless it panicked.
            Err(RecvTimeoutError::Disconnected) => {
                Err(ClientError::Library("nobody looks at the cluster any more".to_owned()))
            }
        }
    }
}

fn look(
    cluster: &Cluster,
    admin: Option<&Admin>,
    interval: Duration,
    found: &SyncSender<Look>,
    stopped: &Receiver<()>,
) {
    let is_over = || stopped.recv_timeout(interval) != Err(RecvTimeoutError::Timeout);
    while found.send(ask(cluster, admin)).is_ok() && !is_over() {}
}

/// Shows what is found until a key or a signal ends it.
pub fn show(command: &TopCommand, looks: &Looks, interrupt: &Interrupt) -> Result<(), ClientError> {
    // Also has a panic leave the terminal as it was.
    let mut terminal = ratatui::try_init().map_err(ClientError::Print)?;
    let shown = run(&mut terminal, command, looks, interrupt);
    let restored = ratatui::try_restore().map_err(ClientError::Print);
    shown.and(restored)
}

fn run(
    terminal: &mut DefaultTerminal,
    command: &TopCommand,
    looks: &Looks,
    interrupt: &Interrupt,
) -> Result<(), ClientError> {
    let (mut screen, mut before) = (Screen::default(), None);
    loop {
        match looks.next(Duration::ZERO)? {
            None => {}
            Some(Err(error)) => screen.fail(error.to_string()),
            Some(Ok(now)) => {
                if let Some(before) = &before {
                    screen.show(View::between(before, &now, command.internal));
                }
                before = Some(now);
            }
        }
        terminal.draw(|frame| screen.draw(frame, wall_clock_ms())).map_err(ClientError::Print)?;
        let is_ended = interrupt.is_set() || !takes_keys(&mut screen).map_err(ClientError::Print)?;
        if is_ended {
            return Ok(());
        }
    }
}

/// Waits a moment for a key. `false` if it ends the view.
fn takes_keys(screen: &mut Screen) -> io::Result<bool> {
    if !event::poll(POLL)? {
        return Ok(true);
    }
    // Whatever else comes, such as a new size, is drawn next.
    let key = if let Event::Key(key) = event::read()? { meaning(key) } else { None };
    Ok(key.is_none_or(|key| screen.press(key)))
}

/// What a key means. The terminal makes no signal of Ctrl-C while it is ours.
fn meaning(key: KeyEvent) -> Option<Key> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Some(Key::Quit),
        KeyCode::Char('q') | KeyCode::Esc => Some(Key::Quit),
        KeyCode::Char('s') => Some(Key::Order),
        KeyCode::Tab => Some(Key::Next),
        KeyCode::BackTab => Some(Key::Back),
        KeyCode::Up | KeyCode::Char('k') => Some(Key::Up),
        KeyCode::Down | KeyCode::Char('j') => Some(Key::Down),
        KeyCode::PageUp => Some(Key::PageUp),
        KeyCode::PageDown => Some(Key::PageDown),
        KeyCode::Home => Some(Key::Home),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_their_meaning() {
        let plain = |code| meaning(KeyEvent::new(code, KeyModifiers::NONE));
        assert_eq!(plain(KeyCode::Char('q')), Some(Key::Quit));
        assert_eq!(plain(KeyCode::Char('c')), None);
        assert_eq!(meaning(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), Some(Key::Quit));
        assert_eq!(plain(KeyCode::Tab), Some(Key::Next));
        let mut released = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
        released.kind = KeyEventKind::Release;
        assert_eq!(meaning(released), None);
    }
}
