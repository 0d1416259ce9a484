//! The process of one connection, in mode forking: it takes the connection over from the server
//! that has started it, serves it, and ends with it.

use std::error::Error;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd as _;

use futures_lite::future::or;
use kamea::{Component, Graph, GraphError, Scheduler, Sender, Sink, unblock};
use kamea_components::net::{TakenOver, take_over};
use kamea_components::process::{Hangup, hangups};
use kamea_components::server::{Handover, LogEntry};
use kamea_recipes::{Stamp, log_to_stderr};

use super::options::Options;
use super::tls::have_ticket_keys;
use super::{DRAIN, server, wsgi};

/// Serves the connection that standard input leads to.
pub(crate) fn serve_connection(arguments: Options) -> Result<(), Box<dyn Error>> {
    // It was started as /proc/self/exe; where it has another name only lists of processes differ.
    let _ = rustix::thread::set_name(c"spidey");
    let TakenOver {
        accepted,
        text,
        parent,
    } = match take_stdin() {
        Err(error) if error.kind() == ErrorKind::NotConnected => return Ok(()),
        taken => taken?,
    };
    let (text, tickets) = Handover::read(&text).ok_or("this process was started by no server")?;
    tickets.into_iter().for_each(have_ticket_keys);
    let options = arguments.with_text(String::from_utf8(text.to_vec())?)?;
    log_to_stderr(options.verbose, Stamp::Time)?;
    let log = options.start_access_log()?;
    let tls = options.tls()?;
    // Its user is that of the server by now.
    let mut confined = options.clone();
    (confined.user, confined.group) = (None, None);
    confined.confine()?;
    let scheduler = Scheduler::with_workers(1);
    scheduler.run(hangup_graph(log.entries())?)?;
    let wsgi = wsgi::load(&options, &scheduler)?;
    let server = server(&options, log.entries(), wsgi, options.explanations(), tls)?;
    let serving = server.serve(&scheduler, accepted)?;
    let served = async {
        if let Err(fault) = serving.finished().await {
            log::error!("{fault}");
        }
    };
    let unwanted = unblock(move || parent.wait());
    scheduler.until_ctrl_c_or(or(served, unwanted), DRAIN)?;
    log.finish();
    Ok(())
}

/// What the server has handed over; programs that are started from here find nothing of it.
fn take_stdin() -> io::Result<TakenOver> {
    let stdin = io::stdin().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    take_over(stdin)
}

/// SIGHUP begins a new file of the access log; the configuration stays.
fn hangup_graph(log: Option<Sender<LogEntry>>) -> Result<Graph, GraphError> {
    let mut graph = Graph::new("hangups");
    let hangups = graph.add("hangups", hangups());
    let reopen = graph.add("reopen", reopen_on_hangup(log));
    graph.link(hangups.outbox, reopen.inbox);
    Ok(graph)
}

fn reopen_on_hangup(log: Option<Sender<LogEntry>>) -> impl Component<Sink<Hangup>> + Send {
    async move |io: &mut Sink<Hangup>| {
        while io.inbox.next().await.is_some() {
            if let Some(log) = &log {
                log.send(LogEntry::Reopen).await?;
            }
        }
        Ok(())
    }
}
