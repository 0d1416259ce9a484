//! Handlers: async functions of what they need.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::StatusCode;

use crate::answer::open;
use crate::context::Context;
use crate::reply::ReplyContent;
use crate::{Answer, Documentation, Problem, Reply};

/// An async function that answers requests: of nothing, or of one [`Call`](crate::Call).
///
/// What it takes must be an [`Argument`], and what it returns an [`Answer`]. A handler runs on the
/// worker of its connection, so its future need not be `Send`.
///
/// # Examples
///
/// ```
/// use kamea_app::{App, Call, Json, Problem};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Deserialize)]
/// struct Sum { a: i64, b: i64 }
///
/// async fn add(call: Call<(), Json<Sum>>) -> Result<Json<i64>, Problem> {
///     let Json(Sum { a, b }) = call.body;
///     let sum = a.checked_add(b).ok_or_else(|| Problem::invalid("b", "the sum is too large"))?;
///     Ok(Json(sum))
/// }
///
/// let app = App::new()
///     .get("/", async || "hello\n")
///     .post("/sums", add);
/// # app.check().unwrap();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler",
    label = "not a handler",
    note = "a handler is an `async fn` of no argument, or of one: `async fn show(call: Call<Params, Body, Others>) -> impl Answer`",
    note = "to take several things, name them as the types of one `Call`, the last as a tuple"
)]
pub trait Handler<A>: Send + Sync + 'static {
    /// What it takes.
    type Input;
    /// What it returns.
    type Output;

    /// Calls the function.
    fn call(&self, input: Self::Input) -> impl Future<Output = Self::Output>;

    /// The name of its type, which for a function is that of the function.
    fn type_name(&self) -> &'static str {
        std::any::type_name::<Self>()
    }

    /// What its types say of it, if they are part of the description of the application: see
    /// [`documented`](crate::documented).
    fn documentation(&self) -> Option<Documentation> {
        None
    }
}

impl<F, R> Handler<()> for F
where
    F: AsyncFn() -> R + Send + Sync + 'static,
{
    type Input = ();
    type Output = R;

    async fn call(&self, (): ()) -> R {
        self().await
    }
}

impl<F, C, R> Handler<(C,)> for F
where
    F: AsyncFn(C) -> R + Send + Sync + 'static,
{
    type Input = C;
    type Output = R;

    async fn call(&self, input: C) -> R {
        self(input).await
    }
}

/// What a handler may take, in an application whose state is an `S`.
#[diagnostic::on_unimplemented(
    message = "a handler cannot take `{Self}`",
    label = "not an argument of a handler",
    note = "a handler takes a `Call<Params, Body, Others>`: its types say what of the request it needs",
    note = "`Params` implements `serde::Deserialize`, `Body` implements `FromBody`, `Others` implements `Extract`"
)]
pub trait Argument<S>: Sized {
    /// Takes it from a request.
    fn take(context: &mut Context, state: &Arc<S>) -> impl Future<Output = Result<Self, Problem>>;
}

impl<S> Argument<S> for () {
    async fn take(_: &mut Context, _: &Arc<S>) -> Result<Self, Problem> {
        Ok(())
    }
}

/// A reply that is being made, on the worker of its connection.
pub(crate) type Replying = Pin<Box<dyn Future<Output = Reply>>>;

/// A handler whose types are forgotten.
pub(crate) type Endpoint = Arc<dyn Fn(Context) -> Replying + Send + Sync>;

/// Forgets the types of a handler.
pub(crate) fn endpoint<S, A, H>(handler: H, state: Arc<S>) -> Endpoint
where
    S: Send + Sync + 'static,
    H: Handler<A>,
    H::Input: Argument<S>,
    H::Output: Answer,
{
    let handler = Arc::new(handler);
    Arc::new(move |mut context| {
        let (handler, state) = (handler.clone(), state.clone());
        Box::pin(async move {
            let reply = match H::Input::take(&mut context, &state).await {
                Ok(input) => handler.call(input).await.into_reply(),
                Err(problem) => problem.into(),
            };
            finish(&context, reply).await
        })
    })
}

/// Makes the response of a reply that needs the request: a file.
pub(crate) async fn finish(context: &Context, reply: Reply) -> Reply {
    match reply.content {
        ReplyContent::File(source) => {
            let opened = open(context, source, reply.fields).await;
            let is_whole = opened.status == StatusCode::OK;
            let status = if is_whole {
                reply.status
            } else {
                opened.status
            };
            opened.status(status)
        }
        content => Reply { content, ..reply },
    }
}
