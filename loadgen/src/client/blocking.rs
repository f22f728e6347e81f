//! A client that waits: for its answers, and while it sends.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use corelane::protocol::{
    LENGTH_BYTES, Message, RESPONSE_BYTES_MIN, Request, decode_response, encode_request, frame_length,
};

use super::{ClientError, Versions};

/// The name that brokers see in requests.
pub const CLIENT_ID: &str = "loadgen";
/// Longest response that is read; a Fetch response is at most the bytes asked for and one batch.
pub const RESPONSE_BYTES_MAX: usize = 512 << 20;
/// How long to wait for a connection, and for each answer.
const TIMEOUT: Duration = Duration::from_secs(15);

/// One connection.
#[derive(Debug)]
pub struct BlockingClient {
    stream: TcpStream,
    address: String,
    versions: Versions,
    correlation_id: i32,
    /// Requests without an answer: correlation ids and versions.
    sent: VecDeque<(i32, i16)>,
}

impl BlockingClient {
    /// Connects to host:port and asks which versions the broker has.
    pub fn connect(address: &str) -> Result<Self, ClientError> {
        let stream =
            connect(address).map_err(|source| ClientError::Broken { address: address.to_owned(), source })?;
        let mut client = BlockingClient {
            stream,
            address: address.to_owned(),
            versions: Versions::default(),
            correlation_id: 0,
            sent: VecDeque::new(),
        };
        client.versions = Versions::ask(&mut client)?;
        Ok(client)
    }

    /// The broker's address.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The broker's versions.
    pub fn versions(&self) -> &Versions {
        &self.versions
    }

    /// The connection, for other uses.
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Sends a request in the newest version that both sides have, up to `version_max`, and waits for the answer.
    pub fn call<R: Request>(&mut self, request: &R, version_max: i16) -> Result<R::Response, ClientError> {
        self.send(request, version_max)?;
        self.receive::<R>()
    }

    /// Sends a request in a given version, and waits for the answer.
    pub fn call_version<R: Request>(
        &mut self,
        request: &R,
        version: i16,
    ) -> Result<R::Response, ClientError> {
        self.send_version(request, version)?;
        self.receive::<R>()
    }

    /// Sends a request; [`receive`](Self::receive) takes the answers, in the order of the requests.
    pub fn send<R: Request>(&mut self, request: &R, version_max: i16) -> Result<(), ClientError> {
        let version = self.versions.pick(R::API, version_max, &self.address)?;
        self.send_version(request, version)
    }

    fn send_version<R: Request>(&mut self, request: &R, version: i16) -> Result<(), ClientError> {
        self.correlation_id = self.correlation_id.wrapping_add(1);
        let frame = encode_request(request, version, self.correlation_id, Some(CLIENT_ID)).into_bytes();
        self.sent.push_back((self.correlation_id, version));
        self.stream.write_all(&frame).map_err(|source| self.broken(source))
    }

    /// Waits for the answer to the oldest request that has none, which is an `R`.
    pub fn receive<R: Request>(&mut self) -> Result<R::Response, ClientError> {
        let (expected, version) = self.sent.pop_front().expect("a request was sent");
        let answer = self.read_frame()?;
        let (header, response) =
            decode_response::<R::Response>(answer.into(), version).map_err(|source| {
                ClientError::Response { address: self.address.clone(), api: R::Response::API.key, source }
            })?;
        if header.correlation_id != expected {
            let (address, got) = (self.address.clone(), header.correlation_id);
            return Err(ClientError::OutOfOrder { address, expected, got });
        }
        Ok(response)
    }

    fn read_frame(&mut self) -> Result<Vec<u8>, ClientError> {
        let mut prefix = [0; LENGTH_BYTES];
        self.stream.read_exact(&mut prefix).map_err(|source| self.broken(source))?;
        let length = frame_length(prefix, RESPONSE_BYTES_MIN, RESPONSE_BYTES_MAX)
            .map_err(|source| ClientError::Frame { address: self.address.clone(), source })?;
        let mut frame = vec![0; length];
        self.stream.read_exact(&mut frame).map_err(|source| self.broken(source))?;
        Ok(frame)
    }

    fn broken(&self, source: io::Error) -> ClientError {
        let source = match source.kind() {
            ErrorKind::WouldBlock => io::Error::new(ErrorKind::TimedOut, format!("no answer in {TIMEOUT:?}")),
            ErrorKind::UnexpectedEof => io::Error::new(ErrorKind::UnexpectedEof, "the broker closed it"),
            _ => source,
        };
        ClientError::Broken { address: self.address.clone(), source }
    }
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, TIMEOUT) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(TIMEOUT))?;
                stream.set_write_timeout(Some(TIMEOUT))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
