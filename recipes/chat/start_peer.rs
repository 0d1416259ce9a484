//! A peer of the hybrid chat: it speaks with other peers directly, and serves a page to its owner.
//!
//! `cargo run --release --bin start_peer -- --name ada --tracker http://127.0.0.1:8001`

use std::future::pending;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use kamea::Scheduler;
use kamea_chat::{PeerName, tracker_url};
use kamea_chat_recipes::peer::PeerSetup;
use kamea_chat_recipes::terminal::run_terminal;
use kamea_components::http::Url;
use kamea_recipes::{InspectOptions, Outcome, Stamp, ip, log_to_stderr, parse, port};

/// Chats with other peers, without a server between them
#[derive(Parser)]
#[command(name = "start_peer")]
struct Options {
    /// Your name: 1 to 32 of a-z, 0-9, -, _ and .
    #[arg(long, value_name = "NAME")]
    name: PeerName,
    /// The tracker, where peers find each other, such as http://127.0.0.1:8001 or
    /// https://chat.example.org
    #[arg(long, value_name = "URL", value_parser = tracker_url)]
    tracker: Option<Url>,
    /// The authorities that the certificate of an https tracker must be from, a PEM file [default:
    /// those of the system]
    #[arg(long, value_name = "FILE", requires = "tracker")]
    tracker_ca: Option<PathBuf>,
    /// The address to listen on for peers
    #[arg(long, value_name = "IP", value_parser = ip, default_value_t = IpAddr::V4(Ipv4Addr::UNSPECIFIED))]
    ip: IpAddr,
    /// The port to listen on for peers [default: the system chooses]
    #[arg(
        long,
        value_name = "PORT",
        value_parser = port,
        default_value_t = 0,
        hide_default_value = true
    )]
    port: u16,
    /// The port of the page on 127.0.0.1 [default: the system chooses]
    #[arg(
        long,
        value_name = "PORT",
        value_parser = port,
        default_value_t = 0,
        hide_default_value = true
    )]
    page_port: u16,
    /// The folder of the key and the history [default: chat-NAME]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Chat in the terminal: lines in, lines out; /help lists the commands
    #[arg(long)]
    terminal: bool,
    #[command(flatten)]
    inspect: InspectOptions,
}

/// How long messages that are under way may take after ctrl-c.
const DEADLINE: Duration = Duration::from_secs(5);

fn main() -> Outcome {
    let options: Options = parse();
    log_to_stderr(false, Stamp::Time)?;
    let scheduler = Scheduler::new();
    let _inspecting = options.inspect.run(&scheduler, None)?;
    let data = options.data;
    let setup = PeerSetup {
        data: data.unwrap_or_else(|| format!("chat-{}", options.name).into()),
        name: options.name.clone(),
        listen: SocketAddr::new(options.ip, options.port),
        page_port: options.page_port,
        tracker: options.tracker,
        tracker_ca: options.tracker_ca,
    };
    let peer = setup.run(&scheduler)?;
    log::info!("Your fingerprint: {}", peer.identity.key().fingerprint());
    // Before the lines of the terminal.
    writeln!(
        io::stdout(),
        "{} listens on {}, its page is {}",
        options.name,
        peer.address,
        peer.page
    )?;
    let terminal = match options.terminal {
        true => Some(run_terminal(
            &scheduler,
            peer.node.clone(),
            peer.events.clone(),
        )?),
        false => None,
    };
    let until = async {
        match terminal {
            // A fault of the terminal is in the log.
            Some(terminal) => drop(terminal.finished().await),
            None => pending().await,
        }
    };
    Ok(scheduler.until_ctrl_c_or(until, DEADLINE)?)
}
