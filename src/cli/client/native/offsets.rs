//! Offsets of partitions, asked of their leaders in one request for each.

use std::ffi::c_int;
use std::ptr;

use rdkafka::TopicPartitionList;
use rdkafka::bindings::{
    rd_kafka_ListOffsets, rd_kafka_ListOffsets_result_infos, rd_kafka_ListOffsetsResultInfo_t,
    rd_kafka_ListOffsetsResultInfo_timestamp, rd_kafka_ListOffsetsResultInfo_topic_partition,
    rd_kafka_admin_op_t, rd_kafka_event_ListOffsets_result,
};
use rdkafka::error::RDKafkaErrorCode;

use super::super::cluster::Cluster;
use super::super::error::{BrokerError, ClientError};
use super::call::{Call, call};
use super::codes;
use super::memory::{items, text};

/// Which offset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum At {
    /// The first that is there.
    Earliest,
    /// The one behind the last that consumers may read.
    Latest,
    /// The first whose timestamp is this or later, in milliseconds since 1970, UTC.
    Time(i64),
}

impl At {
    /// ListOffsets' number for it. librdkafka carries it where an offset would be.
    fn number(self) -> i64 {
        match self {
            At::Earliest => -2,
            At::Latest => -1,
            At::Time(ms) => ms,
        }
    }
}

/// A partition's answer.
#[derive(Clone, Debug)]
pub struct OffsetAt {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset; `None` if there is none (no record at that time or later).
    pub offset: Result<Option<i64>, BrokerError>,
}

/// Asks for an offset of each of these partitions, in no order. What is wrong with one of them does not touch the
/// others.
pub fn list_offsets(
    cluster: &Cluster,
    partitions: &[(&str, i32)],
    at: At,
) -> Result<Vec<OffsetAt>, ClientError> {
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for (topic, partition) in partitions {
        list.add_partition(topic, *partition);
    }
    set_number(&list, at.number());
    let operation = rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS;
    let submit = Call { what: "the offsets", operation, validate_only: false };
    call(
        cluster,
        &submit,
        // SAFETY: the list lives beyond the call, which copies it.
        |to| unsafe { rd_kafka_ListOffsets(to.client, list.ptr(), to.options, to.queue) },
        // SAFETY: the event is alive and of this kind.
        |event| unsafe {
            let mut count = 0;
            let result = rd_kafka_event_ListOffsets_result(event);
            let infos = items(rd_kafka_ListOffsets_result_infos(result, &mut count), count);
            infos.iter().map(|info| read(*info, at)).collect()
        },
    )
}

/// Writes the number into every element. `TopicPartitionList::set_all_offsets` is not for this: it takes consumers'
/// offsets, which number earliest and latest the other way round.
fn set_number(list: &TopicPartitionList, number: i64) {
    // SAFETY: the list is alive and has `cnt` elements, and nobody else looks at it.
    unsafe {
        let raw = &*list.ptr();
        let count = usize::try_from(raw.cnt).expect("a count");
        (0..count).for_each(|index| (*raw.elems.add(index)).offset = number);
    }
}

/// # Safety
/// `info` lives as long as its event.
unsafe fn read(info: *const rd_kafka_ListOffsetsResultInfo_t, at: At) -> OffsetAt {
    // SAFETY: as demanded. The code is read as a number: see `codes`.
    unsafe {
        let partition = rd_kafka_ListOffsetsResultInfo_topic_partition(info);
        let code = ptr::addr_of!((*partition).err).cast::<c_int>().read();
        let offset = (*partition).offset;
        let timestamp = rd_kafka_ListOffsetsResultInfo_timestamp(info);
        let found = if is_unanswered(at, offset, timestamp) {
            Err(BrokerError::of(RDKafkaErrorCode::OperationTimedOut))
        } else {
            Ok(Some(offset).filter(|offset| *offset >= 0))
        };
        OffsetAt {
            topic: text((*partition).topic),
            partition: (*partition).partition,
            offset: codes::outcome(code, ptr::null()).and(found),
        }
    }
}

/// Whether this is the question instead of an answer: where a leader does not answer in time, librdkafka returns what it
/// was given, without an error.
fn is_unanswered(at: At, offset: i64, timestamp: i64) -> bool {
    match at {
        // A log always has a beginning and an end.
        At::Earliest | At::Latest => offset < 0,
        // A record that is found has a timestamp.
        At::Time(ms) => offset == ms && timestamp < 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_no_answer() {
        assert!(is_unanswered(At::Latest, -1, -1) && is_unanswered(At::Earliest, -2, -1));
        assert!(!is_unanswered(At::Latest, 0, -1));
        assert!(is_unanswered(At::Time(5), 5, -1));
        assert!(!is_unanswered(At::Time(5), 5, 7), "found");
        assert!(!is_unanswered(At::Time(5), -1, -1), "no record is as late");
    }
}
