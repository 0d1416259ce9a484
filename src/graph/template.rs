//! Templates: graphs that are checked once and started many times.

use std::fmt;
use std::sync::Arc;

use super::{Graph, GraphError, Plan};
use crate::component::{Component, Started};
use crate::flow::Flow;
use crate::ports::{Ports, Wiring};

/// How a component of a template is made: for each start, from a seed `S`.
pub type PerSeed<S> = Box<dyn Fn(&mut S, &mut Wiring<'_>) -> Started + Send + Sync>;

/// A graph that has been checked. It can be started any number of times; each start costs only its
/// components and links.
///
/// Each start gets a seed `S`: what belongs to one instance alone, for example a socket. All
/// workers may share a template.
///
/// # Examples
///
/// ```
/// use kamea::{Done, Graph, Sink, Source, Template};
///
/// fn count_to(last: u32) -> impl kamea::Component<Source<u32>> {
///     async move |io: &mut Source<u32>| {
///         for number in 1..=last {
///             io.outbox.send(number).await?;
///         }
///         Ok(())
///     }
/// }
///
/// async fn check(io: &mut Sink<u32>) -> Done {
///     let mut expected = 0;
///     while let Some(number) = io.inbox.next().await {
///         expected += 1;
///         assert_eq!(number, expected);
///     }
///     Ok(())
/// }
///
/// let mut graph = Graph::template("counting");
/// let count = graph.add_seeded("count", |last: &mut u32| count_to(*last));
/// let check = graph.add("check", check);
/// graph.link(count.outbox, check.inbox);
/// let template: Template<u32> = graph.into_template()?;
///
/// async fn run_some(template: Template<u32>) -> Done {
///     for last in 0..10 {
///         template.start(last).await?;
///     }
///     Ok(())
/// }
/// # kamea::testing::block_on(run_some(template)).unwrap();
/// # Ok::<(), kamea::GraphError>(())
/// ```
pub struct Template<S> {
    plan: Arc<Plan>,
    makes: Arc<[PerSeed<S>]>,
}

impl<S: 'static> Template<S> {
    /// Starts an instance on this thread, as a future. It keeps the seed until all components that
    /// are made [at their first message](crate::at_first_message) have been made or have ended.
    pub fn start(&self, mut seed: S) -> Flow {
        let makes = self.makes.clone();
        Flow::start(self.plan.clone(), Vec::new(), move |node, wiring| {
            makes[node](&mut seed, wiring)
        })
    }
}

impl<S> Clone for Template<S> {
    fn clone(&self) -> Self {
        Self {
            plan: self.plan.clone(),
            makes: self.makes.clone(),
        }
    }
}

impl<S> fmt::Debug for Template<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template")
            .field("graph", &self.plan.graph)
            .finish_non_exhaustive()
    }
}

impl<S: 'static> Graph<PerSeed<S>> {
    /// Makes an empty graph that will become a template.
    pub fn template(name: impl Into<Arc<str>>) -> Self {
        Self::empty(name.into())
    }

    /// Adds a component. Every instance gets a clone of it.
    #[track_caller]
    pub fn add<P: Ports>(
        &mut self,
        name: &str,
        component: impl Component<P> + Clone + Send + Sync,
    ) -> P::Handles {
        self.add_seeded(name, move |_| component.clone())
    }

    /// Adds a component that is made from the seed of every instance.
    #[track_caller]
    pub fn add_seeded<P: Ports, C: Component<P>>(
        &mut self,
        name: &str,
        make: impl Fn(&mut S) -> C + Send + Sync + 'static,
    ) -> P::Handles {
        let make = move |seed: &mut S, wiring: &mut Wiring<'_>| make(seed).start_in(wiring);
        let id = self.push::<C>(name, P::PORTS, false, Box::new(make));
        self.mark::<P, C>();
        P::handles(id)
    }

    /// Checks the graph.
    ///
    /// # Errors
    ///
    /// [`GraphError`] describes the mistake.
    pub fn into_template(self) -> Result<Template<S>, GraphError> {
        let (mut plan, order) = Plan::new(&self)?;
        plan.find_late();
        let mut nodes: Vec<_> = self.nodes.into_iter().map(|node| Some(node.make)).collect();
        let makes = order
            .into_iter()
            .filter_map(|index| nodes[index].take())
            .collect();
        Ok(Template {
            plan: Arc::new(plan),
            makes,
        })
    }
}
