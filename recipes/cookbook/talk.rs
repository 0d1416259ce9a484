//! A TCP client: it sends what you type, and prints what the server sends.

use std::time::Duration;

use bytes::Bytes;
use kamea::{map, pipeline};
use kamea_components::console::{console_echoer, console_reader};
use kamea_components::net::tcp_client;
use kamea_recipes::{Outcome, arguments, run};

fn main() -> Outcome {
    let [server] = &arguments()[..] else {
        return Err("usage: talk HOST:PORT".into());
    };
    let text = map(|line: String| Bytes::from(line + "\n"));
    let client = tcp_client(server, Duration::from_secs(10));
    run(pipeline!(console_reader() => text => client => console_echoer()))
}
