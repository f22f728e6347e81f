//! From a frame to the file that knows the request.

use std::rc::Rc;

use bytes::Bytes;

use crate::protocol::messages::{
    api_versions::ApiVersionsRequest, create_topics::CreateTopicsRequest,
    delete_records::DeleteRecordsRequest, delete_topics::DeleteTopicsRequest,
    describe_cluster::DescribeClusterRequest, describe_configs::DescribeConfigsRequest, fetch::FetchRequest,
    init_producer_id::InitProducerIdRequest, list_offsets::ListOffsetsRequest, metadata::MetadataRequest,
    produce::ProduceRequest,
};
use crate::protocol::{ApiKey, DecodeError, Message, Reader, RequestHeader};
use crate::shard::{ListenerIndex, Shard};

use super::guard::guarded;
use super::reply::{Refused, Reply};
use super::{
    PendingProduce, api_versions, create_topics, delete_records, delete_topics, describe_cluster,
    describe_configs, fetch, init_producer_id, list_offsets, metadata, produce,
};

/// Who executes requests, and for whom.
#[derive(Clone)]
pub struct Caller {
    /// The shard that the connection is on.
    pub shard: Rc<Shard>,
    /// The listener that it came in by.
    pub listener: ListenerIndex,
}

/// A request that was read.
pub enum Call {
    /// One whose records are appended without waiting for those of the ones before it.
    Produce(ProduceCall),
    /// Any other; it is executed when all before it are answered.
    Other(OtherCall),
}

/// A produce request.
pub struct ProduceCall {
    pub(super) header: RequestHeader,
    pub(super) request: ProduceRequest,
}

/// Any other request.
pub struct OtherCall {
    header: RequestHeader,
    body: Body,
}

enum Body {
    Fetch(FetchRequest),
    ListOffsets(ListOffsetsRequest),
    Metadata(MetadataRequest),
    ApiVersions,
    /// ApiVersions of a version that we do not know.
    NewerApiVersions,
    CreateTopics(CreateTopicsRequest),
    DeleteTopics(DeleteTopicsRequest),
    DeleteRecords(DeleteRecordsRequest),
    InitProducerId(InitProducerIdRequest),
    DescribeConfigs(DescribeConfigsRequest),
    DescribeCluster(DescribeClusterRequest),
}

/// Whether a request's frame claims to be a produce request.
pub fn is_produce(frame: &[u8]) -> bool {
    frame.starts_with(&(ApiKey::Produce as i16).to_be_bytes())
}

/// Takes a request's frame (the bytes behind its length) apart. Record batches stay views of it.
pub fn decode(frame: Bytes) -> Result<Call, Refused> {
    guarded(|| read_call(&mut Reader::new(frame))).ok_or(Refused::Defect)?.map_err(Refused::Malformed)
}

fn read_call(reader: &mut Reader) -> Result<Call, DecodeError> {
    let header = RequestHeader::decode(reader)?;
    let version = header.version;
    let body = match header.api.key {
        ApiKey::Produce => {
            let request = ProduceRequest::decode(reader, version)?;
            return Ok(Call::Produce(ProduceCall { header, request }));
        }
        ApiKey::Fetch => Body::Fetch(Message::decode(reader, version)?),
        ApiKey::ListOffsets => Body::ListOffsets(Message::decode(reader, version)?),
        ApiKey::Metadata => Body::Metadata(Message::decode(reader, version)?),
        ApiKey::ApiVersions if !header.is_version_supported() => Body::NewerApiVersions,
        ApiKey::ApiVersions => {
            ApiVersionsRequest::decode(reader, version)?;
            Body::ApiVersions
        }
        ApiKey::CreateTopics => Body::CreateTopics(Message::decode(reader, version)?),
        ApiKey::DeleteTopics => Body::DeleteTopics(Message::decode(reader, version)?),
        ApiKey::DeleteRecords => Body::DeleteRecords(Message::decode(reader, version)?),
        ApiKey::InitProducerId => Body::InitProducerId(Message::decode(reader, version)?),
        ApiKey::DescribeConfigs => Body::DescribeConfigs(Message::decode(reader, version)?),
        ApiKey::DescribeCluster => Body::DescribeCluster(Message::decode(reader, version)?),
        other => return Err(DecodeError::ApiKey(other as i16)),
    };
    Ok(Call::Other(OtherCall { header, body }))
}

impl Caller {
    /// Appends the records of a produce request. Completes when they have their places in their partitions;
    /// what it returns, when they are durable.
    pub async fn produce(&self, call: ProduceCall) -> PendingProduce {
        produce::begin(self, call).await
    }

    /// Executes any other request to its end.
    pub async fn execute(&self, call: OtherCall) -> Reply {
        let OtherCall { header, body } = call;
        let (caller, header) = (self, &header);
        // Boxed, so that a connection that does nothing has no room for the largest of them.
        match body {
            Body::Fetch(request) => Box::pin(fetch::handle(caller, header, request)).await,
            Body::ListOffsets(request) => Box::pin(list_offsets::handle(caller, header, request)).await,
            Body::Metadata(request) => Box::pin(metadata::handle(caller, header, request)).await,
            Body::ApiVersions => api_versions::handle(header),
            Body::NewerApiVersions => api_versions::refuse(header),
            Body::CreateTopics(request) => Box::pin(create_topics::handle(caller, header, request)).await,
            Body::DeleteTopics(request) => Box::pin(delete_topics::handle(caller, header, request)).await,
            Body::DeleteRecords(request) => Box::pin(delete_records::handle(caller, header, request)).await,
            Body::InitProducerId(request) => {
                Box::pin(init_producer_id::handle(caller, header, request)).await
            }
            Body::DescribeConfigs(request) => describe_configs::handle(caller, header, &request),
            Body::DescribeCluster(request) => describe_cluster::handle(caller, header, &request),
        }
    }
}
