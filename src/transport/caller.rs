//! A node asks control of another node: one question at a time over a connection that is kept for the next ones.

use std::io;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::control_frames::{ControlFrameError, ControlFrames, encode};
use super::greet::{GreetError, read_answer};
use crate::base::ids::{NodeId, ShardId};
use crate::base::limits::LINK_HANDSHAKE_MS;
use crate::config::address::HostPort;
use crate::link::{FrameReader, Hello, Refusal, Start, StreamKind, session_of};
use crate::runtime::tokio::within;

/// Why there is no answer.
#[derive(Error, Debug)]
pub enum CallError {
    /// There is no connection. The question was not asked.
    #[error("{0}")]
    NotConnected(String),
    /// The connection has broken. Whether the question arrived is not known.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It takes too long. Whether the question arrived is not known.
    #[error("it does not answer in time")]
    Late,
    /// The other end is no node of ours.
    #[error("{0}")]
    Greeting(String),
    /// The other end refuses the connection. The question was not asked.
    #[error("{0}")]
    Refused(Refusal),
    /// The answer is none.
    #[error("{0}")]
    Answer(String),
}

impl CallError {
    /// Whether the question surely was not asked.
    pub fn is_unasked(&self) -> bool {
        matches!(self, CallError::NotConnected(_) | CallError::Refused(_) | CallError::Greeting(_))
    }
}

impl CallError {
    /// What an error is that came before the question.
    fn unasked(self) -> Self {
        match self {
            CallError::Io(_) | CallError::Late => CallError::NotConnected(self.to_string()),
            other => other,
        }
    }
}

impl From<GreetError> for CallError {
    fn from(error: GreetError) -> Self {
        match error {
            GreetError::Io(error) => CallError::Io(error),
            GreetError::Greeting(error) => CallError::Greeting(error.to_string()),
        }
    }
}

impl From<ControlFrameError> for CallError {
    fn from(error: ControlFrameError) -> Self {
        CallError::Answer(error.to_string())
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct CallerSettings {
    /// The cluster; zeros if the node does not know it yet.
    pub cluster: [u8; 16],
    /// This start of this node.
    pub own: Start,
    /// Which of the node's control streams it is: there is one connection of each at a time.
    pub lane: u16,
}

struct Connection {
    socket: TcpStream,
    to: NodeId,
    address: HostPort,
    reader: FrameReader<ControlFrames>,
    number: u64,
}

/// One lane of questions to other nodes.
pub struct Caller {
    settings: CallerSettings,
    connections: u32,
    connection: Option<Connection>,
}

impl Caller {
    /// A lane without a connection.
    pub fn new(settings: CallerSettings) -> Self {
        Caller { settings, connections: 0, connection: None }
    }

    /// Asks a node, and returns what it answers within `limit`. After an error the next call connects anew.
    pub async fn call(
        &mut self,
        to: NodeId,
        address: &HostPort,
        question: &[u8],
        limit: Duration,
    ) -> Result<Vec<u8>, CallError> {
        let is_it = |there: &Connection| there.to == to && there.address == *address && there.is_open();
        // Taken out: a call that is given up half way leaves no connection with half an answer on it.
        let kept = self.connection.take().filter(is_it);
        let asking = async {
            let mut connection = match kept {
                Some(connection) => connection,
                None => self.connect(to, address).await.map_err(CallError::unasked)?,
            };
            let answer = connection.ask(question).await?;
            Ok::<_, CallError>((connection, answer))
        };
        let (connection, answer) = within(limit, asking).await.unwrap_or(Err(CallError::Late))?;
        self.connection = Some(connection);
        Ok(answer)
    }

    async fn connect(&mut self, to: NodeId, address: &HostPort) -> Result<Connection, CallError> {
        self.connections = self.connections.checked_add(1).expect("one in a millisecond is 49 days of them");
        let CallerSettings { cluster, own, lane } = self.settings;
        let hello = Hello {
            cluster,
            from: own,
            to,
            kind: StreamKind::Control,
            from_shard: ShardId(lane),
            to_shard: ShardId(0),
            session: session_of(own.incarnation, self.connections),
        };
        let connecting = async {
            let mut socket = TcpStream::connect((address.host.as_str(), address.port)).await?;
            socket.set_nodelay(true)?;
            socket.write_all(&hello.encode()).await?;
            let answer = read_answer(&mut socket).await?;
            Ok::<_, CallError>((socket, answer))
        };
        let limit = Duration::from_millis(LINK_HANDSHAKE_MS);
        let (socket, answer) = within(limit, connecting).await.unwrap_or(Err(CallError::Late))?;
        if let Some(refusal) = answer.refusal {
            return Err(CallError::Refused(refusal));
        }
        if answer.by.node != to {
            let found = answer.by.node;
            return Err(CallError::Greeting(format!(
                "node {found} answers where node {to} should: compare `voters` of all nodes"
            )));
        }
        Ok(Connection { socket, to, address: address.clone(), reader: FrameReader::new(), number: 0 })
    }
}

impl Connection {
    /// Whether the other end has not closed it as far as is known, and has said nothing that was not asked.
    fn is_open(&self) -> bool {
        let mut nothing = [0];
        matches!(self.socket.try_read(&mut nothing), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    async fn ask(&mut self, question: &[u8]) -> Result<Vec<u8>, CallError> {
        self.number += 1;
        self.socket.write_all(&encode(self.number, question)).await?;
        loop {
            let bytes = self.socket.read(self.reader.spare()).await?;
            if bytes == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            if !self.reader.filled(bytes)? {
                continue;
            }
            let (header, body) = self.reader.frame().expect("it is whole");
            header.check(body)?;
            if header.number != self.number {
                return Err(CallError::Answer("an answer to another question".to_owned()));
            }
            return Ok(body.to_vec());
        }
    }
}
