//! Binds `tenancy`.
