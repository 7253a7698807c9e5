//! Numbers: ECMAScript `Number::toString` (RFC 8785 section 3.2.2.3), and exact integers.

use super::{Fault, Mode};
use crate::hashing::buffer::Buffer;

/// The first integer whose neighbour a double cannot hold.
const EXACT: i64 = 1 << 53;
/// From here on ECMAScript prints an exponent, which no integer of ours has.
const EXPONENT: f64 = 1e21;

/// Prints a float.
#[allow(clippy::cast_possible_truncation)] // the range is checked first
#[allow(clippy::cast_precision_loss)] // 2^53 is exact
pub fn write_float(out: &mut Buffer, value: f64, mode: Mode) -> Result<(), Box<Fault>> {
    if !value.is_finite() {
        let name = match value {
            v if v.is_nan() => "NaN",
            v if v > 0.0 => "Infinity",
            _ => "-Infinity",
        };
        return Fault::NotFinite(name).refuse();
    }
    let size = value.abs();
    let integral = size < EXPONENT && is_integral(value);
    if integral && size <= EXACT as f64 {
        write_display(out, value as i64);
    } else if integral && mode == Mode::Exact {
        write_display(out, value as i128);
    } else if let Some((thousands, fraction)) = split_thousandths(value) {
        write_thousandths(out, value < 0.0, thousands, fraction);
    } else {
        out.extend_from_slice(ryu_js::Buffer::new().format_finite(value).as_bytes());
    }
    Ok(())
}

/// Whether a finite float has no fraction, as none has from 2^53 on. Not by `fract`, which is a call on most
/// machines.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::float_cmp)]
fn is_integral(value: f64) -> bool {
    value.abs() >= EXACT as f64 || value as i64 as f64 == value
}

/// Prints an integer of machine size.
#[allow(clippy::cast_precision_loss)] // rounding is what Mode::Jcs asks for
pub fn write_integer(out: &mut Buffer, value: i64, mode: Mode) -> Result<(), Box<Fault>> {
    if mode == Mode::Jcs && value.unsigned_abs() > EXACT.unsigned_abs() {
        return write_float(out, value as f64, mode);
    }
    write_display(out, value);
    Ok(())
}

/// Prints an integer literal: decimal digits without leading zeros, after an optional `-`.
pub fn write_literal(out: &mut Buffer, literal: &str, mode: Mode) -> Result<(), Box<Fault>> {
    match mode {
        Mode::Exact if literal == "-0" => out.push(b'0'),
        Mode::Exact => out.extend_from_slice(literal.as_bytes()),
        Mode::Jcs => return write_decimal(out, literal, mode),
    }
    Ok(())
}

/// Prints a literal with a fraction or an exponent, rounded to the nearest double.
pub fn write_decimal(out: &mut Buffer, literal: &str, mode: Mode) -> Result<(), Box<Fault>> {
    match literal.parse::<f64>() {
        Ok(value) if value.is_finite() => write_float(out, value, mode),
        _ => Fault::Overflow.refuse(),
    }
}

/// The decimal digits of an unsigned integer given as little-endian bytes. Quadratic: bound it first.
pub fn decimal_digits(little_endian: &[u8]) -> String {
    const CHUNK: u64 = 1_000_000_000;
    let mut limbs: Vec<u32> = little_endian
        .chunks(4)
        .map(|bytes| bytes.iter().rev().fold(0, |limb, &byte| limb << 8 | u32::from(byte)))
        .collect();
    let mut chunks = Vec::new();
    while let Some(last) = limbs.iter().rposition(|&limb| limb != 0) {
        limbs.truncate(last + 1);
        let mut rest = 0;
        for limb in limbs.iter_mut().rev() {
            let dividend = rest << 32 | u64::from(*limb);
            #[allow(clippy::cast_possible_truncation)] // rest < CHUNK, so the quotient fits a limb
            {
                *limb = (dividend / CHUNK) as u32;
            }
            rest = dividend % CHUNK;
        }
        chunks.push(rest);
    }
    let Some(first) = chunks.pop() else {
        return "0".to_owned();
    };
    chunks.iter().rev().fold(first.to_string(), |text, chunk| text + &format!("{chunk:09}"))
}

fn write_display<I: itoa::Integer>(out: &mut Buffer, value: I) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// The digits before and after the point of a number with at most three of the latter, as most prices,
/// scores and durations have.
///
/// `value * 1000` may be rounded, but what divides back to `value` is a decimal that reads as it; and a
/// double has only one decimal of at most 15 digits that reads as it, so that one is the shortest.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // the range is checked first
fn split_thousandths(value: f64) -> Option<(u64, u64)> {
    const FIFTEEN_DIGITS: f64 = 1e15;
    let thousandths = value.abs() * 1000.0;
    // From 0.001 on, which is above where ECMAScript begins to print an exponent.
    let is_short = (1.0..FIFTEEN_DIGITS).contains(&thousandths) && is_integral(thousandths);
    let reads_back = (thousandths / 1000.0).to_bits() == value.abs().to_bits();
    if !(is_short && reads_back) {
        return None;
    }
    let thousandths = thousandths as u64;
    Some((thousandths / 1000, thousandths % 1000))
}

fn write_thousandths(out: &mut Buffer, is_negative: bool, whole: u64, fraction: u64) {
    if is_negative {
        out.push(b'-');
    }
    write_display(out, whole);
    let digits = [fraction / 100, fraction / 10 % 10, fraction % 10];
    let length = digits.iter().rposition(|&digit| digit != 0).map_or(0, |last| last + 1);
    out.push(b'.');
    #[allow(clippy::cast_possible_truncation)] // one digit
    out.extend(digits[..length].iter().map(|&digit| b'0' + digit as u8));
}
