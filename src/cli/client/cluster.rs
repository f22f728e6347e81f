//! A connected client for admin calls.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::metadata::Metadata;
use rdkafka::producer::{BaseProducer, Producer};

use super::arguments::Connection;
use super::error::{BrokerError, ClientError};
use super::native::{self, ClusterDescription};
use super::watch::Watch;

/// A client that has heard from its cluster. Admin calls are in `native/`.
pub struct Cluster {
    // librdkafka has no admin clients; a producer that produces nothing is its lightest client.
    pub(super) client: BaseProducer<Watch>,
    pub(super) timeout: Duration,
    brokers: String,
    description: ClusterDescription,
}

impl Cluster {
    /// Connects, and asks who is there. Fails as soon as no broker can be reached, without waiting for the timeout.
    pub fn connect(connection: &Connection) -> Result<Self, ClientError> {
        let config: ClientConfig = connection.client_config();
        let timeout = connection.timeout;
        let client: BaseProducer<Watch> = config
            .create_with_context(Watch::new(connection.verbose))
            .map_err(|error| ClientError::library("the client", &error, timeout))?;
        let brokers = connection.brokers.clone();
        let mut cluster = Self { client, timeout, brokers, description: ClusterDescription::default() };
        cluster.description = native::describe_cluster(&cluster)?;
        Ok(cluster)
    }

    /// What the cluster said of itself at first.
    pub fn description(&self) -> &ClusterDescription {
        &self.description
    }

    /// All topics with their partitions, internal ones too, as the cluster sees them now.
    pub fn metadata(&self) -> Result<Metadata, ClientError> {
        let fetched = self.client.client().fetch_metadata(None, self.timeout);
        fetched.map_err(|error| ClientError::library("the metadata of all topics", &error, self.timeout))
    }

    /// A broker's error at `what`.
    pub(super) fn answered(&self, what: impl Into<String>, error: BrokerError) -> ClientError {
        ClientError::answered(what, error, self.timeout)
    }

    pub(super) fn watch(&self) -> &Watch {
        self.client.client().context()
    }

    /// That no broker can be reached, and why.
    pub(super) fn unreachable(&self) -> ClientError {
        let reason = self.watch().reason().unwrap_or_else(|| "all connections fail".to_owned());
        ClientError::Unreachable { brokers: self.brokers.clone(), reason }
    }
}
