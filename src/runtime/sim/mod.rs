//! The simulated world: seeded, single-threaded, in virtual time.
