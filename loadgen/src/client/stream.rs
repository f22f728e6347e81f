//! TCP on the threads that make load. The kernel is asked first; only when it has nothing does a task wait for
//! readiness through glommio.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream};

use glommio::io::PollableFd;

/// A connection. A reader and a writer may use it at the same time.
pub struct Stream(PollableFd<TcpStream>);

impl Stream {
    /// Takes over a connection.
    pub fn new(stream: TcpStream) -> io::Result<Stream> {
        stream.set_nonblocking(true)?;
        Ok(Stream(PollableFd::new(stream)?))
    }

    /// Reads what is there, waiting for the first byte; 0 when the broker has closed.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.0.get_ref().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.0.readable().await?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// Writes what the socket takes now; `None` if that is nothing.
    pub fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<Option<usize>> {
        loop {
            match self.0.get_ref().write_vectored(slices) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => return other.map(Some),
            }
        }
    }

    /// Waits until the socket may take more.
    pub async fn writable(&self) -> io::Result<()> {
        Ok(self.0.writable().await?)
    }

    /// Ends the connection; whoever waits for it is woken.
    pub fn shutdown(&self) {
        // An error says that the connection is gone already.
        let _ = self.0.get_ref().shutdown(Shutdown::Both);
    }
}
