//! The node among the others: it registers its start, says again and again that it is there, and that it wants to stop.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select;
use tokio::sync::{Semaphore, mpsc, watch};

use super::super::client::{Command, ControlError, Request};
use super::super::progress::Progress;
use super::asker::{Again, Asker, Unanswered};
use super::driver::{Carried, Input};
use super::message::{Ask, Reply};
use crate::base::limits::{CONTROL_ROUTING_MS, NODE_HEARTBEAT_MS, NODE_HEARTBEAT_PATIENCE_MS, NODE_LEASE_MS};
use crate::cluster::{Heartbeat, Image, Registration};
use crate::runtime::tokio::sleep;
use crate::shard::Lease;
use crate::transport::{ClusterLinks, LinkPeer};

/// The node's word to the controller.
pub struct Presence {
    /// Its lane.
    pub asker: Asker,
    /// Its links, and the voters: the first of whom has heard of it lets its member in.
    pub links: (ClusterLinks, Vec<LinkPeer>),
    /// What it says of itself.
    pub registration: Registration,
    /// The image as the node knows it.
    pub known: watch::Receiver<Option<Arc<Image>>>,
    /// The epoch of its own record that its shards have applied.
    pub own_epoch: watch::Receiver<u64>,
    /// Whether it is to stop.
    pub retiring: watch::Receiver<bool>,
    /// How far the node's shards are, and which of them have failed.
    pub progress: Arc<Progress>,
    /// How long the node may act as a leader.
    pub lease: Lease,
    /// Who is told once that it may.
    pub retired: Option<std::sync::mpsc::Sender<()>>,
}

impl Presence {
    /// Registers the start; the epoch, and the first image in which it is. Waits for as long as there is no controller.
    pub async fn register(&mut self) -> Result<(u64, Arc<Image>), String> {
        let mut is_told = false;
        loop {
            let ask = Ask::Register(self.registration.clone());
            match self.asker.ask(ask, Again::Safe, CONTROL_ROUTING_MS).await {
                Ok(Reply::Registered(epoch)) => {
                    self.open_links();
                    return Ok((epoch, self.until_known(epoch).await?));
                }
                Ok(Reply::RegistrationRefused(why)) => return Err(why),
                Ok(other) => return Err(format!("the controller answers {other:?}")),
                Err(_) if std::mem::replace(&mut is_told, true) => {}
                Err(_) => tracing::warn!(
                    "there is no controller yet: the node waits until a majority of the voters runs"
                ),
            }
        }
    }

    /// Who knows nothing learns it from the voters. Later the image says with whom to speak.
    fn open_links(&self) {
        if self.known.borrow().is_none() {
            let (links, voters) = &self.links;
            links.set_peers(voters.clone());
        }
    }

    /// The image in which the start is registered.
    async fn until_known(&mut self, epoch: u64) -> Result<Arc<Image>, String> {
        let node = self.registration.node;
        let has_it = |image: &Option<Arc<Image>>| {
            let record = image.as_ref().and_then(|image| image.node(node));
            record.is_some_and(|record| record.registration_epoch >= epoch)
        };
        let known = self.known.wait_for(has_it).await.map_err(|_| "control has stopped".to_owned())?;
        Ok(Arc::clone(known.as_ref().expect("just looked at")))
    }

    /// Who is fenced leads nothing.
    fn renew_lease(&self, outcome: &Result<Reply, Unanswered>) {
        if matches!(outcome, Ok(Reply::Heard(answer)) if !answer.fenced) {
            let asked_ms = self.lease.now_ms().saturating_sub(self.asker.asked_before_ms());
            self.lease.renew(asked_ms, NODE_LEASE_MS);
        }
    }

    /// Says that the node is there until nobody listens any more.
    pub async fn beat(mut self, epoch: u64) {
        let mut is_refused = false;
        loop {
            let heartbeat = Heartbeat {
                node: self.registration.node,
                registration_epoch: epoch,
                applied_record_epoch: *self.own_epoch.borrow_and_update(),
                wants_shutdown: *self.retiring.borrow_and_update(),
                failed_shards: self.progress.failed_shards(),
            };
            let outcome =
                self.asker.ask(Ask::Heartbeat(heartbeat), Again::Safe, NODE_HEARTBEAT_PATIENCE_MS).await;
            self.renew_lease(&outcome);
            match outcome {
                Ok(Reply::Heard(answer)) if answer.may_stop => {
                    if let Some(retired) = self.retired.take() {
                        // Who waited may have lost patience.
                        let _ = retired.send(());
                    }
                }
                Ok(Reply::Heard(_)) => is_refused = false,
                Ok(_) if is_refused => {}
                Ok(other) => {
                    is_refused = true;
                    tracing::error!(
                        "the controller does not take this node for the one that registered: {other:?}"
                    );
                }
                Err(_) => tracing::warn!("no controller hears this node: it is fenced soon"),
            }
            let epoch = std::pin::pin!(self.own_epoch.changed());
            let retiring = std::pin::pin!(self.retiring.changed());
            let pause = std::pin::pin!(sleep(Duration::from_millis(NODE_HEARTBEAT_MS)));
            // What is news is said at once.
            select(select(epoch, retiring), pause).await;
            if self.known.has_changed().is_err() {
                return;
            }
        }
    }
}

/// Takes the shards' commands to the controller, one after the other.
pub async fn forward(
    mut asker: Asker,
    mut commands: mpsc::Receiver<Command>,
    inputs: mpsc::Sender<Input>,
    permits: Arc<Semaphore>,
) {
    loop {
        // As many replies may wait for the shards.
        let permit = Arc::clone(&permits).acquire_owned().await.expect("never closed");
        let Some(Command { request, reply }) = commands.recv().await else { return };
        let again = if is_repeatable(&request) { Again::Safe } else { Again::Never };
        let outcome = match asker.ask(Ask::Command(request), again, CONTROL_ROUTING_MS).await {
            Ok(Reply::Done { index, answer }) => Ok((index, answer)),
            Ok(Reply::Refused(error)) => Err(error),
            Ok(other) => Err(ControlError::OutOfService(format!("the controller answers {other:?}"))),
            Err(Unanswered::NotDone) => Err(ControlError::NoController),
            Err(Unanswered::Unknown) => Err(ControlError::Uncertain),
            Err(Unanswered::TooLong) => {
                let text = "this is too much for one request to the controller: ask for less";
                Err(ControlError::TooLong(text.to_owned()))
            }
        };
        if inputs.send(Input::Carried(Carried { outcome, reply, permit })).await.is_err() {
            return;
        }
    }
}

/// Whether asking twice does what asking once does. A topic that is created twice exists the second time; configs that
/// are appended to a list are not there twice, but what another client did meanwhile would be undone. An in-sync set that
/// was changed makes the second question out of date.
fn is_repeatable(request: &Request) -> bool {
    match request {
        Request::AllocateProducerIds | Request::AlterPartitions(_) => true,
        request => request.is_trial(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_harmless_is_asked_twice() {
        assert!(is_repeatable(&Request::AllocateProducerIds));
        assert!(is_repeatable(&Request::CreateTopics { topics: Vec::new(), validate_only: true }));
        assert!(!is_repeatable(&Request::CreateTopics { topics: Vec::new(), validate_only: false }));
        assert!(!is_repeatable(&Request::DeleteTopics(Vec::new())));
    }
}
