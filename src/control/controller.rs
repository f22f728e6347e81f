//! The one place where metadata changes: command, pure function, proposal, commit, new image, reply.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::{oneshot, watch};

use super::client::{Answer, Command, ControlError};
use super::decide::Decider;
use super::environment::Environment;
use super::progress::Progress;
use super::store::{MetadataStore, Space, StoreError};
use crate::base::limits::{CONTROL_COMMANDS_PER_COMMIT_MAX, CONTROL_REPLIES_WAITING_MAX};
use crate::cluster::{Draft, Image, Placing};

/// A reply that waits until every shard has applied a version.
struct Waiting {
    version: u64,
    reply: oneshot::Sender<Result<Answer, ControlError>>,
    answer: Answer,
}

/// Control's state. Whoever drives it calls [`Controller::process`] with commands and
/// [`Controller::reply_to_applied`] when shards have progressed.
pub struct Controller {
    store: Box<dyn MetadataStore>,
    decider: Decider,
    images: watch::Sender<Arc<Image>>,
    progress: Arc<Progress>,
    /// In order of their versions.
    waiting: VecDeque<Waiting>,
    /// Why nothing can be committed any more.
    failure: Option<String>,
}

impl Controller {
    /// A controller that continues from `image`, which the store holds.
    pub fn new(
        store: Box<dyn MetadataStore>,
        image: Arc<Image>,
        placing: Placing,
        environment: Environment,
    ) -> Self {
        let (images, _) = watch::channel(image);
        let progress = Arc::new(Progress::new(placing.shards));
        let waiting = VecDeque::new();
        let decider = Decider::new(placing, environment);
        Controller { store, decider, images, progress, waiting, failure: None }
    }

    pub fn image(&self) -> Arc<Image> {
        Arc::clone(&self.images.borrow())
    }

    pub fn subscribe(&self) -> watch::Receiver<Arc<Image>> {
        self.images.subscribe()
    }

    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Commands that may be processed now: at most one transaction's worth, and none while as many replies wait
    /// as may.
    pub fn capacity(&self) -> usize {
        CONTROL_COMMANDS_PER_COMMIT_MAX.min(CONTROL_REPLIES_WAITING_MAX - self.waiting.len())
    }

    /// Carries out commands in one proposal.
    pub fn process(&mut self, batch: Vec<Command>) {
        assert!(batch.len() <= self.capacity());
        if let Some(failure) = &self.failure {
            return refuse(batch, &ControlError::OutOfService(failure.clone()));
        }
        let mut draft = Draft::of(&self.image());
        let answers: Vec<Answer> =
            batch.iter().map(|command| self.decider.evaluate(&command.request, &mut draft)).collect();
        match self.commit(draft, space_of(&batch)) {
            Ok(version) => {
                let answered = batch.into_iter().zip(answers);
                self.waiting.extend(answered.map(|(command, answer)| Waiting {
                    version,
                    reply: command.reply,
                    answer,
                }));
                self.reply_to_applied();
            }
            // What needs space must not keep what gives it from being done, nor a long command its neighbours.
            Err(StoreError::DiskFull { .. } | StoreError::TooLong { .. }) if batch.len() > 1 => {
                batch.into_iter().for_each(|command| self.process(vec![command]));
            }
            Err(error @ StoreError::DiskFull { .. }) => {
                refuse(batch, &ControlError::DiskFull(error.to_string()));
            }
            Err(error @ StoreError::TooLong { .. }) => {
                refuse(batch, &ControlError::TooLong(error.to_string()));
            }
            Err(error) => {
                tracing::error!(%error, "control is out of service: metadata could not be committed");
                self.failure = Some(error.to_string());
                refuse(batch, &ControlError::OutOfService(error.to_string()));
            }
        }
    }

    /// Sends the replies whose changes every shard has applied.
    pub fn reply_to_applied(&mut self) {
        let applied = self.progress.applied_by_all();
        while let Some(waiting) = self.waiting.pop_front_if(|waiting| waiting.version <= applied) {
            // Nobody listens any more if the client has gone.
            let _ = waiting.reply.send(Ok(waiting.answer));
        }
    }

    /// Makes the draft durable and publishes it. Returns the version that a reply has to wait for: where nothing
    /// changed the present one, as the answer may tell of a change that a shard has yet to apply.
    fn commit(&mut self, draft: Draft, space: Space) -> Result<u64, StoreError> {
        if !draft.changes().is_empty() {
            self.store.commit(draft.changes(), space)?;
            self.images.send_replace(Arc::new(draft.finish()));
        }
        Ok(self.images.borrow().version())
    }
}

fn space_of(batch: &[Command]) -> Space {
    let spends = batch.iter().any(|command| command.request.spends_space());
    if spends { Space::Spend } else { Space::Essential }
}

fn refuse(batch: Vec<Command>, error: &ControlError) {
    for command in batch {
        let _ = command.reply.send(Err(error.clone()));
    }
}
