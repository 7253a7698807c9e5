//! Binds `canary`.
