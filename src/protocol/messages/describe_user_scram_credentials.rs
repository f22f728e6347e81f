//! DescribeUserScramCredentials: which users have a password, and by which mechanism (KIP-554).

use crate::protocol::ErrorCode;

api! {
    DescribeUserScramCredentials: DescribeUserScramCredentialsRequest => DescribeUserScramCredentialsResponse,
    versions 0..=0, flexible 0..;

    /// Which users are asked about.
    pub struct DescribeUserScramCredentialsRequest {
        /// The users; `None`, or none, for all.
        users: Option<Vec<UserName>> [0.., null 0..] = Some(Vec::new()),
    }

    /// A user.
    pub struct UserName {
        /// The name.
        name: String [0..],
    }

    /// What is known of the users.
    pub struct DescribeUserScramCredentialsResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [0..],
        /// Why there is no answer.
        error_code: ErrorCode [0..],
        /// The same for people.
        error_message: Option<String> [0.., null 0..],
        /// The users.
        results: Vec<DescribeUserScramCredentialsResult> [0..],
    }

    /// What is known of one user.
    pub struct DescribeUserScramCredentialsResult {
        /// The name.
        user: String [0..],
        /// Why nothing is known.
        error_code: ErrorCode [0..],
        /// The same for people.
        error_message: Option<String> [0.., null 0..],
        /// The mechanisms.
        credential_infos: Vec<CredentialInfo> [0..],
    }

    /// A mechanism by which a user has a password.
    pub struct CredentialInfo {
        /// 1 for SCRAM-SHA-256, 2 for SCRAM-SHA-512.
        mechanism: i8 [0..],
        /// How often the password was hashed.
        iterations: i32 [0..],
    }
}
