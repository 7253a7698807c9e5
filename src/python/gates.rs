//! Binds `gates`.

mod arguments;
mod clock;
mod default;
mod firing;
mod gate;
mod reports;
mod shared;

pub(super) use arguments::DefaultEventBudget;
pub(super) use clock::ManualClock;
pub(super) use default::{
    EmptyGate, default_gates, empty_call, fire_once, forget_counts_after_fork, reset_fire_once,
    should_emit,
};
pub(super) use firing::{FireOnce, Transition};
pub(super) use gate::{Gate, Gates};
pub(super) use reports::{Decision, EventTotals, GateStats, Suppression};
pub(super) use shared::SharedGates;
