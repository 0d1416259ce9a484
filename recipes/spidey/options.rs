//! What `spidey` is told: on its command line, and in its configuration file, under the same names.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::num::{NonZeroU16, NonZeroU64};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use kamea_components::cgi::Setting;
use kamea_components::documents::{CacheRule, Compression, Interpreter};
use kamea_components::server::{LogFormat, Site};
use kamea_components::web::ErrorRedirect;
use serde::Deserialize;

use super::cgi::{Limit, Unmeasured, Which, programs};
use super::implicit::{self, Implicit};
use super::mode::Placement;
use super::values::{Compress, Format, Header, MediaType, Seconds, Secret, texts};
use super::wsgi::{MountPath, WsgiName};

/// A web server for the files of a folder, made of small components.
#[derive(Debug, Clone, Default, Parser, Deserialize)]
#[command(name = "spidey", version)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Options {
    /// A file of these options, as TOML: port = 80 [default: spidey.toml, where there is one]
    #[arg(short, long, value_name = "FILE")]
    #[serde(skip)]
    pub(crate) config: Option<PathBuf>,
    /// Check the options, print the graph of a connection and the mode, and serve nothing
    #[arg(long)]
    #[serde(skip)]
    pub(crate) check: bool,
    /// Serve the connection that a server in mode forking hands over
    #[arg(long, hide = true)]
    #[serde(skip)]
    pub(crate) connection: bool,
    /// What the configuration file says
    #[arg(skip)]
    #[serde(skip)]
    pub(crate) text: String,
    /// Which configuration file that is
    #[arg(skip)]
    #[serde(skip)]
    pub(crate) source: Source,
    /// Say what happens, on stderr
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// The port to listen on; 0 takes a free one [default: 9234]
    #[arg(short, long)]
    port: Option<u16>,
    /// The folder to serve [default: .]
    #[arg(short, long, value_name = "FOLDER")]
    docroot: Option<PathBuf>,
    /// The address to listen on [default: 0.0.0.0 and ::]
    #[arg(short, long, value_name = "ADDRESS")]
    bind: Vec<IpAddr>,
    /// Where connections run [default: pool]
    #[arg(long, value_name = "MODE")]
    pub(crate) mode: Option<Placement>,
    /// The same as --mode forking
    #[arg(short)]
    #[serde(skip)]
    forking: bool,
    /// How many threads serve; in mode single it is one [default: one per core]
    #[arg(long, value_name = "N")]
    pub(crate) workers: Option<NonZeroU16>,
    /// Serve files whose names begin with a dot too
    #[arg(long)]
    hidden: bool,
    /// What a folder is answered with, if it has it [default: index.html]
    #[arg(long, value_name = "NAME")]
    index: Vec<String>,
    /// The media type of an extension, such as wasm=application/wasm
    #[arg(long = "type", value_name = "EXTENSION=TYPE")]
    #[serde(rename = "type", deserialize_with = "texts")]
    types: Vec<MediaType>,
    /// Let clients write files: PUT and DELETE
    #[arg(long)]
    writable: bool,
    /// Content codings: none, those that lie beside the files (.br, .zst, .gz), or those and what is made on the way
    /// [default: made]
    #[arg(long, value_name = "WHICH")]
    compress: Option<Compress>,
    /// Show no thumbnails in listings
    #[arg(long)]
    no_thumbnails: bool,
    /// How long clients may keep files: Cache-Control by name (*.css), path (/assets/*) or media type (image/*); the first
    /// rule that matches counts
    #[arg(long, value_name = "PATTERN=VALUE")]
    #[serde(deserialize_with = "texts")]
    cache_control: Vec<CacheRule>,
    /// A field that every response has, such as 'X-Frame-Options: DENY'
    #[arg(long, value_name = "NAME: VALUE")]
    #[serde(deserialize_with = "texts")]
    header: Vec<Header>,
    /// A folder of error pages, templates named like 404.html
    #[arg(long, value_name = "FOLDER")]
    pub(crate) error_pages: Option<PathBuf>,
    /// Where an error leads to, such as 404=/lost.html
    #[arg(long, value_name = "STATUS=LOCATION")]
    #[serde(deserialize_with = "texts")]
    pub(crate) error_redirect: Vec<ErrorRedirect>,
    /// Which files are programs that answer requests, as CGI/1.1 has it [default: cgi-bin]
    #[arg(long, value_name = "WHICH")]
    pub(crate) cgi: Option<Which>,
    /// A program that runs files by name (*.py) or path (/apps/*), such as '*.py=python3'
    #[arg(long, value_name = "PATTERN=PROGRAM")]
    #[serde(deserialize_with = "texts")]
    pub(crate) cgi_interpreter: Vec<Interpreter>,
    /// A variable for programs by name or path, such as '*.py: PYTHONUTF8=1'
    #[arg(long, value_name = "PATTERN: NAME=VALUE")]
    #[serde(deserialize_with = "texts")]
    pub(crate) cgi_env: Vec<Setting>,
    /// Seconds that a program may write nothing [default: 60]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) cgi_timeout: Option<Seconds>,
    /// How many programs may run at once [default: 32]
    #[arg(long, value_name = "N")]
    pub(crate) cgi_processes: Option<NonZeroU16>,
    /// How many requests may wait for their turn [default: 256]
    #[arg(long, value_name = "N")]
    pub(crate) cgi_queue: Option<usize>,
    /// What becomes of content that does not say its length: gather it first, or refuse it by 411 [default: gather]
    #[arg(long, value_name = "WHAT")]
    pub(crate) cgi_chunked: Option<Unmeasured>,
    /// Pass credentials on to programs (HTTP_AUTHORIZATION)
    #[arg(long)]
    pub(crate) cgi_authorization: bool,
    /// What a program may use, such as cpu-seconds=10 or memory-mib=512
    #[arg(long, value_name = "RESOURCE=N")]
    #[serde(deserialize_with = "texts")]
    pub(crate) cgi_limit: Vec<Limit>,
    /// Serve a Python application, such as package.module:app
    #[arg(long, value_name = "MODULE:NAME")]
    pub(crate) wsgi: Option<WsgiName>,
    /// Below which path it is served [default: /]
    #[arg(long, value_name = "PATH")]
    pub(crate) wsgi_mount: Option<MountPath>,
    /// How many processes run it [default: one per core]
    #[arg(long, value_name = "N")]
    pub(crate) wsgi_workers: Option<NonZeroU16>,
    /// How many requests each of them serves at once; more than 1 is for applications that are thread-safe [default: 1]
    #[arg(long, value_name = "N")]
    pub(crate) wsgi_threads: Option<NonZeroU16>,
    /// Where its modules are [default: .]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) wsgi_path: Option<PathBuf>,
    /// The virtual environment whose Python runs it
    #[arg(long, value_name = "FOLDER")]
    pub(crate) venv: Option<PathBuf>,
    /// Seconds that it may take to answer, and that a request may wait for it [default: 30]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) wsgi_timeout: Option<Seconds>,
    /// After how many requests a process of it is replaced [default: never]
    #[arg(long, value_name = "N")]
    pub(crate) wsgi_requests: Option<NonZeroU64>,
    /// Load it anew when its source has changed
    #[arg(long)]
    pub(crate) reload: bool,
    /// Answer TRACE, with what of a request arrives
    #[arg(long)]
    pub(crate) trace: bool,
    /// Show what runs on a page, such as 127.0.0.1:9235
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) inspect: Option<SocketAddr>,
    /// What whoever looks must give as password; without it the page is for this machine alone
    #[arg(long, value_name = "TOKEN")]
    pub(crate) inspect_token: Option<Secret>,
    /// Show other programs on that page too, which send topology lines there, such as 127.0.0.1:1500
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) inspect_topologies: Option<SocketAddr>,
    /// Log every request, to a file or to stdout (-); SIGHUP begins a new file
    #[arg(long, value_name = "FILE")]
    pub(crate) access_log: Option<PathBuf>,
    /// How a line of the log looks [default: combined]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<Format>,
    /// Seconds that the head of a request may take [default: 20]
    #[arg(long, value_name = "SECONDS")]
    header_timeout: Option<Seconds>,
    /// Seconds without a byte while the content of a request comes in [default: 30]
    #[arg(long, value_name = "SECONDS")]
    body_timeout: Option<Seconds>,
    /// Seconds that a connection may be silent between requests [default: 75; in mode single 2]
    #[arg(long, value_name = "SECONDS")]
    keep_alive: Option<Seconds>,
    /// Seconds that a client may read nothing of its response [default: 30]
    #[arg(long, value_name = "SECONDS")]
    write_timeout: Option<Seconds>,
    /// Bytes of a request line [default: 8192]
    #[arg(long, value_name = "BYTES")]
    max_request_line: Option<usize>,
    /// Bytes of the head of a request [default: 32768]
    #[arg(long, value_name = "BYTES")]
    max_header: Option<usize>,
    /// Header fields of a request [default: 100]
    #[arg(long, value_name = "N")]
    max_fields: Option<usize>,
    /// Bytes of the content of a request [default: 1048576; with --writable 1073741824]
    #[arg(long, value_name = "BYTES")]
    max_body: Option<u64>,
    /// Connections in all [default: 16384]
    #[arg(long, value_name = "N")]
    connections: Option<usize>,
    /// Connections of one client address [default: 10000]
    #[arg(long, value_name = "N")]
    connections_per_client: Option<usize>,
}

