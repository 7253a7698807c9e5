//! Bounds on one payload, so that no input can exhaust the stack, the memory or the time.

/// What one payload may grow to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Containers inside one another.
    pub depth: usize,
    /// Values, containers included. Bounds a small graph of shared lists that unfolds exponentially.
    pub values: usize,
    /// Bytes of canonical form, and of JSON text before it is read.
    pub bytes: usize,
    /// Decimal digits of an integer that is not text already (printing one takes quadratic time).
    pub digits: usize,
}

impl Limits {
    /// 128 levels, 2^20 values, 16 MiB, 4300 digits (the digits are `CPython`'s own default limit).
    pub const DEFAULT: Self = Self { depth: 128, values: 1 << 20, bytes: 16 << 20, digits: 4300 };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
