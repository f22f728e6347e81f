//! DescribeUserScramCredentials and AlterUserScramCredentials. No listener asks for a password yet, so nobody has one:
//! none is found, and none can be set.

use std::collections::BTreeMap;

use crate::protocol::messages::alter_user_scram_credentials::{
    AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse, AlterUserScramCredentialsResult,
};
use crate::protocol::messages::describe_user_scram_credentials::{
    DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse,
    DescribeUserScramCredentialsResult,
};
use crate::protocol::{ErrorCode, RequestHeader};

use super::reply::{Reply, respond_charged, set_aside};
use super::router::Caller;

const NOT_SUPPORTED: &str = "Passwords are not supported yet: no listener authenticates.";

/// About the bytes of one answer while the response is put together, besides the user's name.
const ANSWER_BYTES: u64 = 256;

pub(super) async fn describe(
    caller: &Caller,
    header: &RequestHeader,
    request: DescribeUserScramCredentialsRequest,
) -> Reply {
    let users = request.users.unwrap_or_default();
    let charge = set_aside(&caller.shard, users.len() as u64 * ANSWER_BYTES).await;
    // A response must not be longer than the users because one is named again and again.
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    users.into_iter().for_each(|user| *times.entry(user.name).or_default() += 1);
    let unknown = |(user, times): (String, usize)| {
        let error_code = if times == 1 { ErrorCode::ResourceNotFound } else { ErrorCode::DuplicateResource };
        let error_message = Some(error_code.meaning().to_owned());
        DescribeUserScramCredentialsResult { user, error_code, error_message, ..Default::default() }
    };
    let results = times.into_iter().map(unknown).collect();
    respond_charged(header, &DescribeUserScramCredentialsResponse { results, ..Default::default() }, charge)
}

pub(super) async fn alter(
    caller: &Caller,
    header: &RequestHeader,
    request: AlterUserScramCredentialsRequest,
) -> Reply {
    let AlterUserScramCredentialsRequest { deletions, upsertions } = request;
    let count = deletions.len() + upsertions.len();
    let charge = set_aside(&caller.shard, count as u64 * ANSWER_BYTES).await;
    let gone = (ErrorCode::ResourceNotFound, ErrorCode::ResourceNotFound.meaning());
    let refused = (ErrorCode::UnsupportedSaslMechanism, NOT_SUPPORTED);
    let deletions = deletions.into_iter().map(|deletion| (deletion.name, gone));
    let upsertions = upsertions.into_iter().map(|upsertion| (upsertion.name, refused));
    // One answer for each user, whatever is asked for.
    let answers: BTreeMap<String, (ErrorCode, &str)> = deletions.chain(upsertions).collect();
    let result = |(user, (error_code, message)): (String, (ErrorCode, &str))| {
        AlterUserScramCredentialsResult { user, error_code, error_message: Some(message.to_owned()) }
    };
    let results = answers.into_iter().map(result).collect();
    respond_charged(header, &AlterUserScramCredentialsResponse { throttle_time_ms: 0, results }, charge)
}
