//! What `spidey` is told: on its command line, and in its configuration file, under the same names.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::num::{NonZeroU16, NonZeroU64};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use clap::parser::ValueSource;
use clap::{Arg, Command, CommandFactory as _, FromArgMatches as _, Parser};
use kamea_acme::Name;
use kamea_components::cgi::Setting;
use kamea_components::documents::{CacheRule, CodingRule, Compression, Interpreter};
use kamea_components::process::UserIds;
use kamea_components::server::{LogFormat, Site};
use kamea_components::web::{ErrorRedirect, User};
use kamea_recipes::{TlsArgs, address, port, whole, wrong_usage};

use super::acme::{Contact, DirectoryUrl};
use super::cgi::{Limit, Unmeasured, Which, programs};
use super::confine::user_ids;
use super::file::File;
use super::implicit::{self, Implicit};
use super::mode::Placement;
use super::proxy::ProxiedPath;
use super::values::{Bind, Compress, Format, Header, MediaType, Seconds, Secret, Switch};
use super::wsgi::{MountPath, WsgiName};

/// A web server for the files of a folder, made of small components.
#[derive(Debug, Clone, Default, Parser)]
#[command(name = "spidey", version)]
pub(crate) struct Options {
    /// The folder to serve [default: .]
    #[arg(
        value_name = "FOLDER",
        conflicts_with = "docroot",
        help_heading = "Server"
    )]
    folder: Option<PathBuf>,
    /// A file of these options, as TOML: port = 80 [default: spidey.toml, where there is one]
    #[arg(short, long, value_name = "FILE", help_heading = "Server")]
    pub(crate) config: Option<PathBuf>,
    /// Check the options, print the graph of a connection and the mode, and serve nothing
    #[arg(long, help_heading = "Server")]
    pub(crate) check: bool,
    /// Serve the connection that a server in mode forking hands over
    #[arg(long, hide = true)]
    pub(crate) connection: bool,
    /// What the configuration file says
    #[arg(skip)]
    pub(crate) text: String,
    /// Which configuration file that is
    #[arg(skip)]
    pub(crate) source: Source,
    /// The command line
    #[arg(skip)]
    arguments: Vec<OsString>,
    /// The options that the command line has
    #[arg(skip)]
    given: BTreeSet<String>,
    /// Say what happens, on stderr
    #[arg(short, long, help_heading = "Server")]
    pub(crate) verbose: bool,
    /// The port to listen on; 0 takes a free one [default: 9234]
    #[arg(short, long, value_name = "PORT", value_parser = port, help_heading = "Server")]
    pub(crate) port: Option<u16>,
    /// The same as FOLDER
    #[arg(short, long, value_name = "FOLDER", help_heading = "Server")]
    docroot: Option<PathBuf>,
    /// The address to listen on, such as 127.0.0.1; with a port of its own: 127.0.0.1:8080 or :8080
    /// [default: 0.0.0.0 and ::]
    #[arg(short, long, value_name = "ADDRESS", help_heading = "Server")]
    bind: Vec<Bind>,
    #[command(flatten)]
    pub(crate) tls: TlsArgs<false>,
    /// Get a certificate for this name from an authority by ACME, and renew it; further ones are
    /// for further names. Without --port and --tls-port, https is at port 443, and port 80
    /// redirects to it
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with_all = ["tls-cert", "tls-self-signed", "tls-ocsp"],
        help_heading = "TLS"
    )]
    pub(crate) acme: Vec<Name>,
    /// Where the authority can write to, such as ada@example.org
    #[arg(long, value_name = "ADDRESS", requires = "acme", help_heading = "TLS")]
    pub(crate) acme_contact: Vec<Contact>,
    /// The directory of the authority, an https URL [default: Let's Encrypt]
    #[arg(long, value_name = "URL", requires = "acme", help_heading = "TLS")]
    pub(crate) acme_directory: Option<DirectoryUrl>,
    /// The authority that the directory's own certificate must be from, a PEM file [default: those
    /// of the system]
    #[arg(long, value_name = "FILE", requires = "acme", help_heading = "TLS")]
    pub(crate) acme_ca: Option<PathBuf>,
    /// Where the account and the certificates are kept [default: ~/.local/share/spidey/acme; as
    /// root /var/lib/spidey/acme]
    #[arg(long, value_name = "FOLDER", requires = "acme", help_heading = "TLS")]
    pub(crate) acme_state: Option<PathBuf>,
    /// Print the address in the local network as a QR code
    #[arg(long, help_heading = "Server")]
    pub(crate) qr: bool,
    /// Where connections run [default: pool]
    #[arg(long, value_name = "MODE", help_heading = "Server")]
    pub(crate) mode: Option<Placement>,
    /// The same as --mode forking
    #[arg(short, help_heading = "Server")]
    forking: bool,
    /// How many threads serve; in mode single it is one [default: one per core]
    #[arg(long, value_name = "N", value_parser = whole::<NonZeroU16>, help_heading = "Server")]
    pub(crate) workers: Option<NonZeroU16>,
    /// Serve files whose names begin with a dot too
    #[arg(long, help_heading = "Files")]
    hidden: bool,
    /// What a folder is answered with, if it has it [default: index.html]
    #[arg(long, value_name = "NAME", help_heading = "Files")]
    index: Vec<String>,
    /// The media type of an extension, such as wasm=application/wasm
    #[arg(long = "type", value_name = "EXTENSION=TYPE", help_heading = "Files")]
    types: Vec<MediaType>,
    /// Let clients write files: PUT and DELETE, and the forms of listings
    #[arg(long, help_heading = "Files")]
    writable: bool,
    /// A name that is answered too where clients may write and only this machine can connect, such
    /// as that of a proxy's site
    #[arg(long, value_name = "NAME", help_heading = "Files")]
    pub(crate) host: Vec<String>,
    /// Let scripts of HTML and SVG run where clients write files: send no Content-Security-Policy:
    /// sandbox
    #[arg(long, help_heading = "Files")]
    no_upload_sandbox: bool,
    /// Content codings: none, those that lie beside the files (.br, .zst, .gz), or those and what
    /// is made on the way
    /// [default: made]
    #[arg(long, value_name = "WHICH", help_heading = "Files")]
    compress: Option<Compress>,
    /// Show no thumbnails in listings
    #[arg(long, help_heading = "Files")]
    no_thumbnails: bool,
    /// Files that are stored in a content coding, by name (*.wasm.br) or path (/data/*), such as
    /// '*.wasm.br=br'; *.svgz=gzip is known
    #[arg(long, value_name = "PATTERN=CODING", help_heading = "Files")]
    coding: Vec<CodingRule>,
    /// How long clients may keep files: Cache-Control by name (*.css), path (/assets/*) or media
    /// type (image/*); the first rule that matches counts
    #[arg(long, value_name = "PATTERN=VALUE", help_heading = "Files")]
    cache_control: Vec<CacheRule>,
    /// A field that every response has, such as 'X-Frame-Options: DENY'
    #[arg(long, value_name = "NAME: VALUE", help_heading = "Responses")]
    header: Vec<Header>,
    /// A folder of error pages, templates named like 404.html
    #[arg(long, value_name = "FOLDER", help_heading = "Responses")]
    pub(crate) error_pages: Option<PathBuf>,
    /// Where an error leads to, such as 404=/lost.html
    #[arg(long, value_name = "STATUS=LOCATION", help_heading = "Responses")]
    pub(crate) error_redirect: Vec<ErrorRedirect>,
    /// Which files are programs that answer requests, as CGI/1.1 has it [default: cgi-bin]
    #[arg(long, value_name = "WHICH", help_heading = "CGI programs")]
    pub(crate) cgi: Option<Which>,
    /// A program that runs files by name (*.py) or path (/apps/*), such as '*.py=python3'
    #[arg(long, value_name = "PATTERN=PROGRAM", help_heading = "CGI programs")]
    pub(crate) cgi_interpreter: Vec<Interpreter>,
    /// A variable for programs by name or path, such as '*.py: PYTHONUTF8=1'
    #[arg(
        long,
        value_name = "PATTERN: NAME=VALUE",
        help_heading = "CGI programs"
    )]
    pub(crate) cgi_env: Vec<Setting>,
    /// Seconds that a program may write nothing [default: 60]
    #[arg(long, value_name = "SECONDS", help_heading = "CGI programs")]
    pub(crate) cgi_timeout: Option<Seconds>,
    /// How many programs may run at once [default: 32]
    #[arg(long, value_name = "N", value_parser = whole::<NonZeroU16>, help_heading = "CGI programs")]
    pub(crate) cgi_processes: Option<NonZeroU16>,
    /// How many requests may wait for their turn [default: 256]
    #[arg(long, value_name = "N", value_parser = whole::<usize>, help_heading = "CGI programs")]
    pub(crate) cgi_queue: Option<usize>,
    /// Whether a program gets a request once its whole body has come, and its response is spooled
    /// for slow clients [default: on]
    #[arg(long, value_name = "ON|OFF", help_heading = "CGI programs")]
    pub(crate) cgi_buffering: Option<Switch>,
    /// What to do with bodies without Content-Length: buffer them, or refuse them with 411
    /// [default: gather]
    #[arg(long, value_name = "WHAT", help_heading = "CGI programs")]
    pub(crate) cgi_chunked: Option<Unmeasured>,
    /// Pass credentials on to programs (HTTP_AUTHORIZATION)
    #[arg(long, help_heading = "CGI programs")]
    pub(crate) cgi_authorization: bool,
    /// What a program may use, such as cpu-seconds=10 or memory-mib=512
    #[arg(long, value_name = "RESOURCE=N", help_heading = "CGI programs")]
    pub(crate) cgi_limit: Vec<Limit>,
    /// Forward a path to backends, such as /api=http://127.0.0.1:9000; several URLs are separated by
    /// commas, and a path in the URL replaces that of the site
    #[arg(long, value_name = "PATH=URL", help_heading = "Proxy")]
    pub(crate) proxy: Vec<ProxiedPath>,
    /// Serve a Python application, such as package.module:app
    #[arg(long, value_name = "MODULE:NAME", help_heading = "Python application")]
    pub(crate) wsgi: Option<WsgiName>,
    /// Below which path it is served [default: /]
    #[arg(long, value_name = "PATH", help_heading = "Python application")]
    pub(crate) wsgi_mount: Option<MountPath>,
    /// How many processes run it [default: one per core]
    #[arg(long, value_name = "N", value_parser = whole::<NonZeroU16>, help_heading = "Python application")]
    pub(crate) wsgi_workers: Option<NonZeroU16>,
    /// How many requests each of them serves at once; more than 1 is for applications that are
    /// thread-safe [default: 1]
    #[arg(long, value_name = "N", value_parser = whole::<NonZeroU16>, help_heading = "Python application")]
    pub(crate) wsgi_threads: Option<NonZeroU16>,
    /// Where its modules are [default: .]
    #[arg(long, value_name = "FOLDER", help_heading = "Python application")]
    pub(crate) wsgi_path: Option<PathBuf>,
    /// The virtual environment whose Python runs it
    #[arg(long, value_name = "FOLDER", help_heading = "Python application")]
    pub(crate) venv: Option<PathBuf>,
    /// Seconds that it may take to answer, and that a request may wait for it [default: 30]
    #[arg(long, value_name = "SECONDS", help_heading = "Python application")]
    pub(crate) wsgi_timeout: Option<Seconds>,
    /// After how many requests a process of it is replaced [default: never]
    #[arg(long, value_name = "N", value_parser = whole::<NonZeroU64>, help_heading = "Python application")]
    pub(crate) wsgi_requests: Option<NonZeroU64>,
    /// Whether it gets a request once its whole body has come, and its response is spooled for slow
    /// clients [default: on]
    #[arg(long, value_name = "ON|OFF", help_heading = "Python application")]
    pub(crate) wsgi_buffering: Option<Switch>,
    /// Reload it when its source has changed
    #[arg(long, help_heading = "Python application")]
    pub(crate) reload: bool,
    /// Run as this user once addresses are bound and files opened; needs root
    #[arg(long, value_name = "USER", help_heading = "Rights")]
    pub(crate) user: Option<String>,
    /// Run in this group; needs --user [default: that of the user]
    #[arg(long, value_name = "GROUP", help_heading = "Rights")]
    pub(crate) group: Option<String>,
    /// Run CGI programs as this user; needs root
    #[arg(long, value_name = "USER", help_heading = "Rights")]
    pub(crate) cgi_user: Option<String>,
    /// That user by its numbers: the list of users cannot be read any more once the server is
    /// confined
    #[arg(skip)]
    pub(crate) cgi_user_ids: Option<UserIds>,
    /// Do not confine the server to the files that the options name (Landlock)
    #[arg(long, help_heading = "Rights")]
    pub(crate) no_sandbox: bool,
    /// Ask for a name and a password, such as 'ada:$2y$05$...' or '/drafts/=ada:$2y$05$...';
    /// `htpasswd -nB ada` makes one
    #[arg(long, value_name = "[/PATH/=]NAME:HASH", help_heading = "Files")]
    pub(crate) auth: Vec<User>,
    /// Answer TRACE, with what of a request arrives
    #[arg(long, help_heading = "Responses")]
    pub(crate) trace: bool,
    /// Show what runs on a page, such as 127.0.0.1:9235
    #[arg(long, value_name = "ADDRESS", value_parser = address, help_heading = "Live view")]
    pub(crate) inspect: Option<SocketAddr>,
    /// The password of the page; without it the page is for this machine alone
    #[arg(long, value_name = "TOKEN", help_heading = "Live view")]
    pub(crate) inspect_token: Option<Secret>,
    /// The secret of explanations, for the process of a connection
    #[arg(long, hide = true)]
    pub(crate) explain_secret: Option<Secret>,
    /// Show other programs on that page too, which send topology lines there, such as
    /// 127.0.0.1:1500
    #[arg(long, value_name = "ADDRESS", value_parser = address, help_heading = "Live view")]
    pub(crate) inspect_topologies: Option<SocketAddr>,
    /// Log every request, to a file or to stdout (-); SIGHUP begins a new file
    #[arg(long, value_name = "FILE", help_heading = "Logs")]
    pub(crate) access_log: Option<PathBuf>,
    /// How a line of the log looks [default: combined]
    #[arg(long, value_name = "FORMAT", help_heading = "Logs")]
    log_format: Option<Format>,
    /// Seconds that the head of a request may take [default: 20]
    #[arg(long, value_name = "SECONDS", help_heading = "Limits")]
    header_timeout: Option<Seconds>,
    /// Seconds without a byte while the content of a request comes in [default: 30]
    #[arg(long, value_name = "SECONDS", help_heading = "Limits")]
    body_timeout: Option<Seconds>,
    /// Go on with what is being made for a client that has shut down its side of the connection
    #[arg(long, help_heading = "Limits")]
    half_close: bool,
    /// Bytes per second at which a client must send a body and read a response, after their
    /// timeouts; 0 for no limit [default: 500]
    #[arg(long, value_name = "BYTES", value_parser = whole::<u32>, help_heading = "Limits")]
    min_rate: Option<u32>,
    /// Seconds that a connection may be silent between requests [default: 75; in mode forking 5; in
    /// mode single 2]
    #[arg(long, value_name = "SECONDS", help_heading = "Limits")]
    keep_alive: Option<Seconds>,
    /// Seconds that a client may read nothing of its response [default: 30]
    #[arg(long, value_name = "SECONDS", help_heading = "Limits")]
    write_timeout: Option<Seconds>,
    /// Bytes of a request line [default: 8192]
    #[arg(long, value_name = "BYTES", value_parser = whole::<usize>, help_heading = "Limits")]
    max_request_line: Option<usize>,
    /// Bytes of the head of a request [default: 32768]
    #[arg(long, value_name = "BYTES", value_parser = whole::<usize>, help_heading = "Limits")]
    max_header: Option<usize>,
    /// Header fields of a request [default: 100]
    #[arg(long, value_name = "N", value_parser = whole::<usize>, help_heading = "Limits")]
    max_fields: Option<usize>,
    /// Bytes of the body of a request [default: 104857600; with --writable 1073741824; without CGI
    /// and WSGI 1048576]
    #[arg(long, value_name = "BYTES", value_parser = whole::<u64>, help_heading = "Limits")]
    max_body: Option<u64>,
    /// Connections in all, or fewer if the limit of open files is low; at the limit, the connection
    /// that has been idle longest makes room [default: 16384]
    #[arg(long, value_name = "N", value_parser = whole::<usize>, help_heading = "Limits")]
    pub(crate) connections: Option<usize>,
    /// Connections of one client, which is an address, or a /64 network of IPv6 [default: 256]
    #[arg(long, value_name = "N", value_parser = whole::<usize>, help_heading = "Limits")]
    connections_per_client: Option<usize>,
    /// Processes that serve connections at the same time, in mode forking [default: 256]
    #[arg(long, value_name = "N", value_parser = whole::<NonZeroU16>, help_heading = "Limits")]
    processes: Option<NonZeroU16>,
}

