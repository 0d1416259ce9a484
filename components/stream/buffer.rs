//! The read buffer of a worker.

use std::cell::RefCell;
use std::io;
use std::task::Poll;

use bytes::Bytes;

/// Bytes per read, at most.
const CHUNK: usize = 64 * 1024;

thread_local! {
    /// One buffer per worker, so that a waiting connection holds none.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; CHUNK].into());
}

/// Reads into the buffer of this worker. Returns the bytes in memory of their own size.
pub(crate) fn read_into_buffer(
    read: impl FnOnce(&mut [u8]) -> io::Result<usize>,
) -> io::Result<Bytes> {
    BUFFER.with_borrow_mut(|buffer| {
        let count = read(buffer)?;
        Ok(Bytes::copy_from_slice(&buffer[..count]))
    })
}

/// Like [`read_into_buffer`], for a read that may have to wait.
pub(crate) fn poll_into_buffer(
    read: impl FnOnce(&mut [u8]) -> Poll<io::Result<usize>>,
) -> Poll<io::Result<Bytes>> {
    BUFFER.with_borrow_mut(|buffer| {
        read(buffer).map_ok(|count| Bytes::copy_from_slice(&buffer[..count]))
    })
}
