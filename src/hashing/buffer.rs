//! A growing buffer of bytes whose end is moved once for each token.
//!
//! `Vec` reads and stores its length for each byte pushed, and each must wait for the one before it.
//! Here a writer asks for room, fills it, and moves the end once.

/// Canonical bytes, as far as they have been written.
#[derive(Debug, Default)]
pub struct Buffer {
    /// All of it may be written to; what lies beyond `end` means nothing.
    bytes: Vec<u8>,
    end: usize,
}

impl Buffer {
    /// A buffer that has allocated nothing.
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), end: 0 }
    }

    /// How many bytes have been written.
    #[inline]
    pub fn len(&self) -> usize {
        self.end
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.end == 0
    }

    /// How many bytes fit without growing.
    pub fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// What has been written.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.end]
    }

    /// What has been written, to put in another order.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.end]
    }

    /// Forgets what has been written, and keeps the room.
    pub fn clear(&mut self) {
        self.end = 0;
    }

    /// The next `length` bytes, to be filled and then counted by [`Buffer::advance`].
    #[inline]
    pub(in crate::hashing) fn room(&mut self, length: usize) -> &mut [u8] {
        let end = self.end + length;
        if end > self.bytes.len() {
            self.grow(end);
        }
        &mut self.bytes[self.end..end]
    }

    /// Counts bytes that have been filled.
    #[inline]
    pub(in crate::hashing) fn advance(&mut self, length: usize) {
        self.end += length;
    }

    #[cold]
    fn grow(&mut self, length: usize) {
        const FIRST: usize = 1 << 10;
        self.bytes.resize(length.max(self.bytes.len() * 2).max(FIRST), 0);
    }

    /// Appends one byte.
    #[inline]
    pub fn push(&mut self, byte: u8) {
        self.room(1)[0] = byte;
        self.advance(1);
    }

    /// Appends bytes.
    #[inline]
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.room(bytes.len()).copy_from_slice(bytes);
        self.advance(bytes.len());
    }

    /// The bytes, with the room given away.
    #[must_use]
    pub fn into_vec(mut self) -> Vec<u8> {
        self.bytes.truncate(self.end);
        self.bytes
    }
}

impl Extend<u8> for Buffer {
    fn extend<I: IntoIterator<Item = u8>>(&mut self, bytes: I) {
        for byte in bytes {
            self.push(byte);
        }
    }
}
