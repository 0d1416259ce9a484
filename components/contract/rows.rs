//! A row for each component: how it is created, and what it receives.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;

use super::bench::{Row, pipe, row, sink, source};
use super::{rows_of_http, rows_of_load};
use crate::chassis::{
    Backplane, Choice, carousel, chooser, each, forward_chooser, inactivity_timeout, parallel,
    publish_to, run_each, sequence, splitter, subscribe_to, tee, time_to_live,
};
use crate::coding::{Coding, encode};
use crate::console::console_echoer;
use crate::file::{Existing, FileSlice, read_file, slice_file, write_file};
use crate::http::Chunk;
use crate::net::{Datagram, accept, bind, tcp_client, tcp_server, udp};
use crate::process::{Command, log_lines, unix_process};
use crate::server::{LogEntry, LogFormat, LogTarget, write_access_log};
use crate::stream::{
    Unreliability, batch, chunkify, collate, count_by, counter, data_source, echo, first_only,
    frame, lines, lossy_connector, measure_rate, null_sink, one_shot, prompted_turnstile,
    rate_limit, tag_with_sequence_number, ticker, unframe, unlines, unreliable, unseen_only, zip,
};
use crate::web::read_slice;

const MILLISECOND: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);

pub(super) fn rows() -> Vec<Row> {
    let mut rows = of_streams();
    rows.extend(of_chassis());
    rows.extend(of_the_world());
    rows.extend(rows_of_http::rows());
    rows.extend(rows_of_load::rows());
    rows
}

fn number() -> u32 {
    7
}

fn text() -> Bytes {
    Bytes::from_static(b"a line\n")
}

fn of_streams() -> Vec<Row> {
    let new = Arc::new(AtomicU32::new(0));
    vec![
        pipe("batch", || batch(4, MILLISECOND), number),
        pipe("chunkify", || chunkify(4), text),
        pipe("collate", || collate(1000), number).absorbs("it gives all of them at the end"),
        pipe("count_by", || count_by(|number: &u32| *number), number)
            .absorbs("it tells how many there were of each, at the end"),
        pipe("unlines", || unlines, || "a line".to_owned()),
        pipe("counter", || counter, number).absorbs("it tells how many there were, at the end"),
        source("data_source", || data_source(0..100_u32)),
        pipe("echo", || echo, number),
        pipe("first_only", || first_only(2), number),
        pipe("frame", || frame(100), text),
        pipe("lines", || lines(100), text),
        pipe("lossy_connector", lossy_connector, number)
            .absorbs("it drops what nobody takes: that is what it is for"),
        pipe("measure_rate", || measure_rate(MILLISECOND), number)
            .absorbs("it tells how many there were, now and then"),
        sink("null_sink", || null_sink, number),
        source("one_shot", || one_shot(7)),
        row("prompted_turnstile", |bench| {
            let part = bench.add(prompted_turnstile::<u32, u32>);
            bench.feed(part.messages, number);
            bench.feed(part.prompts, number);
            bench.take(part.passed);
        }),
        pipe("rate_limit", || rate_limit(10, MILLISECOND), number),
        pipe("tag_with_sequence_number", tag_with_sequence_number, number),
        source("ticker", || ticker(MILLISECOND)),
        pipe(
            "unframe",
            || unframe(100),
            || Bytes::from_static(b"\0\0\0\x01a"),
        ),
        pipe(
            "unreliable",
            || unreliable(Unreliability::default()),
            number,
        ),
        pipe(
            "unseen_only",
            || unseen_only(8),
            move || new.fetch_add(1, Ordering::Relaxed),
        ),
        row("zip", |bench| {
            let part = bench.add(zip::<u32, u32>);
            bench.feed(part.left, number);
            bench.feed(part.right, number);
            bench.take(part.pairs);
        }),
    ]
}

