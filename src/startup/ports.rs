//! Whether the listeners' ports are free. Shards share the bootstrap port by SO_REUSEPORT, and with that option
//! a second broker would share it too and silently take half of the clients: so every port is first bound
//! without it.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use rustix::net::{AddressFamily, SocketType, bind, socket, sockopt};

use super::open_ports::{listening, overlap};
use super::problem::{Problem, Warning};
use crate::base::ids::ShardId;
use crate::config::Listener;

/// Tries every fixed port of a listener and `shards` shards.
pub fn check(listener: &Listener, shards: u16) -> Result<Option<Warning>, Vec<Problem>> {
    let owner = format!("listener `{}`", listener.name);
    let bootstrap = match listener.bind.resolve() {
        Ok(address) => address,
        Err(source) => {
            return Err(vec![Problem::HostUnknown { owner, host: listener.bind.host.clone(), source }]);
        }
    };
    let shard_of = |s| (format!("shard {s} of {owner}"), listener.shard_port(ShardId(s)));
    let mut wanted = vec![(owner.clone(), bootstrap.port())];
    wanted.extend((0..shards).map(shard_of));
    let failed = |(owner, port)| check_port(owner, SocketAddr::new(bootstrap.ip(), port)).err();
    let problems: Vec<Problem> = wanted.into_iter().filter_map(failed).collect();
    if problems.is_empty() { Ok(exposure(listener, bootstrap)) } else { Err(problems) }
}

fn exposure(listener: &Listener, address: SocketAddr) -> Option<Warning> {
    let warning = || Warning::Unauthenticated { listener: listener.name.clone(), address };
    (!address.ip().to_canonical().is_loopback()).then(warning)
}

/// Binds and lets go. Also with port 0, to see whether the address can be bound at all.
fn check_port(owner: String, address: SocketAddr) -> Result<(), Problem> {
    match try_bind(address, Sharing::None) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            if is_lingering(address) {
                Ok(())
            } else {
                Err(Problem::PortInUse { owner, address })
            }
        }
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
            Err(Problem::AddressElsewhere { owner, address })
        }
        Err(source) => Err(Problem::PortRefused { owner, address, source }),
    }
}

/// Whether only closed connections of an earlier run (TIME_WAIT) hold the port, which do not hinder: nobody
/// listens, and the port can be bound as the listeners will bind it.
fn is_lingering(address: SocketAddr) -> bool {
    let Ok(listening) = listening(Path::new("/")) else { return false };
    !listening.iter().any(|theirs| overlap(address, *theirs)) && try_bind(address, Sharing::ReusePort).is_ok()
}

enum Sharing {
    None,
    ReusePort,
}

fn try_bind(address: SocketAddr, sharing: Sharing) -> io::Result<()> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket(family, SocketType::STREAM, None)?;
    match sharing {
        Sharing::None => sockopt::set_socket_reuseaddr(&socket, true)?,
        Sharing::ReusePort => sockopt::set_socket_reuseport(&socket, true)?,
    }
    Ok(bind(&socket, &address)?)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};

    use rustix::net::listen;

    use super::*;
    use crate::config::address::HostPort;

    fn listener_on(address: SocketAddr, shard_ports_first: u16) -> Listener {
        Listener {
            name: "default".into(),
            bind: HostPort { host: address.ip().to_string(), port: address.port() },
            shard_ports_first,
            advertised_host: address.ip().to_string(),
            advertised_port: 0,
            advertised_shard_ports_first: 0,
        }
    }

    /// A listener as glommio makes one.
    fn reuse_port_listener(address: SocketAddr) -> TcpListener {
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        sockopt::set_socket_reuseport(&socket, true).unwrap();
        bind(&socket, &address).unwrap();
        listen(&socket, 16).unwrap();
        TcpListener::from(socket)
    }

    const ANY: &str = "127.0.0.1:0";

    #[test]
    fn a_port_in_use_is_named_also_behind_reuse_port() {
        let plain = TcpListener::bind(ANY).unwrap();
        let sharing = reuse_port_listener(ANY.parse().unwrap());
        for listener in [plain, sharing] {
            let address = listener.local_addr().unwrap();
            let problems = check(&listener_on(address, 0), 2).unwrap_err();
            assert_eq!(problems.len(), 1);
            let text = problems[0].to_string();
            assert!(
                text.starts_with(&format!("listener `default` needs {address}, which is in use")),
                "{text}"
            );

            let shard = check(&listener_on(ANY.parse().unwrap(), address.port()), 1).unwrap_err();
            assert!(shard[0].to_string().starts_with("shard 0 of listener `default`"), "{}", shard[0]);
            drop(listener);
            assert_eq!(check(&listener_on(address, 0), 2).unwrap(), None);
        }
    }

    #[test]
    fn connections_that_an_earlier_run_left_do_not_hinder() {
        let listener = reuse_port_listener(ANY.parse().unwrap());
        let address = listener.local_addr().unwrap();
        let mut client = TcpStream::connect(address).unwrap();
        // The side that closes first is left in TIME_WAIT.
        drop(listener.accept().unwrap());
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        drop(client);
        drop(listener);
        assert!(
            try_bind(address, Sharing::None).is_err(),
            "the connection lingers, else this proves nothing"
        );
        assert_eq!(check(&listener_on(address, 0), 1).unwrap(), None);
    }

    #[test]
    fn addresses_elsewhere_and_beyond_loopback() {
        let elsewhere = check(&listener_on("192.0.2.1:9092".parse().unwrap(), 0), 0).unwrap_err();
        assert!(elsewhere[0].to_string().contains("no address of this machine"), "{}", elsewhere[0]);
        let everywhere = listener_on("0.0.0.0:0".parse().unwrap(), 0);
        assert!(matches!(check(&everywhere, 1), Ok(Some(Warning::Unauthenticated { .. }))));
        let mut unknown = everywhere;
        unknown.bind.host = "name.invalid".into();
        assert!(matches!(check(&unknown, 1).unwrap_err()[..], [Problem::HostUnknown { .. }]));
    }
}
