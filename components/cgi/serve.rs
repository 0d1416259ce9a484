//! The CGI handler: programs that answer requests.

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use http::{Method, StatusCode};
use kamea::{Component, End, Inbox, Outbox, Ports};

use super::answer::{Answer, Manner};
use super::find::{Program, Search, find};
use super::options::CgiOptions;
use super::run::{Input, command, run};
use super::turnstile::Turnstile;
use crate::documents::{Files, PROGRAM_FOLDER, Programs};
use crate::gateway::Mount;
use crate::http::{Fields, Target};
use crate::net::Socket;
use crate::web::{Exchange, Failure, Request, Response, Route};

/// The ports of [`serve_cgi`].
#[derive(Debug, Ports)]
pub struct CgiPorts {
    /// What may be for a program.
    pub requests: Inbox<Request>,
    /// What is for none, also because a program has redirected it to where none is.
    pub passed: Outbox<Request>,
    /// What the programs answer.
    pub responses: Outbox<Response>,
    /// What could not be answered.
    pub failures: Outbox<Failure>,
}

/// How programs are run, and how many do: shared by all connections.
#[derive(Debug, Clone)]
pub struct Cgi(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: CgiOptions,
    turnstile: Turnstile,
}

impl Cgi {
    /// Programs are run in this way.
    pub fn new(options: CgiOptions) -> Self {
        let turnstile = Turnstile::new(options.at_once, options.waiting);
        Self(Arc::new(Shared { options, turnstile }))
    }
}

/// Which requests may be for a program, if only the folder of programs decides; `None` if any may.
pub(crate) fn candidates(programs: &Programs) -> Option<Route> {
    let is_folder_only = !programs.executables && programs.interpreters.is_empty();
    is_folder_only.then(|| Route::path(&format!("/{PROGRAM_FOLDER}/*")))
}

/// How often a request may be redirected within the server.
const REDIRECTS: u8 = 10;

/// When a client should try again that came while too many programs ran, in seconds.
const RETRY_AFTER: &str = "5";

/// Answers requests by programs below the document root: CGI/1.1 (RFC 3875). `socket` is that of the connection, whose address at our end they are told.
///
/// For each request a graph is made, whose heart is [`unix_process`](crate::process::unix_process); it ends with the response, or with the connection,
/// and the program and its descendants with it.
pub fn serve_cgi(files: Rc<Files>, cgi: Cgi, socket: Rc<Socket>) -> impl Component<CgiPorts> {
    async move |io: &mut CgiPorts| {
        let mut serving = Serving {
            files: &files,
            cgi: &cgi.0,
            socket: &socket,
            mount: None,
        };
        while let Some(request) = io.requests.next().await {
            serving.serve(io, request).await?;
        }
        Ok(())
    }
}

struct Serving<'a> {
    files: &'a Files,
    cgi: &'a Shared,
    socket: &'a Socket,
    /// What is the same for all requests of the connection, once one has needed it.
    mount: Option<Mount>,
}

impl Serving<'_> {
    async fn serve(&mut self, io: &CgiPorts, mut request: Request) -> Result<(), End> {
        for _ in 0..=REDIRECTS {
            let found = match self.files.path(&request) {
                Ok(path) => find(self.files, &path).await,
                // Whoever serves files says what is wrong.
                Err(_) => Search::Other,
            };
            let redirected = match found {
                Search::Other => return Ok(io.passed.send(request).await?),
                Search::Refused(status, explanation) => {
                    Err(refuse(request, status, explanation).await)
                }
                Search::Program(program) => self.run(io, request, program).await?,
            };
            match redirected {
                Ok(None) => return Ok(()),
                Ok(Some(redirected)) => request = redirected,
                Err(failure) => return Ok(io.failures.send(failure).await?),
            }
        }
        log::error!(
            "{} | {} redirects in a circle",
            request.exchange.peer,
            request.head.target
        );
        let explanation = "the program redirects in a circle";
        let failure = Failure::new(request.exchange, StatusCode::BAD_GATEWAY, explanation);
        Ok(io.failures.send(failure).await?)
    }

    /// Has a program answer a request; gives the request that is to be served instead, if the program wants that.
    async fn run(
        &mut self,
        io: &CgiPorts,
        mut request: Request,
        program: Program,
    ) -> Result<Result<Option<Request>, Failure>, End> {
        let (exchange, options) = (request.exchange, &self.cgi.options);
        let Ok(_place) = self.cgi.turnstile.enter().await else {
            log::warn!("{} | too many programs run already", exchange.peer);
            let status = StatusCode::SERVICE_UNAVAILABLE;
            let failure = refuse(request, status, "too many programs are running").await;
            let fields = Fields::new().with("Retry-After", RETRY_AFTER);
            return Ok(Err(Failure { fields, ..failure }));
        };
        let input = match Input::of(&mut request, options).await {
            Ok(input) => input,
            Err(failure) => return Ok(Err(failure)),
        };
        let manner = self.manner(exchange, &program);
        log::debug!("{} | Handle CGI {}", exchange.peer, manner.name);
        let mount = match &mut self.mount {
            Some(mount) => mount,
            mount => mount.insert(mount_of(self.files, self.socket, options)?),
        };
        let command = command(&request, &program, &input, options, mount);
        let mut outcome = Ok(Ok(None));
        run(command, input, manner, async |answer| {
            let sent = match answer {
                Answer::Redirect(path) => {
                    outcome = Ok(redirect(&request, path).map(Some));
                    return;
                }
                Answer::Response(response) => io.responses.send(response).await.map_err(End::from),
                Answer::Failure(failure) => io.failures.send(failure).await.map_err(End::from),
            };
            outcome = sent.map(|()| Ok(None));
        })
        .await?;
        outcome
    }

    fn manner(&self, exchange: Exchange, program: &Program) -> Manner {
        let file_name = program.path.file_name().unwrap_or_default();
        let is_verbatim = file_name.as_encoded_bytes().starts_with(b"nph-");
        let options = &self.cgi.options;
        Manner {
            exchange: Exchange {
                closes: exchange.closes || is_verbatim,
                ..exchange
            },
            name: program.path.display().to_string(),
            silence: options.silence,
            largest_header: options.largest_header,
            is_verbatim,
        }
    }
}

fn mount_of(files: &Files, socket: &Socket, options: &CgiOptions) -> io::Result<Mount> {
    let mount = Mount::new(socket.local()?).document_root(files.docroot().path()?);
    Ok(if options.passes_authorization {
        mount.pass_authorization()
    } else {
        mount
    })
}

async fn refuse(mut request: Request, status: StatusCode, explanation: &'static str) -> Failure {
    match request.discard_content().await {
        Ok(()) => Failure::new(request.exchange, status, explanation),
        Err(failure) => failure,
    }
}

/// The request that a client would have made for what the program names (RFC 3875 section 6.2.2).
fn redirect(request: &Request, path: String) -> Result<Request, Failure> {
    let mut head = request.head.clone();
    head.method = if request.exchange.is_head {
        Method::HEAD
    } else {
        Method::GET
    };
    head.target = Target::parse(&head.method, path.into()).map_err(|malformed| {
        log::error!(
            "{} | a program redirects to nowhere: {malformed}",
            request.exchange.peer
        );
        let explanation = "the program redirects to where nothing can be";
        Failure::new(request.exchange, StatusCode::BAD_GATEWAY, explanation)
    })?;
    for name in [
        "content-length",
        "content-type",
        "transfer-encoding",
        "expect",
    ] {
        head.fields.remove(name);
    }
    Ok(Request {
        exchange: request.exchange,
        head,
        content: None,
    })
}
