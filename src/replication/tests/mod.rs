//! Tests of the parts. A leader and its followers together are in `tests/replication/`.

mod bytes;
mod decisions;
