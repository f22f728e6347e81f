//! Tests of the parts. Whole quorums are in `tests/quorum/`.

mod bytes;
mod member;
mod samples;
mod store;
