//! Layers: functions around the handlers of an application.

mod body_limit;
mod compress;
mod concurrency;
mod cors;
mod entity_tags;
mod method_override;
mod rate;
mod request_id;
mod security;
mod time_out;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use body_limit::BodyLimit;
pub use compress::Compress;
pub use concurrency::ConcurrencyLimit;
pub use cors::Cors;
pub use entity_tags::EntityTags;
pub use method_override::MethodOverride;
pub use rate::RateLimit;
pub use request_id::{RequestId, RequestIds};
pub use security::SecurityHeaders;
pub use time_out::TimeOut;

use crate::context::Context;
use crate::handler::{Endpoint, Replying};
use crate::{Answer, Reply};

/// Something around a handler, or around the whole application: it sees the request before, and the
/// reply after.
///
/// Layers around the whole application run before the routing.
///
/// # Examples
///
/// ```
/// use kamea_app::{App, Context, Next, Reply};
///
/// /// Tells how long the answer took.
/// async fn time(context: Context, next: Next) -> Reply {
///     let start = kamea::time::now();
///     let reply = next.run(context).await;
///     let elapsed = kamea::time::now().duration_since(start);
///     reply.field("Server-Timing", format!("app;dur={}", elapsed.as_millis()))
/// }
///
/// let app = App::new().get("/", async || "hello\n").layer(time);
/// # app.check().unwrap();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a layer",
    label = "not a layer",
    note = "a layer is `async fn(context: Context, next: Next) -> impl Answer`, or a struct that implements `Layer`"
)]
pub trait Layer: Send + Sync + 'static {
    /// Answers a request, by [`Next::run`] or by itself.
    fn around(&self, context: Context, next: Next) -> impl Future<Output = Reply>;
}

impl<F, R> Layer for F
where
    F: AsyncFn(Context, Next) -> R + Send + Sync + 'static,
    R: Answer,
{
    async fn around(&self, context: Context, next: Next) -> Reply {
        self(context, next).await.into_reply()
    }
}

/// Several layers, the outermost first.
pub(crate) type Layers = Arc<[Arc<dyn AnyLayer>]>;

/// A layer whose type is forgotten.
pub(crate) trait AnyLayer: Send + Sync {
    fn run<'l>(&'l self, context: Context, next: Next)
    -> Pin<Box<dyn Future<Output = Reply> + 'l>>;
}

impl<L: Layer> AnyLayer for L {
    fn run<'l>(
        &'l self,
        context: Context,
        next: Next,
    ) -> Pin<Box<dyn Future<Output = Reply> + 'l>> {
        Box::pin(self.around(context, next))
    }
}

/// What a layer is around: the layers inside of it, then the handler or the table of routes.
pub struct Next {
    layers: Layers,
    at: usize,
    end: Endpoint,
}

impl std::fmt::Debug for Next {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Next").finish_non_exhaustive()
    }
}

impl Next {
    /// Passes the request on, and returns the reply.
    pub async fn run(self, context: Context) -> Reply {
        run_from(self.layers, self.at, self.end, context).await
    }
}

/// Runs layers around an endpoint.
pub(crate) fn run(layers: &Layers, end: &Endpoint, context: Context) -> Replying {
    match layers.is_empty() {
        true => end(context),
        false => run_from(layers.clone(), 0, end.clone(), context),
    }
}

fn run_from(layers: Layers, at: usize, end: Endpoint, context: Context) -> Replying {
    let Some(layer) = layers.get(at).cloned() else {
        return end(context);
    };
    let next = Next {
        layers,
        at: at + 1,
        end,
    };
    Box::pin(async move { layer.run(context, next).await })
}

/// Layers with one more around them.
pub(crate) fn with_outer(layers: &Layers, outer: &Arc<dyn AnyLayer>) -> Layers {
    std::iter::once(outer)
        .chain(layers.iter())
        .cloned()
        .collect()
}
