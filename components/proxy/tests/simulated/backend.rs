//! Backends that do anything: they answer, in every framing, or fail at every point.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::or;
use kamea::time::sleep;
use kamea::{Done, Graph, random, spawn};
use kamea_components::chassis::NoPorts;
use kamea_components::net::{Accepted, Socket};
use kamea_components::simulated::Network;
use tokio::sync::watch;

use super::World;
use super::message::{Reader, body_of, chunked, field, framing};

/// What a backend does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Answers.
    Answer,
    /// Answers, and closes the connection without having said so.
    AnswerAndClose,
    /// Answers until it closes the connection, without a length.
    AnswerUntilClose,
    /// Sends interim responses, and then answers.
    Interim,
    /// Says more than its length. If that arrives late, it is the start of the next response.
    SayMore,
    /// Refuses the request before its body has arrived.
    Early,
    /// Closes after the head of the request.
    CloseAfterHead,
    /// Closes after the request. It may have acted on it.
    CloseAfterRequest,
    /// Closes within the head of the response.
    HalfHead,
    /// Sends something that is no response.
    Garbage,
    /// Closes within the body of the response.
    HalfBody,
    /// Says nothing until the proxy gives up.
    Stall,
    /// Stops within the body of the response, until the proxy gives up.
    StallBody,
}

impl Fate {
    const GOOD: [Self; 5] = [
        Self::Answer,
        Self::Answer,
        Self::AnswerAndClose,
        Self::AnswerUntilClose,
        Self::Interim,
    ];
    const BAD: [Self; 9] = [
        Self::SayMore,
        Self::Early,
        Self::CloseAfterHead,
        Self::CloseAfterRequest,
        Self::HalfHead,
        Self::Garbage,
        Self::HalfBody,
        Self::Stall,
        Self::StallBody,
    ];

    /// Draws one for a request whose response has a body or not.
    fn draw(badness: f64, has_body: bool) -> Self {
        let fate = match random::chance(badness) {
            true => Self::BAD[random::usize(..Self::BAD.len())],
            false => Self::GOOD[random::usize(..Self::GOOD.len())],
        };
        match fate {
            Self::HalfBody | Self::StallBody | Self::AnswerUntilClose if !has_body => Self::Answer,
            fate => fate,
        }
    }

    /// Whether the client gets the whole response.
    pub(super) const fn is_answered(self) -> bool {
        matches!(
            self,
            Self::Answer
                | Self::AnswerAndClose
                | Self::AnswerUntilClose
                | Self::Interim
                | Self::SayMore
        )
    }
}

/// Runs a backend until the world ends. It dies now and then, and lives again.
pub(super) async fn live(network: Network, address: SocketAddr, index: usize, world: Arc<World>) {
    let mut over = world.over.subscribe();
    loop {
        let (death, dies) = watch::channel(false);
        let accepting = accept(&network, address, index, &world, dies);
        let dying = async {
            match random::chance(world.deadliness()) {
                true => sleep(random::duration(Duration::from_secs(4))).await,
                false => std::future::pending().await,
            }
            false
        };
        let ends = async {
            let _ = over.wait_for(|is_over| *is_over).await;
            true
        };
        let accepting = async {
            accepting.await;
            true
        };
        let is_over = or(ends, or(dying, accepting)).await;
        // All its connections end with it.
        drop(death);
        if is_over {
            return;
        }
        sleep(random::duration(Duration::from_secs(2))).await;
    }
}

async fn accept(
    network: &Network,
    address: SocketAddr,
    index: usize,
    world: &Arc<World>,
    dies: watch::Receiver<bool>,
) {
    let mut graph = Graph::new("listener");
    let accept = graph.add("accept", network.accept(address));
    let mut accepted = graph.take(accept.outbox);
    spawn(graph.start().unwrap());
    while let Some(connection) = accepted.next().await {
        let (world, mut dies) = (world.clone(), dies.clone());
        let mut connection = Some(connection);
        let mut graph = Graph::new("connection of a backend");
        graph.add("serve", async move |_: &mut NoPorts| -> Done {
            if let Some(connection) = connection.take() {
                let death = async {
                    let _ = dies.wait_for(|is_dead| *is_dead).await;
                };
                or(death, serve(connection, index, &world)).await;
            }
            Ok(())
        });
        spawn(graph.start().unwrap());
    }
}

async fn serve(connection: Accepted, index: usize, world: &World) {
    let mut reader = Reader::new(Socket::new(connection));
    let (mut is_first, mut before) = (true, None);
    loop {
        let Some(head) = next_head(&mut reader, is_first, world).await else {
            return;
        };
        is_first = false;
        before = answer(&mut reader, &head, index, before, world).await;
        if before.is_none() {
            return;
        }
    }
}