fn of_chassis() -> Vec<Row> {
    vec![
        row("carousel", |bench| {
            let part = bench.add(carousel(|message: u32| one_shot(message)));
            bench.feed(part.next, number);
            bench.take(part.outbox);
        })
        .absorbs("a new configuration takes the place of the one before, whatever that is at"),
        pipe("chooser", || chooser([1, 2, 3]), || Choice::First),
        pipe("forward_chooser", || forward_chooser(0..), || Choice::Next)
            .runs_once("what has been chosen from an iterator is gone"),
        row("each", |bench| {
            let part = bench.add(each(|message: u32| one_shot(message)));
            bench.feed(part.inbox, number);
            bench.take(part.outbox);
        }),
        sink(
            "run_each",
            || run_each(|_: u32| kamea::pipeline!(one_shot(7) => null_sink)),
            number,
        ),
        pipe(
            "inactivity_timeout",
            || inactivity_timeout(MINUTE, echo::<u32>),
            number,
        ),
        pipe("parallel", || parallel(2, |number: u32| number), number),
        row("publish_to", |bench| {
            let part = bench.add(publish_to(&Backplane::new(), "topic"));
            bench.feed(part.inbox, number);
        })
        .absorbs("nobody subscribes"),
        pipe(
            "sequence",
            || sequence(echo::<u32>).then(echo::<u32>),
            number,
        ),
        row("splitter", |bench| {
            let mut part = bench.add(splitter());
            bench.feed(part.inbox, number);
            bench.take(part.outboxes.branch());
            bench.take(part.outboxes.branch());
        }),
        row("subscribe_to", |bench| {
            let part = bench.add(subscribe_to(&Backplane::<u32>::new(), "topic"));
            bench.take(part.outbox);
        })
        .fed_by_nothing(),
        pipe("tee", || tee(null_sink::<u32>), number),
        pipe("time_to_live", || time_to_live(MINUTE, echo::<u32>), number),
    ]
}

/// Components for files, processes and the network.
fn of_the_world() -> Vec<Row> {
    let any = "127.0.0.1:0".parse().unwrap();
    vec![
        source("accept", move || accept(bind(any, false).unwrap())),
        sink("console_echoer", console_echoer, Bytes::new).on_a_thread(),
        pipe("encode", || encode(Coding::Gzip), || Chunk::from("text"))
            .absorbs("what a coding gathers before it writes is its own affair"),
        sink(
            "log_lines",
            || log_lines("contract".to_owned(), log::Level::Trace),
            text,
        ),
        source("read_file", || read_file("/etc/hosts")).on_a_thread(),
        source("read_slice", || {
            let file = std::fs::File::open("/etc/hosts").unwrap();
            let length = file.metadata().unwrap().len();
            read_slice(FileSlice {
                file: Arc::new(file.into()),
                offset: 0,
                length,
            })
        }),
        source("slice_file", || slice_file("/etc/hosts", 1)),
        pipe(
            "tcp_client",
            || tcp_client(echoing(), MINUTE),
            // The buffers of the system hold hundreds of these.
            || Bytes::from_static(&[0; 64 * 1024]),
        ),
        row("tcp_server", |bench| {
            let server = tcp_server("127.0.0.1:0", || echo::<Bytes>);
            let _ = bench.add(server);
        })
        .fed_by_nothing(),
        row("udp", move |bench| {
            let part = bench.add(udp(any));
            bench.feed(part.outgoing, move || Datagram {
                peer: "127.0.0.1:9".parse().unwrap(),
                content: text(),
            });
        })
        .absorbs("the network takes, or loses, what comes"),
        row("unix_process", |bench| {
            let part = bench.add(unix_process(Command::new("cat")));
            bench.feed(part.stdin, text);
            bench.take(part.stdout);
            bench.take(part.status);
        })
        .absorbs("a pipe of the system holds 64 KiB"),
        sink(
            "write_access_log",
            || {
                let target = LogTarget::File("/dev/null".into());
                write_access_log(target, LogFormat::Common).unwrap()
            },
            || LogEntry::Reopen,
        )
        .on_a_thread(),
        sink(
            "write_file",
            || write_file("/dev/null", Existing::Append),
            text,
        )
        .on_a_thread(),
    ]
}

/// Returns the address of a server that echoes its input.
fn echoing() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten().take(2) {
            std::thread::spawn(move || {
                let (mut from, mut to) = (stream.try_clone().unwrap(), stream);
                let _ = std::io::copy(&mut from, &mut to);
            });
        }
    });
    address
}
