//! Which nodes take part: registration, sessions, fencing, controlled shutdown (KIP-631). Time is given.

mod heartbeat;
mod registration;
mod sessions;

pub use heartbeat::{Heartbeat, HeartbeatAnswer};
pub use registration::{Registration, RegistrationError};
pub use sessions::{Membership, StaleRegistration, check_registration};
