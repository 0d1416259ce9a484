//! The client that the fuzzing server of the Autobahn suite tests: it echoes every case.

use kamea::{Handle, Scheduler};
use kamea_components::websocket::{Message, WebSocketOptions, websocket_client};
use kamea_recipes::{Outcome, arguments};

fn open(scheduler: &Scheduler, url: &str) -> Result<Handle<Message, Message>, String> {
    let mut options = WebSocketOptions::default();
    options.limits.message = 64 << 20; // bytes
    options.limits.frame = 64 << 20;
    options.limits.fragments = 1 << 20;
    let client = websocket_client(url, options).map_err(|error| error.to_string())?;
    Handle::run(scheduler, client).map_err(|error| error.to_string())
}

fn main() -> Outcome {
    let arguments = arguments();
    let [server] = &arguments[..] else {
        return Err("usage: autobahn_client ws://127.0.0.1:9002".into());
    };
    let scheduler = Scheduler::with_workers(1);
    let mut cases = open(&scheduler, &format!("{server}/getCaseCount"))?;
    let count = cases.next_blocking();
    let count: u32 = count
        .as_ref()
        .and_then(Message::as_text)
        .unwrap_or_default()
        .parse()?;
    for case in 1..=count {
        let url = format!("{server}/runCase?case={case}&agent=kamea");
        let mut case = open(&scheduler, &url)?;
        while let Some(message) = case.next_blocking() {
            if case.send_blocking(message).is_err() {
                break;
            }
        }
        // Some cases reset the connection.
        drop(case.wait());
    }
    let mut reports = open(&scheduler, &format!("{server}/updateReports?agent=kamea"))?;
    while reports.next_blocking().is_some() {}
    Ok(())
}
