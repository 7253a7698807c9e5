//! Where canonical bytes go: kept, or digested as they come.

use std::cell::Cell;

use super::{Fault, Limits, Mode, number, string};
use crate::hashing::buffer::Buffer;
use crate::hashing::digest::{Digest, Hasher};

/// When so much has gathered, it is digested and forgotten: a digest needs no memory for the whole form.
const SPILL: usize = 32 << 10;
/// What surrounds a string.
const QUOTES: usize = 2;
/// A buffer that one large string has grown beyond this is not kept for the next call.
const KEEP: usize = 256 << 10;

thread_local! {
    /// The buffer of the last call on this thread. It is *taken* while in use, so that a value whose own
    /// code hashes something meanwhile finds an empty one.
    static SPARE: Cell<Buffer> = const { Cell::new(Buffer::new()) };
}

/// Takes the bytes of one canonical form, within limits.
#[derive(Debug)]
pub struct Sink {
    buffer: Buffer,
    hasher: Option<Hasher>,
    spilled: usize,
    values: usize,
    keep_bytes: bool,
    mode: Mode,
    limits: Limits,
}

impl Sink {
    /// A sink whose bytes are wanted.
    pub fn bytes(mode: Mode) -> Self {
        Self::new(mode, true)
    }

    /// A sink of which only the digest is wanted.
    pub fn digest(mode: Mode) -> Self {
        Self::new(mode, false)
    }

    fn new(mode: Mode, keep_bytes: bool) -> Self {
        let mut buffer = SPARE.take();
        buffer.clear();
        Self {
            buffer,
            hasher: None,
            spilled: 0,
            values: 0,
            keep_bytes,
            mode,
            limits: Limits::DEFAULT,
        }
    }

    /// How numbers print.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The bounds of this payload.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How many values have been counted.
    #[inline]
    pub fn values(&self) -> usize {
        self.values
    }

    /// The buffer, for writers of parts that are bounded by their own input.
    pub fn buffer(&mut self) -> &mut Buffer {
        &mut self.buffer
    }

    /// Appends punctuation or other bytes as they are.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Appends a string.
    #[inline]
    pub fn string(&mut self, text: &str) -> Result<(), Box<Fault>> {
        self.check_large(text)?;
        string::write_string(&mut self.buffer, text);
        Ok(())
    }

    /// Appends the name of a member, with the comma before it and the colon after it.
    #[inline]
    pub fn name(&mut self, text: &str, is_first: bool) -> Result<(), Box<Fault>> {
        self.check_large(text)?;
        string::write_name(&mut self.buffer, text, is_first);
        Ok(())
    }

    /// Checks a string before it is copied: a huge one must not be copied to be refused. What small ones
    /// add up to is checked when they spill.
    #[inline]
    fn check_large(&self, text: &str) -> Result<(), Box<Fault>> {
        if text.len() >= SPILL { self.check_bytes(text.len() + QUOTES) } else { Ok(()) }
    }

    /// Appends an integer of machine size.
    pub fn integer(&mut self, value: i64) -> Result<(), Box<Fault>> {
        number::write_integer(&mut self.buffer, value, self.mode)
    }

    /// Appends an integer given as decimal digits after an optional `-`.
    pub fn integer_literal(&mut self, literal: &str) -> Result<(), Box<Fault>> {
        number::write_literal(&mut self.buffer, literal, self.mode)
    }

    /// Appends a float.
    pub fn float(&mut self, value: f64) -> Result<(), Box<Fault>> {
        number::write_float(&mut self.buffer, value, self.mode)
    }

    /// Appends bytes that are the payload itself. They are in memory already, so no limit is needed, and
    /// they are not copied if only the digest is wanted.
    pub fn verbatim(&mut self, bytes: &[u8]) {
        if self.keep_bytes || bytes.len() < SPILL {
            self.raw(bytes);
            return;
        }
        let hasher = self.hasher.get_or_insert_default();
        hasher.update(self.buffer.as_slice());
        hasher.update(bytes);
        self.buffer.clear();
    }

    /// Counts one value that is about to be written, and hands what has gathered to the digest.
    #[inline]
    pub fn count_value(&mut self) -> Result<(), Box<Fault>> {
        self.values += 1;
        if self.values > self.limits.values {
            return Fault::Values { limit: self.limits.values }.refuse();
        }
        if self.buffer.len() >= SPILL {
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> Result<(), Box<Fault>> {
        self.check_bytes(0)?;
        if !self.keep_bytes {
            self.hasher.get_or_insert_default().update(self.buffer.as_slice());
            self.spilled += self.buffer.len();
            self.buffer.clear();
        }
        Ok(())
    }

    fn check_bytes(&self, more: usize) -> Result<(), Box<Fault>> {
        let limit = self.limits.bytes;
        if self.spilled + self.buffer.len() + more > limit {
            return Fault::Bytes { limit }.refuse();
        }
        Ok(())
    }

    /// The bytes taken so far; for a sink made by [`Sink::bytes`], all of them.
    pub fn as_bytes(&self) -> &[u8] {
        self.buffer.as_slice()
    }

    /// The bytes taken so far, of which a large buffer is given away and a small one copied.
    pub fn take_bytes(&mut self) -> Vec<u8> {
        if self.buffer.len() < SPILL {
            self.as_bytes().to_vec()
        } else {
            std::mem::take(&mut self.buffer).into_vec()
        }
    }

    /// The digest of all bytes.
    pub fn finish(&mut self) -> Digest {
        match self.hasher.take() {
            Some(mut hasher) => {
                hasher.update(self.buffer.as_slice());
                hasher.finish()
            }
            None => Digest::of(self.buffer.as_slice()),
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if self.buffer.capacity() <= KEEP {
            // At thread exit the slot may be gone already; then the buffer is simply freed.
            let _ = SPARE.try_with(|spare| spare.set(std::mem::take(&mut self.buffer)));
        }
    }
}
