//! The atomic words of the table; the model checker puts its own in their place.

#[cfg(not(loom))]
pub(super) use portable_atomic::AtomicU128;
#[cfg(not(loom))]
pub(super) use std::sync::atomic::AtomicU64;
pub(super) use std::sync::atomic::Ordering;

#[cfg(loom)]
pub(super) use loom::sync::atomic::AtomicU64;

/// Loom has no 128-bit atomic: a cell behind its mutex has the same histories.
#[cfg(loom)]
#[derive(Default)]
pub(super) struct AtomicU128(loom::sync::Mutex<u128>);

#[cfg(loom)]
impl AtomicU128 {
    pub(super) fn load(&self, _: Ordering) -> u128 {
        *self.0.lock().unwrap()
    }

    pub(super) fn compare_exchange(
        &self,
        current: u128,
        new: u128,
        _: Ordering,
        _: Ordering,
    ) -> Result<u128, u128> {
        let mut cell = self.0.lock().unwrap();
        if *cell == current {
            *cell = new;
            Ok(current)
        } else {
            Err(*cell)
        }
    }
}
