//! A drawing that all browsers share: one component owns the strokes.

use std::collections::VecDeque;

use futures_lite::future::or;
use kamea::{Asker, Call, Component, Done, Graph, Sink};
use kamea_components::chassis::{Backplane, Slow, Subscription};
use kamea_components::gateway::{Sock, WebSocket};
use kamea_components::server::{Site, WebServer};
use kamea_components::web::{Request, Response, Route};
use kamea_components::websocket::{CloseCode, Message};
use kamea_recipes::{Outcome, serve_beside};

const PAGE: &str = include_str!("shared_drawing.html");

/// The most strokes that are kept; the oldest go first.
const STROKES: usize = 10_000;

/// A message to the owner of the drawing.
#[derive(Debug)]
enum Ask {
    /// Adds a stroke.
    Draw(Message),
    /// Returns all strokes, and those to come.
    Look,
}

type Look = Option<(Vec<Message>, Subscription<Message>)>;

/// Owns the strokes. A browser that does not read misses some, and slows nobody.
fn own_strokes() -> impl Component<Sink<Call<Ask, Look>>> + Send {
    async |io: &mut Sink<Call<Ask, Look>>| {
        let plane = Backplane::new().capacity(1024).slow(Slow::DropOldest);
        let (news, mut strokes) = (plane.publisher("strokes"), VecDeque::new());
        while let Some(Call { request, reply }) = io.inbox.next().await {
            let look = match request {
                Ask::Draw(stroke) => {
                    news.publish(stroke.clone()).await?;
                    strokes.push_back(stroke);
                    if strokes.len() > STROKES {
                        strokes.pop_front();
                    }
                    None
                }
                Ask::Look => Some((
                    strokes.iter().cloned().collect(),
                    plane.subscribe("strokes"),
                )),
            };
            reply.send(look);
        }
        Ok(())
    }
}

/// Whether a message is a stroke: four numbers.
fn is_stroke(message: &Message) -> bool {
    let numbers = message.as_text().unwrap_or_default().split(' ');
    numbers.clone().count() == 4 && numbers.clone().all(|number| number.parse::<u16>().is_ok())
}

async fn draw(ws: &mut WebSocket<'_>, strokes: &Asker<Ask, Look>) -> Done {
    let Some((drawn, mut news)) = strokes.ask(Ask::Look).await? else {
        return Ok(());
    };
    for stroke in drawn {
        ws.send(stroke).await?;
    }
    loop {
        let other = async { Ok(Err(news.next().await)) };
        let own = async { ws.receive().await.map(Ok) };
        match or(other, own).await? {
            Ok(stroke) if is_stroke(&stroke) => {
                strokes.ask(Ask::Draw(stroke.shared())).await?;
            }
            Ok(_) => ws.close(CloseCode::POLICY, "a stroke is four numbers"),
            Err(Some(stroke)) => ws.send(stroke).await?,
            Err(None) => return Ok(()),
        }
    }
}

fn main() -> Outcome {
    let mut graph = Graph::new("drawing");
    let strokes = graph.ask("strokes", own_strokes());
    let sock = Sock::new().route("/strokes", async move |ws| draw(ws, &strokes).await);
    let page = async |_: Request| Response::html(PAGE);
    let server = WebServer::new(Site::new("www")).sock(sock).handle(
        "page",
        Route::path("/drawing").method("GET")?,
        page,
    );
    serve_beside(graph, server)
}
