//! Binds `dedup`.
