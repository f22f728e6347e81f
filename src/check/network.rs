//! The kernel's settings for TCP.

use super::finding::{Finding, Topic};
use super::machine::Use;
use super::tree::Tree;
use crate::base::limits::ACCEPT_BACKLOG;

/// A connection's buffers should be able to grow to this: 10 Gbit/s at 3 ms round trip.
const SOCKET_BUFFER_BYTES: u64 = 4 << 20;

const BUFFERS: Topic = Topic {
    subject: "socket buffers",
    why: "The kernel sizes each connection's buffers by itself, up to the third number. Where that is less than \
          bandwidth times round trip, a connection does not fill the network. net.core.rmem_max and wmem_max only \
          bound programs that size their buffers themselves, which the broker does not.",
};
const BACKLOG: Topic = Topic {
    subject: "connection backlog",
    why: "When many clients connect at once, as after a restart, those beyond the backlog try again a second later.",
};
const SLOW_START: Topic = Topic {
    subject: "slow start after idle",
    why: "A connection that was silent for a moment begins again with a few packets: the first large fetch after a \
          pause takes several round trips.",
};

/// Looks at TCP's settings.
pub fn check(tree: &Tree, used: &Use) -> Vec<Finding> {
    vec![buffers(tree), backlog(tree), slow_start(tree, used)]
}

/// Least, initial and largest length of a buffer.
fn sizes(tree: &Tree, name: &str) -> Option<[u64; 3]> {
    let text = tree.text(format!("proc/sys/net/ipv4/{name}"))?;
    let numbers: Vec<u64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    numbers.try_into().ok()
}

fn buffers(tree: &Tree) -> Finding {
    let (Some(receive), Some(send)) = (sizes(tree, "tcp_rmem"), sizes(tree, "tcp_wmem")) else {
        return BUFFERS.unknown("the kernel does not tell");
    };
    let found = format!("up to {} KiB to receive, {} KiB to send", receive[2] >> 10, send[2] >> 10);
    let mut changes = Vec::new();
    for (name, [least, initial, largest]) in [("tcp_rmem", receive), ("tcp_wmem", send)] {
        if largest < SOCKET_BUFFER_BYTES {
            changes.push(format!("sysctl -w net.ipv4.{name}='{least} {initial} {SOCKET_BUFFER_BYTES}'"));
        }
    }
    if tree.number("proc/sys/net/ipv4/tcp_moderate_rcvbuf") == Some(0) {
        changes.push("sysctl -w net.ipv4.tcp_moderate_rcvbuf=1".to_owned());
    }
    if changes.is_empty() { BUFFERS.ok(found) } else { BUFFERS.advice(found, changes.join("; ")) }
}

fn backlog(tree: &Tree) -> Finding {
    let wanted = i64::from(ACCEPT_BACKLOG);
    match tree.number("proc/sys/net/core/somaxconn") {
        None => BACKLOG.unknown("the kernel does not tell"),
        Some(most) if most >= wanted => BACKLOG.ok(format!("net.core.somaxconn = {most}")),
        Some(most) => BACKLOG.advice(
            format!("net.core.somaxconn = {most}, and the broker asks for {wanted}"),
            format!("sysctl -w net.core.somaxconn={wanted}"),
        ),
    }
}

fn slow_start(tree: &Tree, used: &Use) -> Finding {
    match tree.number("proc/sys/net/ipv4/tcp_slow_start_after_idle") {
        None => SLOW_START.unknown("the kernel does not tell"),
        Some(0) => SLOW_START.ok("off"),
        Some(_) if !used.is_exposed => SLOW_START.ok("on, which does not matter on loopback"),
        Some(_) => SLOW_START.advice("on", "sysctl -w net.ipv4.tcp_slow_start_after_idle=0"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Status::*;
    use crate::check::testing::{machine, of, using};

    #[test]
    fn buffers_that_cannot_grow() {
        let of_sizes = |receive: &str, send: &str, moderate: &str| {
            let (_kept, tree) = machine(&[
                ("proc/sys/net/ipv4/tcp_rmem", receive),
                ("proc/sys/net/ipv4/tcp_wmem", send),
                ("proc/sys/net/ipv4/tcp_moderate_rcvbuf", moderate),
            ]);
            of(&check(&tree, &using(&[0])), BUFFERS.subject)
        };
        let large = "4096\t131072\t33554432";
        assert_eq!(of_sizes(large, "4096 16384 4194304", "1").0, Ok);
        let (status, text) = of_sizes(large, "4096 16384 65536", "0");
        assert_eq!(status, Advice);
        assert!(text.contains("32768 KiB to receive, 64 KiB to send"), "{text}");
        assert!(
            text.ends_with(
                "net.ipv4.tcp_wmem='4096 16384 4194304'; sysctl -w net.ipv4.tcp_moderate_rcvbuf=1"
            ),
            "{text}"
        );
        assert_eq!(of_sizes("1 2", large, "1").0, Unknown);
    }

    #[test]
    fn backlog_and_slow_start() {
        let (_kept, tree) = machine(&[
            ("proc/sys/net/core/somaxconn", "128"),
            ("proc/sys/net/ipv4/tcp_slow_start_after_idle", "1"),
        ]);
        let mut used = using(&[0]);
        let findings = check(&tree, &used);
        assert_eq!(of(&findings, BACKLOG.subject).0, Advice);
        assert_eq!(of(&findings, SLOW_START.subject).0, Advice);
        used.is_exposed = false;
        assert_eq!(of(&check(&tree, &used), SLOW_START.subject).0, Ok);
    }
}
