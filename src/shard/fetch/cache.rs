//! Fetch sessions by their ids, and which of them goes when there are too many (KIP-227). Pure.
//!
//! Kafka's rules: a session goes for a new one when it was not used for [`FETCH_SESSION_EVICTION_MS`], or when it
//! is older than that and has fewer partitions than the new one. Where none may go, the new one is not made, and
//! its client goes on without. Besides the sessions we bound their partitions.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use crate::base::limits::FETCH_SESSION_EVICTION_MS;

/// A session's id; 0 is none.
pub type SessionId = i32;

/// Why a session does not go on.
#[derive(thiserror::Error, Clone, Copy, PartialEq, Eq, Debug)]
pub enum SessionError {
    /// There is none of that id (any more).
    #[error("there is no such fetch session")]
    IdNotFound,
    /// The request is not the one that follows the session's last.
    #[error("the request is not the next of its fetch session")]
    InvalidEpoch,
    /// Topics were named by their ids and are now named by their names, or the other way round.
    #[error("the fetch session names topics in another way")]
    TopicId,
}

struct Session<T> {
    /// The epoch of its next request.
    epoch: i32,
    uses_topic_ids: bool,
    created: Duration,
    used: Duration,
    partitions: usize,
    /// Whether it is listed in `by_size`.
    is_listed: bool,
    /// `None` while a request has it.
    state: Option<T>,
}

/// Sessions with a state of type `T`.
pub struct SessionCache<T> {
    sessions: HashMap<SessionId, Session<T>>,
    by_use: BTreeSet<(Duration, SessionId)>,
    /// Those that are old enough to go for a larger one.
    by_size: BTreeSet<(usize, SessionId)>,
    partitions: usize,
    sessions_max: usize,
    partitions_max: usize,
}

impl<T> SessionCache<T> {
    /// A cache of so many sessions with so many partitions in all.
    pub fn new(sessions_max: usize, partitions_max: usize) -> Self {
        SessionCache {
            sessions: HashMap::new(),
            by_use: BTreeSet::new(),
            by_size: BTreeSet::new(),
            partitions: 0,
            sessions_max,
            partitions_max,
        }
    }

    /// How many sessions there are, and how many partitions in all of them.
    pub fn sizes(&self) -> (usize, usize) {
        (self.sessions.len(), self.partitions)
    }

    /// Begins a session after its first request, if there is room or can be made. `random` gives random bits.
    pub fn begin(
        &mut self,
        now: Duration,
        uses_topic_ids: bool,
        partitions: usize,
        state: T,
        random: impl Fn() -> u64,
    ) -> Option<SessionId> {
        if !self.make_room(now, partitions) {
            return None;
        }
        let id = self.unused_id(random);
        let session = Session {
            epoch: 1,
            uses_topic_ids,
            created: now,
            used: now,
            partitions,
            is_listed: false,
            state: Some(state),
        };
        self.partitions += partitions;
        self.by_use.insert((now, id));
        self.sessions.insert(id, session);
        Some(id)
    }

    /// Takes a session's state for its next request.
    pub fn take(&mut self, id: SessionId, epoch: i32, uses_topic_ids: bool) -> Result<T, SessionError> {
        let session = self.sessions.get_mut(&id).ok_or(SessionError::IdNotFound)?;
        if session.epoch != epoch {
            return Err(SessionError::InvalidEpoch);
        }
        if session.uses_topic_ids != uses_topic_ids {
            return Err(SessionError::TopicId);
        }
        // A client has one request on its way in a session; two are of a client that gave the first one up.
        let state = session.state.take().ok_or(SessionError::InvalidEpoch)?;
        session.epoch = next_epoch(epoch);
        Ok(state)
    }

    /// Notes that a session is used, and that it has so many partitions now. One that is too large for the cache
    /// ends: its client begins a new one, or goes on without.
    pub fn touch(&mut self, id: SessionId, now: Duration, partitions: usize) -> Result<(), SessionError> {
        let session = self.sessions.get_mut(&id).ok_or(SessionError::IdNotFound)?;
        if self.partitions - session.partitions + partitions > self.partitions_max {
            self.remove(id);
            return Err(SessionError::IdNotFound);
        }
        self.by_use.remove(&(session.used, id));
        if session.is_listed {
            self.by_size.remove(&(session.partitions, id));
        }
        self.partitions = self.partitions - session.partitions + partitions;
        (session.used, session.partitions) = (now, partitions);
        self.by_use.insert((now, id));
        session.is_listed = is_old(now, session.created);
        if session.is_listed {
            self.by_size.insert((partitions, id));
        }
        Ok(())
    }

