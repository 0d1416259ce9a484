//! SIGHUP: the configuration file is read anew, and the access log begins a new file.

use std::sync::Arc;

use kamea::{Component, Sender, Sink};
use kamea_components::process::{Hangup, run_unconfined};
use kamea_components::server::{Explanations, Listening, LogEntry};
use kamea_components::wsgi::WsgiPool;

use super::options::Options;
use super::server;

/// What a reload needs to know.
#[derive(Clone)]
pub(crate) struct Reload {
    /// The command line, which has precedence.
    pub(crate) arguments: Options,
    pub(crate) listening: Arc<Listening>,
    pub(crate) log: Option<Sender<LogEntry>>,
    /// It stays as it is.
    pub(crate) wsgi: Option<WsgiPool>,
    /// The inspector has the same.
    pub(crate) explanations: Option<Explanations>,
}

/// Puts what the configuration file says by now in the place of what it said before. If there is a mistake in it, all stays as it
/// was, and the log says why.
pub(crate) fn reload_on_hangup(reload: Reload) -> impl Component<Sink<Hangup>> + Send {
    async move |io: &mut Sink<Hangup>| {
        while io.inbox.next().await.is_some() {
            if let Some(log) = &reload.log {
                log.send(LogEntry::Reopen).await?;
            }
            match reload.apply().await {
                Ok(()) => log::info!(
                    "Reloaded: new connections and requests are served as configured now"
                ),
                Err(error) => log::error!("Not reloaded, all stays as it was: {error}"),
            }
        }
        Ok(())
    }
}

impl Reload {
    async fn apply(&self) -> Result<(), String> {
        let (arguments, log, wsgi) = (self.arguments.clone(), self.log.clone(), self.wsgi.clone());
        let explanations = self.explanations.clone();
        let new = run_unconfined(move || {
            let options = arguments.with_file()?;
            options.check_reach()?;
            server(&options, log, wsgi, explanations).map_err(|error| error.to_string())
        });
        let replaced = self.listening.replace(new.await?).await;
        replaced.map_err(|error| error.to_string())
    }
}
