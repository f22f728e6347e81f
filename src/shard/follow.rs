//! The shard follows the metadata: what it owns is opened, changed and closed as the image says.

use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::watch;

use super::open::{NO_TERM, PartitionSpec};
use super::phase::Phase;
use super::shard::Shard;
use crate::base::ids::ShardId;
use crate::base::limits::PARTITIONS_PER_TURN;
use crate::cluster::{Closed, Delta, Duties, Duty, Image, Owned, Owner, TopicDefaults, settings_of};
use crate::config::Config;

/// The defaults of topic configs that the broker's configuration makes.
pub fn configured_defaults(config: &Config) -> TopicDefaults {
    let values = [
        ("compression.type", config.compression_type.clone()),
        ("log.cleaner.backoff.ms", config.log_cleaner_backoff.as_millis().to_string()),
        ("log.cleaner.dedupe.buffer.size", config.log_cleaner_dedupe_buffer_size.to_string()),
        ("log.cleaner.io.max.bytes.per.second", config.log_cleaner_io_max_bytes_per_second.to_string()),
        ("log.flush.interval.messages", config.log_flush_interval_messages.clone()),
        ("log.flush.interval.ms", config.log_flush_interval_ms.clone()),
        ("log.message.timestamp.after.max.ms", config.log_message_timestamp_after_max_ms.to_string()),
        ("log.message.timestamp.before.max.ms", config.log_message_timestamp_before_max_ms.to_string()),
        ("log.message.timestamp.type", config.log_message_timestamp_type.clone()),
        ("log.retention.bytes", config.log_retention_bytes.to_string()),
        ("log.retention.ms", config.log_retention_ms.to_string()),
        ("log.roll.ms", config.log_roll_ms.to_string()),
        ("log.segment.bytes", config.log_segment_bytes.to_string()),
        ("message.max.bytes", config.message_max_bytes.to_string()),
        ("producer.id.expiration.ms", config.producer_id_expiration_ms.to_string()),
    ];
    let batch_bytes_max = u32::try_from(config.batch_bytes_max()).unwrap_or(u32::MAX);
    TopicDefaults {
        memory_acknowledgement: config.memory_acknowledgement_enable,
        ..TopicDefaults::of_configuration(values, batch_bytes_max)
    }
}

/// The partitions that an image gives a shard, to open its storage by.
pub fn partition_specs(image: &Image, config: &Config, shard: ShardId) -> Vec<PartitionSpec> {
    let defaults = configured_defaults(config).at(image, config.broker_id(shard));
    let owner = Owner { node: config.node_id, shard };
    Delta::initial(image, owner).open.iter().map(|owned| spec(owned, owner, &defaults)).collect()
}

fn spec(owned: &Owned, owner: Owner, defaults: &TopicDefaults) -> PartitionSpec {
    let leads = owned.partition().owner() == Some(owner);
    let is_alone = owned.partition().replicas.len() == 1;
    let topic = &owned.topic.record;
    let settings = settings_of(topic, defaults);
    if let (Some(unsynced_records_max), 0) = (settings.unsynced_records_max, owned.partition().index) {
        tracing::warn!(
            topic = topic.name,
            unsynced_records_max,
            "the topic's records are acknowledged from memory: a crash loses those that are not synced"
        );
    }
    PartitionSpec {
        id: owned.id(),
        topic_name: topic.name.clone(),
        leader_epoch: if leads && is_alone { owned.partition().leader_epoch } else { NO_TERM },
        settings,
    }
}

impl Shard {
    /// Applies every image that is published, or the latest where there were several, and reports it.
    pub(super) async fn follow_metadata(self: Rc<Self>, mut images: watch::Receiver<Arc<Image>>) {
        loop {
            let next = Arc::clone(&images.borrow_and_update());
            if next.version() > self.image.borrow().version() {
                let before = self.image();
                self.apply(&next).await;
                self.follow_groups(&before);
            }
            self.metadata.applied(self.id, next.version());
            let changed = std::pin::pin!(images.changed());
            let stopped = std::pin::pin!(self.phases.reached(Phase::Stopped));
            match futures_util::future::select(changed, stopped).await {
                futures_util::future::Either::Left((Ok(()), _)) => {}
                _ => return,
            }
        }
    }

    /// What fails concerns single partitions: it is logged, and they stay out of service.
    async fn apply(&self, next: &Arc<Image>) {
        let before = self.image();
        let delta = Delta::between(&before, next, self.owner());
        let defaults = self.topic_defaults_in(next);
        self.storage.set_producer_expiration(defaults.producer_id_expiration_ms());
        self.storage.set_cleaner(defaults.cleaner());
        let opened: Vec<_> = delta.open.iter().map(|owned| spec(owned, self.owner(), &defaults)).collect();
        if !opened.is_empty()
            && let Err(error) = self.storage.open_new(&opened).await
        {
            tracing::error!(shard = self.id.0, %error, "new partitions cannot be opened");
        }
        for (changed, owned) in delta.changed.iter().enumerate() {
            // A broker's config may concern every partition.
            if changed % PARTITIONS_PER_TURN == PARTITIONS_PER_TURN - 1 {
                self.runtime.yield_now().await;
            }
            if let Err(error) = self.storage.change(&spec(owned, self.owner(), &defaults)) {
                tracing::error!(partition = %owned.id(), %error, "a partition cannot be changed as the metadata says");
            }
            self.replication.settings_changed(owned.id());
        }
        // Requests see what is new from here on, and what goes is gone for them before its files are.
        self.set_image(Arc::clone(next));
        self.take_up_duties(Some(&before), next);
        if !before.nodes().eq(next.nodes()) {
            self.replication.look_at_nodes(next).await;
        }
        for closed in delta.close {
            match closed {
                Closed::Deleted(id) => {
                    if let Err(error) = self.storage.delete(id).await {
                        tracing::error!(partition = %id, %error, "a deleted partition's files remain");
                    }
                }
                Closed::Moved(id) => {
                    tracing::error!(partition = %id, "partitions move between shards at a start only");
                }
            }
        }
    }

    /// Leads or follows as the metadata says, of which `before` was known already.
    pub(super) fn take_up_duties(&self, before: Option<&Image>, image: &Image) {
        let duties = Duties::between(before, image, self.replication.identity().holder(image));
        for (owned, duty) in &duties.take_up {
            if owned.partition().replicas.len() > 1 {
                self.replication.take_up(image, owned.partition(), *duty);
            }
        }
        self.replication.duties_done();
    }

    /// Takes partitions up again whose logs were being cut when the metadata changed.
    pub(super) async fn look_again_at_duties(self: Rc<Self>) {
        while self.until(self.replication.look_again_wanted.notified()).await {
            let image = self.image();
            let holder = self.replication.identity().holder(&image);
            for id in self.replication.look_again.take() {
                let Some(record) = image.partition(id) else { continue };
                if let Some(duty) = Duty::of(&image, record, holder) {
                    self.replication.take_up(&image, record, duty);
                }
            }
            self.replication.duties_done();
        }
    }
}
