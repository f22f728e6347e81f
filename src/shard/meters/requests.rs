//! What is counted of requests: how many, and how long each stage of them takes.

use crate::base::meter::{Counter, Durations};
use crate::protocol::ApiKey;

/// A stage of a request that its connection sees. What a journal group goes through is counted by the journal
/// ([`JournalMeters`](crate::log::journal::meters::JournalMeters)).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// From the time when the request was there whole until its turn on its connection.
    Wait,
    /// Its frame is taken apart.
    Decode,
    /// A produce request's batches are checked and get their places in the journal, as soon as there is room.
    Append,
    /// Any other request is carried out.
    Execute,
    /// The response is known, and the socket takes it.
    Respond,
}

impl Stage {
    /// All stages, in the order of their numbers.
    pub const ALL: [Stage; 5] = [Stage::Wait, Stage::Decode, Stage::Append, Stage::Execute, Stage::Respond];

    /// A word for it.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Wait => "wait",
            Stage::Decode => "decode",
            Stage::Append => "append",
            Stage::Execute => "execute",
            Stage::Respond => "respond",
        }
    }
}

const APIS: usize = ApiKey::ALL.len();

/// Of all requests of a shard's connections.
#[derive(Debug)]
pub struct RequestMeters {
    stages: [Durations; 5],
    taken: [Counter; APIS],
    answered: [Durations; APIS],
    /// Bytes of requests, with their lengths.
    pub received_bytes: Counter,
    /// Bytes of responses, with their lengths.
    pub sent_bytes: Counter,
    /// Requests that were refused because all memory for their like does not hold them.
    pub too_costly: Counter,
}

impl Default for RequestMeters {
    fn default() -> Self {
        RequestMeters {
            stages: Default::default(),
            taken: std::array::from_fn(|_| Counter::default()),
            answered: std::array::from_fn(|_| Durations::default()),
            received_bytes: Counter::default(),
            sent_bytes: Counter::default(),
            too_costly: Counter::default(),
        }
    }
}

impl RequestMeters {
    /// How long the stage took.
    pub fn stage(&self, stage: Stage) -> &Durations {
        &self.stages[stage as usize]
    }

    /// Requests of an API that were taken apart.
    pub fn taken(&self, api: ApiKey) -> &Counter {
        &self.taken[api as usize]
    }

    /// How long requests of an API took, from the time when they were there whole until their response was sent.
    pub fn answered(&self, api: ApiKey) -> &Durations {
        &self.answered[api as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_api_has_a_place() {
        let meters = RequestMeters::default();
        for &api in ApiKey::ALL {
            meters.taken(api).increment();
            meters.answered(api).record(1);
            assert_eq!((meters.taken(api).get(), meters.answered(api).copy().count()), (1, 1));
        }
    }
}
