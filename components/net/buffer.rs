//! Buffers that the components of a worker share.

use std::cell::Cell;
use std::fmt;
use std::ops::{Deref, DerefMut};

thread_local! {
    /// The last buffer that was returned: it stays in the processor's cache. A connection that
    /// waits holds no buffer.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Bytes that are collected for writing. It reuses the memory of the last buffer that was dropped
/// on this worker.
///
/// # Examples
///
/// ```
/// use kamea_components::net::Buffer;
///
/// let mut buffer = Buffer::new();
/// assert_eq!(buffer.capacity(), 0);
/// buffer.extend_from_slice(b"HTTP/1.1 ");
/// let capacity = buffer.capacity();
/// drop(buffer);
/// let buffer = Buffer::spare();
/// assert!(buffer.is_empty());
/// assert_eq!(buffer.capacity(), capacity);
/// ```
#[derive(Default)]
pub struct Buffer(Vec<u8>);

impl Buffer {
    /// Returns an empty buffer without memory.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Returns an empty buffer, with the memory of the last one that was dropped on this worker.
    #[must_use]
    pub fn spare() -> Self {
        Self(SPARE.take())
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.0.capacity() > 0 {
            self.0.clear();
            // A thread that ends does not need it.
            let _ = SPARE.try_with(|spare| spare.set(std::mem::take(&mut self.0)));
        }
    }
}
