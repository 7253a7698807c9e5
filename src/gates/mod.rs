//! Decides whether one more emission may happen.
//!
//! * [`clock`]: nanoseconds, from the system or by hand
//! * [`limit`]: the two policies (anchored window, GCRA) as pure functions of a key's state
//! * [`occurrence`]: the fire-once policy, likewise
//! * `table`, `intent`: a fixed-size, lock-free, set-associative table of those states
//! * `tally`, `label`: what each key has had suppressed, and what to call it
//! * `directory`: the events, with their totals
//! * [`quota`], `firing`: all of it together, in private or (`shared`) in shared memory
//!
//! Nothing here allocates, blocks or takes a lock on the decision path.

#[cfg_attr(loom, path = "modelled_atomics.rs")]
mod atomics;
pub mod clock;
mod directory;
mod drain;
mod firing;
mod intent;
mod key;
mod label;
pub mod limit;
#[cfg_attr(loom, path = "modelled_memory.rs")]
mod memory;
pub mod occurrence;
pub mod quota;
#[cfg(all(unix, not(loom)))]
pub mod shared;
mod slot;
mod table;
mod tally;
mod verdict;

pub use directory::Totals;
pub use drain::{EVICTED, Stats, Suppression};
pub use firing::Firing;
pub use key::{KeyHash, Secret, mix};
pub use label::Named;
pub use limit::Limit;
pub use quota::{Budget, Event, EventSpec, Gates};
pub use tally::{MOST, Pending};
pub use verdict::{Reason, Verdict};

/// Why a gate, or the table under it, cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// A limit that means nothing.
    #[error("{field} {problem}, got {given}")]
    Limit {
        /// The argument.
        field: &'static str,
        /// What it must be.
        problem: &'static str,
        /// What it was.
        given: String,
    },
    /// The event's name is a constant in code, so it has a bounded length.
    #[error("event names are 1 to {max} bytes of UTF-8, got {given} bytes: put what varies in the subkey", max = directory::MAX_NAME)]
    EventName {
        /// Its length in bytes.
        given: usize,
    },
    /// Events are constants in code, so there is a bounded number of them.
    #[error("more than {max} events: an event is a constant, put what varies in the subkey", max = directory::MAX_EVENTS)]
    TooManyEvents,
    /// The file for the shared table cannot be used.
    #[error("{path}: {reason}")]
    Shared {
        /// Its path.
        path: String,
        /// What is wrong, and what to do.
        reason: String,
    },
}
