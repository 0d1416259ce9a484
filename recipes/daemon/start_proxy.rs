//! The proxy of the HTTP daemon: picks a backend by the host of each request.
//!
//! `cargo run --release --bin start_proxy -- --server-port 8080 --config config/proxy.conf`

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use http::Method;
use kamea::Scheduler;
use kamea_components::http::Target;
use kamea_components::inspect::{Access, Inspector};
use kamea_components::server::{Listening, LogFormat};
use kamea_daemon::{ProxyFile, proxy_server, run_proxy_server};
use kamea_proxy::config::ConfigError;
use kamea_proxy::plan::Errors;
use kamea_proxy::{Plan, Proxy, draw_proxy, status_server};
use kamea_recipes::{AccessLog, InspectOptions, Shown, TlsArgs, address, ip, parse, port, within};

/// Forwards requests to backends, which a configuration file names for each host
#[derive(Parser)]
#[command(name = "start_proxy")]
struct Options {
    /// The address to listen on
    #[arg(long, value_name = "IP", value_parser = ip, default_value = "0.0.0.0")]
    server_ip: IpAddr,
    /// The port to listen on
    #[arg(long, value_name = "PORT", value_parser = port, default_value_t = 8080)]
    server_port: u16,
    /// The hosts and their backends: proxy.conf, or proxy.toml
    #[arg(long, value_name = "FILE", default_value = "config/proxy.conf")]
    config: PathBuf,
    /// Worker threads [default: one for each core]
    #[arg(long, value_name = "N", value_parser = within(1_u16..=1024))]
    workers: Option<u16>,
    /// The status for backends that fail [default: as the file says, or assignment]
    #[arg(long, value_enum, value_name = "WHICH")]
    errors: Option<WhichErrors>,
    /// Reload the file when it changes, not only at SIGHUP
    #[arg(long)]
    watch: bool,
    /// Only check the file and the certificates, and print what they say
    #[arg(long)]
    check: bool,
    /// Only say which host, route and backends a request gets, such as 'GET http://app1.local/'
    #[arg(long, value_name = "REQUEST", value_parser = asked)]
    explain: Option<Asked>,
    /// Show the hosts and backends on a page, such as 127.0.0.1:9236, with /status as JSON and
    /// /metrics for Prometheus; POST /backends takes one out or changes its weight
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    status: Option<SocketAddr>,
    /// The password for that page [default: random, in the printed address]
    #[arg(long, value_name = "TOKEN", requires = "status")]
    status_token: Option<String>,
    /// Log every request, to a file or to stdout (-); SIGHUP begins a new file
    #[arg(long, value_name = "FILE")]
    access_log: Option<PathBuf>,
    /// How a line of the log looks [default: forwarded]
    #[arg(long, value_name = "FORMAT", requires = "access_log")]
    log_format: Option<Format>,
    #[command(flatten)]
    tls: TlsArgs,
    #[command(flatten)]
    inspect: InspectOptions,
}

/// Which status a request gets that cannot be forwarded.
#[derive(Clone, Copy, ValueEnum)]
enum WhichErrors {
    /// 404 for unknown hosts and for backends that are not reached
    Assignment,
    /// 404 for unknown hosts; 502, 503 and 504 for backends
    Standard,
}

/// How a line of the access log looks.
#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Common,
    Combined,
    /// The combined format with route, backends, attempts and times
    Forwarded,
}

fn main() -> ExitCode {
    let options: Options = parse();
    match start(options) {
        Ok(status) => status,
        Err(shown) => {
            // If stderr is closed, the status still says it.
            let _ = writeln!(io::stderr(), "error: {shown:?}");
            ExitCode::FAILURE
        }
    }
}

