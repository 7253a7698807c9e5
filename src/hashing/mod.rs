//! What makes two actions the same: canonical forms and their digests.

pub mod buffer;
pub mod digest;
pub mod form;
pub mod http;
pub mod json;
pub mod operation;

pub mod shell;
