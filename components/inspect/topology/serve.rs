//! Programs that draw themselves, over TCP.
//!
//! ```text
//! acceptor ──▶ programs ╌╌ runs, for each of them: reader ──▶ draw ──▶ answers
//!                                                              ╌╌▶ gather ╌╌▶ the pages
//! ```

use std::net::TcpListener;
use std::rc::Rc;

use bytes::Bytes;
use kamea::{Component, Flows, Graph, Sender, Sink};
use tokio::sync::watch;

use super::draw::{Sketched, draw_topology};
use super::gather::{PROGRAMS, Sketches, gather_sketches};
use super::sketch::refusal;
use crate::net::{Accepted, Socket, accept, read_bytes};

/// Adds the component that keeps all drawings to a graph; they go to `shown`.
pub(in crate::inspect) fn add_gatherer(
    graph: &mut Graph,
    shown: watch::Sender<Sketches>,
) -> Sender<Sketched> {
    let gather = graph.add("sketches", gather_sketches(shown));
    graph.feed(gather.inbox)
}

/// Adds the components that accept topology lines at `listener` to a graph.
pub(in crate::inspect) fn add_topologies(
    graph: &mut Graph,
    listener: TcpListener,
    sketches: Sender<Sketched>,
) {
    let acceptor = graph.add("programs' acceptor", accept(listener));
    let programs = graph.add("programs", serve_programs(sketches));
    graph.link(acceptor.outbox, programs.inbox);
}

/// Serves each program that connects; further connections get an error line.
fn serve_programs(sketches: Sender<Sketched>) -> impl Component<Sink<Accepted>> + Send {
    async move |io: &mut Sink<Accepted>| {
        let (flows, mut count) = (Flows::new(), 0);
        while let Some(accepted) = io.inbox.next().await {
            let name = accepted.peer.to_string();
            let socket = Rc::new(Socket::new(accepted));
            if flows.count() >= PROGRAMS {
                let told = refusal(&format!("{PROGRAMS} programs are drawn already"));
                // A program that does not read it at once is not waited for.
                let _ = futures_lite::future::poll_once(socket.write(told.as_bytes(), false)).await;
                continue;
            }
            count += 1;
            let mut program = Graph::template("program");
            let (name, sketches) = (name.clone(), sketches.clone());
            let reader = program.add_seeded("reader", |socket: &mut Rc<Socket>| {
                read_bytes(socket.clone(), Bytes::new())
            });
            let draw = program.add_seeded("draw", move |_| {
                draw_topology(count, name.clone(), sketches.clone())
            });
            let answers = program.add_seeded("answers", |socket: &mut Rc<Socket>| {
                write_answers(socket.clone())
            });
            program.link(reader.outbox, draw.inbox);
            program.link(draw.outbox, answers.inbox);
            flows.spawn(program.into_template()?.start(socket));
        }
        flows.finished().await;
        Ok(())
    }
}

/// Writes the answers to a program.
fn write_answers(socket: Rc<Socket>) -> impl Component<Sink<Bytes>> {
    async move |io: &mut Sink<Bytes>| {
        while let Some(answer) = io.inbox.next().await {
            let mut sent = 0;
            while sent < answer.len() {
                sent += socket.write(&answer[sent..], false).await?;
            }
        }
        Ok(())
    }
}