/// The next head. An idle connection may be closed at any moment, also within a head.
async fn next_head(reader: &mut Reader, is_first: bool, world: &World) -> Option<String> {
    let idle = async {
        match is_first || random::chance(0.5) {
            true => std::future::pending().await,
            false => sleep(random::duration(world.idle)).await,
        }
        None
    };
    or(reader.until(b"\r\n\r\n"), idle).await
}

/// Does something with a request, and returns what; `None` if the connection ends here. `before` is
/// what it did with the request before.
async fn answer(
    reader: &mut Reader,
    head: &str,
    index: usize,
    before: Option<Fate>,
    world: &World,
) -> Option<Fate> {
    let path = head.split(' ').nth(1).expect("a target");
    let (id, wants) = path[1..].split_once('/').expect("a path of the test");
    let (id, wants): (u64, usize) = (id.parse().unwrap(), wants.parse().unwrap());
    let asked = world.asked(id);
    assert!(head.starts_with(asked.method), "{head}");
    let has_body = wants > 0 && asked.method != "HEAD";
    let fate = match (before, Fate::draw(world.badness(), has_body)) {
        (Some(Fate::SayMore), _) => Fate::Garbage,
        // The death of a process would look like the end of the response.
        (_, Fate::AnswerUntilClose) if world.deadliness() > 0.0 => Fate::Answer,
        (_, fate) => fate,
    };
    let attempt = world.arrived(id, index, fate);
    if random::chance(0.2) {
        sleep(random::duration(Duration::from_millis(500))).await;
    }
    match fate {
        Fate::CloseAfterHead => return None,
        Fate::Early => {
            let refusal = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno";
            let read = random::chance(0.5);
            let goes_on = reader.write(refusal.as_bytes()).await
                && read
                && receive(reader, head, id, world, attempt).await;
            return goes_on.then_some(fate);
        }
        _ => {}
    }
    if field(head, "expect").is_some() && random::chance(0.7) {
        reader.write(b"HTTP/1.1 100 Continue\r\n\r\n").await;
    }
    let goes_on = receive(reader, head, id, world, attempt).await
        && respond(reader, fate, &body_of(id, wants), has_body).await;
    goes_on.then_some(fate)
}

/// Receives the body of a request; false if the connection ends before it is whole.
async fn receive(reader: &mut Reader, head: &str, id: u64, world: &World, attempt: usize) -> bool {
    let Some(body) = reader.body(framing(head)).await else {
        return false;
    };
    assert!(
        body == body_of(id, world.asked(id).sends),
        "a body of {id} that is whole and wrong: {} bytes",
        body.len()
    );
    world.received(id, attempt);
    true
}

/// Sends a response; false if the connection ends here.
async fn respond(reader: &mut Reader, fate: Fate, content: &[u8], has_body: bool) -> bool {
    let length = content.len();
    let is_chunked = has_body && random::chance(0.5);
    let (mut head, mut body) = match is_chunked {
        true => (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
            chunked(content),
        ),
        false => (
            format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"),
            content.to_vec(),
        ),
    };
    if !has_body {
        body.clear();
    }
    match fate {
        Fate::CloseAfterRequest => return false,
        Fate::Stall => {
            while reader.fill().await {}
            return false;
        }
        Fate::Garbage => {
            reader.write(b"no response\r\n\r\n").await;
            return false;
        }
        Fate::HalfHead => {
            let part = random::usize(1..head.len());
            reader.write(&head.as_bytes()[..part]).await;
            return false;
        }
        Fate::AnswerUntilClose => {
            (head, body) = ("HTTP/1.0 200 OK\r\n\r\n".to_owned(), content.to_vec());
        }
        Fate::HalfBody | Fate::StallBody => {
            body.truncate(random::usize(..body.len()));
        }
        Fate::Interim => {
            let interim = "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n";
            head = interim.repeat(random::usize(1..4)) + &head;
        }
        Fate::SayMore => body.extend(b"no response\r\n\r\n"),
        _ => {}
    }
    let sent = match random::chance(0.5) {
        true => reader.write(&[head.as_bytes(), &body].concat()).await,
        false => {
            reader.write(head.as_bytes()).await && {
                sleep(random::duration(Duration::from_millis(300))).await;
                reader.write(&body).await
            }
        }
    };
    if fate == Fate::StallBody {
        while reader.fill().await {}
    }
    sent && matches!(fate, Fate::Answer | Fate::Interim | Fate::SayMore)
}
