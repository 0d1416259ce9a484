//! The harness: measures everything side by side in one run, and prints a table.
//!
//! ```text
//! bench [--only ROW] [--rounds N] [--seconds N]
//! ```
//!
//! The figures are medians of several rounds, in which the contenders take turns. Minimum and
//! maximum are in parentheses. The table is also written to `target/bench.md`. If a row cannot be
//! measured, the other rows are still measured, but the exit status is not 0.

mod applications;
mod cgi;
mod chassis;
mod chat;
mod files;
mod flow;
mod idle;
mod large;
mod lines;
mod links;
mod load;
mod many;
mod process;
mod proxy;
mod python;
mod requests;
mod rest;
mod server;
mod sessions;
mod table;
mod texts;
mod thor;
mod tls;
mod websocket;
mod wsgi;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use large::LARGE_LEN;
use table::Row;

type Error = Box<dyn std::error::Error>;

/// The settings of all measurements.
#[derive(Debug)]
struct Setting {
    /// The folder that the servers serve.
    data: PathBuf,
    rounds: usize,
    /// How long a load lasts.
    seconds: u32,
    /// The only row to measure, if one is named.
    only: Option<String>,
}

type Measure = fn(&Setting) -> Result<Vec<Row>, Error>;

/// The rows of the kernel and its chassis, by name, in the order of the table. They may use all
/// cores.
const KERNEL: &[(&str, Measure)] = &[
    ("across", links::across),
    ("round-trip", links::round_trip),
    ("one-way", links::one_way),
    ("fan-in", flow::fan_in),
    ("fan-out", flow::fan_out),
    ("ping-pong", flow::ping_pong),
    ("at-rest", rest::at_rest),
    ("many", many::many),
    ("check", links::check),
    ("template", links::template),
    ("lines", lines::lines),
    ("words", chassis::words),
    ("backplane", chassis::backplane),
    ("texts", texts::texts),
];

/// The rows of the servers, which have a core of their own.
const SERVERS: &[(&str, Measure)] = &[
    ("keep-alive", requests::keep_alive),
    ("pipelined", requests::pipelined),
    ("close", requests::close),
    ("304", files::not_modified),
    ("listing", files::listing),
    ("precompressed", files::precompressed),
    ("large", large::large_file),
    ("ranges", large::ranges),
    ("proxy", proxy::keep_alive),
    ("proxy-close", proxy::close),
    ("tls", tls::keep_alive),
    ("tls-handshakes", tls::handshakes),
    ("tls-large", tls::large_file),
    ("tls-idle", tls::idle),
    ("wsgi", wsgi::wsgi),
    ("app", applications::keep_alive),
    ("app-pipelined", applications::pipelined),
    ("app-routes", applications::routes),
    ("app-form", applications::form),
    ("app-upload", applications::upload),
    ("app-session", sessions::signed),
    ("app-stores", sessions::stores),
    ("app-asked", applications::asked),
    ("app-flask", applications::flask),
    ("idle", idle::idle),
    ("load", thor::thor),
    ("websocket-echo", websocket::echo),
    ("websocket-broadcast", websocket::broadcast),
    ("websocket-idle", websocket::idle),
    ("websocket-stuck", websocket::stuck),
    ("chat-message", chat::message),
    ("chat-broadcast", chat::broadcast),
    ("chat-tracker", chat::tracker),
    ("chat-history", chat::history),
    ("cgi", cgi::hello),
    ("cgi-storm", cgi::storm),
    ("cgi-large", cgi::large),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if let (Some(rest::ALONE), Some(name)) = (arguments.next().as_deref(), arguments.next()) {
        return print_memory(&name);
    }
    match options().and_then(|setting| run(&setting)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "bench: {error}");
            ExitCode::from(2)
        }
    }
}

