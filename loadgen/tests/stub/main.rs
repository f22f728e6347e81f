//! The program, as it is called, against a broker that misbehaves on purpose.

mod broker;
mod capacity;
mod log;
mod run;
mod verify;
