//! Copies that cannot take part: damaged ones, and those that could not take what their leaders sent. Each waits, and falls
//! out of the in-sync set by its lag; the others of its shard go on. From time to time it is looked at again: segments that
//! are damaged may have been deleted, and a disk that was full may have room.

use std::fmt::Display;
use std::rc::Rc;

use super::host::Replication;
use super::links::LinkEnd;
use super::role::Role;
use crate::base::limits::REPLICATION_SET_ASIDE_MS;
use crate::shard::replica::Replica;

/// Why a copy waits.
pub(super) struct SetAside {
    reason: String,
    /// When it is looked at again, by the shard's clock.
    again_ms: u64,
}

impl Replication {
    /// Has a copy wait. The log says why, once for each reason.
    pub(super) fn set_aside(&self, replica: &Rc<Replica>, reason: &dyn Display) {
        let (reason, again_ms) = (reason.to_string(), self.now_ms() + REPLICATION_SET_ASIDE_MS);
        let mut all = self.set_aside.borrow_mut();
        if all.get(&replica.id).is_none_or(|known| known.reason != reason) {
            tracing::error!(
                partition = %replica.id, reason,
                "this copy neither leads nor follows until that is over; the other replicas go on without it"
            );
        }
        all.insert(replica.id, SetAside { reason, again_ms });
        drop(all);
        if !matches!(&*replica.role.borrow(), Role::Waits) {
            self.wait(replica);
        }
    }

    /// Time has passed: copies that wait are looked at again, and those that have taken part meanwhile are forgotten.
    pub(in crate::shard) fn try_again(&self) {
        let now_ms = self.now_ms();
        let mut look_again = self.look_again.borrow_mut();
        let before = look_again.len();
        self.set_aside.borrow_mut().retain(|id, it| {
            let Some(replica) = self.storage.replica(*id) else { return false };
            if now_ms < it.again_ms {
                return true;
            }
            it.again_ms = now_ms + REPLICATION_SET_ASIDE_MS;
            if !matches!(&*replica.role.borrow(), Role::Waits) {
                tracing::info!(partition = %id, "this copy takes part again");
                return false;
            }
            look_again.insert(*id);
            true
        });
        if look_again.len() > before {
            self.look_again_wanted.notify_one();
        }
    }

    /// What a copy cannot take must not keep the others of the two shards from what is sent to them: it is set aside. Only
    /// where the whole shard is out of service the connection ends.
    pub(super) fn confine(
        &self,
        replica: &Rc<Replica>,
        follows: bool,
        error: LinkEnd,
    ) -> Result<(), LinkEnd> {
        self.storage.check_in_service()?;
        let is_open = self.storage.replica(replica.id).is_some_and(|open| Rc::ptr_eq(&open, replica));
        // Who does something else by now, or was deleted, needs nothing of it.
        if is_open && follows {
            self.set_aside(replica, &error);
        }
        Ok(())
    }
}
