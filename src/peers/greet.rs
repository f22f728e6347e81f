//! The handshake of who opens a connection. The answer's length is checked before memory is taken; whoever calls sets the
//! deadline.

use std::io::{self, ErrorKind, IoSlice};

use thiserror::Error;

use crate::link::{Answer, GREETING_PREFIX_BYTES, GreetingError, Hello};
use crate::runtime::glommio::Stream;

/// Why there is no handshake.
#[derive(Error, Debug)]
pub(super) enum GreetError {
    /// The connection broke, or ended too early.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The bytes are none.
    #[error(transparent)]
    Greeting(#[from] GreetingError),
}

/// Says hello and waits for the answer.
pub(super) async fn greet(stream: &Stream, hello: &Hello) -> Result<Answer, GreetError> {
    let message = hello.encode();
    let mut sent = 0;
    while sent < message.len() {
        sent += stream.write_vectored(&[IoSlice::new(&message[sent..])]).await?;
    }
    let mut prefix = [0; GREETING_PREFIX_BYTES];
    read_exact(stream, &mut prefix).await?;
    let mut answer = vec![0; Answer::message_bytes(&prefix)?];
    answer[..GREETING_PREFIX_BYTES].copy_from_slice(&prefix);
    read_exact(stream, &mut answer[GREETING_PREFIX_BYTES..]).await?;
    Ok(Answer::decode(&answer)?)
}

async fn read_exact(stream: &Stream, mut buffer: &mut [u8]) -> io::Result<()> {
    while !buffer.is_empty() {
        match stream.read(buffer).await? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            read => buffer = &mut buffer[read..],
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use futures_util::future::join;
    use uuid::Uuid;

    use super::*;
    use crate::base::ids::{NodeId, ShardId};
    use crate::link::{Refusal, RefusalCode, Start, StreamKind};
    use crate::runtime::glommio::{Listener, run_here};

    fn start(node: u32) -> Start {
        Start { node: NodeId(node), disk: Uuid::from_u128(node.into()), incarnation: 4 }
    }

    #[test]
    fn an_answer_is_read_whole_however_it_arrives() {
        let hello = Hello {
            cluster: [3; 16],
            from: start(1),
            to: NodeId(2),
            kind: StreamKind::Live,
            from_shard: ShardId(0),
            to_shard: ShardId(1),
            session: 7,
        };
        let refusal = Refusal::new(RefusalCode::Busy, "later");
        let answer = Answer { by: start(2), refusal: Some(refusal) };
        let expected = answer.clone();
        let answered = run_here(move |_| async move {
            let listener = Listener::bind("127.0.0.1:0".parse().expect("an address"), false).expect("bound");
            let address = listener.local_addr().expect("bound");
            let (ours, theirs) = join(Stream::connect(address), listener.accept()).await;
            let (ours, (theirs, _)) = (ours.expect("connected"), theirs.expect("accepted"));
            let answering = async {
                let mut message = vec![0; hello.encode().len()];
                read_exact(&theirs, &mut message).await.expect("it comes");
                assert_eq!(Hello::decode(&message), Ok(hello));
                for byte in answer.encode() {
                    theirs.write_vectored(&[IoSlice::new(&[byte])]).await.expect("it goes");
                }
            };
            join(greet(&ours, &hello), answering).await.0.expect("an answer")
        });
        assert_eq!(answered.expect("an executor"), expected);
    }
}
