//! The filter around the handlers that gives each request its session, and each response its
//! cookies.

use http::StatusCode;
use kamea::Component;
use kamea_components::web::{Noted, Pending, RequestHalfPorts, ResponseHalfPorts};

use crate::{Session, Sessions};

/// Gives each request its [`Session`], and refuses unsafe requests from pages of other sites with
/// 403. The store is asked only when a handler uses the session.
///
/// It is the first half of a filter around the handlers; [`save_sessions`] is the second one.
///
/// # Examples
///
/// ```
/// use kamea::Graph;
/// use kamea_components::server::{Site, WebServer};
/// use kamea_session::{
///     MemoryOptions, SessionOptions, Sessions, keep_in_memory, load_sessions, save_sessions,
/// };
///
/// let mut graph = Graph::new("sessions");
/// let store = keep_in_memory(MemoryOptions::default());
/// let sessions = Sessions::add(&mut graph, store, SessionOptions::default());
/// let server = WebServer::new(Site::new("."))
///     .around("sessions", load_sessions(sessions), save_sessions());
/// # server.check()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn load_sessions(
    sessions: Sessions,
) -> impl Component<RequestHalfPorts<Session>> + Clone + Send + Sync {
    async move |io: &mut RequestHalfPorts<Session>| {
        while let Some(mut request) = io.requests.next().await {
            if let Err(foreign) = sessions.options.origins.check(&request.head) {
                let failure = match request.discard_content().await {
                    Err(failure) => failure,
                    Ok(()) => request.refuse(StatusCode::FORBIDDEN, foreign.to_string()),
                };
                io.failures.send(failure).await?;
                continue;
            }
            let scheme = request.exchange.scheme;
            let session = Session::sent(sessions.clone(), scheme, &request.head.fields);
            request.extensions.insert(session.clone());
            let noted = Noted {
                number: request.exchange.number,
                note: session,
            };
            io.notes.send(noted).await?;
            io.passed.send(request).await?;
        }
        Ok(())
    }
}

/// Adds the cookies of sessions to the responses. A response to a request that has used its session
/// gets `Cache-Control: no-store`, unless its handler has set another value, and `Vary: Cookie`.
pub fn save_sessions() -> impl Component<ResponseHalfPorts<Session>> + Clone + Send + Sync {
    async |io: &mut ResponseHalfPorts<Session>| {
        let mut pending = Pending::new();
        while let Some(mut response) = io.responses.next().await {
            if let Some(session) = pending.take(&mut io.notes, response.exchange.number) {
                // A fault here would cost the responses of all clients of this connection.
                if let Err(invalid) = session.seal(&mut response.head.fields) {
                    log::error!("{} | {invalid}", response.exchange.peer);
                }
            }
            io.passed.send(response).await?;
        }
        Ok(())
    }
}
