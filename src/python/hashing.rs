//! Binds `hashing`.