/// The configuration file that is used if none is named.
pub(crate) const DEFAULT_FILE: &str = "spidey.toml";

/// Where the options come from, beside the command line.
#[derive(Debug, Clone, Default)]
pub(crate) enum Source {
    #[default]
    Arguments,
    /// The file that `-c` names.
    Named,
    /// The file in the current folder.
    Implicit,
    /// The file in the current folder is not used: why.
    Ignored(String),
}

/// How large the content of a request may be where clients may write files, in bytes.
const LARGEST_UPLOAD: u64 = 1 << 30;

/// How long a connection may be silent in mode single: all others wait for it, and browsers open several at once.
const SINGLE_KEEP_ALIVE: Duration = Duration::from_secs(2);

impl Options {
    /// These options, and those of the configuration file where these say nothing.
    ///
    /// # Errors
    ///
    /// A line that names the file, the line and the key, and what would be right.
    pub(crate) fn with_file(mut self) -> Result<Self, String> {
        let text = match &self.config {
            Some(file) => {
                self.source = Source::Named;
                fs::read_to_string(file)
                    .map_err(|error| format!("cannot read {}: {error}", file.display()))?
            }
            None => match implicit::read()? {
                Implicit::None => String::new(),
                Implicit::Ignored(why) => {
                    self.source = Source::Ignored(why);
                    String::new()
                }
                Implicit::Text(text) => {
                    implicit::check(&text, &self)?;
                    self.source = Source::Implicit;
                    text
                }
            },
        };
        let options = self.with_text(text)?;
        options.check_writable()?;
        Ok(options)
    }

