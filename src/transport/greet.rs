//! The handshake on a socket. The length is checked before memory is taken; whoever calls sets the deadline.

use std::io;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::link::{Answer, GREETING_PREFIX_BYTES, GreetingError, Hello};

/// Why there is no handshake.
#[derive(Error, Debug)]
pub enum GreetError {
    /// The connection broke, or ended too early.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The bytes are none.
    #[error(transparent)]
    Greeting(#[from] GreetingError),
}

/// Reads what a node says first.
pub(super) async fn read_hello(stream: &mut (impl AsyncRead + Unpin)) -> Result<Hello, GreetError> {
    let message = read_message(stream, Hello::message_bytes).await?;
    Ok(Hello::decode(&message)?)
}

/// Reads what a node answers to a [`Hello`].
pub async fn read_answer(stream: &mut (impl AsyncRead + Unpin)) -> Result<Answer, GreetError> {
    let message = read_message(stream, Answer::message_bytes).await?;
    Ok(Answer::decode(&message)?)
}

async fn read_message(
    stream: &mut (impl AsyncRead + Unpin),
    message_bytes: fn(&[u8; GREETING_PREFIX_BYTES]) -> Result<usize, GreetingError>,
) -> Result<Vec<u8>, GreetError> {
    let mut prefix = [0; GREETING_PREFIX_BYTES];
    // Who is not a node may say less than that and wait for an answer.
    stream.read_exact(&mut prefix[..4]).await?;
    if let Err(GreetingError::NotOurs) = message_bytes(&prefix) {
        return Err(GreetingError::NotOurs.into());
    }
    stream.read_exact(&mut prefix[4..]).await?;
    let mut message = vec![0; message_bytes(&prefix)?];
    message[..GREETING_PREFIX_BYTES].copy_from_slice(&prefix);
    stream.read_exact(&mut message[GREETING_PREFIX_BYTES..]).await?;
    Ok(message)
}
