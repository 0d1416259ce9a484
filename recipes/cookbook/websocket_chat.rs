//! A chat in the browser: one component owns the room, its history and the list of guests.

use std::collections::{BTreeSet, VecDeque};

use futures_lite::future::or;
use kamea::{Asker, Call, Component, Done, Graph, Sink};
use kamea_components::chassis::{Backplane, Slow, Subscription};
use kamea_components::gateway::{Sock, WebSocket};
use kamea_components::server::{Site, WebServer};
use kamea_components::web::{Request, Response, Route};
use kamea_components::websocket::{CloseCode, Message};
use kamea_recipes::{Outcome, serve_beside};
use serde_json::{Value, json};

/// How many messages a new guest sees.
const HISTORY: usize = 50;

/// What a guest wants from the room.
#[derive(Debug)]
enum Visit {
    Enter(String),
    Say(String, String),
    Leave(String),
}

/// What a guest who enters is given.
#[derive(Debug)]
struct Welcome {
    name: String,
    history: Vec<Message>,
    news: Subscription<Message>,
}

/// Keeps the room. A guest who does not read misses messages, and slows nobody.
fn keep_room() -> impl Component<Sink<Call<Visit, Option<Welcome>>>> + Send {
    async |io: &mut Sink<Call<Visit, Option<Welcome>>>| {
        let plane = Backplane::new().slow(Slow::DropOldest);
        let news = plane.publisher("chat");
        let (mut guests, mut history) = (BTreeSet::new(), VecDeque::new());
        while let Some(Call { request, reply }) = io.inbox.next().await {
            match request {
                Visit::Enter(wanted) => {
                    let name = free_name(&guests, wanted);
                    guests.insert(name.clone());
                    let welcome = Welcome {
                        name,
                        history: history.iter().cloned().collect(),
                        news: plane.subscribe("chat"),
                    };
                    reply.send(Some(welcome));
                    news.publish(event(&json!({"guests": guests}))).await?;
                }
                Visit::Say(name, text) => {
                    let said = event(&json!({"from": name, "text": text}));
                    history.push_back(said.clone());
                    if history.len() > HISTORY {
                        history.pop_front();
                    }
                    news.publish(said).await?;
                    reply.send(None);
                }
                Visit::Leave(name) => {
                    guests.remove(&name);
                    news.publish(event(&json!({"guests": guests}))).await?;
                    reply.send(None);
                }
            }
        }
        Ok(())
    }
}

fn free_name(guests: &BTreeSet<String>, wanted: String) -> String {
    let mut name = wanted.clone();
    for number in 2.. {
        if !guests.contains(&name) {
            break;
        }
        name = format!("{wanted} {number}");
    }
    name
}

/// An event for every guest: it is encoded once.
fn event(event: &Value) -> Message {
    Message::text(event.to_string()).shared()
}

type Room = Asker<Visit, Option<Welcome>>;

/// One guest, from the name to the end of the connection.
async fn visit(ws: &mut WebSocket<'_>, room: &Room) -> Done {
    let first = ws.receive().await?;
    let name = first.as_text().unwrap_or_default().trim();
    if !(1..=20).contains(&name.chars().count()) {
        ws.close(CloseCode::POLICY, "a name has 1 to 20 characters");
        return Ok(());
    }
    let Some(welcome) = room.ask(Visit::Enter(name.to_owned())).await? else {
        return Ok(());
    };
    let name = welcome.name.clone();
    let outcome = converse(ws, room, welcome).await;
    room.ask(Visit::Leave(name)).await?;
    outcome
}

async fn converse(ws: &mut WebSocket<'_>, room: &Room, welcome: Welcome) -> Done {
    let Welcome {
        name,
        history,
        mut news,
    } = welcome;
    ws.send(json!({"you": name}).to_string()).await?;
    for message in history {
        ws.send(message).await?;
    }
    loop {
        let heard = async { Ok(Err(news.next().await)) };
        let said = async { ws.receive().await.map(Ok) };
        match or(heard, said).await? {
            Ok(message) => {
                let text = message.as_text().unwrap_or_default().to_owned();
                room.ask(Visit::Say(name.clone(), text)).await?;
            }
            Err(Some(message)) => ws.send(message).await?,
            Err(None) => return Ok(()),
        }
    }
}

const PAGE: &str = include_str!("websocket_chat.html");

fn main() -> Outcome {
    let mut graph = Graph::new("room");
    let room = graph.ask("room", keep_room());
    let chat = async move |ws: &mut WebSocket<'_>| visit(ws, &room).await;
    let sock = Sock::new().max_message_size(4096).route("/chat", chat);
    let page = async |_: Request| Response::html(PAGE);
    let server = WebServer::new(Site::new("www")).sock(sock).handle(
        "page",
        Route::path("/room").method("GET")?,
        page,
    );
    serve_beside(graph, server)
}
