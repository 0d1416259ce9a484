//! The error component: turns every failure into a response, a page with a drawing.

use askama::Template;
use http::StatusCode;
use kamea::{Component, Done, Inbox, Outbox, Ports, at_first_message};

use super::message::{ErrorForm, Failure, Response};

/// The ports of the error component: [`answer_errors`], or a user's own.
#[derive(Debug, Ports)]
pub struct ErrorPorts {
    /// What went wrong.
    pub failures: Inbox<Failure>,
    /// The error responses.
    pub responses: Outbox<Response>,
}

/// Answers each failure with its status and its explanation: as a page, as JSON or as text, as the
/// peer prefers.
///
/// # Examples
///
/// ```
/// use http::StatusCode;
/// use kamea::Graph;
/// use kamea_components::web::{Body, Exchange, Failure, answer_errors};
///
/// let mut graph = Graph::new("errors alone");
/// let errors = graph.add("errors", answer_errors());
/// let (failures, mut responses) = (graph.feed(errors.failures), graph.take(errors.responses));
/// let exchange = Exchange::new(0, "192.0.2.1:1234".parse()?);
/// let failure = Failure::new(exchange, StatusCode::NOT_FOUND, "there is nothing <here>");
/// failures.try_send(failure).unwrap();
/// drop(failures);
/// kamea::testing::block_on(graph.start()?)?;
/// let response = responses.try_next().unwrap();
/// let Body::Bytes(page) = response.body else { unreachable!() };
/// let page = String::from_utf8_lossy(&page);
/// assert!(page.contains("404") && page.contains("nothing &#60;here&#62;") && page.contains("<svg"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn answer_errors() -> impl Component<ErrorPorts> + Clone {
    at_first_message(async |io: &mut ErrorPorts| -> Done {
        while let Some(failure) = io.failures.next().await {
            log::debug!(
                "{} | Handle Error {}",
                failure.exchange.peer,
                failure.status.as_u16()
            );
            io.responses.send(error_response(failure)?).await?;
        }
        Ok(())
    })
}

/// Returns the answer to a failure, as [`answer_errors`] sends it.
///
/// # Errors
///
/// If the page cannot be rendered.
pub fn error_response(mut failure: Failure) -> Result<Response, askama::Error> {
    let members = failure.members.take();
    let (status, explanation) = (failure.status, &failure.explanation);
    let reason = status.canonical_reason().unwrap_or("Error");
    let response = match failure.exchange.error_form {
        ErrorForm::Page => {
            let page = ErrorPage {
                status: status.as_u16(),
                reason,
                explanation,
                drawing: drawing_of(status),
            };
            Response::html(page.render()?)
        }
        ErrorForm::Json => {
            let mut object = serde_json::json!({
                "status": status.as_u16(),
                "reason": reason,
                "explanation": explanation,
            });
            if let (Some(object), Some(members)) = (object.as_object_mut(), members) {
                object.extend(*members);
            }
            Response::typed("application/json", format!("{object}\n"))
        }
        ErrorForm::Text => Response::text(format!("{} {reason}: {explanation}\n", status.as_u16())),
    };
    Ok(respond(failure, response))
}

/// The response to a failure, in the form that the peer prefers.
pub(super) fn respond(failure: Failure, response: Response<()>) -> Response {
    failure.respond(response).with("Vary", "Accept")
}

/// The page; its text is escaped by the template engine.
#[derive(Template)]
#[template(path = "web/error_page.html")]
struct ErrorPage<'a> {
    status: u16,
    reason: &'a str,
    explanation: &'a str,
    drawing: &'static str,
}

/// The drawing for a status, as SVG for use inside a page.
fn drawing_of(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => include_str!("errors/drawings/400.svg"),
        403 => include_str!("errors/drawings/403.svg"),
        404 => include_str!("errors/drawings/404.svg"),
        405 => include_str!("errors/drawings/405.svg"),
        408 => include_str!("errors/drawings/408.svg"),
        413 => include_str!("errors/drawings/413.svg"),
        414 => include_str!("errors/drawings/414.svg"),
        417 => include_str!("errors/drawings/417.svg"),
        431 => include_str!("errors/drawings/431.svg"),
        500 => include_str!("errors/drawings/500.svg"),
        501 => include_str!("errors/drawings/501.svg"),
        503 => include_str!("errors/drawings/503.svg"),
        505 => include_str!("errors/drawings/505.svg"),
        _ => include_str!("errors/drawings/error.svg"),
    }
}
