//! AlterUserScramCredentials: users' passwords (KIP-554).

use bytes::Bytes;

use crate::protocol::ErrorCode;

api! {
    AlterUserScramCredentials: AlterUserScramCredentialsRequest => AlterUserScramCredentialsResponse,
    versions 0..=0, flexible 0..;

    /// Whose passwords go, and whose are set.
    pub struct AlterUserScramCredentialsRequest {
        /// Those that go.
        deletions: Vec<ScramCredentialDeletion> [0..],
        /// Those that are set.
        upsertions: Vec<ScramCredentialUpsertion> [0..],
    }

    /// A password that goes.
    pub struct ScramCredentialDeletion {
        /// The user's name.
        name: String [0..],
        /// 1 for SCRAM-SHA-256, 2 for SCRAM-SHA-512.
        mechanism: i8 [0..],
    }

    /// A password that is set.
    pub struct ScramCredentialUpsertion {
        /// The user's name.
        name: String [0..],
        /// 1 for SCRAM-SHA-256, 2 for SCRAM-SHA-512.
        mechanism: i8 [0..],
        /// How often the password is hashed.
        iterations: i32 [0..],
        /// The client's random salt.
        salt: Bytes [0..],
        /// The password, salted and hashed.
        salted_password: Bytes [0..],
    }

    /// What became of the passwords.
    pub struct AlterUserScramCredentialsResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [0..],
        /// One for each user.
        results: Vec<AlterUserScramCredentialsResult> [0..],
    }

    /// What became of one user's.
    pub struct AlterUserScramCredentialsResult {
        /// The name.
        user: String [0..],
        /// Why nothing was changed.
        error_code: ErrorCode [0..],
        /// The same for people.
        error_message: Option<String> [0.., null 0..],
    }
}
