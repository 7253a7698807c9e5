//! Binds `hashing::shell`.