    /// Gives a session's state back after its request. The session may have ended meanwhile.
    pub fn give_back(&mut self, id: SessionId, state: T) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.state = Some(state);
        }
    }

    /// Ends a session, if there is one of that id.
    pub fn remove(&mut self, id: SessionId) {
        let Some(session) = self.sessions.remove(&id) else { return };
        self.partitions -= session.partitions;
        self.by_use.remove(&(session.used, id));
        self.by_size.remove(&(session.partitions, id));
    }

    fn make_room(&mut self, now: Duration, partitions: usize) -> bool {
        if partitions > self.partitions_max {
            return false;
        }
        while self.sessions.len() >= self.sessions_max || self.partitions + partitions > self.partitions_max {
            let Some(least) = self.least_worth(now, partitions) else { return false };
            self.remove(least);
        }
        true
    }

    /// The session that goes for one of so many partitions.
    fn least_worth(&self, now: Duration, partitions: usize) -> Option<SessionId> {
        let &(used, id) = self.by_use.first()?;
        if is_old(now, used) {
            return Some(id);
        }
        let &(smallest, id) = self.by_size.first()?;
        (partitions > smallest).then_some(id)
    }

    fn unused_id(&self, random: impl Fn() -> u64) -> SessionId {
        loop {
            let id = (random() as i32) & i32::MAX;
            if id != 0 && !self.sessions.contains_key(&id) {
                return id;
            }
        }
    }
}

fn is_old(now: Duration, since: Duration) -> bool {
    now.saturating_sub(since) > Duration::from_millis(FETCH_SESSION_EVICTION_MS)
}

/// 0 begins a session, so the epoch after the largest is 1.
fn next_epoch(epoch: i32) -> i32 {
    epoch.checked_add(1).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: Duration = Duration::from_millis(FETCH_SESSION_EVICTION_MS + 1);

    /// A cache of three sessions and a hundred partitions, and ids 1, 2, 3 and so on.
    fn cache() -> (SessionCache<&'static str>, impl Fn() -> u64) {
        let next = std::cell::Cell::new(0);
        let ids = move || {
            next.set(next.get() + 1);
            next.get()
        };
        (SessionCache::new(3, 100), ids)
    }

    #[test]
    fn requests_of_a_session_follow_each_other() {
        let (mut cache, ids) = cache();
        let id = cache.begin(Duration::ZERO, true, 1, "state", ids).expect("room");
        assert_eq!(cache.take(id + 1, 1, true), Err(SessionError::IdNotFound));
        assert_eq!(cache.take(id, 2, true), Err(SessionError::InvalidEpoch));
        assert_eq!(cache.take(id, 1, false), Err(SessionError::TopicId));
        for epoch in 1..5 {
            assert_eq!(cache.take(id, epoch, true), Ok("state"));
            assert_eq!(cache.take(id, epoch + 1, true), Err(SessionError::InvalidEpoch), "under way");
            cache.give_back(id, "state");
        }
        cache.sessions.get_mut(&id).expect("there").epoch = i32::MAX;
        assert_eq!(cache.take(id, i32::MAX, true), Ok("state"));
        cache.give_back(id, "state");
        assert_eq!(cache.take(id, 1, true), Ok("state"));
        cache.remove(id);
        cache.give_back(id, "state");
        assert_eq!(cache.take(id, 2, true), Err(SessionError::IdNotFound), "it stays removed");
    }

    #[test]
    fn the_least_worth_goes_for_one_that_is_worth_more() {
        let (mut cache, ids) = cache();
        let mut begin = |now, partitions| cache.begin(now, false, partitions, "", &ids);
        let [small, large, middle] = [2, 9, 5].map(|size| begin(Duration::ZERO, size).expect("room"));
        assert_eq!(begin(Duration::ZERO, 50), None, "none is old");
        for (id, partitions) in [(small, 2), (large, 9), (middle, 5)] {
            cache.touch(id, LATER, partitions).expect("there");
        }
        let mut begin = |now, partitions| cache.begin(now, false, partitions, "", &ids);
        assert_eq!(begin(LATER, 2), None, "as small as the smallest");
        let newer = begin(LATER, 3).expect("larger than the smallest");
        assert_eq!(cache.take(small, 1, false), Err(SessionError::IdNotFound));
        cache.touch(middle, LATER * 2, 5).expect("there");
        cache.touch(large, LATER * 2, 9).expect("there");
        cache.begin(LATER * 2 + LATER / 2, false, 1, "", &ids).expect("one was not used for long");
        assert_eq!(cache.take(newer, 1, false), Err(SessionError::IdNotFound));
    }

    #[test]
    fn partitions_are_bounded_too() {
        let (mut cache, ids) = cache();
        assert_eq!(cache.begin(Duration::ZERO, false, 101, "", &ids), None);
        let first = cache.begin(Duration::ZERO, false, 60, "", &ids).expect("room");
        assert_eq!(cache.begin(Duration::ZERO, false, 41, "", &ids), None);
        let second = cache.begin(Duration::ZERO, false, 40, "", &ids).expect("room");
        assert_eq!(cache.touch(first, Duration::ZERO, 61), Err(SessionError::IdNotFound));
        assert_eq!(cache.touch(second, Duration::ZERO, 100), Ok(()));
        cache.remove(second);
        assert_eq!((cache.partitions, cache.by_use.len(), cache.by_size.len()), (0, 0, 0));
        assert_eq!(SessionCache::new(0, 100).begin(Duration::ZERO, false, 1, "", &ids), None);
    }
}
