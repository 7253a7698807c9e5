//! What makes two actions the same: canonical forms and their digests.

pub mod digest;
