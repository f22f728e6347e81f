//! Failures that pass: which a broker's start explains, and how long to put up with them.

use std::time::{Duration, Instant};

use corelane::protocol::ErrorCode;

use super::ClientError;

/// Pause before another try.
const PAUSE: Duration = Duration::from_millis(100);

/// Bounds how long nothing may succeed.
#[derive(Debug)]
pub struct Patience {
    limit: Duration,
    since: Instant,
}

impl Patience {
    /// Nothing may succeed for so long.
    pub fn new(limit: Duration) -> Self {
        Patience { limit, since: Instant::now() }
    }

    /// Something succeeded.
    pub fn renew(&mut self) {
        self.since = Instant::now();
    }

    /// Pauses before another try after a failure, or gives the failure back if it is final or patience is over.
    pub fn pause(&self, error: ClientError) -> Result<(), ClientError> {
        if !is_passing(&error) || self.since.elapsed() > self.limit {
            return Err(error);
        }
        std::thread::sleep(PAUSE);
        Ok(())
    }
}

/// How long a broker may say that it is not ready for something.
const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// Asks again while the broker answers that it is not ready, as it does about new topics and soon after its start. A
/// broker that does not answer is not asked again.
pub fn when_ready<T>(mut ask: impl FnMut() -> Result<T, ClientError>) -> Result<T, ClientError> {
    let patience = Patience::new(READY_TIMEOUT);
    loop {
        match ask() {
            Err(error @ ClientError::Refused { .. }) => patience.pause(error)?,
            other => return other,
        }
    }
}

/// Whether a restart of a broker, or a move of a partition, explains a failure.
fn is_passing(error: &ClientError) -> bool {
    match error {
        ClientError::Unreachable { .. }
        | ClientError::AdvertisedUnreachable { .. }
        | ClientError::Broken { .. }
        | ClientError::NoLeader { .. }
        | ClientError::NoTopic(_) => true,
        ClientError::Refused { code, .. } => matches!(
            code,
            ErrorCode::NotLeaderOrFollower
                | ErrorCode::LeaderNotAvailable
                | ErrorCode::UnknownTopicOrPartition
                | ErrorCode::BrokerNotAvailable
                | ErrorCode::ReplicaNotAvailable
                | ErrorCode::RequestTimedOut
                | ErrorCode::NotEnoughReplicas
                | ErrorCode::NotEnoughReplicasAfterAppend
                | ErrorCode::KafkaStorageError
                | ErrorCode::NetworkException
                | ErrorCode::OffsetNotAvailable
                | ErrorCode::UnknownLeaderEpoch
                | ErrorCode::CoordinatorLoadInProgress
                | ErrorCode::CoordinatorNotAvailable
                | ErrorCode::NotCoordinator
                | ErrorCode::FencedLeaderEpoch
                // A batch before this one failed; both are sent again, in order.
                | ErrorCode::OutOfOrderSequenceNumber
        ),
        _ => false,
    }
}
