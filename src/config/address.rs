//! `HOST:PORT`, with IPv6 literals in brackets.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use super::error::ValueError;

/// A host name or address (without brackets) and a port.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct HostPort {
    /// A name, or an address literal without brackets.
    pub host: String,
    /// The port; 0 stands for a free one, where that makes sense.
    pub port: u16,
}

impl HostPort {
    /// Reads `host:port`, `1.2.3.4:port` or `[::1]:port`.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let (host, port) = text.rsplit_once(':').ok_or(ValueError::NoPort)?;
        let port = port.parse().map_err(|_| ValueError::NotAPort)?;
        let host = match host.strip_prefix('[') {
            Some(rest) => {
                let literal = rest.strip_suffix(']').ok_or(ValueError::NotAHost)?;
                literal.parse::<std::net::Ipv6Addr>().map_err(|_| ValueError::NotAHost)?;
                literal
            }
            None if host.contains(':') => return Err(ValueError::NoBrackets),
            None => host,
        };
        check_host(host)?;
        Ok(HostPort { host: host.to_string(), port })
    }

    /// The address to bind: the literal, or the first that the name resolves to. Blocks while the name is
    /// looked up, so it is for start only.
    pub fn resolve(&self) -> io::Result<SocketAddr> {
        let mut addresses = (self.host.as_str(), self.port).to_socket_addrs()?;
        addresses.next().ok_or_else(|| io::Error::other("the name has no address"))
    }

    /// Whether the host is `0.0.0.0` or `::`, which a server can bind but no client can reach.
    pub fn is_wildcard(&self) -> bool {
        is_wildcard(&self.host)
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Refuses what is neither an address literal nor a host name.
pub fn check_host(host: &str) -> Result<(), ValueError> {
    let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let name = !host.is_empty() && host.len() <= 253 && host.chars().all(named);
    if name || host.parse::<IpAddr>().is_ok() { Ok(()) } else { Err(ValueError::NotAHost) }
}

/// Whether a host is the literal of "every address".
pub fn is_wildcard(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for text in ["127.0.0.1:9092", "localhost:0", "[::1]:9092", "broker-1.example.com:65535"] {
            assert_eq!(HostPort::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(HostPort::parse("[::1]:1").unwrap().host, "::1");
        for (text, error) in [
            ("localhost", ValueError::NoPort),
            ("localhost:", ValueError::NotAPort),
            ("localhost:65536", ValueError::NotAPort),
            ("::1:9092", ValueError::NoBrackets),
            ("[::1:9092", ValueError::NotAHost),
            ("[localhost]:9092", ValueError::NotAHost),
            (":9092", ValueError::NotAHost),
            ("*:9092", ValueError::NotAHost),
            ("PLAINTEXT://localhost:9092", ValueError::NoBrackets),
        ] {
            assert_eq!(HostPort::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn wildcards() {
        for (text, wildcard) in
            [("0.0.0.0:1", true), ("[::]:1", true), ("[::0]:1", true), ("127.0.0.1:1", false)]
        {
            assert_eq!(HostPort::parse(text).unwrap().is_wildcard(), wildcard, "{text}");
        }
    }
}