fn start(options: Options) -> Result<ExitCode, Shown> {
    let file = ProxyFile {
        path: options.config.clone(),
        errors: options.errors.map(|errors| match errors {
            WhichErrors::Assignment => Errors::Assignment,
            WhichErrors::Standard => Errors::Standard,
        }),
    };
    let plan = match file.read() {
        Ok(plan) => plan,
        Err(error) => {
            let _ = match error {
                ConfigError::Mistakes(mistakes) => writeln!(io::stderr(), "{mistakes}"),
                error => writeln!(io::stderr(), "error: {error}"),
            };
            return Ok(ExitCode::from(2));
        }
    };
    if options.check {
        let settings = &options.tls.settings;
        let tls = settings.read()?;
        write!(io::stdout(), "{plan}")?;
        for note in tls.iter().flat_map(|tls| settings.notes(&tls.server)) {
            writeln!(io::stdout(), "{note}")?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(asked) = options.explain {
        write!(
            io::stdout(),
            "{}",
            asked.explain(&plan, options.server_port)
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    serve(options, file, plan)
}

/// Runs the proxy until ctrl-c or SIGTERM.
fn serve(options: Options, file: ProxyFile, plan: Plan) -> Result<ExitCode, Shown> {
    let scheduler = match options.workers {
        Some(workers) => Scheduler::with_workers(workers.into()),
        None => Scheduler::new(),
    };
    let proxy = Proxy::new(plan);
    let _showing = options
        .status
        .map(|address| show_status(&proxy, address, options.status_token.as_deref()))
        .transpose()?;
    let log = match &options.access_log {
        None => AccessLog::none(),
        Some(path) => AccessLog::to(path, log_format(options.log_format))?,
    };
    let explanations = options.inspect.explanations();
    let mut server = proxy_server(&proxy).tls_settings(options.tls.settings.clone());
    let (drawn, census) = (proxy.clone(), server.tls_census());
    let draw = |inspector: Inspector| {
        let inspector = inspector.tls(census);
        inspector.drawing("proxy", move |sketches| draw_proxy(drawn, sketches))
    };
    let inspect = &options.inspect;
    let _inspecting = inspect.run_with(&scheduler, explanations.clone(), draw)?;
    scheduler.run(file.reloads(proxy.clone(), options.watch, log.entries()))?;
    if let Some(explanations) = explanations {
        server = server.explain(explanations);
    }
    if let Some(entries) = log.entries() {
        server = server.records(entries);
    }
    let (ip, port) = (options.server_ip, options.server_port);
    let ended = run_proxy_server(scheduler, server, ip, port, &proxy);
    log.finish();
    ended?;
    Ok(ExitCode::SUCCESS)
}

fn log_format(format: Option<Format>) -> LogFormat {
    match format {
        Some(Format::Common) => LogFormat::Common,
        Some(Format::Combined) => LogFormat::Combined,
        Some(Format::Forwarded) | None => LogFormat::Forwarded,
    }
}

/// Shows the proxy on a page, on a thread of its own, so that it answers while the proxy is busy.
fn show_status(
    proxy: &Proxy,
    address: SocketAddr,
    token: Option<&str>,
) -> Result<(Scheduler, Listening), Shown> {
    let access = Access::new(address, token)?;
    let random = access.random_token().map(str::to_owned);
    let scheduler = Scheduler::with_workers(1);
    let listening = status_server(proxy, access).run(&scheduler, &[address])?;
    let address = listening.addresses()[0];
    let query = random.map_or_else(String::new, |token| format!("?token={token}"));
    // If stderr is closed, the user already knows the address.
    let _ = writeln!(io::stderr(), "Status at http://{address}/{query}");
    Ok((scheduler, listening))
}

/// A request to explain.
#[derive(Clone)]
struct Asked {
    method: Method,
    target: Target,
}

/// Reads `GET http://app1.local/path`, or only the URL.
fn asked(text: &str) -> Result<Asked, String> {
    let (method, url) = text.split_once(' ').unwrap_or(("GET", text));
    let method = Method::from_bytes(method.as_bytes()).map_err(|error| error.to_string())?;
    let is_url = url.starts_with("http://") || url.starts_with("https://");
    let target = Target::parse(&method, url.trim().to_owned().into());
    match target {
        Ok(target) if is_url => Ok(Asked { method, target }),
        _ => Err("write a method and a URL, such as 'GET http://app1.local/'".to_owned()),
    }
}

impl Asked {
    fn explain(&self, plan: &Plan, port: u16) -> String {
        let authority = String::from_utf8_lossy(self.target.authority().unwrap_or_default());
        let explanation = plan.explain(&authority, port, &self.method, &self.target);
        let mut text = explanation.to_string();
        if let (Some((block, _)), Some(Ok(index))) = (&explanation.block, &explanation.route) {
            let route = &block.routes()[*index];
            text.push_str(&format!("policy {}\n", route.policy));
            for backend in &route.backends {
                text.push_str(&format!("backend {backend}\n"));
            }
        }
        text
    }
}
