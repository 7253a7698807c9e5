//! Lifecycle, the in-memory index and its decision.
