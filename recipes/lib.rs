//! The shared code of the recipes: they run a server or a graph, `--inspect ADDRESS` shows it on a
//! page, and the larger ones have a log.

mod access_log;
mod command_line;
#[cfg(feature = "packaging")]
mod packaging;
mod program_log;
mod tls_args;
mod values;

use std::error::Error;
use std::fmt;
use std::future::pending;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, Parser};
use kamea::{Graph, Scheduler};
use kamea_components::inspect::{InspectError, Inspecting, Inspector};
use kamea_components::server::{Explanations, WebServer};
use log::LevelFilter;

pub use access_log::AccessLog;
pub use command_line::{parse, parse_with, wrong_usage};
pub use kamea_components::process::raise_file_limit;
pub use program_log::{Stamp, log_modules_to_stderr, log_to_stderr};
pub use tls_args::TlsArgs;
pub use values::{Whole, address, ip, port, whole, within};

/// The result of a recipe's `main`.
pub type Outcome = Result<(), Shown>;

/// The error of a recipe. `main` prints its message, not its debug form.
///
/// # Examples
///
/// ```
/// let outcome: kamea_recipes::Outcome = "80x".parse::<u16>().map(drop).map_err(Into::into);
/// assert_eq!(format!("{:?}", outcome.unwrap_err()), "invalid digit found in string");
/// ```
pub struct Shown(String);

impl<E: fmt::Display> From<E> for Shown {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The options of every recipe.
#[derive(Parser)]
struct Options {
    /// The input of the recipe
    arguments: Vec<String>,
    #[command(flatten)]
    inspect: InspectOptions,
}

/// The options of a recipe that is a web server.
#[derive(Parser)]
struct ServerOptions {
    #[command(flatten)]
    of_all: Options,
    #[command(flatten)]
    tls: TlsArgs,
}

/// The options of the inspector.
#[derive(Clone, Default, Args)]
pub struct InspectOptions {
    /// Show the running graphs on a page, such as 127.0.0.1:9235
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    inspect: Option<SocketAddr>,
    /// The password for that page [default: random, in the printed address]
    #[arg(long, value_name = "TOKEN")]
    inspect_token: Option<String>,
    /// Show programs that send topology lines to this address on that page too, such as
    /// 127.0.0.1:1500
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    inspect_topologies: Option<SocketAddr>,
}

/// The token is not shown.
impl fmt::Debug for InspectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InspectOptions")
            .field("inspect", &self.inspect)
            .finish_non_exhaustive()
    }
}

impl InspectOptions {
    /// Whether the inspector is enabled.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.inspect.is_some()
    }

    /// The requests to explain, if the inspector is enabled: it picks them, and clients ask for
    /// theirs with its token, or with a secret that is printed.
    #[must_use]
    pub fn explanations(&self) -> Option<Explanations> {
        let secret = self.inspect_token.as_deref();
        self.inspect.map(|_| explanations(secret))
    }

    /// Shows the running graphs of a scheduler, if that is enabled, until the returned value is
    /// dropped.
    ///
    /// # Errors
    ///
    /// As [`inspect`].
    pub fn run(
        &self,
        scheduler: &Scheduler,
        explanations: Option<Explanations>,
    ) -> Result<Option<Inspecting>, InspectError> {
        self.run_with(scheduler, explanations, |inspector| inspector)
    }

    /// The same, with an inspector that `configure` changes.
    ///
    /// # Errors
    ///
    /// As [`inspect`].
    pub fn run_with(
        &self,
        scheduler: &Scheduler,
        explanations: Option<Explanations>,
        configure: impl FnOnce(Inspector) -> Inspector,
    ) -> Result<Option<Inspecting>, InspectError> {
        let (token, topologies) = (self.inspect_token.as_deref(), self.inspect_topologies);
        let inspect = |address| {
            inspect(
                scheduler,
                address,
                token,
                topologies,
                explanations,
                configure,
            )
        };
        self.inspect.map(inspect).transpose()
    }
}

/// Logs to stderr, unless the recipe has a log of its own: nobody would see faults and the causes
/// of a 500 otherwise.
fn log_messages(level: LevelFilter) {
    let _ = log_modules_to_stderr(level, Stamp::Nothing, &[]);
}

/// Returns the arguments of a recipe, without its options.
#[must_use]
pub fn arguments() -> Vec<String> {
    parse::<Options>().arguments
}

/// Returns the arguments of a recipe that is a web server, without its options.
#[must_use]
pub fn server_arguments() -> Vec<String> {
    parse::<ServerOptions>().of_all.arguments
}

/// Runs a server at the address from the command line (default: `127.0.0.1:8080`), until ctrl-c;
/// over TLS, if its options say so.
///
/// # Errors
///
/// If the address is invalid, or is taken, or the server cannot start.
pub fn serve(server: WebServer) -> Outcome {
    serve_with(None, server)
}

