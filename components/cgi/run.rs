//! One request, answered by one program: a graph that lives as long as the program.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_lite::future::or;
use http::StatusCode;
use kamea::{Graph, GraphError, Sender};

use super::answer::{Answer, AnswerOptions, answer};
use super::find::Program;
use super::options::{CgiOptions, Chunked};
use crate::gateway::{Mount, Variables};
use crate::http::RequestHead;
use crate::process::{Command, Stdio, log_lines, unix_process};
use crate::web::{Buffered, Content, Failure, Incomplete, Request};

/// The `PATH` of programs if the server has no `PATH`.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// How long descendants of a program may keep its output open after its exit.
const LINGER: Duration = Duration::from_millis(500);

/// The input of a program.
pub(super) enum Input {
    None,
    /// A body that goes through a pipe; `CONTENT_LENGTH` is its length.
    Piped(Box<Content>),
    /// A body that has been buffered in a file.
    File(Stdio),
}

impl Input {
    /// Takes the body of a request. It is buffered first, unless it must be streamed and has a
    /// known length.
    pub(super) async fn of(
        request: &mut Request,
        options: &CgiOptions,
        is_streamed: bool,
    ) -> Result<Self, Failure> {
        if request.content.is_none() {
            return Ok(Self::None);
        }
        let has_length = request.head.fields.contains("content-length");
        if !has_length && options.chunked == Chunked::Refused {
            let explanation = "the length of the body must be known";
            let failure = request.refuse(StatusCode::LENGTH_REQUIRED, explanation);
            return Err(request.discard_and_fail(failure).await);
        }
        if !has_length || !is_streamed {
            Box::pin(request.buffer_content()).await?;
        }
        let Some(content) = request.content.take() else {
            return Ok(Self::None);
        };
        Ok(match content.buffered() {
            Some(Buffered::File(file)) => match file.file.to_descriptor() {
                Ok(file) => Self::File(Stdio::Fd(Arc::new(file))),
                Err(error) => return Err(not_kept(request, &error)),
            },
            _ => Self::Piped(content),
        })
    }
}

fn not_kept(request: &Request, error: &io::Error) -> Failure {
    log::error!(
        "{} | the body of a request cannot be passed on: {error}",
        request.exchange.peer
    );
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    request.refuse(status, "the body could not be passed on")
}

/// The command that answers a request.
pub(super) fn command(
    request: &Request,
    program: &Program,
    input: &Input,
    options: &CgiOptions,
    mount: &Mount,
) -> Command {
    let script_name = [b"/", &program.name[..]].concat();
    let head = &request.head;
    let mut variables = Variables::of_script(
        head,
        &request.exchange,
        mount,
        &script_name,
        &program.path_info,
    );
    variables.add_tls(request);
    variables.set(
        "SCRIPT_FILENAME",
        program.path.as_os_str().as_encoded_bytes(),
    );
    if !program.interpreter.is_empty() {
        // Apache sets this for a request that its configuration sends to an interpreter: php-cgi
        // runs nothing without it (cgi.force_redirect).
        variables.set("REDIRECT_STATUS", "200");
    }
    let stdin = match input {
        Input::None => Stdio::Null,
        Input::Piped(_) => Stdio::Piped,
        Input::File(file) => file.clone(),
    };
    let mut command = match program.interpreter.split_first() {
        None => Command::new(&program.path).open_program(program.file.clone()),
        Some((interpreter, arguments)) => {
            let command = Command::new(interpreter).args(arguments);
            command.open_arg(program.file.clone())
        }
    };
    command = command.args(search_words(head)).clear_env().stdin(stdin);
    command = command.open_folder(program.folder.clone());
    command = command.linger(LINGER.min(options.silence / 2));
    let path = std::env::var_os("PATH").unwrap_or_else(|| PATH.into());
    command = command.env("PATH", path);
    for (name, value) in variables.iter() {
        command = command.env(name, os_string(value));
    }
    for setting in &options.settings {
        if setting.files.matches(&program.name) {
            command = command.env(&setting.name, &setting.value);
        }
    }
    if let Some(user) = options.user {
        command = command.user(user);
    }
    for (resource, limit) in &options.limits {
        command = command.limit(*resource, *limit);
    }
    command
}

fn os_string(bytes: &[u8]) -> std::ffi::OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes.to_vec())
}

/// The words of an indexed query, which are arguments of the program (RFC 3875 section 4.4): for
/// GET and HEAD, if the query has no `=`. Empty if one of them looks like an option.
fn search_words(head: &RequestHead) -> Vec<std::ffi::OsString> {
    let query = head.target.query().unwrap_or_default();
    if !head.method.is_safe() || query.is_empty() || query.contains('=') {
        return Vec::new();
    }
    let words: Vec<Vec<u8>> = query
        .split('+')
        .map(|word| percent_encoding::percent_decode_str(word).collect())
        .collect();
    let is_plain = |word: &Vec<u8>| !word.starts_with(b"-") && !word.contains(&0);
    if !words.iter().all(is_plain) {
        return Vec::new();
    }
    words.iter().map(|word| os_string(word)).collect()
}

/// Runs a program for a request. The answer goes to `tell` as soon as it begins; the program may
/// still write after that.
pub(super) async fn run(
    command: Command,
    input: Input,
    options: AnswerOptions,
    mut tell: impl AsyncFnMut(Answer),
) -> Result<(), GraphError> {
    let (exchange, name) = (options.exchange, options.name.clone());
    let mut graph = Graph::new("cgi");
    let script = graph.add("script", unix_process(command));
    let log = log_lines(format!("{} | {name}", exchange.peer), log::Level::Warn);
    let log = graph.add("log", log);
    let answer = graph.add("answer", answer(options));
    graph.link(script.stdout, answer.output);
    graph.link(script.status, answer.status);
    graph.link(script.stderr, log.inbox);
    let mut answers = graph.take(answer.answers);
    let stdin = matches!(input, Input::Piped(_)).then(|| graph.feed(script.stdin));
    let flow = graph.start()?;

    let mut is_answered = false;
    let ended = {
        let answering = async {
            while let Some(answer) = answers.next().await {
                is_answered = true;
                tell(answer).await;
            }
            std::future::pending().await
        };
        let feeding = async {
            match feed(input, stdin).await {
                Ok(()) => std::future::pending().await,
                Err(cut) => Some(cut),
            }
        };
        let running = async {
            if let Err(fault) = flow.await {
                log::error!("{} | {fault}", exchange.peer);
            }
            None
        };
        or(running, or(answering, feeding)).await
    };
    while let Some(answer) = answers.try_next() {
        is_answered = true;
        tell(answer).await;
    }
    if !is_answered {
        let failure = match ended {
            Some(cut) => Failure::incomplete(exchange, cut),
            None => Failure::new(
                exchange,
                StatusCode::INTERNAL_SERVER_ERROR,
                "the program could not be run",
            ),
        };
        tell(Answer::Failure(failure)).await;
    }
    Ok(())
}

/// Feeds the body of a request to its program, as fast as the program reads.
async fn feed(input: Input, stdin: Option<Sender<Bytes>>) -> Result<(), Incomplete> {
    let (Input::Piped(mut content), Some(stdin)) = (input, stdin) else {
        return Ok(());
    };
    while let Some(bytes) = content.next().await? {
        if stdin.send(bytes).await.is_err() {
            // The program has exited. Nobody needs the rest of the body.
            break;
        }
    }
    Ok(())
}
