//! SIGHUP reloads the configuration file, and begins a new access log. A docroot that is replaced,
//! such as a link that a deployment repoints, is served without a signal, and so are certificates
//! that another program has renewed.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::or;
use kamea::time::sleep;
use kamea::{Component, Sender, Sink, unblock};
use kamea_components::process::{Hangup, run_unconfined};
use kamea_components::server::{Explanations, FileIdentity, Listening, LogEntry};
use kamea_components::wsgi::WsgiPool;

use super::acme::Acme;
use super::options::Options;
use super::server;

/// How often the docroot is checked. A new one must be served within a second.
const BETWEEN_CHECKS: Duration = Duration::from_millis(500);

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
    /// What keeps the certificates, if they are from an authority.
    pub(crate) acme: Option<Acme>,
}

/// What is served: the options, the folder that their docroot led to, and the files of their
/// certificates.
#[derive(Clone)]
pub(crate) struct Served {
    options: Options,
    docroot: Option<FolderIdentity>,
    certificates: Vec<FileIdentity>,
}

/// Device and inode of a folder.
type FolderIdentity = (u64, u64);

impl Served {
    /// Create it before the server opens the folder and reads the certificates: a later change is
    /// noticed then.
    pub(crate) fn by(options: Options) -> Self {
        Self {
            docroot: options.docroot_identity(),
            certificates: options.tls_identities(),
            options,
        }
    }
}

impl Options {
    /// The folder that the docroot leads to now; `None` if there is none.
    fn docroot_identity(&self) -> Option<FolderIdentity> {
        let metadata = fs::metadata(self.docroot_folder()).ok()?;
        Some((metadata.dev(), metadata.ino()))
    }
}

/// Reloads the configuration file at each hangup. If there is a mistake in it, everything stays as
/// it was, and the log says why. Also serves the folder that the docroot leads to, whenever that is
/// another one, and certificates that another program has renewed.
pub(crate) fn reload_on_hangup(
    reload: Reload,
    served: Served,
) -> impl Component<Sink<Hangup>> + Send {
    let mut served = served;
    async move |io: &mut Sink<Hangup>| {
        reload.certificates_wanted(&served).await;
        loop {
            let hangup = async { Some(io.inbox.next().await) };
            let check = async {
                sleep(BETWEEN_CHECKS).await;
                None
            };
            match or(hangup, check).await {
                Some(None) => return Ok(()),
                Some(Some(_)) => {
                    if let Some(log) = &reload.log {
                        log.send(LogEntry::Reopen).await?;
                    }
                    reload.configuration(&mut served).await;
                }
                None => {
                    reload.docroot(&mut served).await;
                    reload.certificates(&mut served).await;
                }
            }
        }
    }
}

impl Reload {
    /// Serves what the configuration file says now.
    async fn configuration(&self, served: &mut Served) {
        let arguments = self.arguments.clone();
        let options = run_unconfined(move || arguments.with_file()).await;
        let checked = options.and_then(|options| {
            options.check_acme_of(&served.options)?;
            Ok(options)
        });
        let outcome = match checked {
            Ok(options) => self.serve(Served::by(options)).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(new) => {
                *served = new;
                self.certificates_wanted(served).await;
                log::info!("Reloaded: new connections and requests are served as configured now");
            }
            Err(error) => log::error!("Not reloaded, all stays as it was: {error}"),
        }
    }

    /// Says for which names certificates are to be kept.
    async fn certificates_wanted(&self, served: &Served) {
        if let Some(acme) = &self.acme {
            let options = served.options.clone();
            acme.want(run_unconfined(move || options.wanted()).await)
                .await;
        }
    }

    /// Serves the folder that the docroot leads to now, if it is another one.
    async fn docroot(&self, served: &mut Served) {
        let options = served.options.clone();
        let found = unblock(move || options.docroot_identity()).await;
        // A deployment may remove the link before it makes it again.
        if found.is_none() || found == served.docroot {
            return;
        }
        let folder = served.options.docroot_folder();
        match self.serve(Served::by(served.options.clone())).await {
            Ok(new) => {
                *served = new;
                log::info!(
                    "{} leads to another folder, which is served now",
                    folder.display()
                );
            }
            Err(error) => {
                // Says so once.
                served.docroot = found;
                log::error!(
                    "{} leads to another folder, but the old one is served: {error}",
                    folder.display()
                );
            }
        }
    }

    /// Reads the certificates again, if their files have changed. A pair that was read half-written
    /// is read again when its other half has come.
    async fn certificates(&self, served: &mut Served) {
        if !served.options.has_tls() {
            return;
        }
        let options = served.options.clone();
        let found = run_unconfined(move || options.tls_identities()).await;
        if found == served.certificates {
            return;
        }
        // Says so once.
        served.certificates = found;
        match self.serve(served.clone()).await {
            Ok(_) => log::info!("Reloaded the certificates: new connections get the new ones"),
            Err(error) => log::error!("Not reloaded, the certificates stay as they were: {error}"),
        }
    }

    async fn serve(&self, new: Served) -> Result<Served, String> {
        let (log, wsgi) = (self.log.clone(), self.wsgi.clone());
        let (explanations, options) = (self.explanations.clone(), new.options.clone());
        let server = run_unconfined(move || {
            options.check_reach()?;
            let tls = options.tls()?;
            server(&options, log, wsgi, explanations, tls).map_err(|error| error.to_string())
        });
        let replaced = self.listening.replace(server.await?).await;
        replaced.map_err(|error| error.to_string())?;
        Ok(new)
    }
}
