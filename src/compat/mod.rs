//! Bit-exact hashes of published reference functions, to match rows that were keyed by them.

pub mod voidforge;
