//! Which versions of each API a broker has.

use std::collections::BTreeMap;

use corelane::protocol::messages::api_versions::ApiVersionsRequest;
use corelane::protocol::{Api, ErrorCode, Request};

use super::{BlockingClient, ClientError};

/// The ranges that a broker advertises, by API key.
#[derive(Clone, Default, Debug)]
pub struct Versions(BTreeMap<i16, (i16, i16)>);

impl Versions {
    /// Asks the broker. Version 0 is answered by every broker, whatever else it has.
    pub fn ask(client: &mut BlockingClient) -> Result<Versions, ClientError> {
        let response = client.call_version(&ApiVersionsRequest::default(), 0)?;
        if response.error_code != ErrorCode::None {
            let what = format!("asking {} for its versions", client.address());
            return Err(ClientError::Refused { what, code: response.error_code });
        }
        let range = |it: &corelane::protocol::messages::api_versions::ApiVersion| {
            (it.api_key, (it.min_version, it.max_version))
        };
        Ok(Versions(response.api_keys.iter().map(range).collect()))
    }

    /// The newest version that both sides have, up to `version_max`.
    pub fn pick(&self, api: Api, version_max: i16, address: &str) -> Result<i16, ClientError> {
        self.common(api, version_max)
            .ok_or_else(|| ClientError::NoVersion { address: address.to_owned(), api: api.key })
    }

    fn common(&self, api: Api, version_max: i16) -> Option<i16> {
        let (min, max) = *self.0.get(&(api.key as i16))?;
        let newest = max.min(api.versions.max).min(version_max);
        (newest >= min.max(api.versions.min)).then_some(newest)
    }

    /// Whether the broker serves an API in a version that this program has.
    pub fn has<R: Request>(&self) -> bool {
        self.common(R::API, i16::MAX).is_some()
    }
}

#[cfg(test)]
mod tests {
    use corelane::protocol::Message;
    use corelane::protocol::messages::produce::ProduceRequest;

    use super::*;

    #[test]
    fn the_newest_common_version_is_picked() {
        let versions = |min, max| Versions([(0, (min, max))].into());
        let pick = |min, max, limit| versions(min, max).pick(ProduceRequest::API, limit, "b").ok();
        assert_eq!(pick(0, 7, i16::MAX), Some(7));
        assert_eq!(pick(0, 99, i16::MAX), Some(ProduceRequest::API.versions.max));
        assert_eq!(pick(0, 99, 12), Some(12));
        assert_eq!(pick(50, 99, i16::MAX), None);
        assert!(!Versions::default().has::<ProduceRequest>());
    }
}
