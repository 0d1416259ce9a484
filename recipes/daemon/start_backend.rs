//! The backend of the HTTP daemon: serves `www/` and `static/`, with a login by cookie.
//!
//! `cargo run --release --bin start_backend -- --server-port 9000`

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Parser;
use kamea_daemon::{Backend, own_folder};
use kamea_recipes::{Outcome, TlsArgs, ip, parse, port};

/// Serves pages and files; pages require a login
#[derive(Parser)]
#[command(name = "start_backend")]
struct Options {
    /// The address to listen on
    #[arg(long, value_name = "IP", value_parser = ip, default_value = "0.0.0.0")]
    server_ip: IpAddr,
    /// The port to listen on
    #[arg(long, value_name = "PORT", value_parser = port, default_value_t = 9000)]
    server_port: u16,
    /// The folder that contains www (pages) and static (other files) [default: the daemon's own]
    #[arg(long, value_name = "FOLDER")]
    site: Option<PathBuf>,
    /// Require no login
    #[arg(long)]
    open: bool,
    #[command(flatten)]
    tls: TlsArgs,
}

fn main() -> Outcome {
    let options: Options = parse();
    let backend = Backend::new(options.site.unwrap_or_else(own_folder));
    let backend = backend.tls(options.tls.settings);
    let backend = match options.open {
        true => backend,
        false => backend.control_access(),
    };
    Ok(backend.run(options.server_ip, options.server_port)?)
}
