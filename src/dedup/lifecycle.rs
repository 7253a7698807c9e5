//! The states of a proposal and what may follow what.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a proposal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LifecycleState {
    /// Waits for approval and execution.
    Pending,
    /// A worker carries it out under a lease.
    Executing,
    /// The execution was stopped or its lease lapsed: it may have had its effect.
    Interrupted,
    /// Carried out.
    Completed,
    /// Tried, and failed.
    Failed,
    /// Decided against.
    Cancelled,
    /// Its lease lapsed before it was executed.
    Expired,
}

use LifecycleState::{Cancelled, Completed, Executing, Expired, Failed, Interrupted, Pending};

impl LifecycleState {
    /// Every state, in the order in which a proposal may pass them.
    pub const ALL: [Self; 7] =
        [Pending, Executing, Interrupted, Completed, Failed, Cancelled, Expired];

    /// The lower-case word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Pending => "pending",
            Executing => "executing",
            Interrupted => "interrupted",
            Completed => "completed",
            Failed => "failed",
            Cancelled => "cancelled",
            Expired => "expired",
        }
    }

    /// Whether a proposal in this state suppresses equal ones.
    pub fn in_flight(self) -> bool {
        matches!(self, Pending | Executing | Interrupted)
    }

    /// Whether a proposal that ended so suppresses equal ones for the cooldown.
    pub fn cools_down(self) -> bool {
        matches!(self, Completed | Cancelled)
    }

    /// Whether the lifecycle has this transition. Terminal states are absorbing: a retry is a new proposal.
    pub fn may_become(self, later: Self) -> bool {
        matches!(
            (self, later),
            (Pending, Executing | Cancelled | Expired)
                | (Executing, Completed | Failed | Interrupted)
                | (Interrupted, Executing | Failed | Cancelled)
        )
    }

    /// What it becomes when its lease lapses; only pending and executing proposals have one.
    #[must_use]
    pub fn lapsed(self) -> Self {
        match self {
            Pending => Expired,
            // The action may have run, so the key stays taken until an operator decides.
            Executing => Interrupted,
            other => other,
        }
    }
}

impl fmt::Display for LifecycleState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for LifecycleState {
    type Err = UnknownState;

    fn from_str(word: &str) -> Result<Self, UnknownState> {
        Self::ALL.into_iter().find(|state| state.as_str() == word).ok_or(UnknownState)
    }
}

/// A word that is not a lifecycle state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such lifecycle state")]
pub struct UnknownState;
