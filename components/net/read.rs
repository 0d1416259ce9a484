//! The reader: passes on the bytes that arrive on a socket.

use std::rc::Rc;

use bytes::Bytes;
use futures_lite::future::yield_now;
use kamea::{Closed, Component, Source};

use super::Socket;

/// Reads a socket until the peer has finished, or nobody takes its bytes any more. `first` is what
/// was read of it before.
pub fn read_bytes(socket: Rc<Socket>, first: Bytes) -> impl Component<Source<Bytes>> {
    let mut first = Some(first);
    async move |io: &mut Source<Bytes>| {
        let _reading = Reading::begin(&socket);
        if let Some(first) = first.take() {
            io.outbox.send(first).await?;
            if !socket.is_watched() {
                // A connection that ends with its first request need not be watched: downstream
                // gets a chance first.
                yield_now().await;
            }
        }
        loop {
            match io.outbox.while_open(socket.receive()).await {
                Ok(Ok(bytes)) if !bytes.is_empty() => {
                    if let Err(Closed(bytes)) = io.outbox.send(bytes).await {
                        // They may belong to the next protocol of this connection.
                        socket.untaken(&bytes);
                        return Ok(());
                    }
                }
                Ok(Ok(_)) | Err(Closed(())) => return Ok(()),
                Ok(Err(error)) => {
                    // A peer that resets its connection has finished too.
                    log::debug!("{} | {error}", socket.peer());
                    return Ok(());
                }
            }
        }
    }
}

/// Tells the socket when nobody reads it any more.
struct Reading<'a>(&'a Socket);

impl<'a> Reading<'a> {
    fn begin(socket: &'a Socket) -> Self {
        socket.set_read(true);
        Self(socket)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.set_read(false);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    use futures_lite::future::zip;
    use kamea::{Graph, Receiver, Sink, link, testing::block_on};

    use super::*;
    use crate::net::Accepted;

    /// Starts a reader that sends its bytes to the receiver; also returns the client that it reads
    /// from.
    fn reading() -> (kamea::Flow, Receiver<Bytes>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, peer) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let (sender, receiver) = link(4);
        let mut graph = Graph::template("reading");
        let reader = graph.add_seeded("reader", |socket: &mut Rc<Socket>| {
            read_bytes(socket.clone(), Bytes::from_static(b"first"))
        });
        let taker = graph.add("taker", async move |io: &mut Sink<Bytes>| {
            while let Some(bytes) = io.inbox.next().await {
                sender.send(bytes).await?;
            }
            Ok(())
        });
        graph.link(reader.outbox, taker.inbox);
        let template = graph.into_template().unwrap();
        let socket = Rc::new(Socket::new(Accepted {
            stream: stream.into(),
            peer,
        }));
        (template.start(socket), receiver, client)
    }

    #[test]
    fn what_arrives_comes_out_and_then_the_end() {
        block_on(async {
            let (flow, mut received, mut client) = reading();
            let script = async {
                assert_eq!(received.next().await.unwrap(), "first");
                client.write_all(b"second").unwrap();
                assert_eq!(received.next().await.unwrap(), "second");
                client.shutdown(std::net::Shutdown::Write).unwrap();
                assert!(received.next().await.is_none());
            };
            zip(flow, script).await.0.unwrap();
        });
    }

    #[test]
    fn it_ends_when_nobody_takes_its_bytes_though_the_peer_says_nothing() {
        block_on(async {
            let (flow, received, client) = reading();
            drop(received);
            flow.await.unwrap();
            drop(client);
        });
    }
}