    /// Whether an option of the command line has precedence over a key of the configuration file.
    pub(crate) fn says(&self, key: &str) -> bool {
        match key {
            "docroot" => self.docroot.is_some(),
            "error-pages" => self.error_pages.is_some(),
            "access-log" => self.access_log.is_some(),
            "wsgi" => self.wsgi.is_some(),
            "wsgi-path" => self.wsgi_path.is_some(),
            "venv" => self.venv.is_some(),
            "cgi" => self.cgi.is_some(),
            "cgi-interpreter" => !self.cgi_interpreter.is_empty(),
            "cgi-env" => !self.cgi_env.is_empty(),
            _ => false,
        }
    }

    /// The same, with what was read from the file before.
    ///
    /// # Errors
    ///
    /// As above.
    pub(crate) fn with_text(mut self, text: String) -> Result<Self, String> {
        if self.forking {
            self.mode = match self.mode {
                None | Some(Placement::Forking) => Some(Placement::Forking),
                Some(other) => {
                    let wrong = format!("-f is --mode forking, which contradicts --mode {other}");
                    return Err(wrong);
                }
            };
        }
        let file = self.config.clone().unwrap_or_else(|| DEFAULT_FILE.into());
        let mut options: Self =
            toml::from_str(&text).map_err(|error| place(&file, &text, &error))?;
        let folder = file.parent().unwrap_or(Path::new(""));
        let paths = [
            &mut options.docroot,
            &mut options.error_pages,
            &mut options.wsgi_path,
            &mut options.venv,
        ];
        for path in paths.into_iter().flatten() {
            *path = folder.join(&path);
        }
        if let Some(log) = options
            .access_log
            .as_mut()
            .filter(|log| *log != Path::new("-"))
        {
            *log = folder.join(&log);
        }
        options.text = text;
        Ok(self.over(options))
    }

