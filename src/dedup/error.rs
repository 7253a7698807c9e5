//! What the index refuses.

use thiserror::Error;

use super::LifecycleState;

/// Why a call of the index changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IndexError {
    /// As many proposals are in flight as may be; none of them is evicted.
    #[error(
        "{capacity} proposals are in flight, as many as this index may hold: end some, or give it more capacity"
    )]
    Full {
        /// The settled bound.
        capacity: usize,
    },
    /// No entry that the caller may see has this id.
    #[error("no proposal has this id")]
    Unknown,
    /// The execution a worker reports on is over.
    #[error("attempt {attempt} is over: the proposal is {from}, attempt {current}")]
    Stale {
        /// The fencing number the worker holds.
        attempt: u32,
        /// The current one.
        current: u32,
        /// Where the proposal stands.
        from: LifecycleState,
        /// What was asked for.
        to: LifecycleState,
    },
    /// The lifecycle has no such transition.
    #[error("a proposal cannot go from {from} to {to}")]
    Illegal {
        /// Where the proposal stands.
        from: LifecycleState,
        /// What was asked for.
        to: LifecycleState,
    },
    /// The bytes are not a snapshot.
    #[error("not a snapshot of a dedup index: {0}")]
    Snapshot(String),
}
