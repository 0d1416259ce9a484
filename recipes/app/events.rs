//! A board of news: each message goes to all pages that listen, as server-sent events, over a
//! backplane.

use futures_lite::stream;
use kamea::{Asker, Call as Question, Done, Graph, Receiver, Sender, Sink, link};
use kamea_app::{App, AppError, Call, Event, Events, Html, Problem, State};

const PAGE: &str = r#"<!DOCTYPE html>
<title>News</title>
<form onsubmit="fetch('/news', { method: 'POST', body: news.value }); news.value = ''; return false">
  <input id="news" placeholder="What is new?">
</form>
<ul id="list"></ul>
<script>
  new EventSource("/events").onmessage = (event) => {
    const line = document.createElement("li");
    line.textContent = event.data;
    list.prepend(line);
  };
</script>
"#;

#[derive(Debug)]
enum Ask {
    Publish(String),
    Listen,
}

/// How many messages may wait for a page. A page that does not keep up loses its connection.
const WAITING: usize = 100;

/// Hands each message to all who listen.
async fn publish(io: &mut Sink<Question<Ask, Option<Receiver<String>>>>) -> Done {
    let mut listeners: Vec<Sender<String>> = Vec::new();
    while let Some(Question { request, reply }) = io.inbox.next().await {
        reply.send(match request {
            Ask::Publish(news) => {
                listeners.retain(|listener| listener.try_send(news.clone()).is_ok());
                None
            }
            Ask::Listen => {
                let (sender, receiver) = link(WAITING);
                listeners.push(sender);
                Some(receiver)
            }
        });
    }
    Ok(())
}

type Board = State<Asker<Ask, Option<Receiver<String>>>>;

async fn post(call: Call<(), String, Board>) -> Result<(), Problem> {
    call.with.ask(Ask::Publish(call.body)).await?;
    Ok(())
}

async fn events(call: Call<(), (), Board>) -> Result<Events, Problem> {
    let news = call.with.ask(Ask::Listen).await?;
    let events = stream::unfold(news, async |mut news| {
        let line = news.as_mut()?.next().await?;
        Some((Event::new(line), news))
    });
    Ok(Events::new(events))
}

fn main() -> Result<(), AppError> {
    let mut graph = Graph::new("news");
    let board = graph.ask("board", publish);
    App::with_state(board)
        .get("/", async || Html(PAGE))
        .post("/news", post)
        .get("/events", events)
        .beside(graph)
        .main("127.0.0.1:8000")
}
