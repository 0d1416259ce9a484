//! The argument of a handler: all that it takes of a request, with types.

use std::net::SocketAddr;
use std::sync::Arc;

use http::Method;
use kamea_components::http::RequestHead;
use kamea_components::web::Scheme;
use serde::de::DeserializeOwned;

use crate::context::Context;
use crate::values::{ValueError, Values};
use crate::{Argument, Extract, FromBody, Problem};

/// The argument of a handler: parameters of the path and the query, a body, and what else the
/// handler takes.
///
/// - `P`: the captures of the path and the parameters of the query, as a struct that implements
///   `serde::Deserialize`; a lone capture also as a plain value, such as `u64`.
/// - `B`: the body: [`Json`](crate::Json), [`Form`](crate::Form), `String`, `Bytes`, and others
///   that implement [`FromBody`].
/// - `W`: other parts of the request and the [`State`](crate::State): anything that implements
///   [`Extract`], or a tuple of these.
///
/// A capture that does not fit its type is answered with 404, a parameter of the query with 400,
/// and the answer names the parameter.
///
/// # Examples
///
/// ```
/// use kamea_app::{App, Call};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Page {
///     shelf: String,
///     #[serde(default)]
///     page: u32,
/// }
///
/// async fn books(call: Call<Page>) -> String {
///     format!("page {} of {}\n", call.params.page, call.params.shelf)
/// }
///
/// let app = App::new().get("/shelves/{shelf}", books);
/// # app.check().unwrap();
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Call<P = (), B = (), W = ()> {
    /// The captures of the path and the parameters of the query.
    pub params: P,
    /// The body.
    pub body: B,
    /// The other parts.
    pub with: W,
    /// The head of the request.
    pub head: Box<RequestHead>,
    /// The address of the peer.
    pub peer: SocketAddr,
    /// Whether the client uses TLS.
    pub scheme: Scheme,
}

impl<P, B, W> Call<P, B, W> {
    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.head.method
    }

    /// The value of a header field, if it is text.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        str::from_utf8(self.head.fields.get(name)?).ok()
    }
}

impl<S, P, B, W> Argument<S> for Call<P, B, W>
where
    P: Params,
    B: FromBody,
    W: Extract<S>,
{
    async fn take(context: &mut Context, state: &Arc<S>) -> Result<Self, Problem> {
        let params = params(context)?;
        let with = W::extract(context, state).await?;
        let body = B::from_body(context).await?;
        Ok(Self {
            params,
            body,
            with,
            head: context.request.head.clone(),
            peer: context.peer(),
            scheme: context.scheme(),
        })
    }
}

/// The captures of a path and the parameters of a query, as a type: every type that implements
/// `serde::Deserialize`.
#[diagnostic::on_unimplemented(
    message = "the captures and the query of a request cannot be read as `{Self}`",
    label = "not `Params` of a `Call`",
    note = "the first type of a `Call` is a struct with the names of the captures and parameters as its fields, and `#[derive(serde::Deserialize)]`",
    note = "a lone capture is also a plain value, such as `Call<u64>`; several are also a tuple; `()` takes none"
)]
pub trait Params: DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<P: DeserializeOwned> Params for P {}

/// How many parameters a query may have.
const MOST_PARAMETERS: usize = 1000;

/// Reads the captures and the query. A capture hides a parameter of the same name.
fn params<P: Params>(context: &Context) -> Result<P, Problem> {
    let query = context.request.head.target.query().unwrap_or_default();
    let captures = context.captures.iter();
    let captures = captures.map(|(name, value)| ((**name).into(), value.as_str().into()));
    let is_captured = |name: &str| context.captures.iter().any(|(own, _)| **own == *name);
    let parameters = form_urlencoded::parse(query.as_bytes());
    let parameters = parameters.filter(|(name, _)| !is_captured(name));
    let values: Vec<_> = captures
        .chain(parameters.take(MOST_PARAMETERS + 1))
        .collect();
    if values.len() > MOST_PARAMETERS {
        let detail = format!("the query has more than {MOST_PARAMETERS} parameters");
        return Err(Problem::bad_request(detail));
    }
    Values::new(values).read().map_err(|error| {
        let ValueError { field, detail } = error;
        match field {
            Some(name) if is_captured(&name) => {
                Problem::not_found("there is nothing at this place").wrong(name, detail)
            }
            Some(name) => Problem::bad_request("a parameter is wrong").wrong(name, detail),
            None if context.captures.is_empty() => Problem::bad_request(detail),
            None => Problem::not_found("there is nothing at this place").wrong("path", detail),
        }
    })
}
