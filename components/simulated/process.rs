//! A process without a program: it replaces a program of the system in a simulation.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use futures_lite::future::or;
use kamea::time::sleep;
use kamea::{Component, End, random};

use crate::process::{ProcessPorts, Signal};

/// Runs `program` as if it were a process; replaces [`unix_process`](crate::process::unix_process).
/// The program returns its exit status, a number. With a probability of one half, it is killed by a
/// signal earlier, at a random time within `lifetime`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea::{Graph, Simulation};
/// use kamea_components::process::ProcessPorts;
/// use kamea_components::simulated::process;
///
/// /// Does what `wc -c` does.
/// async fn count(io: &mut ProcessPorts) -> Result<u8, kamea::End> {
///     let mut bytes = 0;
///     if let Some(stdin) = &mut io.stdin {
///         while let Some(chunk) = stdin.next().await {
///             bytes += chunk.len();
///         }
///     }
///     if let Some(stdout) = &io.stdout {
///         stdout.send(format!("{bytes}\n").into()).await?;
///     }
///     Ok(0)
/// }
///
/// Simulation::seeds(0..20).check(|simulation| {
///     let mut graph = Graph::new("counting");
///     let process = graph.add("wc", process(Duration::from_secs(1), count));
///     let (stdin, mut stdout) = (graph.feed(process.stdin), graph.take(process.stdout));
///     let mut status = graph.take(process.status);
///     simulation
///         .beside("user", async move || {
///             stdin.send("hello".into()).await.ok();
///             drop(stdin);
///             let output = stdout.next().await;
///             let succeeded = status.next().await.unwrap().success();
///             assert!(!succeeded || output.unwrap() == "5\n");
///         })
///         .run(graph)
/// });
/// ```
pub fn process(
    lifetime: Duration,
    mut program: impl AsyncFnMut(&mut ProcessPorts) -> Result<u8, End> + Clone + Send + Sync + 'static,
) -> impl Component<ProcessPorts> + Clone + Send + Sync {
    async move |io: &mut ProcessPorts| {
        let is_killed = random::chance(0.5);
        let run = async {
            let code = program(io).await?;
            Ok(ExitStatus::from_raw(i32::from(code) << 8))
        };
        let killed = async {
            if !is_killed {
                std::future::pending::<()>().await;
            }
            sleep(random::duration(lifetime)).await;
            Ok::<_, End>(ExitStatus::from_raw(Signal::KILL.as_raw()))
        };
        let status = or(killed, run).await?;
        // Its open ports are closed before anybody can learn of its end.
        (io.stdin, io.stdout, io.stderr) = (None, None, None);
        if let Some(outbox) = &io.status {
            outbox.send(status).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use kamea::{Graph, Simulation};

    use super::*;

    #[test]
    fn it_ends_in_both_ways() {
        let (killed, succeeded) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Simulation::seeds(0..100).check(|simulation| {
            let mut graph = Graph::new("dozing");
            let doze = async |_: &mut ProcessPorts| {
                sleep(Duration::from_secs(1)).await;
                Ok(3)
            };
            let process = graph.add("doze", process(Duration::from_secs(1), doze));
            let mut status = graph.take(process.status);
            let (tell, mut told) = kamea::link(1);
            let outcome = simulation
                .beside("parent", async move || {
                    tell.send(status.next().await.unwrap()).await.unwrap();
                })
                .run(graph);
            let status = told.try_next().unwrap();
            match (status.signal(), status.code()) {
                (Some(9), None) => killed.fetch_add(1, Ordering::Relaxed),
                (None, Some(3)) => succeeded.fetch_add(1, Ordering::Relaxed),
                _ => panic!("{status}"),
            };
            outcome
        });
        let counts = [killed, succeeded].map(|count| count.load(Ordering::Relaxed));
        assert!(counts.iter().all(|&count| count > 20), "{counts:?}");
    }
}
