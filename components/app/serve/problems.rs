//! The error component of an application: problem details (RFC 9457) for programs, pages for
//! people.

use kamea::{Component, Done};
use kamea_components::web::{ErrorForm, ErrorPorts, Failure, Response, error_response};
use serde_json::{Map, Value};

/// Answers each failure as `application/problem+json` (RFC 9457) if the peer prefers JSON, and else
/// as [`answer_errors`](kamea_components::web::answer_errors) does: as a page or as text.
///
/// The members are `type`, `title`, `status` and `detail`, and `errors`: a list of the wrong
/// fields, each with `field` and `detail`.
///
/// # Examples
///
/// ```
/// use kamea_app::answer_problems;
/// use kamea_components::server::{Site, WebServer};
///
/// let server = WebServer::new(Site::new(".")).errors(answer_problems());
/// # server.check().unwrap();
/// ```
pub fn answer_problems() -> impl Component<ErrorPorts> + Clone + Send + Sync {
    async |io: &mut ErrorPorts| -> Done {
        while let Some(failure) = io.failures.next().await {
            let response = match failure.exchange.error_form {
                ErrorForm::Json => problem_details(failure)?,
                _ => error_response(failure)?,
            };
            io.responses.send(response).await?;
        }
        Ok(())
    }
}

fn problem_details(failure: Failure) -> Result<Response, serde_json::Error> {
    let status = failure.status;
    let title = status.canonical_reason().unwrap_or("Error");
    let mut object = Map::new();
    object.insert("type".to_owned(), Value::from("about:blank"));
    object.insert("title".to_owned(), Value::from(title));
    object.insert("status".to_owned(), Value::from(status.as_u16()));
    object.insert("detail".to_owned(), Value::from(failure.explanation));
    object.extend(failure.members.into_iter().flat_map(|members| *members));
    let mut text = serde_json::to_vec(&object)?;
    text.push(b'\n');
    let response = Response::typed("application/problem+json", text).with("Vary", "Accept");
    let (status, fields) = (failure.status, failure.fields);
    Ok(response
        .with_status(status)
        .with_fields(fields)
        .to(failure.exchange))
}
