//! Kafka's error codes, up to those of Kafka 4.1.

use std::fmt;

macro_rules! error_codes {
    ($($(#[$attr:meta])? $name:ident = $code:literal, $kafka_name:literal: $meaning:literal;)*) => {
        /// An error as clients know it. A code that is not listed decodes as
        /// [`ErrorCode::UnknownServerError`], as it does in Kafka's own clients.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
        #[repr(i16)]
        pub enum ErrorCode {
            $(
                #[doc = concat!($kafka_name, ": ", $meaning, ".")]
                $(#[$attr])?
                $name = $code,
            )*
        }

        impl ErrorCode {
            /// All codes in ascending order.
            pub const ALL: &[ErrorCode] = &[$(ErrorCode::$name),*];

            /// Kafka's name for the code.
            pub const fn name(self) -> &'static str {
                match self {
                    $(ErrorCode::$name => $kafka_name,)*
                }
            }

            /// What the code means, for people.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(ErrorCode::$name => $meaning,)*
                }
            }
        }

        impl From<i16> for ErrorCode {
            fn from(code: i16) -> Self {
                match code {
                    $($code => ErrorCode::$name,)*
                    _ => ErrorCode::UnknownServerError,
                }
            }
        }
    };
}

impl From<ErrorCode> for i16 {
    fn from(code: ErrorCode) -> i16 {
        code as i16
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

error_codes! {
    UnknownServerError = -1, "UNKNOWN_SERVER_ERROR": "the server met an error that it did not expect";
    #[default] None = 0, "NONE": "no error";
    OffsetOutOfRange = 1, "OFFSET_OUT_OF_RANGE": "the offset lies outside the partition's log";
    CorruptMessage = 2, "CORRUPT_MESSAGE": "the records fail their checksum or are otherwise corrupt";
    UnknownTopicOrPartition = 3, "UNKNOWN_TOPIC_OR_PARTITION": "this broker does not host the partition";
    InvalidFetchSize = 4, "INVALID_FETCH_SIZE": "the fetch size is invalid";
    LeaderNotAvailable = 5, "LEADER_NOT_AVAILABLE": "the partition has no leader at the moment";
    NotLeaderOrFollower = 6, "NOT_LEADER_OR_FOLLOWER": "this broker does not lead, or hold, the partition";
    RequestTimedOut = 7, "REQUEST_TIMED_OUT": "the request timed out";
    BrokerNotAvailable = 8, "BROKER_NOT_AVAILABLE": "the broker is not available";
    ReplicaNotAvailable = 9, "REPLICA_NOT_AVAILABLE": "the replica is not available";
    MessageTooLarge = 10, "MESSAGE_TOO_LARGE": "the records exceed the largest size that is accepted";
    StaleControllerEpoch = 11, "STALE_CONTROLLER_EPOCH": "the controller has moved";
    OffsetMetadataTooLarge = 12, "OFFSET_METADATA_TOO_LARGE": "the metadata of the offset is too large";
    NetworkException = 13, "NETWORK_EXCEPTION": "the connection closed before a response came";
    CoordinatorLoadInProgress = 14, "COORDINATOR_LOAD_IN_PROGRESS": "the coordinator is still loading";
    CoordinatorNotAvailable = 15, "COORDINATOR_NOT_AVAILABLE": "the coordinator is not available";
    NotCoordinator = 16, "NOT_COORDINATOR": "this broker is not the coordinator";
    InvalidTopicException = 17, "INVALID_TOPIC_EXCEPTION": "the topic is invalid or may not be used so";
    RecordListTooLarge = 18, "RECORD_LIST_TOO_LARGE": "the batch exceeds the size of a segment";
    NotEnoughReplicas = 19, "NOT_ENOUGH_REPLICAS": "fewer replicas are in sync than required";
    NotEnoughReplicasAfterAppend = 20, "NOT_ENOUGH_REPLICAS_AFTER_APPEND":
        "the records were written, but to fewer in-sync replicas than required";
    InvalidRequiredAcks = 21, "INVALID_REQUIRED_ACKS": "acks is none of -1, 0 and 1";
    IllegalGeneration = 22, "ILLEGAL_GENERATION": "the group generation is not the present one";
    InconsistentGroupProtocol = 23, "INCONSISTENT_GROUP_PROTOCOL":
        "the member shares no protocol with the group's other members";
    InvalidGroupId = 24, "INVALID_GROUP_ID": "the group id is invalid";
    UnknownMemberId = 25, "UNKNOWN_MEMBER_ID": "the group has no such member";
    InvalidSessionTimeout = 26, "INVALID_SESSION_TIMEOUT": "the session timeout is out of bounds";
    RebalanceInProgress = 27, "REBALANCE_IN_PROGRESS": "the group is rebalancing, rejoin";
    InvalidCommitOffsetSize = 28, "INVALID_COMMIT_OFFSET_SIZE": "the committed offset's data is too large";
    TopicAuthorizationFailed = 29, "TOPIC_AUTHORIZATION_FAILED": "not authorized for the topic";
    GroupAuthorizationFailed = 30, "GROUP_AUTHORIZATION_FAILED": "not authorized for the group";
    ClusterAuthorizationFailed = 31, "CLUSTER_AUTHORIZATION_FAILED": "not authorized for the cluster";
    InvalidTimestamp = 32, "INVALID_TIMESTAMP": "a record's timestamp is out of bounds";
    UnsupportedSaslMechanism = 33, "UNSUPPORTED_SASL_MECHANISM": "the SASL mechanism is not supported";
    IllegalSaslState = 34, "ILLEGAL_SASL_STATE": "the request does not fit the SASL state";
    UnsupportedVersion = 35, "UNSUPPORTED_VERSION": "the API does not have this version";
    TopicAlreadyExists = 36, "TOPIC_ALREADY_EXISTS": "a topic with this name exists";
    InvalidPartitions = 37, "INVALID_PARTITIONS": "the number of partitions is invalid";
    InvalidReplicationFactor = 38, "INVALID_REPLICATION_FACTOR":
        "the replication factor is below 1 or above the number of brokers";
    InvalidReplicaAssignment = 39, "INVALID_REPLICA_ASSIGNMENT": "the replica assignment is invalid";
    InvalidConfig = 40, "INVALID_CONFIG": "the configuration is invalid";
    NotController = 41, "NOT_CONTROLLER": "this broker is not the controller";
    InvalidRequest = 42, "INVALID_REQUEST": "the request contradicts itself or the protocol";
    UnsupportedForMessageFormat = 43, "UNSUPPORTED_FOR_MESSAGE_FORMAT":
        "the format of the records does not support the request";
    PolicyViolation = 44, "POLICY_VIOLATION": "the request violates a policy";
    OutOfOrderSequenceNumber = 45, "OUT_OF_ORDER_SEQUENCE_NUMBER": "the producer's sequence has a gap";
    DuplicateSequenceNumber = 46, "DUPLICATE_SEQUENCE_NUMBER": "the producer's sequence was used before";
    InvalidProducerEpoch = 47, "INVALID_PRODUCER_EPOCH": "the producer's epoch is an old one";
    InvalidTxnState = 48, "INVALID_TXN_STATE": "the transaction is not in a state that allows this";
    InvalidProducerIdMapping = 49, "INVALID_PRODUCER_ID_MAPPING":
        "the producer id is not the one of the transactional id";
    InvalidTransactionTimeout = 50, "INVALID_TRANSACTION_TIMEOUT": "the transaction timeout is too long";
    ConcurrentTransactions = 51, "CONCURRENT_TRANSACTIONS":
        "another operation on the transaction is under way";
    TransactionCoordinatorFenced = 52, "TRANSACTION_COORDINATOR_FENCED":
        "the transaction coordinator has been replaced";
    TransactionalIdAuthorizationFailed = 53, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED":
        "not authorized for the transactional id";
    SecurityDisabled = 54, "SECURITY_DISABLED": "security features are disabled";
    OperationNotAttempted = 55, "OPERATION_NOT_ATTEMPTED":
        "not attempted, because another operation of the request failed";
    KafkaStorageError = 56, "KAFKA_STORAGE_ERROR": "the partition's disk has failed";
    LogDirNotFound = 57, "LOG_DIR_NOT_FOUND": "the broker has no such log directory";
    SaslAuthenticationFailed = 58, "SASL_AUTHENTICATION_FAILED": "SASL authentication failed";
    UnknownProducerId = 59, "UNKNOWN_PRODUCER_ID": "the producer id is not known, its records may be gone";
    ReassignmentInProgress = 60, "REASSIGNMENT_IN_PROGRESS": "a reassignment of the partition is under way";
    DelegationTokenAuthDisabled = 61, "DELEGATION_TOKEN_AUTH_DISABLED": "delegation tokens are disabled";
    DelegationTokenNotFound = 62, "DELEGATION_TOKEN_NOT_FOUND": "the delegation token does not exist";
    DelegationTokenOwnerMismatch = 63, "DELEGATION_TOKEN_OWNER_MISMATCH":
        "the principal neither owns nor may renew the delegation token";
    DelegationTokenRequestNotAllowed = 64, "DELEGATION_TOKEN_REQUEST_NOT_ALLOWED":
        "delegation tokens cannot be requested over this connection";
    DelegationTokenAuthorizationFailed = 65, "DELEGATION_TOKEN_AUTHORIZATION_FAILED":
        "not authorized for the delegation token";
    DelegationTokenExpired = 66, "DELEGATION_TOKEN_EXPIRED": "the delegation token has expired";
    InvalidPrincipalType = 67, "INVALID_PRINCIPAL_TYPE": "the type of principal is not supported";
    NonEmptyGroup = 68, "NON_EMPTY_GROUP": "the group has members";
    GroupIdNotFound = 69, "GROUP_ID_NOT_FOUND": "the group does not exist";
    FetchSessionIdNotFound = 70, "FETCH_SESSION_ID_NOT_FOUND": "the fetch session does not exist";
    InvalidFetchSessionEpoch = 71, "INVALID_FETCH_SESSION_EPOCH": "the fetch session's epoch is not the next one";
    ListenerNotFound = 72, "LISTENER_NOT_FOUND": "the leader has no listener of the name that was asked";
    TopicDeletionDisabled = 73, "TOPIC_DELETION_DISABLED": "deletion of topics is disabled";
    FencedLeaderEpoch = 74, "FENCED_LEADER_EPOCH": "the leader epoch is older than the broker's";
    UnknownLeaderEpoch = 75, "UNKNOWN_LEADER_EPOCH": "the leader epoch is newer than the broker's";
    UnsupportedCompressionType = 76, "UNSUPPORTED_COMPRESSION_TYPE":
        "the client's version does not support the compression";
    StaleBrokerEpoch = 77, "STALE_BROKER_EPOCH": "the broker's epoch has changed";
    OffsetNotAvailable = 78, "OFFSET_NOT_AVAILABLE":
        "the high watermark has not yet caught up after an election";
    MemberIdRequired = 79, "MEMBER_ID_REQUIRED": "join again with the member id of this response";
    PreferredLeaderNotAvailable = 80, "PREFERRED_LEADER_NOT_AVAILABLE": "the preferred leader is not available";
    GroupMaxSizeReached = 81, "GROUP_MAX_SIZE_REACHED": "the group is full";
    FencedInstanceId = 82, "FENCED_INSTANCE_ID": "another member took over the static instance id";
    EligibleLeadersNotAvailable = 83, "ELIGIBLE_LEADERS_NOT_AVAILABLE": "no replica may become leader";
    ElectionNotNeeded = 84, "ELECTION_NOT_NEEDED": "the partition needs no election";
    NoReassignmentInProgress = 85, "NO_REASSIGNMENT_IN_PROGRESS": "no reassignment is under way";
    GroupSubscribedToTopic = 86, "GROUP_SUBSCRIBED_TO_TOPIC": "the group is subscribed to the topic";
    InvalidRecord = 87, "INVALID_RECORD": "a record failed validation";
    UnstableOffsetCommit = 88, "UNSTABLE_OFFSET_COMMIT": "a transaction still holds offsets of the group";
    ThrottlingQuotaExceeded = 89, "THROTTLING_QUOTA_EXCEEDED": "the quota is exceeded";
    ProducerFenced = 90, "PRODUCER_FENCED": "a newer producer uses the transactional id";
    ResourceNotFound = 91, "RESOURCE_NOT_FOUND": "the resource does not exist";
    DuplicateResource = 92, "DUPLICATE_RESOURCE": "the request names the resource twice";
    UnacceptableCredential = 93, "UNACCEPTABLE_CREDENTIAL": "the credential is not acceptable";
    InconsistentVoterSet = 94, "INCONSISTENT_VOTER_SET": "sender or recipient is not one of the voters";
    InvalidUpdateVersion = 95, "INVALID_UPDATE_VERSION": "the update's version is invalid";
    FeatureUpdateFailed = 96, "FEATURE_UPDATE_FAILED": "the features could not be updated";
    PrincipalDeserializationFailure = 97, "PRINCIPAL_DESERIALIZATION_FAILURE":
        "the forwarded principal cannot be read";
    SnapshotNotFound = 98, "SNAPSHOT_NOT_FOUND": "the snapshot does not exist";
    PositionOutOfRange = 99, "POSITION_OUT_OF_RANGE": "the position lies outside the snapshot";
    UnknownTopicId = 100, "UNKNOWN_TOPIC_ID": "this broker does not host the topic id";
    DuplicateBrokerRegistration = 101, "DUPLICATE_BROKER_REGISTRATION": "the broker id is in use";
    BrokerIdNotRegistered = 102, "BROKER_ID_NOT_REGISTERED": "the broker id is not registered";
    InconsistentTopicId = 103, "INCONSISTENT_TOPIC_ID": "the log has another topic id";
    InconsistentClusterId = 104, "INCONSISTENT_CLUSTER_ID": "the server has another cluster id";
    TransactionalIdNotFound = 105, "TRANSACTIONAL_ID_NOT_FOUND": "the transactional id does not exist";
    FetchSessionTopicIdError = 106, "FETCH_SESSION_TOPIC_ID_ERROR":
        "the fetch session mixes topic names and topic ids";
    IneligibleReplica = 107, "INELIGIBLE_REPLICA": "a replica may not join the in-sync set";
    NewLeaderElected = 108, "NEW_LEADER_ELECTED": "the partition changed, and its leader with it";
    OffsetMovedToTieredStorage = 109, "OFFSET_MOVED_TO_TIERED_STORAGE": "the offset is in tiered storage";
    FencedMemberEpoch = 110, "FENCED_MEMBER_EPOCH": "the member is fenced, give up all partitions and rejoin";
    UnreleasedInstanceId = 111, "UNRELEASED_INSTANCE_ID": "another member still holds the instance id";
    UnsupportedAssignor = 112, "UNSUPPORTED_ASSIGNOR": "the group does not support the assignor";
    StaleMemberEpoch = 113, "STALE_MEMBER_EPOCH": "the member's epoch is stale, heartbeat first";
    MismatchedEndpointType = 114, "MISMATCHED_ENDPOINT_TYPE": "the endpoint is of another type";
    UnsupportedEndpointType = 115, "UNSUPPORTED_ENDPOINT_TYPE": "the type of endpoint is not supported";
    UnknownControllerId = 116, "UNKNOWN_CONTROLLER_ID": "the controller id is not known";
    UnknownSubscriptionId = 117, "UNKNOWN_SUBSCRIPTION_ID": "the telemetry subscription is outdated";
    TelemetryTooLarge = 118, "TELEMETRY_TOO_LARGE": "the telemetry is too large";
    InvalidRegistration = 119, "INVALID_REGISTRATION": "the broker's registration is invalid";
    TransactionAbortable = 120, "TRANSACTION_ABORTABLE": "the transaction failed and can be aborted";
    InvalidRecordState = 121, "INVALID_RECORD_STATE": "the record's state does not allow the acknowledgement";
    ShareSessionNotFound = 122, "SHARE_SESSION_NOT_FOUND": "the share session does not exist";
    InvalidShareSessionEpoch = 123, "INVALID_SHARE_SESSION_EPOCH": "the share session's epoch is invalid";
    FencedStateEpoch = 124, "FENCED_STATE_EPOCH": "the share group's state has another epoch";
    InvalidVoterKey = 125, "INVALID_VOTER_KEY": "the voter's key is not that of the replica";
    DuplicateVoter = 126, "DUPLICATE_VOTER": "the voter is one already";
    VoterNotFound = 127, "VOTER_NOT_FOUND": "the voter is not one";
    InvalidRegularExpression = 128, "INVALID_REGULAR_EXPRESSION": "the regular expression is invalid";
    RebootstrapRequired = 129, "REBOOTSTRAP_REQUIRED": "the client must start from its bootstrap servers";
    StreamsInvalidTopology = 130, "STREAMS_INVALID_TOPOLOGY": "the streams topology is invalid";
    StreamsInvalidTopologyEpoch = 131, "STREAMS_INVALID_TOPOLOGY_EPOCH":
        "the streams topology's epoch is invalid";
    StreamsTopologyFenced = 132, "STREAMS_TOPOLOGY_FENCED": "the streams topology's epoch is outdated";
    ShareSessionLimitReached = 133, "SHARE_SESSION_LIMIT_REACHED": "there are too many share sessions";
}

#[cfg(test)]
mod tests {
    use kafka_protocol::ResponseError;

    use super::*;

    #[test]
    fn codes_are_consecutive_and_survive_the_wire() {
        for (&code, number) in ErrorCode::ALL.iter().zip(-1..) {
            assert_eq!(i16::from(code), number);
            assert_eq!(ErrorCode::from(number), code);
        }
        assert_eq!(ErrorCode::from(1000), ErrorCode::UnknownServerError);
        assert_eq!(ErrorCode::default(), ErrorCode::None);
    }

    #[test]
    fn names_are_kafkas() {
        for &code in ErrorCode::ALL {
            let camel: String = code.name().split('_').map(capitalized).collect();
            assert_eq!(camel, format!("{code:?}"));
            if let Some(theirs) = ResponseError::try_from_code(code.into()) {
                let known = format!("{theirs:?}");
                assert!(known == camel || known.starts_with("Unknown("), "{known} is {camel}");
            }
        }
    }

    fn capitalized(word: &str) -> String {
        let (first, rest) = word.split_at(1);
        first.to_owned() + &rest.to_lowercase()
    }
}
