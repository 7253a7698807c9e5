//! Who the current code works for, and which connection it may use.
//!
//! * [`org`]: an org id and its canonical text
//! * [`rules`]: which scope may be entered from which
//! * [`frame`]: one entered scope, its life and its connections
//! * [`seal`]: the signature that makes a session's org tamper-evident
//! * [`reply`]: takes the answers to what was written ahead out of the server's stream

pub mod frame;
pub mod org;
pub mod reply;
pub mod rules;
pub mod seal;
