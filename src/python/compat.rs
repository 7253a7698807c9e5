//! Binds `compat`.
