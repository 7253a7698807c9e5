//! Bit-exact hashes of the published reference functions.
