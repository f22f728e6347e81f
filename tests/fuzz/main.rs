//! Damaged bytes for everything that reads bytes from outside: requests, record batches, the journal, checkpoints,
//! segments and their indexes, the link between nodes. Each target is a seeded generator and the properties that must hold whatever it makes.
//!
//! `CORELANE_FUZZ_SEEDS=FIRST..LAST cargo test --test fuzz TARGET` runs other seeds; without LAST it goes on until
//! something fails or it is interrupted.

mod allocation;
mod batches;
mod disk;
mod kinds;
mod link;
mod loss;
mod offline;
mod plain;
mod random;
mod recovery;
mod requests;
mod seeds;
mod segments;
