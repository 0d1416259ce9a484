//! The graph that keeps certificates.

use kamea::{Graph, Sender};
use kamea_components::tls::TlsCensus;

use crate::{AuthorityOptions, Challenge, Wanted, ask_authority, schedule_renewals};

/// A graph that keeps certificates, and where to send the names that are wanted. The census gets
/// their states. It ends when the sender is dropped.
///
/// # Examples
///
/// ```no_run
/// use kamea::Scheduler;
/// use kamea_acme::{
///     AuthorityOptions, Challenge, LETS_ENCRYPT, Store, Wanted, keep_certificates,
/// };
/// use kamea_components::tls::{ClientTls, TlsCensus};
///
/// let store = Store::new("/var/lib/example", LETS_ENCRYPT);
/// store.prepare()?;
/// let options = AuthorityOptions {
///     directory: LETS_ENCRYPT.to_owned(),
///     contacts: vec!["mailto:ada@example.org".to_owned()],
///     tls: ClientTls::trusting_system()?,
///     store: store.clone(),
/// };
/// let (graph, names) = keep_certificates(options, vec![Challenge::Http01], TlsCensus::default());
/// let scheduler = Scheduler::with_workers(1);
/// scheduler.run(graph)?;
/// let wanted = Wanted::new("example.org".parse()?, &store);
/// assert!(names.send_blocking(vec![wanted]).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn keep_certificates(
    options: AuthorityOptions,
    challenges: Vec<Challenge>,
    census: TlsCensus,
) -> (Graph, Sender<Vec<Wanted>>) {
    let mut graph = Graph::new("certificates");
    let schedule = graph.add("schedule", schedule_renewals(challenges, census));
    let authority = graph.add("authority", ask_authority(options));
    graph.link(schedule.tasks, authority.tasks);
    graph.feedback(authority.outcomes, schedule.outcomes);
    let names = graph.feed(schedule.wanted);
    (graph, names)
}
