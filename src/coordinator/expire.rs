//! What nobody needs any more is forgotten (`offsets.retention.minutes`), by the rules of KIP-496.

use std::collections::BTreeSet;

use super::coordinator::NamedOffset;
use super::group::{Group, State};
use super::meters::Forgetting;
use super::offsets::Committed;
use super::step::Step;
use crate::base::limits::GROUP_OFFSETS_FORGOTTEN_AT_ONCE;

impl Group {
    /// Forgets offsets that are too old, and the group with the last of them.
    pub fn expire(&mut self, step: &mut Step<'_>) {
        // A commit on its way makes an offset new.
        if self.pending_offset_appends > 0 || self.state == State::Dead {
            return;
        }
        let expired = self.expired_offsets(step);
        if !expired.is_empty() {
            return self.forget_offsets(step, expired, Forgetting::Expired, None);
        }
        if self.is_idle() {
            self.bury(step, None);
        }
    }

    fn expired_offsets(&self, step: &Step<'_>) -> Vec<NamedOffset> {
        let now_ms = step.moment.wall_clock_ms;
        let retention_ms = step.settings.offsets_retention_ms;
        let subscribed = match self.state {
            State::Stable => self.subscribed_topics(),
            _ => None,
        };
        let is_expired = |topic: &str, committed: &Committed| {
            if let Some(expire_ms) = committed.expire_ms {
                return now_ms >= expire_ms;
            }
            let since_ms = match (&self.protocol_type, self.state) {
                // Without members ever, an offset ages by itself.
                (None, _) => committed.commit_ms,
                // With members it ages when they have left,
                (Some(_), State::Empty) => committed.commit_ms.max(self.state_since_ms),
                // or when they have turned to other topics.
                (Some(_), _) if is_left(subscribed.as_ref(), topic) => committed.commit_ms,
                (Some(_), _) => return false,
            };
            now_ms.saturating_sub(since_ms) >= retention_ms
        };
        let expired = self.offsets.iter().filter(|(topic, _, committed)| is_expired(topic, committed));
        expired
            .take(GROUP_OFFSETS_FORGOTTEN_AT_ONCE)
            .map(|(topic, partition, _)| (topic.to_owned(), partition))
            .collect()
    }

    /// Forgets the offsets of topics that were deleted.
    pub fn forget_topics(&mut self, step: &mut Step<'_>, topics: &BTreeSet<String>) {
        if self.state == State::Dead {
            return;
        }
        let gone = self.offsets.iter().filter(|(topic, ..)| topics.contains(*topic));
        let gone: Vec<NamedOffset> =
            gone.map(|(topic, partition, _)| (topic.to_owned(), partition)).collect();
        for some in gone.chunks(GROUP_OFFSETS_FORGOTTEN_AT_ONCE) {
            self.forget_offsets(step, some.to_vec(), Forgetting::TopicDeleted, None);
        }
    }
}

fn is_left(subscribed: Option<&BTreeSet<String>>, topic: &str) -> bool {
    subscribed.is_some_and(|topics| !topics.contains(topic))
}