/// The options that `-h` shows.
const BRIEF: [&str; 15] = [
    "folder",
    "config",
    "verbose",
    "port",
    "bind",
    "tls-cert",
    "tls-self-signed",
    "acme",
    "qr",
    "writable",
    "cgi",
    "wsgi",
    "inspect",
    "access_log",
    "help",
];

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

/// How large it may be where programs get it, for which it is buffered on the disk, in bytes.
const LARGEST_BUFFERED: u64 = 100 << 20;

/// How long a connection may be silent in mode single: all others wait for it, and browsers open
/// several at once.
const SINGLE_KEEP_ALIVE: Duration = Duration::from_secs(2);

/// How long a connection may be silent in mode forking: it occupies a process.
const FORKING_KEEP_ALIVE: Duration = Duration::from_secs(5);

impl Options {
    /// The options, of which `-h` shows the most useful ones.
    pub(crate) fn definition() -> Command {
        let command = Self::command().mut_args(|option| {
            let is_brief = BRIEF.contains(&option.get_id().as_str());
            option.hide_short_help(!is_brief)
        });
        command
            .after_help("spidey --help shows all options.")
            .after_long_help("")
    }

    /// Reads a command line, which begins with the name of the program.
    ///
    /// # Errors
    ///
    /// What is wrong with it, or the help that it asks for.
    pub(crate) fn of_arguments(arguments: Vec<OsString>) -> Result<Self, clap::Error> {
        let command = Self::definition();
        let matches = command.clone().try_get_matches_from(&arguments)?;
        let mut options = Self::from_arg_matches(&matches)?;
        let is_given = |option: &&Arg| {
            matches.value_source(option.get_id().as_str()) == Some(ValueSource::CommandLine)
        };
        let given = command.get_arguments().filter(is_given);
        let name = |option: &Arg| {
            option
                .get_long()
                .unwrap_or(option.get_id().as_str())
                .to_owned()
        };
        options.given = given.map(name).collect();
        options.arguments = arguments;
        Ok(options)
    }

