//! Which Kafka error each refusal of the layers below is. The only such table.

use crate::cluster::{ClusterError, ElectionError};
use crate::partition::{AppendError, FetchError, LeaderEpochError, ProducerError};
use crate::protocol::ErrorCode;
use crate::protocol::batch::InvalidBatch;
use crate::shard::{MetadataUnavailable, PartitionError, SessionError, StorageError, Uncommitted};

/// The code of a refused operation on a partition.
pub(super) fn partition_error(error: &PartitionError) -> ErrorCode {
    match error {
        PartitionError::Unknown => ErrorCode::UnknownTopicOrPartition,
        // Both make clients ask for the leader again, and come back.
        PartitionError::NotLeader | PartitionError::Stopping => ErrorCode::NotLeaderOrFollower,
        PartitionError::LeaderEpoch(error) => match error {
            LeaderEpochError::NotLeader => ErrorCode::NotLeaderOrFollower,
            LeaderEpochError::Fenced { .. } => ErrorCode::FencedLeaderEpoch,
            LeaderEpochError::Unknown { .. } => ErrorCode::UnknownLeaderEpoch,
        },
        PartitionError::OffsetNotAvailable(_) => ErrorCode::OffsetNotAvailable,
        PartitionError::NotEnoughReplicas => ErrorCode::NotEnoughReplicas,
        PartitionError::NotCommitted(Uncommitted::OutOfService) => ErrorCode::KafkaStorageError,
        PartitionError::NotCommitted(Uncommitted::NotEnoughReplicas) => {
            ErrorCode::NotEnoughReplicasAfterAppend
        }
        PartitionError::NotCommitted(Uncommitted::NotLeader) | PartitionError::LeaseRanOut => {
            ErrorCode::NotLeaderOrFollower
        }
        PartitionError::Storage(error) => storage_error(error),
    }
}

fn storage_error(error: &StorageError) -> ErrorCode {
    match error {
        StorageError::Deleted => ErrorCode::UnknownTopicOrPartition,
        // Clients ask for the leader again and come back, until their time is up.
        StorageError::OutOfService(_)
        | StorageError::Damaged(_)
        | StorageError::DiskFull(_)
        | StorageError::Disk(_) => ErrorCode::KafkaStorageError,
        StorageError::Corrupt(_) => ErrorCode::CorruptMessage,
        StorageError::TooLarge(_) => ErrorCode::MessageTooLarge,
        StorageError::Append(error) => match error {
            AppendError::NotLeader => ErrorCode::NotLeaderOrFollower,
            AppendError::Transactional => ErrorCode::InvalidTxnState,
            AppendError::Producer(ProducerError::InvalidProducerEpoch { .. }) => {
                ErrorCode::InvalidProducerEpoch
            }
            AppendError::Producer(ProducerError::OutOfOrderSequence { .. }) => {
                ErrorCode::OutOfOrderSequenceNumber
            }
            AppendError::OffsetsExhausted => ErrorCode::UnknownServerError,
        },
        StorageError::Fetch(FetchError::OffsetOutOfRange { .. }) | StorageError::OutsideLog(_) => {
            ErrorCode::OffsetOutOfRange
        }
    }
}

/// The code of a fetch session that does not go on.
pub(super) fn session_error(error: SessionError) -> ErrorCode {
    match error {
        SessionError::IdNotFound => ErrorCode::FetchSessionIdNotFound,
        SessionError::InvalidEpoch => ErrorCode::InvalidFetchSessionEpoch,
        SessionError::TopicId => ErrorCode::FetchSessionTopicIdError,
    }
}

/// The code of a batch that may not be appended.
pub(super) fn invalid_batch(error: &InvalidBatch) -> ErrorCode {
    match error {
        InvalidBatch::Truncated { .. }
        | InvalidBatch::Trailing(_)
        | InvalidBatch::OldMagic(_)
        | InvalidBatch::BaseOffset(_)
        | InvalidBatch::RecordCount { .. }
        | InvalidBatch::Control
        | InvalidBatch::DeleteHorizon
        | InvalidBatch::Producer { .. }
        | InvalidBatch::Record(_) => ErrorCode::InvalidRecord,
        InvalidBatch::Length(_) | InvalidBatch::UnknownMagic(_) | InvalidBatch::Crc { .. } => {
            ErrorCode::CorruptMessage
        }
        InvalidBatch::TooLarge { .. } => ErrorCode::MessageTooLarge,
        InvalidBatch::UnknownCompression(_) => ErrorCode::UnsupportedCompressionType,
        InvalidBatch::LogAppendTime => ErrorCode::InvalidTimestamp,
    }
}

/// The code of a command on the metadata that nobody carries out.
pub(super) fn metadata_unavailable(error: &MetadataUnavailable) -> ErrorCode {
    match error {
        // Clients look for the controller anew, and come back.
        MetadataUnavailable::NoController(_) => ErrorCode::NotController,
        MetadataUnavailable::Failed(_) => ErrorCode::KafkaStorageError,
    }
}

/// The code of an election that did not happen.
pub(super) fn election_error(error: ElectionError) -> ErrorCode {
    match error {
        ElectionError::UnknownPartition => ErrorCode::UnknownTopicOrPartition,
        ElectionError::NotNeeded => ErrorCode::ElectionNotNeeded,
        ElectionError::PreferredNotAvailable => ErrorCode::PreferredLeaderNotAvailable,
        ElectionError::NobodyAvailable => ErrorCode::EligibleLeadersNotAvailable,
    }
}

/// The code of a refused command on the metadata.
pub(super) fn cluster_error(error: &ClusterError) -> ErrorCode {
    match error {
        ClusterError::TopicExists(_) => ErrorCode::TopicAlreadyExists,
        ClusterError::InvalidName(_) => ErrorCode::InvalidTopicException,
        ClusterError::InvalidPartitions(_) => ErrorCode::InvalidPartitions,
        ClusterError::InvalidReplicationFactor(_) => ErrorCode::InvalidReplicationFactor,
        ClusterError::InvalidReplicaAssignment(_) => ErrorCode::InvalidReplicaAssignment,
        ClusterError::InvalidRequest(_) => ErrorCode::InvalidRequest,
        ClusterError::InvalidConfig(_) => ErrorCode::InvalidConfig,
        ClusterError::UnknownTopic => ErrorCode::UnknownTopicOrPartition,
        ClusterError::UnknownTopicId => ErrorCode::UnknownTopicId,
        ClusterError::UnknownBroker(_) => ErrorCode::BrokerIdNotRegistered,
        ClusterError::PolicyViolation(_) => ErrorCode::PolicyViolation,
    }
}
