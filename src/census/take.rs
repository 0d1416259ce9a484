//! Takes a census: asks every worker, and sums up the answers by name.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use super::look::Doing;
use super::record::ComponentCounts;
use super::registry::{FAULTS, FaultRecord};
use super::report::{
    ComponentReport, InstanceReport, LinkReport, Report, ShapeReport, Standing, worst_by,
};
use super::{
    Because, Census, ComponentCensus, FaultCensus, FeedCensus, GraphCensus, InstanceCensus,
    LinkCensus, State, StateCount, WorkerCensus,
};
use crate::graph::{Plan, PlannedComponent, PlannedLink};
use crate::scheduler::{deadline_after, refuse_to_block};
use crate::time::{Timer, now};
use crate::{Scheduler, Workers};

/// How long a worker has to answer, by default.
const PATIENCE: Duration = Duration::from_secs(1);

impl Workers {
    /// Returns what runs at this moment. Waits for the answer of each worker, for up to a second.
    /// Then the census contains the workers that have answered.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea::{Done, Graph, Scheduler, Source};
    ///
    /// /// Says how many components of its own graph there are.
    /// async fn count_components(io: &mut Source<usize>) -> Done {
    ///     let census = kamea::workers().census().await;
    ///     Ok(io.outbox.send(census.graphs[0].components.len()).await?)
    /// }
    ///
    /// let mut graph = Graph::new("introspective");
    /// let count = graph.add("count", count_components);
    /// let mut counts = graph.take(count.outbox);
    /// let scheduler = Scheduler::with_workers(2);
    /// scheduler.run(graph)?;
    /// assert_eq!(counts.next_blocking(), Some(1));
    /// # Ok::<(), kamea::GraphError>(())
    /// ```
    pub async fn census(&self) -> Census {
        self.census_within(PATIENCE).await
    }

    /// Like [`census`](Self::census), with another time limit.
    pub async fn census_within(&self, patience: Duration) -> Census {
        let answers = self.ask();
        let mut reports = self.no_reports();
        let mut timer = Timer::new();
        timer.set(deadline_after(patience));
        while reports.iter().any(Option::is_none) {
            let mut answer = pin!(answers.recv_async());
            let answer = poll_fn(|cx| match answer.as_mut().poll(cx) {
                Poll::Ready(answer) => Poll::Ready(answer.ok()),
                Poll::Pending => timer.poll_expired(cx).map(|()| None),
            });
            let Some((worker, report)) = answer.await else {
                break;
            };
            reports[worker] = Some(report);
        }
        self.sum_up(reports)
    }

    pub(crate) fn census_blocking(&self, patience: Duration) -> Census {
        let answers = self.ask();
        let mut reports = self.no_reports();
        let deadline = deadline_after(patience);
        while reports.iter().any(Option::is_none)
            && let Ok((worker, report)) = answers.recv_deadline(deadline)
        {
            reports[worker] = Some(report);
        }
        self.sum_up(reports)
    }

    fn no_reports(&self) -> Vec<Option<Report>> {
        (0..self.count()).map(|_| None).collect()
    }

    fn ask(&self) -> flume::Receiver<(usize, Report)> {
        let (answers, receiver) = flume::unbounded();
        self.look(move |worker, registry| {
            // The asker may have stopped waiting, before the worker has begun or meanwhile.
            if !answers.is_disconnected() {
                let _ = answers.send((worker, registry.report()));
            }
        });
        receiver
    }

    fn sum_up(&self, reports: Vec<Option<Report>>) -> Census {
        let uptime = now().saturating_duration_since(self.began());
        let mut sums = Sums::default();
        let (mut workers, mut faults) = (Vec::new(), Vec::new());
        for (index, report) in reports.into_iter().enumerate() {
            let answers = report.is_some();
            workers.push(WorkerCensus {
                index,
                answers,
                at: if answers {
                    None
                } else {
                    self.at(index).place()
                },
                running: report.as_ref().map_or(0, |report| report.running),
                turns: report.as_ref().map_or(0, |report| report.turns),
            });
            let Some(report) = report else { continue };
            faults.extend(report.faults);
            let shapes = report.shapes.into_iter();
            shapes.for_each(|shape| sums.add(index, shape));
        }
        faults.sort_by_key(|fault| fault.at);
        faults.drain(..faults.len().saturating_sub(FAULTS));
        let fault = |fault: FaultRecord| FaultCensus {
            at: fault.at.saturating_duration_since(self.began()),
            place: fault.place,
            policy: fault.policy,
            text: fault.text,
        };
        let mut graphs: Vec<_> = sums.0.into_values().map(Sum::named).collect();
        graphs.sort_by(|a, b| (&a.name, &a.shape).cmp(&(&b.name, &b.shape)));
        Census {
            uptime,
            workers,
            graphs,
            faults: faults.into_iter().map(fault).collect(),
        }
    }
}

