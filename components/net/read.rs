//! The reader: what arrives on a socket, as bytes.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;

use bytes::Bytes;
use futures_lite::future::{or, yield_now};
use kamea::{Component, Source};

use super::Socket;

/// How much one read takes at the most, in bytes.
const CHUNK: usize = 64 * 1024;

thread_local! {
    /// Where reads go first: one buffer a worker, so that a connection that waits holds none.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; CHUNK].into());
}

/// Reads a socket until the peer has finished, or nobody takes its bytes any more. `first` is what was read of it before.
pub fn read_bytes(socket: Rc<Socket>, first: Bytes) -> impl Component<Source<Bytes>> {
    let mut first = Some(first);
    async move |io: &mut Source<Bytes>| {
        if let Some(first) = first.take() {
            io.outbox.send(first).await?;
            if !socket.is_watched() {
                // A connection that ends with its first request need not be watched: downstream has the first look.
                yield_now().await;
            }
        }
        loop {
            let read = async { Some(read_some(&socket).await) };
            let unwanted = async {
                io.outbox.closed().await;
                None
            };
            match or(unwanted, read).await {
                Some(Ok(bytes)) if !bytes.is_empty() => io.outbox.send(bytes).await?,
                Some(Ok(_)) | None => return Ok(()),
                Some(Err(error)) => {
                    // A peer that resets its connection has finished, in its way.
                    log::debug!("{} | {error}", socket.peer());
                    return Ok(());
                }
            }
        }
    }
}

/// What has arrived, at least one byte; nothing at the end of what the peer sends.
pub(crate) async fn read_some(socket: &Socket) -> io::Result<Bytes> {
    poll_fn(|cx| {
        BUFFER.with_borrow_mut(|buffer| {
            socket
                .poll_read(cx, buffer)
                .map_ok(|count| Bytes::copy_from_slice(&buffer[..count]))
        })
    })
    .await
}
