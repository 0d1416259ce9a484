//! A reader for a result that nobody may wait for any more.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Weak};

/// Kept by the one that waits for the result of a job on another thread.
#[derive(Debug)]
pub(crate) struct Waiting(#[expect(dead_code, reason = "only its end counts")] Arc<()>);

/// Tells such a job whether somebody still waits for its result.
#[derive(Debug, Clone)]
pub(crate) struct Wanted(Weak<()>);

/// Both ends. Drop the first one to end the job early.
pub(crate) fn wanted() -> (Waiting, Wanted) {
    let waiting = Arc::new(());
    let wanted = Wanted(Arc::downgrade(&waiting));
    (Waiting(waiting), wanted)
}

impl Wanted {
    /// Fails once nobody waits for the result.
    pub(crate) fn check(&self) -> io::Result<()> {
        if self.0.strong_count() == 0 {
            let gone = "nobody waits for this any more";
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, gone));
        }
        Ok(())
    }

    /// A reader that fails once nobody waits for the result.
    pub(crate) fn read<R>(self, inner: R) -> WhileWanted<R> {
        WhileWanted {
            inner,
            wanted: self,
        }
    }
}

/// Reads as long as somebody waits for the result.
#[derive(Debug)]
pub(crate) struct WhileWanted<R> {
    inner: R,
    wanted: Wanted,
}

impl<R: Read> Read for WhileWanted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.wanted.check()?;
        self.inner.read(buffer)
    }
}

impl<R: Seek> Seek for WhileWanted<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_until_nobody_waits() {
        let (waiting, wanted) = wanted();
        let mut reader = wanted.read(&b"abcd"[..]);
        let mut two = [0; 2];
        assert_eq!(reader.read(&mut two).unwrap(), 2);
        drop(waiting);
        let error = reader.read(&mut two).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
    }
}
