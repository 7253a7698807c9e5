//! Binds `targets`.
