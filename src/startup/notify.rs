//! What the service manager is told, by the protocol of sd_notify(3): where NOTIFY_SOCKET is not set, nothing.

use sd_notify::NotifyState;

/// What the broker is doing, for `systemctl status`.
pub fn doing(text: &str) {
    send(&[NotifyState::Status(&one_line(text))]);
}

/// It serves: what waits for the unit goes on.
pub fn serving(text: &str) {
    send(&[NotifyState::Ready, NotifyState::Status(&one_line(text))]);
}

/// It was told to stop and does.
pub fn stopping(text: &str) {
    send(&[NotifyState::Stopping, NotifyState::Status(&one_line(text))]);
}

/// A line end would begin another message.
fn one_line(text: &str) -> String {
    text.lines().collect::<Vec<_>>().join("; ")
}

/// The broker serves without a service manager as well as with one that does not listen.
fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager could not be told");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_become_another_message() {
        assert_eq!(one_line("no port\nREADY=1\n"), "no port; READY=1");
    }
}
