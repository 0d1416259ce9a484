//! Compression of messages (RFC 7692 section 7.2.1).

use std::cell::RefCell;

use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress};

use super::{Deflate, DeflateOptions, TAIL};
use crate::websocket::Role;

/// How many unused engines a worker keeps.
const KEPT: usize = 4;

thread_local! {
    /// Engines with their level and window: a connection without a context holds one only during a
    /// message.
    static UNUSED: RefCell<Vec<((u32, u8), Compress)>> = const { RefCell::new(Vec::new()) };
}

/// Compresses messages.
#[derive(Debug)]
pub(in crate::websocket) struct Deflater {
    options: DeflateOptions,
    keeps_context: bool,
    bits: u8,
    engine: Option<Compress>,
}

impl Deflater {
    /// For what `role` sends.
    pub(in crate::websocket) fn new(agreed: &Deflate, options: DeflateOptions, role: Role) -> Self {
        let (forgets, bits) = match role {
            Role::Server => (
                agreed.server_no_context_takeover,
                agreed.server_max_window_bits,
            ),
            Role::Client => (
                agreed.client_no_context_takeover,
                agreed.client_max_window_bits,
            ),
        };
        Self {
            options,
            keeps_context: options.keeps_context && !forgets,
            bits: bits.min(options.window_bits).clamp(9, 15),
            engine: None,
        }
    }

    /// The compressed payload; `None` if it is better sent as it is.
    pub(in crate::websocket) fn compress(&mut self, payload: &[u8]) -> Option<Bytes> {
        if payload.len() < self.options.threshold.max(1) {
            return None;
        }
        let key = (self.options.level, self.bits);
        let mut engine = self.engine.take().unwrap_or_else(|| engine(key));
        let compressed = compress(&mut engine, payload);
        let is_shorter = compressed.len() < payload.len();
        if self.keeps_context && is_shorter {
            self.engine = Some(engine);
        } else {
            // The peer has not seen what is not sent: later messages must not refer to it.
            release(key, engine);
        }
        is_shorter.then(|| compressed.into())
    }

    /// The same for a message that several connections send: it refers to nothing before it.
    pub(in crate::websocket) fn compress_alone(&self, payload: &[u8]) -> Option<Bytes> {
        if payload.len() < self.options.threshold.max(1) {
            return None;
        }
        let key = (self.options.level, self.bits);
        let mut engine = engine(key);
        let compressed = compress(&mut engine, payload);
        release(key, engine);
        (compressed.len() < payload.len()).then(|| compressed.into())
    }

    /// Whether this connection may send messages that were compressed for all: with the largest
    /// window.
    pub(in crate::websocket) fn may_share(&self) -> bool {
        self.bits == 15
    }

    /// Whether it holds a compressor between messages.
    pub(in crate::websocket) fn is_active(&self) -> bool {
        self.engine.is_some()
    }

    /// Gives up the context: the next message refers to nothing before it.
    pub(in crate::websocket) fn rest(&mut self) {
        if let Some(engine) = self.engine.take() {
            release((self.options.level, self.bits), engine);
        }
    }
}

fn engine((level, bits): (u32, u8)) -> Compress {
    let unused = UNUSED.with_borrow_mut(|unused| {
        let at = unused.iter().position(|(key, _)| *key == (level, bits));
        at.map(|at| unused.swap_remove(at).1)
    });
    let level = Compression::new(level);
    unused.unwrap_or_else(|| Compress::new_with_window_bits(level, false, bits))
}

fn release(key: (u32, u8), mut engine: Compress) {
    UNUSED.with_borrow_mut(|unused| {
        if unused.len() < KEPT {
            engine.reset();
            unused.push((key, engine));
        }
    });
}

/// Compresses a payload up to a flush, without the tail.
fn compress(engine: &mut Compress, mut payload: &[u8]) -> Vec<u8> {
    let mut output = Vec::with_capacity(payload.len() / 2 + 64);
    loop {
        let read = engine.total_in();
        // A buffer error only says that there is nothing left to do.
        let _ = engine.compress_vec(payload, &mut output, FlushCompress::Sync);
        payload = &payload[(engine.total_in() - read) as usize..];
        if payload.is_empty() && output.len() < output.capacity() {
            break;
        }
        output.reserve(output.len().max(64));
    }
    if output.ends_with(&TAIL) {
        output.truncate(output.len() - TAIL.len());
    }
    output
}
