//! Frames over a connection, both ways at once, until it ends.

use std::io::{self, IoSlice};
use std::rc::Rc;

use futures_util::future::{Either, select};
use thiserror::Error;

use crate::base::limits::REPLICATION_UNSENT_FRAMES_MAX;
use crate::link::FrameReader;
use crate::replication::ReplicationFrames;
use crate::runtime::glommio::Stream;
use crate::shard::{Link, LinkEnd, OutFrame, Phase, Shard};

/// What the kernel looks at in one call (UIO_MAXIOV; writev(2)).
const SLICES_MAX: usize = 1024;

/// Why a connection has ended.
#[derive(Error, Debug)]
enum Ended {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Link(#[from] LinkEnd),
    #[error("the peer has closed it")]
    ByPeer,
    #[error("its session has ended")]
    Over,
    #[error("the shard stops")]
    Stopping,
}

/// Carries frames until the connection or its session ends.
pub(super) async fn carry(shard: &Rc<Shard>, stream: &Stream, link: Link) {
    let ended = {
        let reading = std::pin::pin!(read(shard, stream, &link));
        let writing = std::pin::pin!(write(shard, stream, &link));
        let stopped = std::pin::pin!(shard.phases.reached(Phase::Stopped));
        match select(select(reading, writing), stopped).await {
            Either::Left((Either::Left((ended, _)) | Either::Right((ended, _)), _)) => ended,
            Either::Right(_) => Ended::Stopping,
        }
    };
    shard.replication.ended(&link);
    let (node, peer) = (link.peer.node, link.peer.shard);
    match ended {
        Ended::Link(error) => {
            tracing::error!(%node, shard = %peer, "the connection with a peer shard is closed: {error}");
        }
        _ => tracing::debug!(%node, shard = %peer, "the connection with a peer shard has ended: {ended}"),
    }
}

async fn read(shard: &Shard, stream: &Stream, link: &Link) -> Ended {
    let reading = async {
        let mut reader = FrameReader::<ReplicationFrames>::new();
        loop {
            let received = stream.read(reader.spare()).await?;
            if received == 0 {
                return Err(Ended::ByPeer);
            }
            if reader.filled(received).map_err(LinkEnd::from)? {
                let (header, body) = reader.frame().expect("it is whole");
                shard.replication.heard(link, header, body).await?;
                // A socket that always has more must not keep others waiting.
                shard.runtime.yield_now().await;
            }
        }
    };
    let outcome: Result<std::convert::Infallible, Ended> = reading.await;
    match outcome {
        Err(ended) => ended,
        Ok(never) => match never {},
    }
}

async fn write(shard: &Shard, stream: &Stream, link: &Link) -> Ended {
    let mut frames: Vec<OutFrame> = Vec::with_capacity(REPLICATION_UNSENT_FRAMES_MAX);
    loop {
        let woken = link.wake.notified();
        if shard.replication.is_over(link) {
            return Ended::Over;
        }
        while frames.len() < REPLICATION_UNSENT_FRAMES_MAX
            && let Some(frame) = shard.replication.next_frame(link)
        {
            frames.push(frame);
        }
        if frames.is_empty() {
            woken.await;
            continue;
        }
        if let Err(error) = write_all(stream, &frames).await {
            return error.into();
        }
        for frame in frames.drain(..) {
            shard.replication.sent(link, frame);
        }
        shard.runtime.yield_now().await;
    }
}

/// One vectored write for as many frames as there are, over the bytes as they lie.
async fn write_all(stream: &Stream, frames: &[OutFrame]) -> io::Result<()> {
    let pieces = frames.iter().flat_map(|frame| {
        std::iter::once(frame.head.as_slice()).chain(frame.records.iter().map(|records| &records[..]))
    });
    let mut slices: Vec<IoSlice<'_>> = pieces.map(IoSlice::new).collect();
    let mut rest = &mut slices[..];
    while !rest.is_empty() {
        let some = rest.len().min(SLICES_MAX);
        let written = stream.write_vectored(&rest[..some]).await?;
        IoSlice::advance_slices(&mut rest, written);
    }
    Ok(())
}
