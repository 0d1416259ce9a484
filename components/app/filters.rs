//! Filters: components that see every request of an application, before its component.

use std::sync::Arc;

use kamea::{Component, Graph, InboxHandle, Message, OutboxHandle};
use kamea_components::server::WebServer;
use kamea_components::web::{
    Failure, FilterPorts, Network, Request, RequestHalfPorts, Response, ResponseHalfPorts,
    trust_proxies,
};

use crate::App;

/// A filter, for a server and for a test.
pub(crate) struct Filter {
    pub(crate) to_server: Box<dyn Fn(WebServer) -> WebServer + Send + Sync>,
    pub(crate) to_graph: Arc<dyn Fn(&mut Graph) -> Filtered + Send + Sync>,
}

/// The ends of a filter.
pub(crate) struct Filtered {
    pub(crate) requests: InboxHandle<Request>,
    pub(crate) passed: OutboxHandle<Request>,
    pub(crate) responses: OutboxHandle<Response>,
    pub(crate) failures: OutboxHandle<Failure>,
    /// The half that sees the responses, if there is one.
    pub(crate) second: Option<(InboxHandle<Response>, OutboxHandle<Response>)>,
}

/// How many exchanges may be noted at the same time.
const NOTES: usize = 256;

impl<S: Send + Sync + 'static> App<S> {
    /// Puts a component before the application, after those that were put there earlier: see
    /// [`WebServer::filter`].
    pub fn filter(
        mut self,
        name: &str,
        component: impl Component<FilterPorts> + Clone + Send + Sync,
    ) -> Self {
        let (name, again) = (name.to_owned(), component.clone());
        let named = name.clone();
        self.filters_mut().push(Filter {
            to_server: Box::new(move |server| server.filter(&named, component.clone())),
            to_graph: Arc::new(move |graph| {
                let filter = graph.add(&name, again.clone());
                Filtered {
                    requests: filter.requests,
                    passed: filter.passed,
                    responses: filter.responses,
                    failures: filter.failures,
                    second: None,
                }
            }),
        });
        self
    }

    /// Takes the address and the scheme of clients from the fields of proxies that are trusted:
    /// see [`trust_proxies`]. Each call adds proxies. The filter is before all others, whenever it
    /// was added, so that these see the clients.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_app::{App, Call};
    ///
    /// let app = App::new()
    ///     .get("/", async |call: Call| format!("{} by {}\n", call.peer.ip(), call.scheme.as_str()))
    ///     .trust_proxies(["127.0.0.1".parse()?]);
    /// # app.check()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn trust_proxies(mut self, proxies: impl IntoIterator<Item = Network>) -> Self {
        let mut all = match self.proxies.take() {
            Some(known) => {
                self.filters_mut().remove(0);
                known
            }
            None => Vec::new(),
        };
        all.extend(proxies);
        let mut app = self.filter("proxies", trust_proxies(all.clone()));
        app.filters_mut().rotate_right(1);
        app.proxies = Some(all);
        app
    }

    /// Puts a filter of two halves around the application, such as sessions: see
    /// [`WebServer::around`].
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea::Graph;
    /// use kamea_app::{App, Call, Problem};
    /// use kamea_session::{
    ///     MemoryOptions, Session, SessionOptions, Sessions, keep_in_memory, load_sessions, save_sessions,
    /// };
    ///
    /// async fn count(call: Call<(), (), Session>) -> Result<String, Problem> {
    ///     let count = call.with.update("visits", |visits: Option<u64>| visits.unwrap_or(0) + 1).await?;
    ///     Ok(format!("visit {count}\n"))
    /// }
    ///
    /// let mut graph = Graph::new("sessions");
    /// let store = keep_in_memory(MemoryOptions::default());
    /// let sessions = Sessions::add(&mut graph, store, SessionOptions::default());
    /// let app = App::new()
    ///     .get("/", count)
    ///     .around("sessions", load_sessions(sessions), save_sessions())
    ///     .beside(graph);
    /// # app.check().unwrap();
    /// ```
    pub fn around<N: Message>(
        mut self,
        name: &str,
        first: impl Component<RequestHalfPorts<N>> + Clone + Send + Sync,
        second: impl Component<ResponseHalfPorts<N>> + Clone + Send + Sync,
    ) -> Self {
        let (name, again) = (name.to_owned(), (first.clone(), second.clone()));
        let named = name.clone();
        self.filters_mut().push(Filter {
            to_server: Box::new(move |server| server.around(&named, first.clone(), second.clone())),
            to_graph: Arc::new(move |graph| {
                let first = graph.add(&name, again.0.clone());
                let second = graph.add(&format!("{name} of responses"), again.1.clone());
                graph.link(first.notes, second.notes).capacity(NOTES);
                Filtered {
                    requests: first.requests,
                    passed: first.passed,
                    responses: first.responses,
                    failures: first.failures,
                    second: Some((second.responses, second.passed)),
                }
            }),
        });
        self
    }

    /// Runs a graph beside the application, as long as it runs: the components that its handlers
    /// ask, for example. In a test it runs by the test itself.
    pub fn beside(mut self, graph: Graph) -> Self {
        self.graphs_mut().push(graph);
        self
    }
}
