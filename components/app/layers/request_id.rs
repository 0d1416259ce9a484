//! An id for each request.

use std::sync::Arc;

use kamea::random::token;

use crate::{Context, Extract, Layer, Next, Problem, Reply};

/// The id of a request, from the layer [`RequestIds`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub Arc<str>);

/// Gives each request an id, which is in the log, in the field `X-Request-Id` of the response, and
/// in the handler as [`RequestId`].
///
/// # Examples
///
/// ```
/// use kamea_app::{App, Call, RequestId, RequestIds};
///
/// let app = App::new()
///     .get("/", async |call: Call<(), (), RequestId>| call.with.0.to_string())
///     .layer(RequestIds::new());
/// # app.check().unwrap();
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestIds {
    trusts_peer: bool,
}

/// The field.
const NAME: &str = "X-Request-Id";

/// How long an id of a peer may be.
const LONGEST: usize = 64;

impl RequestIds {
    /// A new id for each request.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps the id that a proxy in front of the server has given, if it is at most 64 letters,
    /// digits, `-`, `_` or `.`.
    #[must_use]
    pub fn trust_peer(self) -> Self {
        Self { trusts_peer: true }
    }
}

impl Layer for RequestIds {
    async fn around(&self, mut context: Context, next: Next) -> Reply {
        let given = context
            .field(NAME)
            .filter(|id| self.trusts_peer && is_id(id));
        let id: Arc<str> = match given {
            Some(id) => id.into(),
            None => format!("{:032x}", token()).into(),
        };
        context.insert(RequestId(id.clone()));
        next.run(context).await.field(NAME, &*id)
    }
}

fn is_id(id: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=LONGEST).contains(&id.len()) && id.bytes().all(is_allowed)
}

impl<S> Extract<S> for RequestId {
    async fn extract(context: &mut Context, _: &Arc<S>) -> Result<Self, Problem> {
        let id = context.value::<Self>().cloned();
        id.ok_or_else(|| Problem::internal("a handler takes a RequestId: add the layer RequestIds"))
    }
}
