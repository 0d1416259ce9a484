//! The check of passwords: a component with a bounded queue, so that a storm of logins can neither
//! take all cores nor fill the memory.
//!
//! ```text
//! calls ──▶ ┌─────────────────┐   limit of attempts ─▶ queue ─▶ a few hashes at once
//!           │ check_passwords │
//!           └─────────────────┘   each call carries the sender of its verdict
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::Pin;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use futures_lite::future::or;
use kamea::time::now;
use kamea::{AskError, Asker, Call, Component, Graph, Reply, Sink, compute};

use super::attempts::Attempts;
use super::hash::{LONGEST, hash_password, is_of};
use super::{AttemptLimits, HashError};

/// The ports of [`check_passwords`].
pub type PasswordPorts = Sink<Call<Attempt, Verdict>>;

/// Somebody tries to log in.
#[derive(Clone)]
pub struct Attempt {
    /// The name.
    pub name: String,
    /// The password.
    pub password: String,
    /// The address from which it comes. Behind a proxy this is not the peer: take the address from
    /// the field that the proxy sets, or one client locks out all others.
    pub address: IpAddr,
}

/// The password is not shown.
impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("name", &self.name)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// The result of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// Name and password belong together.
    Right,
    /// They do not, or nobody has this name. See [`check_passwords`] for the time of the answer.
    Wrong,
    /// There were too many failed attempts for this name or from this address: 429 (Too Many
    /// Requests).
    Limited {
        /// How long to wait until the next one.
        wait: Duration,
    },
    /// Too many other attempts wait: 503 (Service Unavailable).
    Busy,
}

/// The limits of [`check_passwords`].
#[derive(Debug, Clone, Copy)]
pub struct PasswordOptions {
    /// The limits of failed attempts.
    pub attempts: AttemptLimits,
    /// How many passwords are hashed at once. Default: half of the cores.
    pub at_once: usize,
    /// How many attempts may wait. Default: 64.
    pub queue: usize,
}

impl Default for PasswordOptions {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self {
            attempts: AttemptLimits::default(),
            at_once: (cores / 2).max(1),
            queue: 64,
        }
    }
}

/// Asks [`check_passwords`]. A clone asks the same component.
#[derive(Debug, Clone)]
pub struct Passwords(Asker<Attempt, Verdict>);

impl Passwords {
    /// Adds a [`check_passwords`] to a graph, under the name `passwords`.
    #[track_caller]
    pub fn add<U: AsyncFn(&str) -> Option<String> + Clone + Send + Sync + 'static>(
        graph: &mut Graph,
        users: U,
        options: PasswordOptions,
    ) -> Self {
        Self(graph.ask("passwords", check_passwords(users, options)))
    }

    /// Checks a password.
    ///
    /// # Errors
    ///
    /// [`AskError`], if the component has ended or failed.
    pub async fn check(&self, attempt: Attempt) -> Result<Verdict, AskError> {
        self.0.ask(attempt).await
    }
}