    /// These options, and the others where these say nothing.
    fn over(self, other: Self) -> Self {
        Self {
            config: self.config,
            check: self.check,
            connection: self.connection,
            text: other.text,
            source: self.source,
            verbose: self.verbose || other.verbose,
            port: self.port.or(other.port),
            docroot: self.docroot.or(other.docroot),
            bind: either(self.bind, other.bind),
            mode: self.mode.or(other.mode),
            forking: self.forking,
            workers: self.workers.or(other.workers),
            hidden: self.hidden || other.hidden,
            index: either(self.index, other.index),
            types: either(self.types, other.types),
            writable: self.writable || other.writable,
            compress: self.compress.or(other.compress),
            no_thumbnails: self.no_thumbnails || other.no_thumbnails,
            cache_control: either(self.cache_control, other.cache_control),
            header: either(self.header, other.header),
            error_pages: self.error_pages.or(other.error_pages),
            error_redirect: either(self.error_redirect, other.error_redirect),
            cgi: self.cgi.or(other.cgi),
            cgi_interpreter: either(self.cgi_interpreter, other.cgi_interpreter),
            cgi_env: either(self.cgi_env, other.cgi_env),
            cgi_timeout: self.cgi_timeout.or(other.cgi_timeout),
            cgi_processes: self.cgi_processes.or(other.cgi_processes),
            cgi_queue: self.cgi_queue.or(other.cgi_queue),
            cgi_chunked: self.cgi_chunked.or(other.cgi_chunked),
            cgi_authorization: self.cgi_authorization || other.cgi_authorization,
            cgi_limit: either(self.cgi_limit, other.cgi_limit),
            wsgi: self.wsgi.or(other.wsgi),
            wsgi_mount: self.wsgi_mount.or(other.wsgi_mount),
            wsgi_workers: self.wsgi_workers.or(other.wsgi_workers),
            wsgi_threads: self.wsgi_threads.or(other.wsgi_threads),
            wsgi_path: self.wsgi_path.or(other.wsgi_path),
            venv: self.venv.or(other.venv),
            wsgi_timeout: self.wsgi_timeout.or(other.wsgi_timeout),
            wsgi_requests: self.wsgi_requests.or(other.wsgi_requests),
            reload: self.reload || other.reload,
            trace: self.trace || other.trace,
            inspect: self.inspect.or(other.inspect),
            inspect_token: self.inspect_token.or(other.inspect_token),
            inspect_topologies: self.inspect_topologies.or(other.inspect_topologies),
            access_log: self.access_log.or(other.access_log),
            log_format: self.log_format.or(other.log_format),
            header_timeout: self.header_timeout.or(other.header_timeout),
            body_timeout: self.body_timeout.or(other.body_timeout),
            keep_alive: self.keep_alive.or(other.keep_alive),
            write_timeout: self.write_timeout.or(other.write_timeout),
            max_request_line: self.max_request_line.or(other.max_request_line),
            max_header: self.max_header.or(other.max_header),
            max_fields: self.max_fields.or(other.max_fields),
            max_body: self.max_body.or(other.max_body),
            connections: self.connections.or(other.connections),
            connections_per_client: self.connections_per_client.or(other.connections_per_client),
        }
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let everywhere = || {
            let mut everywhere = vec![IpAddr::from(Ipv4Addr::UNSPECIFIED)];
            // A machine may do without IPv6.
            if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
                everywhere.push(Ipv6Addr::UNSPECIFIED.into());
            }
            everywhere
        };
        let addresses = if self.bind.is_empty() {
            everywhere()
        } else {
            self.bind.clone()
        };
        let port = self.port.unwrap_or(9234);
        let addresses = addresses.into_iter();
        addresses
            .map(|address| SocketAddr::new(address, port))
            .collect()
    }

    pub(crate) fn placement(&self) -> Placement {
        self.mode.unwrap_or_default()
    }

    pub(crate) fn log_format(&self) -> LogFormat {
        match self.log_format {
            Some(Format::Common) => LogFormat::Common,
            Some(Format::Combined) | None => LogFormat::Combined,
        }
    }

    /// The folder that is served.
    pub(crate) fn docroot_folder(&self) -> PathBuf {
        self.docroot.clone().unwrap_or_else(|| ".".into())
    }

    pub(crate) fn is_writable(&self) -> bool {
        self.writable
    }

    pub(crate) fn site(&self) -> Site {
        let mut site = Site::new(self.docroot_folder());
        let files = &mut site.files;
        files.hidden = self.hidden;
        files.writable = self.writable;
        files.programs = programs(self);
        files.own = self.own_files();
        files.thumbnails = !self.no_thumbnails;
        files.cache_rules = self.cache_control.clone();
        files.index = either(self.index.clone(), std::mem::take(&mut files.index));
        let types = self.types.iter();
        files.types = types
            .map(|own| (own.extension.clone(), own.media_type.clone()))
            .collect();
        files.compression = match self.compress {
            Some(Compress::Off) => Compression::Off,
            Some(Compress::Stored) => Compression::Stored,
            Some(Compress::Made) | None => Compression::Made,
        };
        for header in &self.header {
            site.fields = site.fields.with(&header.name, &header.value);
        }
        let largest_upload = self.writable.then_some(LARGEST_UPLOAD);
        set(&mut site.limits.body, self.max_body.or(largest_upload));
        set(&mut site.limits.request_line, self.max_request_line);
        set(&mut site.limits.head_bytes, self.max_header);
        set(&mut site.limits.fields, self.max_fields);
        set(
            &mut site.patience.head,
            self.header_timeout.map(Duration::from),
        );
        set(
            &mut site.patience.content,
            self.body_timeout.map(Duration::from),
        );
        let shortest = (self.placement() == Placement::Single).then_some(SINGLE_KEEP_ALIVE);
        let keep_alive = self.keep_alive.map(Duration::from);
        set(&mut site.keep_alive, keep_alive.or(shortest));
        set(
            &mut site.write_stall,
            self.write_timeout.map(Duration::from),
        );
        set(&mut site.connections, self.connections);
        set(
            &mut site.connections_per_client,
            self.connections_per_client,
        );
        site
    }
}

pub(crate) fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn either<T>(these: Vec<T>, those: Vec<T>) -> Vec<T> {
    if these.is_empty() { those } else { these }
}

/// A mistake in a configuration file, in one line: file, line, key, and what is wrong.
fn place(file: &Path, text: &str, error: &toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start.min(text.len()));
    let number = text[..start].matches('\n').count() + 1;
    let line = text.lines().nth(number - 1).unwrap_or_default();
    let key = match line.split_once('=') {
        Some((key, _)) => format!("{}: ", key.trim()),
        None => String::new(),
    };
    let message = error.message().trim().replace('\n', "; ");
    format!("{}:{number}: {key}{message}", file.display())
}
