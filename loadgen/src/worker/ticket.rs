//! A request whose time has come.

use std::rc::Rc;

/// What is to be sent, and when it was meant to be.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// When the request is meant to be sent, in ns since the start.
    pub intended_ns: u64,
    /// The partition, by its place in the cluster's list.
    pub partition: usize,
    /// Its records.
    pub records: Records,
}

/// The records of a request.
#[derive(Clone, Debug)]
pub enum Records {
    /// So many, all meant to be sent when the request is.
    Together(u32),
    /// Gathered over time (linger): when each was meant to be sent.
    Each(Rc<[u64]>),
}

impl Ticket {
    /// Number of records.
    pub fn count(&self) -> u32 {
        match &self.records {
            Records::Together(count) => *count,
            Records::Each(times) => times.len() as u32,
        }
    }

    /// When a record was meant to be sent.
    pub fn record_ns(&self, number: u32) -> u64 {
        match &self.records {
            Records::Together(_) => self.intended_ns,
            Records::Each(times) => times[number as usize],
        }
    }

    /// The times that response time is counted from: that of the request, or those of its records.
    pub fn counted_ns(&self) -> &[u64] {
        match &self.records {
            Records::Together(_) => std::slice::from_ref(&self.intended_ns),
            Records::Each(times) => times,
        }
    }
}