/// Checks passwords. `users` returns the hash of a user's password, as [`hash_password`] makes it;
/// `None` if nobody has that name. Such a name takes as long as any other: a dummy is checked. The
/// dummy has the parameters of [`hash_password`]. Hashes with other Argon2 parameters take another
/// time, and so tell known names from unknown ones.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Scheduler};
/// use kamea_session::{Attempt, PasswordOptions, Passwords, Verdict};
///
/// let hash = "$argon2id$v=19$m=8,t=1,p=1$2vfQk73tnu8lGtxh36tLAg$GocWy55he8bvhzkWyLRcLeyFtTBZL3p3tKBODQTxT7A";
/// let users = async move |name: &str| (name == "ada").then(|| hash.to_owned());
/// let mut graph = Graph::new("passwords");
/// let passwords = Passwords::add(&mut graph, users, PasswordOptions::default());
/// let scheduler = Scheduler::with_workers(1);
/// scheduler.run(graph)?;
/// kamea::testing::block_on(async {
///     let attempt = |name: &str| Attempt {
///         name: name.to_owned(),
///         password: "secret".to_owned(),
///         address: [192, 0, 2, 1].into(),
///     };
///     assert_eq!(passwords.check(attempt("ada")).await?, Verdict::Right);
///     assert_eq!(passwords.check(attempt("eve")).await?, Verdict::Wrong);
///     Ok::<(), kamea::AskError>(())
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Faults
///
/// If the system has no random bytes.
pub fn check_passwords<U: AsyncFn(&str) -> Option<String> + Clone + Send + Sync + 'static>(
    users: U,
    options: PasswordOptions,
) -> impl Component<PasswordPorts> + Clone + Send + Sync {
    async move |io: &mut PasswordPorts| {
        let dummy = dummy().await?;
        let mut attempts = Attempts::new(options.attempts);
        let mut waiting = VecDeque::new();
        let mut jobs: Jobs<'_> = Vec::new();
        let mut is_open = true;
        while is_open || !jobs.is_empty() {
            while jobs.len() < options.at_once.max(1)
                && let Some((attempt, reply)) = waiting.pop_front()
            {
                jobs.push(Box::pin(check(&users, &dummy, attempt, reply)));
            }
            let done = async { Event::Checked(next_done(&mut jobs).await) };
            let call = async {
                match is_open {
                    true => Event::Call(io.inbox.next().await),
                    false => std::future::pending().await,
                }
            };
            match or(done, call).await {
                Event::Checked((attempt, reply, is_right)) => {
                    if is_right {
                        attempts.forgive(&attempt.name, attempt.address);
                    }
                    reply.send(match is_right {
                        true => Verdict::Right,
                        false => Verdict::Wrong,
                    });
                }
                Event::Call(None) => is_open = false,
                Event::Call(Some(Call { request, reply })) => {
                    let refused = admit(&request, waiting.len(), &options, &mut attempts);
                    match refused {
                        Some(verdict) => drop(reply.send(verdict)),
                        None => waiting.push_back((request, reply)),
                    }
                }
            }
        }
        Ok(())
    }
}

/// Attempts that are being checked.
type Jobs<'a> = Vec<Pin<Box<dyn Future<Output = Checked> + 'a>>>;

type Checked = (Attempt, Reply<Verdict>, bool);

enum Event {
    Checked(Checked),
    Call(Option<Call<Attempt, Verdict>>),
}

/// A hash that belongs to no password.
async fn dummy() -> Result<String, HashError> {
    hash_password(crate::SessionId::random().as_str()).await
}

/// Why an attempt is not checked.
fn admit(
    attempt: &Attempt,
    waiting: usize,
    options: &PasswordOptions,
    attempts: &mut Attempts,
) -> Option<Verdict> {
    if waiting >= options.queue {
        return Some(Verdict::Busy);
    }
    // A name of any length would cost memory.
    if attempt.name.len() > LONGEST || attempt.password.len() > LONGEST {
        return Some(Verdict::Wrong);
    }
    let counted = attempts.count(&attempt.name, attempt.address, now());
    counted.err().map(|wait| Verdict::Limited { wait })
}

async fn check<U: AsyncFn(&str) -> Option<String>>(
    users: &U,
    dummy: &str,
    attempt: Attempt,
    reply: Reply<Verdict>,
) -> Checked {
    let known = users(&attempt.name).await;
    let is_right = is_right(known, dummy, &attempt.password, is_of).await;
    (attempt, reply, is_right)
}

/// Compares a password with the hash of its user. For an unknown name, the dummy costs as much.
async fn is_right(
    known: Option<String>,
    dummy: &str,
    password: &str,
    compare: impl FnOnce(&str, &str) -> bool + Send + 'static,
) -> bool {
    let is_known = known.is_some();
    let hash = known.unwrap_or_else(|| dummy.to_owned());
    let password = password.to_owned();
    compute(move || compare(&hash, &password)).await && is_known
}

/// Waits for any of the jobs, and removes it.
async fn next_done(jobs: &mut Jobs<'_>) -> Checked {
    poll_fn(|cx| {
        for index in 0..jobs.len() {
            if let Poll::Ready(checked) = jobs[index].as_mut().poll(cx) {
                drop(jobs.swap_remove(index));
                return Poll::Ready(checked);
            }
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests;
