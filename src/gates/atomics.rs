//! The atomic words of the table.

pub(super) use portable_atomic::AtomicU128;
pub(super) use std::sync::atomic::{AtomicU64, Ordering};
