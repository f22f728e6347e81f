//! What all messages have in common, and whole frames in both directions.

use bytes::Bytes;

use super::header::{RequestHeader, ResponseHeader};
use super::wire::{Format, Wire};
use super::{ApiKey, Chain, DecodeError, Reader, VersionRange, Writer};

/// An API as this broker knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Api {
    /// The key that names it on the wire.
    pub key: ApiKey,
    /// The versions that the codec reads and writes.
    pub versions: VersionRange,
    /// The first flexible version (KIP-482).
    pub flexible_from: i16,
}

impl Api {
    /// The version of the header in front of a request of this API and version.
    pub fn request_header_version(self, version: i16) -> i16 {
        if version >= self.flexible_from { 2 } else { 1 }
    }

    /// The version of the header in front of a response of this API and version. That of ApiVersions is always
    /// 0: a client must be able to read it before it knows what the broker speaks (KIP-511).
    pub fn response_header_version(self, version: i16) -> i16 {
        if version >= self.flexible_from && self.key != ApiKey::ApiVersions { 1 } else { 0 }
    }

    fn check(self, version: i16) -> Result<Format, DecodeError> {
        if self.versions.contains(version) {
            Ok(Format::new(version, self.flexible_from))
        } else {
            Err(DecodeError::Version { api: self.key, version })
        }
    }
}

/// The body of a request or response.
pub trait Message: Wire + Default {
    /// The API that it belongs to.
    const API: Api;

    /// Reads a body of `version`. Bytes behind it stay unread: Kafka ignores them too.
    fn decode(reader: &mut Reader, version: i16) -> Result<Self, DecodeError> {
        Self::read(reader, Self::API.check(version)?)
    }

    /// Writes the body as of `version`, which must be one that the API has. Fields that the version lacks are
    /// left out.
    fn encode(&self, writer: &mut Writer, version: i16) {
        let format = Self::API.check(version).expect("a version that the API has");
        self.write(writer, format);
    }
}

/// The body of a request.
pub trait Request: Message {
    /// What answers it.
    type Response: Message;
}

/// A whole request frame.
pub fn encode_request<R: Request>(
    request: &R,
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
) -> Chain {
    let mut writer = Writer::frame();
    let header =
        RequestHeader { api: R::API, version, correlation_id, client_id: client_id.map(str::to_owned) };
    header.encode(&mut writer);
    request.encode(&mut writer, version);
    writer.into_frame()
}

/// A whole response frame.
pub fn encode_response<M: Message>(response: &M, version: i16, correlation_id: i32) -> Chain {
    let mut writer = Writer::frame();
    ResponseHeader { correlation_id }.encode(&mut writer, M::API.response_header_version(version));
    response.encode(&mut writer, version);
    writer.into_frame()
}

/// Reads a response from the contents of its frame (the bytes behind the length).
pub fn decode_response<M: Message>(frame: Bytes, version: i16) -> Result<(ResponseHeader, M), DecodeError> {
    let mut reader = Reader::new(frame);
    let header = ResponseHeader::decode(&mut reader, M::API.response_header_version(version))?;
    Ok((header, M::decode(&mut reader, version)?))
}
