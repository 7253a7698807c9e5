//! The atomic words of the table as the model checker has them, orderings included.

use std::sync::Mutex;

pub(super) use loom::sync::atomic::{AtomicU64, Ordering};

/// Every value a 128-bit word has had. Its place here stands for it in a word of 64 bits.
static VALUES: Mutex<Vec<u128>> = Mutex::new(Vec::new());

/// Loom has no 128-bit atomic. A 64-bit one that holds the number of a value has the same histories
/// and the same orderings, since equal values have equal numbers.
#[derive(Default)]
pub(super) struct AtomicU128(AtomicU64);

impl AtomicU128 {
    pub(super) fn load(&self, order: Ordering) -> u128 {
        value_of(self.0.load(order))
    }

    pub(super) fn compare_exchange(
        &self,
        current: u128,
        new: u128,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u128, u128> {
        self.0
            .compare_exchange(number_of(current), number_of(new), success, failure)
            .map(value_of)
            .map_err(value_of)
    }
}

/// 0 is number 0, as in memory that is all zero.
fn number_of(value: u128) -> u64 {
    if value == 0 {
        return 0;
    }
    let mut values = VALUES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let place = values.iter().position(|known| *known == value).unwrap_or_else(|| {
        values.push(value);
        values.len() - 1
    });
    place as u64 + 1
}

fn value_of(number: u64) -> u128 {
    let values = VALUES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    number.checked_sub(1).map_or(0, |place| values[usize::try_from(place).unwrap_or(usize::MAX)])
}
