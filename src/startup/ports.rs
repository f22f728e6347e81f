//! Whether the listeners' ports are free. Shards share the bootstrap port by SO_REUSEPORT, and with that option
//! a second broker would share it too and silently take half of the clients: so every port is first bound
//! without it.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use rustix::net::{AddressFamily, SocketType, bind, socket, sockopt};

use super::open_ports::{listening, overlap};
use super::problem::{Problem, Purpose, Warning};
use crate::base::ids::ShardId;
use crate::config::Listener;
use crate::config::address::HostPort;

/// Tries every fixed port of a listener and `shards` shards.
pub fn check(listener: &Listener, shards: u16) -> Result<Option<Warning>, Vec<Problem>> {
    let owner = format!("listener `{}`", listener.name);
    let purpose = Purpose::Clients;
    let bootstrap = resolve(&owner, purpose, &listener.bind).map_err(|problem| vec![problem])?;
    let shard_of = |s| (format!("shard {s} of {owner}"), listener.shard_port(ShardId(s)));
    let mut wanted = vec![(owner.clone(), bootstrap.port())];
    wanted.extend((0..shards).map(shard_of));
    let failed = |(owner, port)| check_port(owner, purpose, SocketAddr::new(bootstrap.ip(), port)).err();
    let problems: Vec<Problem> = wanted.into_iter().filter_map(failed).collect();
    if problems.is_empty() { Ok(exposure(listener, bootstrap)) } else { Err(problems) }
}

/// Tries the admin port.
pub fn check_admin(bind: &HostPort) -> Result<Option<Warning>, Vec<Problem>> {
    let (owner, purpose) = ("the admin port".to_owned(), Purpose::Admin);
    let address = resolve(&owner, purpose, bind).map_err(|problem| vec![problem])?;
    check_port(owner, purpose, address).map_err(|problem| vec![problem])?;
    Ok((!is_loopback(address)).then_some(Warning::OpenAdmin { address }))
}

fn resolve(owner: &str, purpose: Purpose, bind: &HostPort) -> Result<SocketAddr, Problem> {
    let unknown =
        |source| Problem::HostUnknown { owner: owner.to_owned(), purpose, host: bind.host.clone(), source };
    bind.resolve().map_err(unknown)
}

fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

fn exposure(listener: &Listener, address: SocketAddr) -> Option<Warning> {
    let warning = || Warning::Unauthenticated { listener: listener.name.clone(), address };
    (!is_loopback(address)).then(warning)
}

/// Binds and lets go. Also with port 0, to see whether the address can be bound at all.
fn check_port(owner: String, purpose: Purpose, address: SocketAddr) -> Result<(), Problem> {
    match try_bind(address, Sharing::None) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            if is_lingering(address) {
                Ok(())
            } else {
                Err(Problem::PortInUse { owner, purpose, address })
            }
        }
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
            Err(Problem::AddressElsewhere { owner, purpose, address })
        }
        Err(source) => Err(Problem::PortRefused { owner, purpose, address, source }),
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
    fn the_admin_port_has_remedies_of_its_own() {
        let taken = TcpListener::bind(ANY).unwrap();
        let bind = |address: SocketAddr| HostPort { host: address.ip().to_string(), port: address.port() };
        let address = taken.local_addr().unwrap();
        let text = check_admin(&bind(address)).unwrap_err()[0].to_string();
        assert!(text.starts_with(&format!("the admin port needs {address}, which is in use")), "{text}");
        assert!(text.contains("--admin none"), "{text}");
        drop(taken);
        assert_eq!(check_admin(&bind(address)).unwrap(), None);
        let everywhere = check_admin(&bind("0.0.0.0:0".parse().unwrap())).unwrap();
        assert!(matches!(everywhere, Some(Warning::OpenAdmin { .. })));
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
