//! Verb and target of an operations command.
