//! Which addresses are listened on, by the kernel's tables (proc_pid_net(5)).

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

/// The state LISTEN in the tables.
const LISTEN: &str = "0A";

/// Every TCP address that somebody in this network namespace listens on.
pub fn listening(root: &Path) -> io::Result<Vec<SocketAddr>> {
    let mut addresses = parse(&fs::read_to_string(root.join("proc/net/tcp"))?);
    // Absent where IPv6 is switched off.
    addresses.extend(parse(&fs::read_to_string(root.join("proc/net/tcp6")).unwrap_or_default()));
    Ok(addresses)
}

/// Whether a listener on `theirs` takes connections meant for `ours`.
pub fn overlap(ours: SocketAddr, theirs: SocketAddr) -> bool {
    let (a, b) = (ours.ip(), theirs.ip());
    ours.port() == theirs.port() && (a == b || a.is_unspecified() || b.is_unspecified())
}

fn parse(table: &str) -> Vec<SocketAddr> {
    let lines = table.lines().skip(1);
    lines
        .filter_map(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let (local, _remote, state) = (fields.next()?, fields.next()?, fields.next()?);
            if state == LISTEN { address(local) } else { None }
        })
        .collect()
}

/// `0100007F:2384`: words of 32 bits in the machine's order, then the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(ip)?)),
        32 => {
            let mut bytes = [0; 16];
            for (i, part) in bytes.chunks_mut(4).enumerate() {
                part.copy_from_slice(&word(ip.get(i * 8..i * 8 + 8)?)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

fn word(hex: &str) -> Option<[u8; 4]> {
    u32::from_str_radix(hex, 16).ok().map(u32::to_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn the_kernels_tables() {
        let table = "  sl  local_address rem_address   st tx_queue\n\
             0: 0100007F:2384 00000000:0000 0A 00000000:00000000 00:00000000\n\
             1: 0100007F:2385 0100007F:9999 06 00000000:00000000 00:00000000\n\
             2: 00000000:0016 00000000:0000 0A\n\
             3: 00000000000000000000000001000000:2384 00000000000000000000000000000000:0000 0A\n\
             4: 0000000000000000FFFF00000100007F:0050 0:0 0A\n\
             5: nonsense\n\
             6: \u{e9}\u{e9}\u{e9}\u{e9}:1 0:0 0A\n";
        let addresses: Vec<String> = parse(table).iter().map(ToString::to_string).collect();
        assert_eq!(addresses, ["127.0.0.1:9092", "0.0.0.0:22", "[::1]:9092", "127.0.0.1:80"]);
    }

    #[test]
    fn wildcards_take_every_address() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        for (ours, theirs, both) in [
            ("127.0.0.1:1", "127.0.0.1:1", true),
            ("127.0.0.1:1", "127.0.0.1:2", false),
            ("127.0.0.1:1", "127.0.0.2:1", false),
            ("127.0.0.1:1", "0.0.0.0:1", true),
            ("0.0.0.0:1", "127.0.0.1:1", true),
            ("127.0.0.1:1", "[::]:1", true),
        ] {
            assert_eq!(overlap(address(ours), address(theirs)), both, "{ours} {theirs}");
        }
    }

    #[test]
    fn a_listener_of_this_process_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let found = listening(Path::new("/")).unwrap();
        assert!(found.contains(&listener.local_addr().unwrap()));
    }
}
