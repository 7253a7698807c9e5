//! Canonical JSON: RFC 8785 (JCS), except that integers are exact.
//!
//! JCS prints every number as the double nearest to it, which merges two 64-bit ids that differ in
//! their last digits. Here an integer keeps its digits, and a float that is integral below 10^21
//! prints as that integer, so that equal numbers have equal text and different numbers do not.
//! [`Mode::Jcs`] gives the RFC to the letter.
//!
//! * [`Sink`] takes canonical bytes, either to keep or to digest on the way
//! * [`number`], [`string`] and [`order`] are the three rules of the RFC
//! * [`text`] reads JSON text; Python objects are read by the bindings
//! * [`limits`] bounds all of it, [`fault`] says what was wrong

pub mod fault;
pub mod limits;
pub mod number;
pub mod order;
pub mod sink;
pub mod string;
pub mod text;
mod word;

pub use fault::{Fault, JsonError, Place, Step};
pub use limits::Limits;
pub use sink::Sink;

/// How numbers beyond 2^53 print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Integers keep every digit.
    #[default]
    Exact,
    /// RFC 8785 section 3.2.2.3: every number is rounded to a double first.
    Jcs,
}
