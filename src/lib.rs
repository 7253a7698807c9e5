//! The core of Interlock. One topic, one module; none of them knows Python.
//!
//! * [`hashing`]: what makes two actions the same (canonical forms and their digests)
//! * [`targets`]: verb and target of an operations command
//! * [`dedup`]: lifecycle, the in-memory index and its decision
//! * [`gates`]: whether one more emission may happen
//! * [`tenancy`]: scope rules, the seal, the reply scanner for pipelined statements
//! * [`canary`]: self-describing tokens and the scanner that finds them
//! * [`compat`]: bit-exact hashes of the published reference functions
//!
//! `python` (feature `python`) only binds.

pub mod canary;
pub mod compat;
pub mod dedup;
pub mod gates;
pub mod hashing;
pub mod targets;
pub mod tenancy;

#[cfg(feature = "python")]
mod python;
