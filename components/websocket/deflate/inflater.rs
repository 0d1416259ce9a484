//! Decompression of messages (RFC 7692 section 7.2.2).

use std::cell::RefCell;

use bytes::{Buf, Bytes};
use flate2::{Decompress, FlushDecompress, Status};

use super::{Deflate, TAIL};
use crate::websocket::{Role, Violation};

/// How much is decompressed at once, in bytes.
const PIECE: usize = 16 * 1024;

/// How many unused engines a worker keeps.
const KEPT: usize = 4;

thread_local! {
    /// Engines with the largest window, which read any stream: a connection holds one only during a
    /// message, unless its messages refer to earlier ones.
    static UNUSED: RefCell<Vec<Decompress>> = const { RefCell::new(Vec::new()) };
    static OUTPUT: RefCell<Box<[u8]>> = RefCell::new(vec![0; PIECE].into());
}

/// Decompresses messages, a piece at a time.
#[derive(Debug)]
pub(in crate::websocket) struct Inflater {
    keeps_context: bool,
    engine: Option<Decompress>,
    input: Bytes,
    /// Whether the tail has been added to the input.
    has_tail: bool,
    /// Whether the last call filled its output, so that there may be more.
    is_full: bool,
}

impl Inflater {
    /// For what comes to `role`.
    pub(in crate::websocket) fn new(agreed: &Deflate, role: Role) -> Self {
        let forgets = match role {
            Role::Server => agreed.client_no_context_takeover,
            Role::Client => agreed.server_no_context_takeover,
        };
        Self {
            keeps_context: !forgets,
            engine: None,
            input: Bytes::new(),
            has_tail: false,
            is_full: false,
        }
    }

    /// Adds compressed bytes. All earlier ones have been taken by then.
    pub(in crate::websocket) fn feed(&mut self, bytes: Bytes) {
        self.input = bytes;
    }

    /// Adds the tail that was left out on the wire. Returns whether that may give more output:
    /// false the second time, when the message is over.
    pub(in crate::websocket) fn end_message(&mut self) -> bool {
        if !self.has_tail {
            self.has_tail = true;
            self.input = Bytes::from_static(&TAIL);
            return true;
        }
        self.has_tail = false;
        if !self.keeps_context {
            self.release();
        }
        false
    }

    /// The next piece, or `None` if it needs more input.
    pub(in crate::websocket) fn next(&mut self) -> Result<Option<Bytes>, Violation> {
        while !self.input.is_empty() || self.is_full {
            let piece = self.step()?;
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }

    fn step(&mut self) -> Result<Bytes, Violation> {
        let engine = self.engine.get_or_insert_with(|| {
            let unused = UNUSED.with_borrow_mut(Vec::pop);
            unused.unwrap_or_else(|| Decompress::new(false))
        });
        OUTPUT.with_borrow_mut(|output| {
            let (read, written) = (engine.total_in(), engine.total_out());
            let status = engine.decompress(&self.input, output, FlushDecompress::Sync);
            let status = status.map_err(|_| Violation::InvalidDeflate)?;
            let read = (engine.total_in() - read) as usize;
            let written = (engine.total_out() - written) as usize;
            self.input.advance(read);
            self.is_full = written == output.len();
            if status == Status::StreamEnd {
                // RFC 7692 section 7.2.3.5: a block with BFINAL set ends the stream, not the
                // connection. The tail behind it is an empty block of the next stream.
                engine.reset(false);
                self.is_full = false;
            } else if read == 0 && written == 0 {
                // Nothing moves: the rest of the input needs more behind it.
                self.is_full = false;
                if !self.input.is_empty() {
                    return Err(Violation::InvalidDeflate);
                }
            }
            Ok(Bytes::copy_from_slice(&output[..written]))
        })
    }

    fn release(&mut self) {
        if let Some(mut engine) = self.engine.take() {
            UNUSED.with_borrow_mut(|unused| {
                if unused.len() < KEPT {
                    engine.reset(false);
                    unused.push(engine);
                }
            });
        }
    }
}
