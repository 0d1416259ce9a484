//! What the peers have in common: a thread with tokio, and the handshake.

use kamea_benches::http::announce;
use kamea_components::websocket::accept_key;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};

use crate::Error;

/// Which of the two a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wants {
    Echo,
    Chat,
}

/// Serves each connection behind its handshake, all on this thread.
pub(crate) fn serve(each: impl AsyncFn(TcpStream, Wants) + Clone + 'static) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        announce(listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let each = each.clone();
            spawn_local(async move {
                if let Ok((stream, wants)) = shake(stream).await {
                    each(stream, wants).await;
                }
            });
        }
    })
}

/// Answers a handshake. Nothing follows it, because the client waits for the answer.
async fn shake(mut stream: TcpStream) -> Result<(TcpStream, Wants), Error> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            return Err("the head has no end".into());
        }
    }
    let head = String::from_utf8(head)?;
    let wants = match head.starts_with("GET /chat ") {
        true => Wants::Chat,
        false => Wants::Echo,
    };
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    let key = lines.find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"));
    let (_, key) = key.ok_or("no handshake")?;
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        accept_key(key)
    );
    stream.write_all(answer.as_bytes()).await?;
    Ok((stream, wants))
}