impl Scheduler {
    /// Returns what runs at this moment, like [`Workers::census`], and blocks this thread
    /// meanwhile. Not for code that runs on a worker.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea::{Graph, Scheduler, Sink};
    ///
    /// let mut graph = Graph::new("patient");
    /// let wait = graph.add("wait", async |io: &mut Sink<()>| {
    ///     io.inbox.next().await;
    ///     Ok(())
    /// });
    /// let gate = graph.feed(wait.inbox);
    /// let scheduler = Scheduler::with_workers(1);
    /// scheduler.run(graph)?;
    /// let census = scheduler.census();
    /// assert_eq!((&*census.graphs[0].name, census.graphs[0].running), ("patient", 1));
    /// # drop(gate);
    /// # Ok::<(), kamea::GraphError>(())
    /// ```
    pub fn census(&self) -> Census {
        self.census_within(PATIENCE)
    }

    /// Like [`census`](Self::census), with another time limit.
    pub fn census_within(&self, patience: Duration) -> Census {
        refuse_to_block("Scheduler::census", "`Workers::census`");
        self.workers().census_blocking(patience)
    }
}

/// The graphs of all workers, by shape.
#[derive(Default)]
struct Sums(HashMap<u64, Sum>);

struct Sum {
    report: ShapeReport,
    workers: Vec<usize>,
    /// The worker of each instance that was singled out.
    worst: Vec<(usize, InstanceReport)>,
}

impl Sums {
    fn add(&mut self, worker: usize, mut report: ShapeReport) {
        let running = (report.running > 0).then_some(worker);
        let worst = std::mem::take(&mut report.worst);
        let worst = worst.into_iter().map(|instance| (worker, instance));
        match self.0.entry(report.plan.shape) {
            Entry::Vacant(vacant) => {
                vacant.insert(Sum {
                    report,
                    workers: running.into_iter().collect(),
                    worst: worst.collect(),
                });
            }
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.report.add_all(report);
                known.workers.extend(running);
                known.worst.extend(worst);
            }
        }
    }
}

impl ShapeReport {
    fn add_all(&mut self, other: Self) {
        self.started_by = self.started_by.take().or(other.started_by);
        self.running += other.running;
        self.started += other.started;
        self.failed += other.failed;
        self.oldest = self.oldest.max(other.oldest);
        for (sum, other) in self.components.iter_mut().zip(&other.components) {
            sum.counts.add(&other.counts);
            for (doing, count, longest) in &other.doing {
                sum.add(*doing, *count, *longest);
            }
        }
        for (sum, other) in self.links.iter_mut().zip(&other.links) {
            sum.totals.add(&other.totals);
            sum.fullest = sum.fullest.max(other.fullest);
        }
        for (ring, count) in other.rings {
            self.add_ring(ring, count);
        }
    }
}

impl Sum {
    fn named(self) -> GraphCensus {
        let plan = &*self.report.plan;
        let components = plan.components.iter().zip(&self.report.components);
        let components = components.map(|(planned, report)| component(plan, planned, report));
        let functions = plan.functions.iter().map(function);
        let links = plan.links.iter().zip(&self.report.links);
        GraphCensus {
            name: plan.graph.clone(),
            shape: format!("{:016x}", plan.shape),
            started_by: self.report.started_by.clone(),
            running: self.report.running,
            started: self.report.started,
            failed: self.report.failed,
            oldest: self.report.oldest,
            components: components.chain(functions).collect(),
            links: links
                .map(|(planned, report)| link(plan, planned, report))
                .collect(),
            rings: {
                let rings = self.report.rings.iter();
                rings
                    .map(|(ring, count)| ring.census(plan, *count))
                    .collect()
            },
            worst: worst(plan, &self.worst),
            workers: self.workers,
        }
    }
}

