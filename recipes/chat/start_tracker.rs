//! The tracker of the hybrid chat: peers register with it, and find each other.
//!
//! `cargo run --release --bin start_tracker -- --server-ip 127.0.0.1 --server-port 8001`

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::Parser;
use kamea_chat_recipes::tracker::{Limits, TrackerOptions, draw_network, load_registrations};
use kamea_components::web::Network;
use kamea_recipes::{
    Outcome, Stamp, TlsArgs, address, ip, log_modules_to_stderr, parse, port, whole,
};
use log::LevelFilter;

/// Tells the peers of a chat how to reach each other
#[derive(Parser)]
#[command(name = "start_tracker")]
struct Options {
    /// The address to listen on
    #[arg(long, value_name = "IP", value_parser = ip, default_value = "127.0.0.1")]
    server_ip: IpAddr,
    /// The port to listen on
    #[arg(long, value_name = "PORT", value_parser = port, default_value_t = 8001)]
    server_port: u16,
    /// Keep the registrations in this file (SQLite) [default: in memory]
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// The limit of names that one address may register
    #[arg(long, value_name = "COUNT", value_parser = whole::<usize>, default_value_t = 20)]
    registrations: usize,
    /// A proxy in front of the tracker (an address, or a range such as 10.0.0.0/8) whose
    /// X-Forwarded-For and X-Forwarded-Proto are believed; may be repeated
    #[arg(long, value_name = "NETWORK")]
    trusted_proxy: Vec<Network>,
    /// Believe peers that say they listen at another IP than the one that they come from
    #[arg(long)]
    trust_addresses: bool,
    /// Log each request
    #[arg(short, long)]
    verbose: bool,
    /// Draw the network of the peers on the page of an inspector: its --inspect-topologies address
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    topology: Option<SocketAddr>,
    /// Show the running graphs on a page, such as 127.0.0.1:9235
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    inspect: Option<SocketAddr>,
    #[command(flatten)]
    tls: TlsArgs,
}

fn main() -> Outcome {
    let options: Options = parse();
    // A thousand peers send 200 requests a second.
    let level = match options.verbose {
        true => LevelFilter::Info,
        false => LevelFilter::Warn,
    };
    log_modules_to_stderr(level, Stamp::Time, &[])?;
    let database = options
        .data
        .as_deref()
        .map(load_registrations)
        .transpose()?;
    let limits = Limits::default();
    let tracker = TrackerOptions {
        limits: Limits {
            names_by_network: options.registrations,
            names: limits.names.max(options.registrations),
            ..limits
        },
        proxies: options.trusted_proxy,
        trust_addresses: options.trust_addresses,
    };
    let (mut app, registry) = tracker.app(database);
    app.prepare_address(options.server_ip, options.server_port);
    app.configure(|app| app.tls(options.tls.settings));
    if let Some(inspector) = options.topology {
        app.configure(|app| app.beside(draw_network(registry, inspector)));
    }
    if let Some(address) = options.inspect {
        app.show_graphs(address);
    }
    Ok(app.run()?)
}
