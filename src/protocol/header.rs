//! The headers in front of every body.
//!
//! A request starts with the API key, the version and the correlation id; version 1 of the header adds the
//! client's id, version 2 tagged fields. The client's id has the plain form of a string in version 2 too, so that
//! it can be read before the version is understood. (Version 0 was only ever used by ControlledShutdown.)
//! A response starts with the correlation id; version 1 of the header adds tagged fields.

use super::{Api, DecodeError, Reader, Writer, messages};

/// The header of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestHeader {
    /// The API asked for.
    pub api: Api,
    /// The version of request and response. Not necessarily one that the API has: ApiVersions must be answered
    /// nevertheless.
    pub version: i16,
    /// Repeated in the response.
    pub correlation_id: i32,
    /// The name that the client gave itself, for logs and quotas.
    pub client_id: Option<String>,
}

impl RequestHeader {
    /// Reads the header of a request.
    pub fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let key = reader.i16()?;
        let version = reader.i16()?;
        let correlation_id = reader.i32()?;
        let api = messages::find(key).ok_or(DecodeError::ApiKey(key))?;
        let client_id = reader.string(false)?;
        if api.request_header_version(version) >= 2 {
            reader.skip_tagged_fields()?;
        }
        Ok(RequestHeader { api, version, correlation_id, client_id })
    }

    /// Whether the body can be decoded: the API has this version.
    pub fn is_version_supported(&self) -> bool {
        self.api.versions.contains(self.version)
    }

    /// Writes the header.
    pub fn encode(&self, writer: &mut Writer) {
        writer.i16(self.api.key as i16);
        writer.i16(self.version);
        writer.i32(self.correlation_id);
        writer.string(self.client_id.as_deref(), false);
        if self.api.request_header_version(self.version) >= 2 {
            writer.uvarint(0);
        }
    }
}

/// The header of a response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ResponseHeader {
    /// The correlation id of the request.
    pub correlation_id: i32,
}

impl ResponseHeader {
    /// Reads a header of `header_version`, see [`Api::response_header_version`].
    pub fn decode(reader: &mut Reader, header_version: i16) -> Result<Self, DecodeError> {
        let correlation_id = reader.i32()?;
        if header_version >= 1 {
            reader.skip_tagged_fields()?;
        }
        Ok(ResponseHeader { correlation_id })
    }

    /// Writes a header of `header_version`, see [`Api::response_header_version`].
    pub fn encode(&self, writer: &mut Writer, header_version: i16) {
        writer.i32(self.correlation_id);
        if header_version >= 1 {
            writer.uvarint(0);
        }
    }
}