fn component(plan: &Plan, planned: &PlannedComponent, report: &ComponentReport) -> ComponentCensus {
    let ComponentCounts {
        polls,
        faults,
        restarts,
        ..
    } = &report.counts;
    let states = report.doing.iter().map(|(doing, count, longest)| {
        let state = state(plan, planned, *doing);
        StateCount {
            state,
            count: *count,
            longest: *longest,
        }
    });
    let mut states: Vec<_> = states.collect();
    states.sort_by(|a, b| (b.count, &a.state).cmp(&(a.count, &b.state)));
    ComponentCensus {
        name: planned.name.clone(),
        kind: planned.kind,
        file: planned.location.file(),
        line: planned.location.line(),
        own_thread: planned.own_thread,
        is_fused: false,
        states,
        polls: polls.get(),
        busy: report.counts.busy(),
        faults: faults.get(),
        restarts: restarts.get(),
    }
}

/// A function that the next component executes.
fn function(planned: &PlannedComponent) -> ComponentCensus {
    ComponentCensus {
        name: planned.name.clone(),
        kind: planned.kind,
        file: planned.location.file(),
        line: planned.location.line(),
        own_thread: false,
        is_fused: true,
        states: Vec::new(),
        polls: 0,
        busy: Duration::ZERO,
        faults: 0,
        restarts: 0,
    }
}

pub(super) fn state(plan: &Plan, planned: &PlannedComponent, doing: Doing) -> State {
    let name = |component: usize| plan.components[component].name.clone();
    match doing {
        Doing::WaitingForSpace {
            outbox,
            blocked_by,
            culprit,
        } => State::WaitingForSpace {
            outbox: plan.outbox_name(outbox),
            blocked_by: blocked_by.map(name),
            culprit: culprit.map(name),
        },
        Doing::Ready => State::Ready,
        Doing::Running => State::Running,
        Doing::WaitingForWorld => State::WaitingForWorld,
        Doing::WaitingForMessage(ports) => {
            let infos = planned.port_infos.iter().enumerate();
            let waited_at = infos.filter(|(port, _)| ports & 1 << (*port).min(63) != 0);
            let inboxes = waited_at.map(|(_, info)| info.name.to_owned()).collect();
            State::WaitingForMessage { inboxes }
        }
        Doing::Ended => State::Ended,
    }
}

fn link(plan: &Plan, planned: &PlannedLink, report: &LinkReport) -> LinkCensus {
    let counts = report.totals.counts;
    let feeds = planned.from.iter().zip(&report.totals.sent);
    LinkCensus {
        from: feeds
            .map(|(feed, &messages)| FeedCensus {
                component: feed
                    .outbox
                    .map(|outbox| plan.component(outbox.component).name.clone()),
                outbox: feed.outbox.map_or_else(
                    || Plan::FAULTS.to_owned(),
                    |outbox| plan.outbox_name(outbox),
                ),
                feedback: feed.feedback,
                messages,
            })
            .collect(),
        to: planned
            .to
            .map(|to| plan.component(to.component).name.clone()),
        inbox: planned
            .to
            .map(|to| plan.component(to.component).port_infos[to.port].name),
        outside: planned.outside.clone(),
        message: (planned.kind.message)(),
        across: planned.across,
        is_fused: planned.fused,
        capacity: planned.settings.capacity,
        messages: counts.messages,
        bytes: planned.settings.measure.as_ref().map(|_| counts.bytes),
        queued: counts.queued,
        fullest: report.fullest,
        high_water: counts.high_water,
    }
}

/// The worst instances of all workers, each with the reason.
fn worst(plan: &Plan, instances: &[(usize, InstanceReport)]) -> Vec<InstanceCensus> {
    let standings: Vec<Standing> = instances
        .iter()
        .map(|(_, instance)| instance.standing)
        .collect();
    let mut because = vec![Vec::new(); instances.len()];
    for reason in Because::ALL {
        for index in worst_by(&standings, reason) {
            because[index].push(reason);
        }
    }
    let named = instances.iter().zip(because);
    let named = named.filter(|(_, because)| !because.is_empty());
    let named = named.map(|((worker, instance), because)| InstanceCensus {
        worker: *worker,
        number: instance.number,
        because,
        age: instance.standing.age,
        queued: instance.standing.queued,
        blocked: instance.standing.blocked,
        busy: instance.standing.busy,
        states: plan
            .components
            .iter()
            .zip(&instance.doing)
            .map(|(planned, doing)| state(plan, planned, *doing))
            .collect(),
        depths: instance.depths.clone(),
    });
    named.collect()
}
