//! A fetch from its request to its response, in a session or without one.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::cache::{SessionCache, SessionError, SessionId};
use super::partitions::{FetchPartitions, TopicKey, Wanted};
use super::watch::Watch;

/// The epoch of a request that begins a session.
const INITIAL_EPOCH: i32 = 0;
/// The epoch of a request that has no session.
const FINAL_EPOCH: i32 = -1;

/// What a request says of its session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionRequest {
    /// The session, 0 for none.
    pub id: SessionId,
    /// The session's epoch.
    pub epoch: i32,
    /// Whether topics are named by their ids.
    pub uses_topic_ids: bool,
}

/// A shard's sessions. Cheap to clone: clones share them.
#[derive(Clone)]
pub struct FetchSessions(Rc<RefCell<SessionCache<State>>>);

#[derive(Default)]
struct State {
    partitions: FetchPartitions,
    watch: Arc<Watch>,
}

enum Session {
    Without,
    /// One is to begin with the response.
    Begins {
        uses_topic_ids: bool,
    },
    Open(SessionId),
}

/// A fetch that is being served. Where it is dropped without having been closed, its session ends.
pub struct OpenFetch {
    sessions: FetchSessions,
    session: Session,
    /// What is fetched.
    pub partitions: FetchPartitions,
    /// Who reports changes of the partitions.
    pub watch: Arc<Watch>,
}

impl FetchSessions {
    /// At most so many sessions with so many partitions in all.
    pub fn new(sessions_max: usize, partitions_max: usize) -> Self {
        FetchSessions(Rc::new(RefCell::new(SessionCache::new(sessions_max, partitions_max))))
    }

    /// How many sessions there are, and how many partitions in all of them.
    pub fn sizes(&self) -> (usize, usize) {
        self.0.borrow().sizes()
    }

    /// Begins to serve a request that wants and forgets these partitions.
    pub fn open(
        &self,
        request: SessionRequest,
        now: Duration,
        wanted: impl Iterator<Item = (TopicKey, i32, Wanted)> + Clone,
        forgotten: impl Iterator<Item = (TopicKey, i32)>,
    ) -> Result<OpenFetch, SessionError> {
        let SessionRequest { id, epoch, uses_topic_ids } = request;
        if epoch == INITIAL_EPOCH || epoch == FINAL_EPOCH {
            // A full request ends the session that it names.
            self.0.borrow_mut().remove(id);
            let session = match epoch {
                INITIAL_EPOCH => Session::Begins { uses_topic_ids },
                _ => Session::Without,
            };
            return Ok(self.full(session, wanted));
        }
        let State { partitions, watch } = self.0.borrow_mut().take(id, epoch, uses_topic_ids)?;
        let session = Session::Open(id);
        let mut fetch = OpenFetch { sessions: self.clone(), session, partitions, watch };
        fetch.put(wanted.clone());
        for (topic, index) in forgotten {
            if let Some(slot) = fetch.partitions.forget(&topic, index) {
                fetch.watch.remove(slot);
            }
        }
        if fetch.partitions.is_empty() {
            // Dropped, it ends its session.
            return Ok(self.full(Session::Without, wanted));
        }
        self.0.borrow_mut().touch(id, now, fetch.partitions.len())?;
        Ok(fetch)
    }

    fn full(&self, session: Session, wanted: impl Iterator<Item = (TopicKey, i32, Wanted)>) -> OpenFetch {
        let State { partitions, watch } = State::default();
        let mut fetch = OpenFetch { sessions: self.clone(), session, partitions, watch };
        fetch.put(wanted);
        fetch
    }
}

impl OpenFetch {
    fn put(&mut self, wanted: impl Iterator<Item = (TopicKey, i32, Wanted)>) {
        for (topic, index, wanted) in wanted {
            self.partitions.put(&topic, index, wanted);
        }
    }

    /// Whether the request names all partitions, and the response must.
    pub fn is_full(&self) -> bool {
        !matches!(self.session, Session::Open(_))
    }

    /// Whether there will be another request in the session, if there is room for one.
    pub fn has_session(&self) -> bool {
        !matches!(self.session, Session::Without)
    }

    /// Ends the fetch with its response, which names the session that is returned: 0 is none.
    pub fn close(mut self, now: Duration, random: impl Fn() -> u64) -> SessionId {
        let session = std::mem::replace(&mut self.session, Session::Without);
        let partitions = std::mem::take(&mut self.partitions);
        let (count, state) = (partitions.len(), State { partitions, watch: Arc::clone(&self.watch) });
        let mut sessions = self.sessions.0.borrow_mut();
        match session {
            Session::Begins { uses_topic_ids } if count > 0 => {
                sessions.begin(now, uses_topic_ids, count, state, random).unwrap_or(0)
            }
            Session::Without | Session::Begins { .. } => 0,
            Session::Open(id) => {
                sessions.give_back(id, state);
                id
            }
        }
    }
}

impl Drop for OpenFetch {
    fn drop(&mut self) {
        if let Session::Open(id) = self.session {
            self.sessions.0.borrow_mut().remove(id);
        }
    }
}
