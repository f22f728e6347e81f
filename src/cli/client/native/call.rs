//! How an admin call runs: a request with a timeout is handed to librdkafka together with a queue of its own, and the
//! answer is an event on that queue. librdkafka always answers, at the latest when the timeout is over.

use std::ffi::c_int;
use std::time::Duration;

use rdkafka::bindings::{
    rd_kafka_AdminOptions_destroy, rd_kafka_AdminOptions_new, rd_kafka_AdminOptions_set_isolation_level,
    rd_kafka_AdminOptions_set_operation_timeout, rd_kafka_AdminOptions_set_request_timeout,
    rd_kafka_AdminOptions_set_validate_only, rd_kafka_AdminOptions_t, rd_kafka_IsolationLevel_t,
    rd_kafka_admin_op_t, rd_kafka_event_destroy, rd_kafka_event_error_string, rd_kafka_event_t,
    rd_kafka_queue_destroy, rd_kafka_queue_new, rd_kafka_queue_poll, rd_kafka_queue_t, rd_kafka_t,
};
use rdkafka::producer::Producer;

use super::super::cluster::Cluster;
use super::super::error::ClientError;
use super::codes;
use super::memory::{ErrorText, Owned};

/// How long one look at the queue takes; between looks the client's own events are served.
const POLL: Duration = Duration::from_millis(50);

/// How long the client's events are served between looks, and log lines after an answer, if they are asked for.
const EVENTS: Duration = Duration::from_millis(5);
const LOG_LINES: Duration = Duration::from_millis(50);

/// So many looks after no broker could be reached, it is given up: time for the second address of a host (`localhost`
/// has two) and for another attempt.
const POLLS_WITHOUT_BROKERS: u32 = 30;

/// An admin call: what it is to an operator, and how it is sent.
pub struct Call<'a> {
    /// For messages: "topic orders".
    pub what: &'a str,
    /// librdkafka's number of it.
    pub operation: rd_kafka_admin_op_t,
    /// Have the broker check the request, and do nothing.
    pub validate_only: bool,
}

/// Where to send a call to: what the C functions take as first and last arguments.
pub struct Target {
    /// The client.
    pub client: *mut rd_kafka_t,
    /// The call's options.
    pub options: *const rd_kafka_AdminOptions_t,
    /// Where the answer comes.
    pub queue: *mut rd_kafka_queue_t,
}

/// Runs an admin call. `submit` calls its C function; the pointers are valid until the answer has come. `read` copies
/// what it needs out of the answer's event, which is of the operation's kind and without an error; nothing of it may be
/// kept.
pub fn call<T>(
    cluster: &Cluster,
    call: &Call<'_>,
    submit: impl FnOnce(&Target),
    read: impl FnOnce(*mut rd_kafka_event_t) -> T,
) -> Result<T, ClientError> {
    let client = cluster.client.client().native_ptr();
    let options = options(client, call, cluster.timeout)?;
    // SAFETY: the client lives as long as `cluster`, and the queue is ours.
    let queue = unsafe { Owned::new(rd_kafka_queue_new(client), rd_kafka_queue_destroy) };
    let queue = queue.expect("librdkafka aborts rather than to return no queue");
    submit(&Target { client, options: options.pointer(), queue: queue.pointer() });
    let event = answer(cluster, &queue)?;
    if cluster.watch().is_verbose() {
        cluster.client.poll(LOG_LINES);
    }
    // SAFETY: the event is alive, and its message is a string of its own, or null.
    let outcome = unsafe {
        let code = codes::rd_kafka_event_error(event.pointer());
        codes::outcome(code, rd_kafka_event_error_string(event.pointer()))
    };
    outcome.map_err(|error| cluster.answered(call.what, error))?;
    cluster.watch().answered();
    Ok(read(event.pointer()))
}

fn options(
    client: *mut rd_kafka_t,
    call: &Call<'_>,
    timeout: Duration,
) -> Result<Owned<rd_kafka_AdminOptions_t>, ClientError> {
    // SAFETY: the client is alive, the options are ours.
    let options = unsafe {
        Owned::new(rd_kafka_AdminOptions_new(client, call.operation), rd_kafka_AdminOptions_destroy)
    };
    let options = options.expect("the operation is one that librdkafka knows");
    // At most an hour, as the arguments are checked for.
    let timeout_ms = c_int::try_from(timeout.as_millis()).unwrap_or(c_int::MAX);
    let mut why = ErrorText::new();
    let (at, bytes) = (why.pointer(), why.capacity());
    // SAFETY: the options are alive and the buffer is as long as said.
    let is_set = unsafe {
        let waits = rd_kafka_AdminOptions_set_request_timeout(options.pointer(), timeout_ms, at, bytes);
        if waits_for_brokers(call.operation) {
            // How long the broker may take to carry it out: no longer than it is waited for.
            rd_kafka_AdminOptions_set_operation_timeout(options.pointer(), timeout_ms, at, bytes);
        }
        let validates = if call.validate_only {
            rd_kafka_AdminOptions_set_validate_only(options.pointer(), 1, at, bytes) as c_int
        } else {
            0
        };
        if call.operation == rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS {
            // An end behind what consumers may read would be waited for until a transaction ends.
            let committed = rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED;
            let error = rd_kafka_AdminOptions_set_isolation_level(options.pointer(), committed);
            assert!(error.is_null(), "these offsets have an isolation level");
        }
        waits as c_int == 0 && validates == 0
    };
    if is_set { Ok(options) } else { Err(why.refusal()) }
}

/// Whether the request itself has a timeout, for what the controller waits for.
fn waits_for_brokers(operation: rd_kafka_admin_op_t) -> bool {
    use rd_kafka_admin_op_t as Op;
    matches!(
        operation,
        Op::RD_KAFKA_ADMIN_OP_CREATETOPICS
            | Op::RD_KAFKA_ADMIN_OP_DELETETOPICS
            | Op::RD_KAFKA_ADMIN_OP_CREATEPARTITIONS
            | Op::RD_KAFKA_ADMIN_OP_DELETERECORDS
    )
}

/// Waits for the answer; gives up earlier if no broker can be reached.
fn answer(
    cluster: &Cluster,
    queue: &Owned<rd_kafka_queue_t>,
) -> Result<Owned<rd_kafka_event_t>, ClientError> {
    let mut polls_without_brokers = 0;
    loop {
        let poll_ms = POLL.as_millis() as c_int;
        // SAFETY: the queue is alive; the event is ours.
        let event =
            unsafe { Owned::new(rd_kafka_queue_poll(queue.pointer(), poll_ms), rd_kafka_event_destroy) };
        if let Some(event) = event {
            return Ok(event);
        }
        // Log lines and connection errors come here, for the watch.
        cluster.client.poll(EVENTS);
        if cluster.watch().all_are_down() {
            polls_without_brokers += 1;
        }
        if polls_without_brokers > POLLS_WITHOUT_BROKERS {
            return Err(cluster.unreachable());
        }
    }
}
