//! Self-describing tokens and the scanner that finds them.
