//! Tests an application without a socket: the same graph, one request at a time.

mod request;
mod response;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures_lite::future::{or, pending};
use kamea::Graph;
use kamea_components::http::Chunk;
use kamea_components::web::{
    Body, ErrorPortsHandles, HandlerPortsHandles, Piece, Request, Response, answer_faults,
};

pub use request::TestRequest;
pub use response::TestResponse;

use crate::filters::Filtered;
use crate::{App, RouteError, answer_problems, serve_app};

/// An application in a test: it answers requests without a socket, by the same graph of components
/// that a server runs. It keeps cookies, as a browser does.
///
/// # Examples
///
/// ```
/// use kamea_app::{App, Call, Json};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct User { name: String }
///
/// async fn create(call: Call<(), Json<User>>) -> Json<User> {
///     call.body
/// }
///
/// kamea::testing::block_on(async {
///     let app = App::new().post("/users", create).test();
///     let answer = app.post("/users").json(&User { name: "Ada".into() }).send().await;
///     assert_eq!(answer.status(), 200);
///     assert_eq!(answer.json::<User>().name, "Ada");
///
///     let answer = app.post("/users").body("application/json", "{}").send().await;
///     assert_eq!(answer.status(), 422);
///     assert!(answer.text().contains("\"field\":\"name\""));
/// });
/// ```
pub struct TestApp {
    add: Box<dyn Fn(&mut Graph) -> HandlerPortsHandles + Send + Sync>,
    filters: Vec<AddFilter>,
    cookies: Arc<Mutex<Vec<(String, String)>>>,
}

/// Adds a filter to a graph.
type AddFilter = Arc<dyn Fn(&mut Graph) -> Filtered + Send + Sync>;

impl fmt::Debug for TestApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestApp").finish_non_exhaustive()
    }
}

impl<S: Send + Sync + 'static> App<S> {
    /// The application, to be tested without a socket.
    ///
    /// # Panics
    ///
    /// If its routes conflict.
    #[track_caller]
    pub fn test(&self) -> TestApp {
        match self.try_test() {
            Ok(test) => test,
            Err(error) => panic!("{error}"),
        }
    }

    fn try_test(&self) -> Result<TestApp, RouteError> {
        let component = serve_app(self)?;
        Ok(TestApp {
            add: Box::new(move |graph| graph.add("app", component.clone())),
            filters: self
                .filters()
                .iter()
                .map(|filter| filter.to_graph.clone())
                .collect(),
            cookies: Arc::default(),
        })
    }
}

/// The methods with a function of their own.
macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident $method:literal)*) => {$(
        $(#[$doc])*
        pub fn $name(&self, path: &str) -> TestRequest<'_> {
            self.request($method, path)
        }
    )*};
}

impl TestApp {
    methods! {
        /// A GET request for a path, with its query.
        get "GET"
        /// A HEAD request.
        head "HEAD"
        /// A POST request.
        post "POST"
        /// A PUT request.
        put "PUT"
        /// A PATCH request.
        patch "PATCH"
        /// A DELETE request.
        delete "DELETE"
        /// An OPTIONS request.
        options "OPTIONS"
    }

    /// A request with this method.
    pub fn request(&self, method: &str, path: &str) -> TestRequest<'_> {
        TestRequest::new(self, method, path)
    }

    /// The value of a cookie that the application has set.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<String> {
        let cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        let found = cookies.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.clone())
    }

    /// Runs the graph of a connection for one request. The body is read until `enough` says so.
    async fn exchange(&self, request: Request, enough: &dyn Fn(&[u8]) -> bool) -> TestResponse {
        let peer = request.exchange.peer;
        let is_head = request.exchange.is_head;
        let mut graph = Graph::new("connection");
        let app = (self.add)(&mut graph);
        let ErrorPortsHandles {
            failures,
            responses,
        } = graph.add("errors", answer_problems());
        let faults = graph.add("faults", answer_faults(peer));
        graph.link(graph.faults(), faults.faults);
        graph.supervise(|_| kamea::Policy::CarryOn);
        let filters: Vec<_> = self.filters.iter().map(|add| add(&mut graph)).collect();
        let (mut all_failures, mut all_responses) = (
            vec![app.failures, faults.failures],
            vec![app.responses, responses],
        );
        let (mut inbox, mut seconds) = (app.requests, Vec::new());
        for filter in filters.into_iter().rev() {
            graph.link(filter.passed, inbox);
            inbox = filter.requests;
            all_failures.push(filter.failures);
            all_responses.push(filter.responses);
            seconds.extend(filter.second);
        }
        graph.merge(all_failures, failures);
        for (second, passed) in seconds {
            graph.merge(all_responses, second);
            all_responses = vec![passed];
        }
        let end = graph.add("end", kamea::map(|response: Response| response));
        graph.merge(all_responses, end.inbox);
        let requests = graph.feed(inbox);
        let mut responses = graph.take(end.outbox);
        let flow = match graph.start() {
            Ok(flow) => flow,
            Err(error) => panic!("{error}"),
        };
        let answer = async {
            let sent = requests.send(request).await;
            assert!(sent.is_ok(), "the application has ended before its request");
            drop(requests);
            match responses.next().await {
                Some(response) => read(response, is_head, enough).await,
                None => panic!("the application has not answered"),
            }
        };
        let running = async {
            // What the graph says at its end is in its responses.
            let _ = flow.await;
            pending().await
        };
        let answer = or(answer, running).await;
        self.keep_cookies(&answer);
        answer
    }

    fn keep_cookies(&self, answer: &TestResponse) {
        let mut cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        for set in answer.fields().get_all("set-cookie") {
            let set = String::from_utf8_lossy(set).into_owned();
            let (pair, attributes) = set.split_once(';').unwrap_or((&set, ""));
            let Some((name, value)) = pair.split_once('=') else {
                continue;
            };
            cookies.retain(|(own, _)| own != name.trim());
            let is_over = attributes
                .split(';')
                .any(|attribute| attribute.trim() == "Max-Age=0");
            if !is_over {
                cookies.push((name.trim().to_owned(), value.trim().to_owned()));
            }
        }
    }
}

/// Reads the body of a response, as the encoder would send it.
async fn read(response: Response, is_head: bool, enough: &dyn Fn(&[u8]) -> bool) -> TestResponse {
    let mut bytes = Vec::new();
    let mut is_complete = true;
    match response.body {
        _ if is_head => {}
        Body::Empty | Body::Upgrade(_) => {}
        Body::Bytes(content) => bytes.extend_from_slice(&content),
        Body::File(slice) => read_piece(&mut bytes, Piece::File(slice)).await,
        Body::Pieces(pieces) => {
            for piece in pieces {
                read_piece(&mut bytes, piece).await;
            }
        }
        Body::Stream { mut chunks, .. } | Body::Verbatim(mut chunks) => {
            is_complete = false;
            while !enough(&bytes) {
                match chunks.next().await {
                    Some(Chunk::Data(chunk)) => bytes.extend_from_slice(&chunk),
                    Some(_) => {
                        is_complete = true;
                        break;
                    }
                    None => break,
                }
            }
        }
    }
    TestResponse::new(response.head, bytes, is_complete)
}

async fn read_piece(bytes: &mut Vec<u8>, piece: Piece) {
    match piece {
        Piece::Bytes(content) => bytes.extend_from_slice(&content),
        Piece::File(mut slice) => {
            while let Ok(Some(content)) = slice.read_next().await {
                bytes.extend_from_slice(&content);
            }
        }
    }
}