/// Prints the memory of one contender at rest.
fn print_memory(name: &str) -> ExitCode {
    match rest::memory_of(name).and_then(|bytes| Ok(writeln!(io::stdout(), "{bytes}")?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The folder that the servers serve.
fn data() -> Result<PathBuf, Error> {
    let target = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../target"));
    fs::create_dir_all(target)?;
    Ok(target.canonicalize()?.join("bench-data"))
}

fn options() -> Result<Setting, Error> {
    let mut setting = Setting {
        data: data()?,
        rounds: 5,
        seconds: 4,
        only: None,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(option) = arguments.next() {
        let value = arguments
            .next()
            .ok_or("usage: bench [--only ROW] [--rounds N] [--seconds N]")?;
        match option.as_str() {
            "--only" => setting.only = Some(value),
            "--rounds" => setting.rounds = value.parse::<usize>()?.max(1),
            "--seconds" => setting.seconds = value.parse::<u32>()?.max(1),
            _ => return Err(format!("there is no option {option}").into()),
        }
    }
    if let Some(only) = &setting.only
        && !KERNEL.iter().chain(SERVERS).any(|(name, _)| name == only)
    {
        let names: Vec<_> = KERNEL
            .iter()
            .chain(SERVERS)
            .map(|(name, _)| *name)
            .collect();
        return Err(format!("there is no row {only}; there are {}", names.join(", ")).into());
    }
    Ok(setting)
}

fn run(setting: &Setting) -> Result<(), Error> {
    check_tools()?;
    if process::raise_file_limit()?.is_some_and(|files| files < 10_000) {
        return Err(
            "the row of idle connections needs 10,000 open files: raise `ulimit -Hn`".into(),
        );
    }
    write_data(&setting.data)?;
    let (mut rows, mut failures) = (Vec::new(), Vec::new());
    measure(KERNEL, setting, &mut rows, &mut failures)?;
    process::leave_the_servers_core()?;
    measure(SERVERS, setting, &mut rows, &mut failures)?;
    let table = table::markdown(&rows);
    fs::write(setting.data.with_file_name("bench.md"), &table)?;
    io::stdout().write_all(table.as_bytes())?;
    if failures.is_empty() {
        return Ok(());
    }
    Err(format!("not measured: {}", failures.join("; ")).into())
}

/// Measures the selected rows.
fn measure(
    all: &[(&str, Measure)],
    setting: &Setting,
    rows: &mut Vec<Row>,
    failures: &mut Vec<String>,
) -> io::Result<()> {
    let is_wanted = |name| setting.only.as_ref().is_none_or(|only| only == name);
    for (name, measure) in all.iter().filter(|(name, _)| is_wanted(*name)) {
        writeln!(io::stderr(), "measuring {name}")?;
        match measure(setting) {
            Ok(measured) => rows.extend(measured),
            Err(error) => failures.push(format!("{name}: {error}")),
        }
    }
    Ok(())
}

/// Fails with the name of the missing package.
fn check_tools() -> Result<(), Error> {
    for (tool, version, package) in [
        ("wrk", "-v", "wrk"),
        ("nginx", "-v", "nginx"),
        ("taskset", "-V", "util-linux"),
        ("setpriv", "-V", "util-linux"),
        ("cc", "--version", "gcc"),
        ("apache2", "-v", "apache2-bin"),
        ("lighttpd", "-v", "lighttpd"),
        ("fcgiwrap", "-h", "fcgiwrap"),
        ("haproxy", "-v", "haproxy"),
        ("openssl", "version", "openssl"),
        ("curl", "-V", "curl"),
        ("mawk", "-Wv", "mawk"),
        ("rg", "-V", "ripgrep"),
        ("redis-server", "-v", "redis-server"),
    ] {
        let mut command = Command::new(tool);
        let started = command
            .arg(version)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        started.map_err(|error| format!("{tool}: {error}; apt-get install {package}"))?;
    }
    Ok(())
}

/// Writes the files that the servers serve, unless they exist. The large file has data, not a hole.
fn write_data(data: &Path) -> Result<(), Error> {
    fs::create_dir_all(data)?;
    fs::write(data.join("small.txt"), kamea_benches::http::body())?;
    files::write_files(data)?;
    tls::write_certificate(data)?;
    cgi::build_programs(data)?;
    let large = data.join("large.bin");
    if fs::metadata(&large).is_ok_and(|metadata| metadata.len() == LARGE_LEN) {
        return Ok(());
    }
    let block: Vec<u8> = (0..1_u32 << 18)
        .flat_map(|word| word.wrapping_mul(0x9E37_79B9).to_le_bytes())
        .collect();
    let mut file = File::create(&large)?;
    for _ in 0..LARGE_LEN / block.len() as u64 {
        file.write_all(&block)?;
    }
    Ok(file.sync_all()?)
}
