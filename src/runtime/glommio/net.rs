//! TCP for the connection layer.
//!
//! Sockets are non-blocking and tried first; only when the kernel has nothing do they wait for readiness through
//! glommio. So every call may be dropped at any await without losing bytes or connections, and a reader and a
//! writer may use one [`Stream`] at the same time. A socket that is always ready never waits: callers bound the
//! work of one turn and yield.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use glommio::io::PollableFd;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with, sockopt};

use crate::base::limits::{ACCEPT_BACKLOG, KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_PROBES};

/// Checks that nobody has the address, also not by a socket that shares it (SO_REUSEPORT), and gives it back with
/// a free port in place of 0. Call it once, before the shards bind the address. Until what holds the address is dropped
/// the kernel gives it to nobody who asks for any port, as connections to other nodes do. Errors: the address is in
/// use or not of this machine, with the address in the message.
pub fn hold_address(address: SocketAddr) -> io::Result<(SocketAddr, HeldAddress)> {
    let socket = bound_socket(address, false)?;
    // From now on those who know the port may bind it too.
    sockopt::set_socket_reuseport(&socket, true)?;
    let held = TcpListener::from(socket);
    Ok((held.local_addr()?, HeldAddress { _socket: held }))
}

/// An address that is to be bound. Nothing listens on it yet.
#[derive(Debug)]
pub struct HeldAddress {
    _socket: TcpListener,
}

/// A listening TCP socket.
pub struct Listener(PollableFd<TcpListener>);

impl Listener {
    /// Binds and listens. `shared`: several shards may bind the same address, and the kernel deals new connections
    /// out to them; since anybody may then bind it, [`hold_address`] comes first. Without it, an address in
    /// use is refused here.
    pub fn bind(address: SocketAddr, shared: bool) -> io::Result<Listener> {
        let socket = bound_socket(address, shared)?;
        listen(&socket, ACCEPT_BACKLOG).map_err(|error| name_address("listen on", address, error.into()))?;
        Ok(Listener(PollableFd::new(TcpListener::from(socket))?))
    }

    /// The address that clients on this machine can use; with the port that was picked if it was 0.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().local_addr()
    }

    /// The next connection and the client's address. After an error (out of descriptors or memory) the caller
    /// pauses before it tries again; an error of the client's own making is skipped.
    pub async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        loop {
            match self.0.get_ref().accept() {
                Ok((stream, peer)) => return Ok((Stream::new(stream)?, peer)),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => self.0.readable().await?,
                    // The client left before it was accepted.
                    ErrorKind::ConnectionAborted | ErrorKind::Interrupted => {}
                    _ => return Err(error),
                },
            }
        }
    }
}

/// A TCP connection. Dropping it closes it at once.
pub struct Stream(PollableFd<TcpStream>);

impl Stream {
    fn new(stream: TcpStream) -> io::Result<Stream> {
        stream.set_nonblocking(true)?;
        Ok(Stream(PollableFd::new(stream)?))
    }

    /// A connection that another thread has made or accepted, from here on this shard's.
    pub fn adopt(stream: TcpStream) -> io::Result<Stream> {
        Stream::new(stream)
    }

    /// Connects to an address.
    pub async fn connect(address: SocketAddr) -> io::Result<Stream> {
        let socket = new_socket(address).map_err(|error| name_address("connect to", address, error))?;
        match rustix::net::connect(&socket, &address) {
            Ok(()) | Err(rustix::io::Errno::INPROGRESS) => {}
            Err(error) => return Err(name_address("connect to", address, error.into())),
        }
        let stream = Stream::new(TcpStream::from(socket))?;
        stream.0.writable().await?;
        match stream.0.get_ref().take_error()? {
            None => Ok(stream),
            Some(error) => Err(name_address("connect to", address, error)),
        }
    }

    /// Reads what is there, waiting for the first byte; 0 when the peer has finished.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.get_ref().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.0.readable().await?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// Writes as much of the slices as the socket takes, waiting until it takes a first byte. The kernel looks at
    /// no more than 1024 slices.
    pub async fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        loop {
            match self.0.get_ref().write_vectored(slices) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.0.writable().await?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// Bytes that were written and that the peer's kernel has not taken yet (SIOCOUTQ; tcp(7)).
    pub fn unacknowledged_bytes(&self) -> usize {
        let mut bytes: libc::c_int = 0;
        // SAFETY: the descriptor is open, and the kernel writes one int.
        let outcome = unsafe { libc::ioctl(self.0.get_ref().as_raw_fd(), libc::TIOCOUTQ, &mut bytes) };
        // It fails for no connected socket; of another one nothing is on its way.
        if outcome == 0 { usize::try_from(bytes).unwrap_or(0) } else { 0 }
    }

    /// Ends one or both directions. Whoever waits in the other one is woken.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.get_ref().shutdown(how)
    }

    /// Sends small writes at once (TCP_NODELAY).
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.0.get_ref().set_nodelay(nodelay)
    }

    /// Has the kernel ask a silent client whether it is still there, so that a read fails when it is not
    /// (SO_KEEPALIVE; tcp(7)).
    pub fn set_keepalive(&self) -> io::Result<()> {
        let socket = self.0.get_ref();
        sockopt::set_socket_keepalive(socket, true)?;
        sockopt::set_tcp_keepidle(socket, Duration::from_secs(KEEPALIVE_IDLE_S))?;
        sockopt::set_tcp_keepintvl(socket, Duration::from_secs(KEEPALIVE_INTERVAL_S))?;
        sockopt::set_tcp_keepcnt(socket, KEEPALIVE_PROBES)?;
        Ok(())
    }

    /// Has the kernel give the connection up when the peer's machine does not confirm for so long what was sent
    /// (TCP_USER_TIMEOUT; tcp(7)).
    pub fn set_unconfirmed_max(&self, limit: Duration) -> io::Result<()> {
        let ms = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX);
        Ok(sockopt::set_tcp_user_timeout(self.0.get_ref(), ms)?)
    }

    /// The other end's address.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().peer_addr()
    }

    /// This end's address, which tells the listener.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().local_addr()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // A wait that was cancelled holds the socket open until the executor's next turn; the peer should not wait
        // for that. An error says that the connection is gone already.
        let _ = self.shutdown(Shutdown::Both);
    }
}

fn bound_socket(address: SocketAddr, shared: bool) -> io::Result<OwnedFd> {
    let bound = || {
        let socket = new_socket(address)?;
        // A restart must not wait for the connections of the last run to time out.
        sockopt::set_socket_reuseaddr(&socket, true)?;
        sockopt::set_socket_reuseport(&socket, shared)?;
        bind(&socket, &address)?;
        Ok(socket)
    };
    bound().map_err(|error| name_address("bind", address, error))
}

fn new_socket(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    Ok(socket_with(family, SocketType::STREAM, flags, None)?)
}

fn name_address(what: &str, address: SocketAddr, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what} {address}: {error}"))
}
