//! Scope rules, the seal, the reply scanner.
