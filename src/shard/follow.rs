//! The shard follows the metadata: what it owns is opened, changed and closed as the image says.

use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::watch;

use super::open::PartitionSpec;
use super::phase::Phase;
use super::shard::Shard;
use crate::cluster::{Closed, Delta, Image, Owned, Owner, TopicDefaults, topic_settings};
use crate::config::Config;

/// The defaults of topic configs that the broker's configuration makes.
pub fn topic_defaults(config: &Config) -> TopicDefaults {
    TopicDefaults {
        message_max_bytes: u32::try_from(config.message_max_bytes).unwrap_or(u32::MAX),
        segment_bytes: u32::try_from(config.log_segment_bytes).unwrap_or(u32::MAX),
    }
}

/// The partitions that an image gives a shard, to open its storage by.
pub fn partition_specs(image: &Image, owner: Owner, defaults: &TopicDefaults) -> Vec<PartitionSpec> {
    Delta::initial(image, owner).open.iter().map(|owned| spec(owned, defaults)).collect()
}

fn spec(owned: &Owned, defaults: &TopicDefaults) -> PartitionSpec {
    let topic = &owned.topic.record;
    PartitionSpec {
        id: owned.id(),
        topic_name: topic.name.clone(),
        leader_epoch: owned.partition().leader_epoch,
        segment_bytes: topic_settings(&topic.configs, defaults).segment_bytes.into(),
    }
}

impl Shard {
    /// Applies every image that is published, or the latest where there were several, and reports it.
    pub(super) async fn follow_metadata(self: Rc<Self>, mut images: watch::Receiver<Arc<Image>>) {
        loop {
            let next = Arc::clone(&images.borrow_and_update());
            if next.version() > self.image.borrow().version() {
                self.apply(&next).await;
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
        let delta = Delta::between(&self.image(), next, self.owner());
        let defaults = topic_defaults(&self.config);
        let opened: Vec<_> = delta.open.iter().map(|owned| spec(owned, &defaults)).collect();
        if !opened.is_empty()
            && let Err(error) = self.storage.open_new(&opened).await
        {
            tracing::error!(shard = self.id.0, %error, "new partitions cannot be opened");
        }
        for owned in &delta.changed {
            if let Err(error) = self.storage.change(&spec(owned, &defaults)) {
                tracing::error!(partition = %owned.id(), %error, "a partition cannot enter its new term");
            }
        }
        // Requests see what is new from here on, and what goes is gone for them before its files are.
        self.set_image(Arc::clone(next));
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
}
