//! The holder of a connection that a separate process serves. It starts the process once the peer
//! has sent something, hands the connection over, and waits for its end. A failure of the process
//! affects only its connection.

use std::cell::RefCell;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::rc::Rc;
use std::sync::Arc;

use futures_lite::future::or;
use kamea::time::sleep;
use kamea::{Component, stopping};

use super::connection::{Service, refuse, unless_idle};
use crate::chassis::NoPorts;
use crate::net::{Admitted, ChildHandle, LARGEST_TEXT, Socket};
use crate::process::{Command, Process, Stdio};
use crate::tls::TicketKeys;

/// How a process serves a connection.
///
/// The process finds the connection at its standard input, by [`take_over`](crate::net::take_over),
/// and serves it with [`WebServer::serve`](super::WebServer::serve).
#[derive(Debug, Clone)]
pub struct Handover {
    /// The program; the server sets its standard input.
    pub command: Command,
    /// The configuration that is sent with the connection. At most
    /// [`LARGEST_TEXT`](Self::LARGEST_TEXT) bytes.
    pub text: Vec<u8>,
    /// The keys of session tickets that are sent with it, as they are at that moment. So a client
    /// can resume its session in another process.
    pub tickets: Option<TicketKeys>,
}

impl Handover {
    /// The limit for the text, in bytes.
    pub const LARGEST_TEXT: usize = LARGEST_TEXT - 256;

    /// What is sent with the connection: the length of the exported keys, these, and the text.
    fn message(&self) -> Vec<u8> {
        let tickets = self.tickets.as_ref().map(TicketKeys::export);
        let tickets = tickets.unwrap_or_default();
        let mut message = Vec::with_capacity(1 + tickets.len() + self.text.len());
        // Exported keys are short; none would be handed over otherwise.
        message.push(u8::try_from(tickets.len()).unwrap_or_default());
        if message[0] > 0 {
            message.extend(tickets);
        }
        message.extend_from_slice(&self.text);
        message
    }

    /// Reads in the process what was sent with the connection: the text, and the keys of session
    /// tickets. `None` if no server has sent it.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_components::server::Handover;
    ///
    /// assert!(Handover::read(b"\0some text").is_some_and(|(text, _)| text == b"some text"));
    /// assert!(Handover::read(b"").is_none());
    /// ```
    #[must_use]
    pub fn read(message: &[u8]) -> Option<(&[u8], Option<TicketKeys>)> {
        let (length, rest) = message.split_first()?;
        let (tickets, text) = rest.split_at_checked((*length).into())?;
        let tickets = match tickets {
            [] => None,
            exported => Some(TicketKeys::import(exported)?),
        };
        Some((text, tickets))
    }
}

/// Serves a connection by a process of its own, and waits for its end. If no process can be
/// started, or all are busy for too long, the peer gets the answer that the server is at its limit.
/// The connection ends while it is idle if its place is needed.
pub fn hand_over_connection(
    socket: Rc<Socket>,
    service: Rc<RefCell<Service>>,
    is_secure: bool,
    admitted: Option<Admitted>,
) -> impl Component<NoPorts> {
    let mut parts = Some((socket, admitted));
    async move |_: &mut NoPorts| {
        let Some((socket, admitted)) = parts.take() else {
            return Ok(());
        };
        let peer = socket.peer();
        let silence = service.borrow().silence;
        // A process costs much more than a socket: a silent client gets none.
        let arrived = async {
            socket
                .has_arrived()
                .await
                .is_ok_and(|has| has)
                .then_some(())
        };
        if unless_idle(arrived, silence, admitted.as_ref())
            .await
            .is_none()
        {
            return Ok(());
        }
        let Some(_permit) = permit(&socket, &service).await else {
            log::debug!("{peer} | No process is free");
            refuse(&socket, &service, is_secure).await;
            return Ok(());
        };
        let handover = service.borrow().handover.clone();
        match start(&socket, handover).await {
            Ok((process, child)) => {
                // From now on only the process owns the connection: it ends when the process closes
                // it.
                drop(socket);
                let status = end(&process, child).await?;
                log::debug!("{peer} | Process {}: {status}", process.id());
                if let Some(wrong) = what_went_wrong(status) {
                    log::error!("{peer} | the process of this connection {wrong}");
                }
            }
            Err(error) => {
                log::error!("{peer} | no process can be started for this connection: {error}");
                refuse(&socket, &service, is_secure).await;
            }
        }
        Ok(())
    }
}

/// Waits for a process to be free. `None` if that takes too long, or the server stops.
async fn permit(socket: &Socket, service: &RefCell<Service>) -> Option<impl Sized + use<>> {
    let (processes, patience) = {
        let service = service.borrow();
        (service.processes.clone(), service.patience)
    };
    let permit = async { processes.acquire(socket.peer().ip()).await.ok() };
    let late = async {
        or(sleep(patience), stopping()).await;
        None
    };
    or(permit, late).await
}

async fn start(
    socket: &Socket,
    handover: Option<Arc<Handover>>,
) -> io::Result<(Process, ChildHandle)> {
    let handover = handover.ok_or(io::ErrorKind::NotFound)?;
    let (child, stdin) = socket.hand_over(&handover.message())?;
    let command = handover.command.clone().stdin(Stdio::Fd(Arc::new(stdin)));
    Ok((Process::start(&command).await?, child))
}

/// Waits until the process has ended; asks it to end when the server stops.
async fn end(process: &Process, child: ChildHandle) -> io::Result<ExitStatus> {
    let stopped = async {
        stopping().await;
        drop(child);
        std::future::pending().await
    };
    or(process.exited(), stopped).await
}

fn what_went_wrong(status: ExitStatus) -> Option<String> {
    match (status.code(), status.signal()) {
        (Some(0), _) => None,
        (Some(code), _) => Some(format!("failed with status {code}")),
        (None, Some(signal)) => Some(format!("was ended by signal {signal}")),
        (None, None) => Some("ended in an unknown way".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_reads_what_the_server_has_sent() {
        for tickets in [None, Some(TicketKeys::new().unwrap())] {
            let mut handover = Handover {
                command: Command::new("spidey"),
                text: b"\0any text".to_vec(),
                tickets,
            };
            let message = handover.message();
            let (text, tickets) = Handover::read(&message).unwrap();
            assert_eq!(text, handover.text);
            let keys = |tickets: Option<TicketKeys>| tickets.map(|keys| keys.export());
            assert_eq!(keys(tickets), keys(handover.tickets.clone()));
            handover.text = vec![b'a'; Handover::LARGEST_TEXT];
            assert!(handover.message().len() <= LARGEST_TEXT);
        }
        for message in [&b""[..], b"\x49too short", b"\x01a"] {
            assert!(Handover::read(message).is_none(), "{message:?}");
        }
    }
}
