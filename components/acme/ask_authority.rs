//! Does what the schedule says: speaks to the authority, and keeps what it gives.

use std::time::Duration;

use futures_lite::future::or;
use instant_acme::Account;
use kamea::time::sleep;
use kamea::{Component, Inbox, Outbox, Ports};
use kamea_components::process::run_unconfined;
use kamea_components::tls::ClientTls;

use crate::exchange::{link, serve_requests};
use crate::messages::{Outcome, Reply, Task};
use crate::{AcmeError, Store, account, order};

/// How long a task may take, with all its requests.
const PATIENCE: Duration = Duration::from_secs(180);

/// What the client of an authority needs to know.
#[derive(Debug, Clone)]
pub struct AuthorityOptions {
    /// The URL of its directory.
    pub directory: String,
    /// Where it writes to: `mailto:ada@example.org`.
    pub contacts: Vec<String>,
    /// Whom its own certificate must be from.
    pub tls: ClientTls,
    /// Where the account and the certificates are kept.
    pub store: Store,
}

/// The ports of [`ask_authority`].
#[derive(Debug, Ports)]
pub struct AuthorityPorts {
    /// What to ask for.
    pub tasks: Inbox<Task>,
    /// What has come of each task, in the same order.
    pub outcomes: Outbox<Outcome>,
}

/// Asks an authority for certificates, one task after the other. A certificate is kept before its
/// outcome is sent.
pub fn ask_authority(options: AuthorityOptions) -> impl Component<AuthorityPorts> + Send {
    async move |io: &mut AuthorityPorts| {
        while let Some(task) = io.tasks.next().await {
            let late = async {
                sleep(PATIENCE).await;
                Err(AcmeError::Late)
            };
            let unwanted = async {
                io.outcomes.closed().await;
                None
            };
            let done = async { Some(or(carry_out(&options, task), late).await) };
            let Some(outcome) = or(done, unwanted).await else {
                return Ok(());
            };
            io.outcomes.send(Outcome(outcome)).await?;
        }
        Ok(())
    }
}

async fn carry_out(options: &AuthorityOptions, task: Task) -> Result<Reply, AcmeError> {
    let (link, mut requests) = link();
    let asking = async {
        let account = account::open(options, link).await?;
        let outcome = ask(options, &account, task).await;
        if let Err(AcmeError::Refused(why)) = &outcome
            && why.contains("(accountDoesNotExist)")
        {
            account::forget(options).await;
        }
        outcome
    };
    let serving = async {
        serve_requests(&options.tls, &mut requests).await;
        // The client is being dropped.
        std::future::pending().await
    };
    or(asking, serving).await
}

async fn ask(
    options: &AuthorityOptions,
    account: &Account,
    task: Task,
) -> Result<Reply, AcmeError> {
    match task {
        Task::AskWhen(certificate) => {
            let window = order::ask_when(account, &certificate).await?;
            Ok(Reply::When(window))
        }
        Task::Order {
            name,
            challenge,
            replaces,
        } => {
            let store = &options.store;
            let ordered = order::order(account, store, &name, challenge, replaces.as_ref()).await?;
            let (store, kept) = (store.clone(), ordered.clone());
            let file = store.certificate_file(&name);
            let kept = run_unconfined(move || store.keep_certificate(&name, &kept)).await;
            let wrong =
                |error| AcmeError::state(format!("cannot write {}", file.display()), &error);
            kept.map_err(wrong)?;
            Ok(Reply::Ordered(ordered))
        }
    }
}