    /// Whether the command line has an option, which has precedence over the key of the
    /// configuration file.
    pub(crate) fn says(&self, key: &str) -> bool {
        self.given.contains(key) || (key == "docroot" && self.given.contains("folder"))
    }

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

    /// The same, with what was read from the file before.
    ///
    /// # Errors
    ///
    /// As above.
    pub(crate) fn with_text(self, text: String) -> Result<Self, String> {
        let command = Self::definition();
        let path = self.config.clone().unwrap_or_else(|| DEFAULT_FILE.into());
        let file = File::read(&command, &path, &text)?;
        // Those of the command line stand last: what comes after `--` is no option.
        let (program, own) = self.arguments.split_at(self.arguments.len().min(1));
        let of_file = file.arguments(|key| self.says(key));
        let of_file = of_file.into_iter().map(OsString::from);
        let all = program.iter().cloned().chain(of_file);
        let all = all.chain(own.iter().cloned());
        let options = Self::try_parse_from(all).map_err(|error| wrong_usage(&error))?;
        let options = Self {
            text,
            source: self.source,
            docroot: options.folder.clone().or(options.docroot.clone()),
            arguments: self.arguments,
            given: self.given,
            ..options
        };
        let mut options = options.with_mode_of_flag()?;
        options.cgi_user_ids = options.cgi_user.as_deref().map(user_ids).transpose()?;
        Ok(options)
    }

