//! The CGI handler: programs that answer requests.

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use futures_lite::future::or;
use http::{Method, StatusCode};
use kamea::{Component, End, Inbox, Outbox, Ports, at_first_message};

use super::answer::{Answer, AnswerOptions};
use super::find::{Program, Search, find};
use super::options::CgiOptions;
use super::run::{Input, command, run};
use crate::documents::{Files, PROGRAM_FOLDER, Programs};
use crate::gateway::Mount;
use crate::http::{Fields, Target};
use crate::net::{Limiter, Socket};
use crate::web::{Exchange, Failure, Notice, Request, Response, Route};

/// The ports of [`serve_cgi`].
#[derive(Debug, Ports)]
pub struct CgiPorts {
    /// Requests that may be for a program.
    pub requests: Inbox<Request>,
    /// Requests that are not for a program, also after a redirect by a program.
    pub passed: Outbox<Request>,
    /// The responses of the programs.
    pub responses: Outbox<Response>,
    /// Requests that could not be answered.
    pub failures: Outbox<Failure>,
    /// The fields that a program set for the response to a request that it redirected.
    pub notices: Option<Outbox<Notice>>,
}

/// How programs are run, and how many are running: shared by all connections.
#[derive(Debug, Clone)]
pub struct Cgi(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: CgiOptions,
    limiter: Limiter,
}

impl Cgi {
    /// Creates the state for programs with these options.
    pub fn new(options: CgiOptions) -> Self {
        let limiter = Limiter::new(options.at_once, options.waiting);
        Self(Arc::new(Shared { options, limiter }))
    }

    /// Whether bodies are buffered.
    pub(crate) fn is_buffering(&self) -> bool {
        self.0.options.buffering
    }
}

/// Which requests may be for a program, if only the folder of programs decides; `None` if any may
/// be.
pub(crate) fn candidates(programs: &Programs) -> Option<Route> {
    let is_folder_only = !programs.executables && programs.interpreters.is_empty();
    is_folder_only.then(|| Route::path(&format!("/{PROGRAM_FOLDER}/*")))
}

/// How many local redirects a request may follow.
const REDIRECTS: u8 = 10;

/// When a client should try again, in seconds, if too many programs are running.
const RETRY_AFTER: &str = "5";

/// Answers requests by programs below the document root: CGI/1.1 (RFC 3875). `socket` is that of
/// the connection; programs receive its local address.
///
/// It makes a graph for each request, around [`unix_process`](crate::process::unix_process). The
/// graph ends with the response, or with the connection, and ends the program and its descendants.
pub fn serve_cgi(files: Rc<Files>, cgi: Cgi, socket: Rc<Socket>) -> impl Component<CgiPorts> {
    at_first_message(async move |io: &mut CgiPorts| {
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
    })
}

struct Serving<'a> {
    files: &'a Files,
    cgi: &'a Shared,
    socket: &'a Socket,
    /// What all requests of the connection share, once one has needed it.
    mount: Option<Mount>,
}

