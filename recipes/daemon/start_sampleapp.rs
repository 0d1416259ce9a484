//! The sample application of the HTTP daemon: two routes that answer in JSON.
//!
//! `cargo run --release --bin start_sampleapp -- --server-port 8000`

use std::net::IpAddr;

use clap::Parser;
use kamea_app::WeApRous;
use kamea_components::http::Fields;
use kamea_recipes::{Outcome, Stamp, TlsArgs, ip, log_to_stderr, parse, port};
use serde_json::{Value, json};

/// Answers /login and /hello in JSON
#[derive(Parser)]
#[command(name = "start_sampleapp")]
struct Options {
    /// The address to listen on
    #[arg(long, value_name = "IP", value_parser = ip, default_value = "0.0.0.0")]
    server_ip: IpAddr,
    /// The port to listen on
    #[arg(long, value_name = "PORT", value_parser = port, default_value_t = 8000)]
    server_port: u16,
    #[command(flatten)]
    tls: TlsArgs,
}

async fn login(headers: Fields, body: String) -> Value {
    let agent = headers.get("user-agent").map(String::from_utf8_lossy);
    log::info!("login by {agent:?}, {} bytes", body.len());
    json!({"message": "Logged in"})
}

async fn hello(_headers: Fields, _body: String) -> Value {
    json!({"message": "Hello, world!"})
}

fn main() -> Outcome {
    let options: Options = parse();
    log_to_stderr(false, Stamp::Time)?;
    let mut app = WeApRous::new();
    app.route("/login", &["POST", "PUT"], login);
    app.route("/hello", &["GET", "POST"], hello);
    app.prepare_address(options.server_ip, options.server_port);
    app.configure(|app| app.tls(options.tls.settings));
    Ok(app.run()?)
}
