//! The ports of what serves requests.

use kamea::{Done, End, Inbox, Outbox, Ports};

use super::{Failure, Request, Response};

/// The ports of a component that serves requests: the file handler, a method component, or a user's
/// own.
///
/// # Examples
///
/// ```
/// use http::StatusCode;
/// use kamea::Done;
/// use kamea_components::web::HandlerPorts;
///
/// /// Greets the clients that request `/hello`.
/// async fn greet(io: &mut HandlerPorts) -> Done {
///     while let Some(request) = io.next_without_content().await? {
///         let answer = match request.head.target.path() {
///             "/hello" => Ok(request.respond("hello\n")),
///             _ => Err(request.refuse(StatusCode::NOT_FOUND, "nobody is here")),
///         };
///         io.answer(answer).await?;
///     }
///     Ok(())
/// }
/// # fn is_a_handler(_: impl kamea::Component<HandlerPorts>) {}
/// # is_a_handler(greet);
/// ```
#[derive(Debug, Ports)]
pub struct HandlerPorts {
    /// The requests to serve.
    pub requests: Inbox<Request>,
    /// The answers, in any order.
    pub responses: Outbox<Response>,
    /// The requests that could not be served.
    pub failures: Outbox<Failure>,
}

impl HandlerPorts {
    /// Waits for the next request, and for the end of its body, which is discarded. A request
    /// whose body is invalid is reported as a failure, and the next one follows.
    ///
    /// # Errors
    ///
    /// If the connection has ended.
    pub async fn next_without_content(&mut self) -> Result<Option<Request>, End> {
        while let Some(mut request) = self.requests.next().await {
            match request.discard_content().await {
                Ok(()) => return Ok(Some(request)),
                Err(failure) => self.failures.send(failure).await?,
            }
        }
        Ok(None)
    }

    /// Sends the answer to a request: a response, or a failure.
    ///
    /// # Errors
    ///
    /// If the connection has ended.
    pub async fn answer(&self, answer: Result<Response, Failure>) -> Done {
        match answer {
            Ok(response) => self.responses.send(response).await?,
            Err(failure) => self.failures.send(failure).await?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use kamea::Graph;
    use kamea::testing::block_on;

    use super::*;
    use crate::http::{Event, Fields, Limits, RequestDecoder};
    use crate::web::{Content, Exchange, FilterPorts};

    fn request(number: u64) -> Request {
        let mut decoder = RequestDecoder::new(Limits::default());
        decoder.feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n".into());
        let Some(Event::Head(head, _)) = decoder.next().unwrap() else {
            panic!("a head is there");
        };
        // Two requests whose bodies are complete, around one whose body is cut off.
        let (sender, content) = Content::link(2);
        if number != 1 {
            block_on(async {
                sender.send("x").await.unwrap();
                sender.end(Fields::new()).await.unwrap();
            });
        }
        let exchange = Exchange::new(number, "192.0.2.1:1".parse().unwrap());
        Request::new(exchange, Box::new(head), Some(Box::new(content)))
    }

    async fn answer(io: &mut HandlerPorts) -> Done {
        while let Some(request) = io.next_without_content().await? {
            assert!(request.content.is_none());
            let answer = match request.exchange.number {
                0 => Ok(request.respond("fine")),
                _ => Err(request.refuse(StatusCode::FORBIDDEN, "no")),
            };
            io.answer(answer).await?;
        }
        Ok(())
    }

    async fn refuse_all(io: &mut FilterPorts) -> Done {
        while let Some(request) = io.requests.next().await {
            let failure = request.refuse(StatusCode::FORBIDDEN, "no");
            io.refuse(request, failure).await?;
        }
        Ok(())
    }

    fn listed(failure: Failure) -> (u64, u16, bool) {
        let Failure {
            exchange, status, ..
        } = failure;
        (exchange.number, status.as_u16(), exchange.closes)
    }

    #[test]
    fn a_body_that_is_cut_off_is_the_failure_of_its_request() {
        let mut graph = Graph::new("a handler and a filter");
        let (handler, filter) = (
            graph.add("handler", answer),
            graph.add("filter", refuse_all),
        );
        let feeds = [graph.feed(handler.requests), graph.feed(filter.requests)];
        let mut responses = graph.take(handler.responses);
        let mut failures = graph.take(handler.failures);
        let mut refusals = graph.take(filter.failures);
        drop((graph.take(filter.passed), graph.take(filter.responses)));
        let flow = graph.start().unwrap();
        for feed in feeds {
            for number in 0..3 {
                feed.try_send(request(number)).unwrap();
            }
        }
        block_on(flow).unwrap();
        let response = responses.try_next().unwrap();
        assert_eq!(
            (response.exchange.number, response.head.status.as_u16()),
            (0, 200)
        );
        let failed = [failures.try_next(), failures.try_next()];
        let failed = failed.map(|failure| listed(failure.unwrap()));
        assert_eq!(failed, [(1, 400, true), (2, 403, false)]);
        let refused = [(); 3].map(|()| listed(refusals.try_next().unwrap()));
        assert_eq!(refused, [(0, 403, false), (1, 400, true), (2, 403, false)]);
    }
}
