//! Lifecycle, the in-memory index and its decision.
//!
//! * [`lifecycle`]: the states and what may follow what
//! * [`identity`]: the 32 bytes that make two proposals the same
//! * [`index`]: [`Index`], sharded by identity; at most one proposal in flight for each (org, kind, identity)
//! * `shard`, `neighbours`: its two kinds of tables; `slab`: where the entries lie
//! * [`snapshot`]: an index as bytes and back

mod entry;
mod error;
pub mod identity;
mod index;
pub mod lifecycle;
mod neighbours;
mod shard;
mod slab;
mod snapshot;

pub use entry::{Entry, Id, Proposed};
pub use error::IndexError;
pub use index::{Candidate, Decision, Index, Reason, SHOWN, Settings};
pub use lifecycle::LifecycleState;
