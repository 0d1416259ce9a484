//! fastwebsockets.

use fastwebsockets::{
    FragmentCollector, FragmentCollectorRead, Frame, OpCode, Payload, Role, WebSocket,
    WebSocketError, after_handshake_split,
};
use tokio::net::TcpStream;
use tokio::sync::broadcast::{self, Sender};
use tokio::task::spawn_local;

use crate::handshake::{Wants, serve as serve_each};
use crate::{Error, LARGEST, WAITING};

/// A message of the chat.
type Said = std::sync::Arc<[u8]>;

pub(crate) fn serve() -> Result<(), Error> {
    let (room, _) = broadcast::channel(WAITING);
    serve_each(async move |stream, wants| {
        // The end of a connection ends its task.
        let _ = match wants {
            Wants::Echo => echo(stream).await,
            Wants::Chat => chat(stream, room.clone()).await,
        };
    })
}

async fn echo(stream: TcpStream) -> Result<(), WebSocketError> {
    let mut socket = WebSocket::after_handshake(stream, Role::Server);
    socket.set_max_message_size(LARGEST);
    let mut socket = FragmentCollector::new(socket);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            OpCode::Close => return Ok(()),
            _ => {}
        }
    }
}

async fn chat(stream: TcpStream, room: Sender<Said>) -> Result<(), WebSocketError> {
    let (reader, writer) = stream.into_split();
    let (reader, mut writer) = after_handshake_split(reader, writer, Role::Server);
    let mut news = room.subscribe();
    let writing = spawn_local(async move {
        while let Ok(said) = news.recv().await {
            let frame = Frame::text(Payload::Borrowed(&said));
            if writer.write_frame(frame).await.is_err() {
                return;
            }
        }
    });
    let mut reader = FragmentCollectorRead::new(reader);
    let mut answer = async |_| Ok::<_, WebSocketError>(());
    while let Ok(frame) = reader.read_frame(&mut answer).await {
        match frame.opcode {
            OpCode::Text => drop(room.send(frame.payload.to_vec().into())),
            OpCode::Close => break,
            _ => {}
        }
    }
    writing.abort();
    Ok(())
}
