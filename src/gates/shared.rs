//! The table in a memory-mapped file, for the workers of one host.
