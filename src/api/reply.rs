//! What becomes of a request at the connection.

use crate::base::limits::LARGE_RESPONSE_BYTES;
use crate::protocol::{Chain, DecodeError, ErrorCode, Message, RequestHeader, encode_response};
use crate::shard::{Charge, PauseReason, Shard};

use crate::base::guard::guarded;

/// What a connection does about a request that was executed.
pub enum Reply {
    /// It sends this.
    Send {
        /// The whole response.
        frame: Chain,
        /// The memory that the frame pins, as far as that was counted.
        charge: Option<Charge>,
    },
    /// It sends nothing: the request asked for no response.
    Nothing,
    /// It closes.
    Close(Refused),
}

/// Why a connection must close because of a request.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refused {
    /// It cannot be read.
    #[error("request: {0}")]
    Malformed(#[from] DecodeError),
    /// A defect of ours, met while a request was read or a response was written.
    #[error("a defect was met while a request was read or a response was written")]
    Defect,
    /// A produce request with acks=0, which has no other way to say so, failed.
    #[error("a produce request with acks=0 failed: {0}")]
    UnacknowledgedProduce(ErrorCode),
}

/// The reply that sends a response.
pub(super) fn respond<M: Message>(header: &RequestHeader, response: &M) -> Reply {
    respond_charged(header, response, None)
}

/// Sets memory aside for a response of about so many bytes, if it is a large one: many at once must not take more
/// than there is.
pub(super) async fn set_aside(shard: &Shard, about_bytes: u64) -> Option<Charge> {
    if about_bytes < LARGE_RESPONSE_BYTES {
        return None;
    }
    Some(shard.paused_for(PauseReason::Responses, shard.budgets.replies.take(about_bytes)).await)
}

/// The same for a response that pins memory which was counted.
pub(super) fn respond_charged<M: Message>(
    header: &RequestHeader,
    response: &M,
    charge: Option<Charge>,
) -> Reply {
    match guarded(|| encode_response(response, header.version, header.correlation_id)) {
        Some(frame) => Reply::Send { frame, charge },
        None => Reply::Close(Refused::Defect),
    }
}
