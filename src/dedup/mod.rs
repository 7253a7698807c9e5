//! Lifecycle, the in-memory index and its decision.
//!
//! * [`lifecycle`]: the states and what may follow what
//! * [`identity`]: the 32 bytes that make two proposals the same
//! * [`index`]: [`Index`], sharded by identity; at most one proposal in flight for each (org, kind, identity)
//! * `shard`, `neighbours`: its two kinds of tables; `slab`: where their contents lie, `slots`: how they are found
//! * `ids`: the keys of entries, which lead to their slots; `leases`: which lapses first
//! * [`snapshot`]: an index as bytes and back

mod entry;
mod error;
pub mod identity;
mod ids;
mod index;
mod leases;
pub mod lifecycle;
mod neighbours;
mod shard;
mod slab;
mod slots;
mod snapshot;

pub use entry::{Entry, Proposed};
pub use error::IndexError;
pub use ids::Id;
pub use index::{Candidate, Decision, Index, Reason, SHOWN, Settings};
pub use lifecycle::LifecycleState;