/// Like [`serve`], and runs a graph beside the server: what its handlers share.
///
/// # Errors
///
/// As [`serve`], or if the graph has an error.
pub fn serve_beside(graph: Graph, server: WebServer) -> Outcome {
    serve_with(Some(graph), server)
}

fn serve_with(graph: Option<Graph>, server: WebServer) -> Outcome {
    let ServerOptions {
        of_all: Options { arguments, inspect },
        tls,
    } = parse();
    log_messages(LevelFilter::Warn);
    let named = arguments.first();
    let address = address(named.map_or("127.0.0.1:8080", String::as_str))?;
    let explanations = inspect.explanations();
    let server = server.tls_settings(tls.settings);
    let server = match &explanations {
        Some(explanations) => server.explain(explanations.clone()),
        None => server,
    };
    let census = server.tls_census();
    let scheduler = Scheduler::new();
    let with_tls = |inspector: Inspector| inspector.tls(census);
    let _inspecting = inspect.run_with(&scheduler, explanations, with_tls)?;
    let _beside = graph.map(|graph| scheduler.run(graph)).transpose()?;
    let listening = server.run(&scheduler, &[address])?;
    let addresses = listening.addresses().to_vec();
    Ok(listen_until_ctrl_c(
        scheduler,
        &addresses,
        Duration::from_secs(5),
    )?)
}

/// Prints the addresses of a server, and runs it until ctrl-c or SIGTERM, and then for up to
/// `deadline`. It handles these signals before it prints anything, because a reader of the output
/// may send one at once.
///
/// # Errors
///
/// If the output cannot be written, if signals cannot be handled, or if something was dropped at
/// the deadline.
pub fn listen_until_ctrl_c(
    scheduler: Scheduler,
    addresses: &[SocketAddr],
    deadline: Duration,
) -> Result<(), Box<dyn Error>> {
    let mut said = Ok(());
    let say = async {
        said = addresses
            .iter()
            .try_for_each(|address| writeln!(io::stdout(), "Listening on {address}"));
        if said.is_ok() {
            pending().await
        }
    };
    scheduler.until_ctrl_c_or(say, deadline)?;
    Ok(said?)
}

/// Runs a graph until it has ended, or until ctrl-c: then its sources end, and accepted messages
/// drain. Its servers say on stderr where they listen.
///
/// # Errors
///
/// If the graph has an error, or a fault has stopped it.
pub fn run(graph: Graph) -> Outcome {
    let options: Options = parse();
    log_messages(LevelFilter::Info);
    let scheduler = Scheduler::new();
    let _inspecting = options.inspect.run(&scheduler, None)?;
    let running = scheduler.run(graph)?;
    let mut outcome = Ok(());
    let ended = async { outcome = running.finished().await };
    let stopped = scheduler.until_ctrl_c_or(ended, Duration::from_secs(5));
    outcome.map_err(|error| error.to_string())?;
    Ok(stopped.map_err(|error| error.to_string())?)
}

/// Returns explanations for clients that know this secret, or a random one.
#[must_use]
pub fn explanations(secret: Option<&str>) -> Explanations {
    secret.map_or_else(Explanations::new, Explanations::with_secret)
}

/// Shows the running graphs of a scheduler on a page, until the returned value is dropped, and
/// prints its address to stderr. `configure` changes the inspector before.
///
/// # Errors
///
/// If other machines can reach the address and there is no token, or if the address is not
/// available.
pub fn inspect(
    scheduler: &Scheduler,
    address: SocketAddr,
    token: Option<&str>,
    topologies: Option<SocketAddr>,
    explanations: Option<Explanations>,
    configure: impl FnOnce(Inspector) -> Inspector,
) -> Result<Inspecting, InspectError> {
    let mut inspector = configure(Inspector::new(address, token)?);
    let secret = explanations
        .as_ref()
        .map(|explanations| explanations.secret().to_owned());
    if let Some(address) = topologies {
        inspector = inspector.topologies(address)?;
    }
    if let Some(explanations) = explanations {
        inspector = inspector.explanations(explanations);
    }
    let inspecting = inspector.run(scheduler.workers())?;
    // If stderr is closed, the user already knows the address.
    let mut stderr = io::stderr().lock();
    let _ = writeln!(stderr, "Inspect at {}", inspecting.url());
    if let (Some(secret), None) = (secret, token) {
        let _ = writeln!(
            stderr,
            "Explain a request with the field Kamea-Explain: {secret}"
        );
    }
    if let Some(address) = inspecting.topologies() {
        let _ = writeln!(stderr, "Topology lines at {address}");
    }
    Ok(inspecting)
}