    /// `-f` is `--mode forking`.
    fn with_mode_of_flag(mut self) -> Result<Self, String> {
        match (self.forking, self.mode) {
            (true, Some(other)) if self.says("mode") && other != Placement::Forking => {
                return Err(format!(
                    "-f is --mode forking, which contradicts --mode {other}"
                ));
            }
            (true, _) => self.mode = Some(Placement::Forking),
            (false, _) => {}
        }
        Ok(self)
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let port = self.port.unwrap_or(match self.has_usual_ports() {
            true => 80,
            false => 9234,
        });
        if !self.bind.is_empty() {
            let address = |bind: &Bind| SocketAddr::new(bind.ip, bind.port.unwrap_or(port));
            return self.bind.iter().map(address).collect();
        }
        let mut everywhere = vec![SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))];
        // A machine may do without IPv6.
        if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
            everywhere.push((Ipv6Addr::UNSPECIFIED, port).into());
        }
        everywhere
    }

    /// Whether only this machine can connect, and clients write files: then other names than its
    /// own are refused, because a page from elsewhere could have been given one (DNS rebinding).
    pub(crate) fn answers_loopback_only(&self) -> bool {
        let is_loopback = |bind: &Bind| bind.ip.to_canonical().is_loopback();
        self.writable && !self.bind.is_empty() && self.bind.iter().all(is_loopback)
    }

    pub(crate) fn placement(&self) -> Placement {
        self.mode.unwrap_or_default()
    }

    pub(crate) fn log_format(&self) -> LogFormat {
        match self.log_format {
            Some(Format::Common) => LogFormat::Common,
            Some(Format::Combined) | None => LogFormat::Combined,
            Some(Format::Forwarded) => LogFormat::Forwarded,
        }
    }

    /// How many threads serve.
    pub(crate) fn worker_count(&self) -> usize {
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        self.workers.map_or_else(cores, |count| count.get().into())
    }

    /// The folder that is served.
    pub(crate) fn docroot_folder(&self) -> PathBuf {
        self.docroot.clone().unwrap_or_else(|| ".".into())
    }

    /// Options that serve one folder.
    #[cfg(test)]
    pub(crate) fn for_folder(folder: &std::path::Path, writable: bool) -> Self {
        Self {
            docroot: Some(folder.to_owned()),
            writable,
            ..Self::default()
        }
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
        files.protected = self.auth.iter().filter_map(User::folder).collect();
        files.sandboxes_uploads = !self.no_upload_sandbox;
        files.thumbnails = !self.no_thumbnails;
        files.codings = self.coding.clone();
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
        set(&mut site.limits.body, self.max_body.or(self.largest_body()));
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
        set(&mut site.patience.rate, self.min_rate);
        site.half_close = self.half_close;
        let shortest = match self.placement() {
            Placement::Pool => None,
            Placement::Single => Some(SINGLE_KEEP_ALIVE),
            Placement::Forking => Some(FORKING_KEEP_ALIVE),
        };
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
        set(
            &mut site.processes,
            self.processes.map(|count| count.get().into()),
        );
        site
    }
}

impl Options {
    /// How large a body may be, by what takes it, unless an option says so.
    fn largest_body(&self) -> Option<u64> {
        let has_programs = self.wsgi.is_some() || !matches!(self.cgi, Some(Which::Off));
        match () {
            () if self.writable => Some(LARGEST_UPLOAD),
            () if has_programs => Some(LARGEST_BUFFERED),
            () => None,
        }
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