impl Serving<'_> {
    async fn serve(&mut self, io: &CgiPorts, mut request: Request) -> Result<(), End> {
        let mut carried = Fields::new();
        for _ in 0..=REDIRECTS {
            let found = match self.files.path(&request) {
                Ok(path) => find(self.files, &path).await,
                // The file handler reports the error.
                Err(_) => Search::Other,
            };
            let redirected = match found {
                Search::Other => return pass_on(io, request, carried).await,
                Search::Refused(status, explanation) => {
                    let failure = request.refuse(status, explanation);
                    Err(request.discard_and_fail(failure).await)
                }
                Search::Program(program) => self.run(io, request, program, &mut carried).await?,
            };
            match redirected {
                Ok(None) => return Ok(()),
                Ok(Some(redirected)) => request = redirected,
                Err(failure) => return Ok(io.failures.send(carry(failure, &carried)).await?),
            }
        }
        log::error!(
            "{} | {} redirects in a circle",
            request.exchange.peer,
            request.head.target
        );
        let explanation = "the program redirects in a circle";
        let failure = request.refuse(StatusCode::BAD_GATEWAY, explanation);
        Ok(io.failures.send(failure).await?)
    }

    /// Answers a request by a program, with the fields of the programs before it. Returns the
    /// request to serve instead, if the program redirects, and adds the fields of this program.
    async fn run(
        &mut self,
        io: &CgiPorts,
        mut request: Request,
        program: Program,
        carried: &mut Fields,
    ) -> Result<Result<Option<Request>, Failure>, End> {
        let (exchange, options) = (request.exchange, &self.cgi.options);
        let is_streamed = !options.buffering || is_verbatim(&program);
        // Before the limiter: a client that sends slowly must not hold a permit.
        let input = match Input::of(&mut request, options, is_streamed).await {
            Ok(input) => input,
            Err(failure) => return Ok(Err(failure)),
        };
        let socket = self.socket;
        let gone = async {
            socket.gone().await;
            log::debug!("{} | the client has gone", exchange.peer);
            socket.cancel();
            Ok(Ok(None))
        };
        or(self.run_with(io, request, program, input, carried), gone).await
    }

    /// Answers a request by a program; the input is complete.
    async fn run_with(
        &mut self,
        io: &CgiPorts,
        mut request: Request,
        program: Program,
        input: Input,
        carried: &mut Fields,
    ) -> Result<Result<Option<Request>, Failure>, End> {
        let (exchange, options) = (request.exchange, &self.cgi.options);
        let Ok(_permit) = self.cgi.limiter.acquire(exchange.peer.ip()).await else {
            log::warn!("{} | too many programs run already", exchange.peer);
            let status = StatusCode::SERVICE_UNAVAILABLE;
            if let Input::Piped(content) = input {
                request.content = Some(content);
            }
            let failure = request.refuse(status, "too many programs are running");
            let failure = failure.with("Retry-After", RETRY_AFTER);
            return Ok(Err(request.discard_and_fail(failure).await));
        };
        let answering = self.answer_options(exchange, &program);
        log::debug!("{} | Handle CGI {}", exchange.peer, answering.name);
        let mount = match &mut self.mount {
            Some(mount) => mount,
            mount => mount.insert(mount_of(self.files, self.socket, options)?),
        };
        let command = command(&request, &program, &input, options, mount);
        let mut outcome = Ok(Ok(None));
        run(command, input, answering, async |answer| {
            let sent = match answer {
                Answer::Redirect(path, fields) => {
                    outcome = Ok(redirect(&request, path).map(Some));
                    carried.extend(&fields);
                    return;
                }
                Answer::Response(mut response) => {
                    response.head.carry(carried);
                    io.responses.send(response).await.map_err(End::from)
                }
                Answer::Failure(failure) => io
                    .failures
                    .send(carry(failure, carried))
                    .await
                    .map_err(End::from),
            };
            outcome = sent.map(|()| Ok(None));
        })
        .await?;
        outcome
    }

    fn answer_options(&self, exchange: Exchange, program: &Program) -> AnswerOptions {
        let is_verbatim = is_verbatim(program);
        let options = &self.cgi.options;
        AnswerOptions {
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

/// Whether a program writes the raw response itself (RFC 3875 section 5).
fn is_verbatim(program: &Program) -> bool {
    let name = program.path.file_name().unwrap_or_default();
    name.as_encoded_bytes().starts_with(b"nph-")
}

fn mount_of(files: &Files, socket: &Socket, options: &CgiOptions) -> io::Result<Mount> {
    let mount = Mount::new(socket.local()?).document_root(files.docroot().path()?);
    Ok(if options.passes_authorization {
        mount.pass_authorization()
    } else {
        mount
    })
}

/// Passes on a request that is not for a program. The fields of the programs that redirected it go
/// to the encoder, which adds them to the response.
async fn pass_on(io: &CgiPorts, request: Request, carried: Fields) -> Result<(), End> {
    if let Some(notices) = &io.notices
        && !carried.is_empty()
    {
        let (number, fields) = (request.exchange.number, Box::new(carried));
        notices.send(Notice::Carry { number, fields }).await?;
    }
    Ok(io.passed.send(request).await?)
}

/// A failure with the fields of the programs before it.
fn carry(mut failure: Failure, carried: &Fields) -> Failure {
    failure.fields.extend(carried);
    failure
}

/// The request that a client would have made for the target of a local redirect (RFC 3875 section
/// 6.2.2).
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
        request.refuse(StatusCode::BAD_GATEWAY, explanation)
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
        extensions: request.extensions.clone(),
        ..Request::new(request.exchange, head, None)
    })
}
