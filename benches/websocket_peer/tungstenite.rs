//! tokio-tungstenite.

use std::future::ready;

use futures_util::{SinkExt, StreamExt, TryStreamExt};
use tokio::net::TcpStream;
use tokio::sync::broadcast::{self, Sender};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error as Failed, Message};

use crate::handshake::{Wants, serve as serve_each};
use crate::{Error, WAITING};

pub(crate) fn serve() -> Result<(), Error> {
    let (room, _) = broadcast::channel(WAITING);
    serve_each(async move |stream, wants| {
        let socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
        // The end of a connection ends its task.
        let _ = match wants {
            Wants::Echo => echo(socket).await,
            Wants::Chat => chat(socket, room.clone()).await,
        };
    })
}

fn is_data(message: &Message) -> bool {
    message.is_text() || message.is_binary()
}

/// Writes once there is nothing more to read.
async fn echo(socket: WebSocketStream<TcpStream>) -> Result<(), Failed> {
    let (writer, reader) = socket.split();
    let messages = reader.try_filter(|message| ready(is_data(message)));
    messages.forward(writer).await
}

async fn chat(mut socket: WebSocketStream<TcpStream>, room: Sender<Message>) -> Result<(), Failed> {
    let mut news = room.subscribe();
    loop {
        tokio::select! {
            said = socket.next() => match said.transpose()? {
                Some(message) if is_data(&message) => drop(room.send(message)),
                Some(_) => {}
                None => return Ok(()),
            },
            heard = news.recv() => match heard {
                Ok(message) => socket.send(message).await?,
                Err(_) => return Ok(()),
            },
        }
    }
}
