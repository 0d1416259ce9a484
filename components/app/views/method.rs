//! A function of a view.

use std::future::Future;
use std::sync::Arc;

use crate::handler::{Endpoint, finish};
use crate::{Answer, Argument};

/// An async function of a [`View`](crate::View): of `&self`, or of `&self` and one
/// [`Call`](crate::Call).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a function of the view `{V}`",
    label = "not a function of this view",
    note = "a view has functions such as `async fn get(&self) -> impl Answer`, or `async fn post(&self, call: Call<Params, Body, Others>) -> impl Answer`"
)]
pub trait ViewMethod<V, A>: Send + Sync + 'static {
    /// What it takes beside the view.
    type Input;
    /// What it returns.
    type Output;

    /// Calls the function.
    fn call(&self, view: &V, input: Self::Input) -> impl Future<Output = Self::Output>;
}

impl<V, F, R> ViewMethod<V, ()> for F
where
    F: AsyncFn(&V) -> R + Send + Sync + 'static,
{
    type Input = ();
    type Output = R;

    async fn call(&self, view: &V, (): ()) -> R {
        self(view).await
    }
}

impl<V, F, C, R> ViewMethod<V, (C,)> for F
where
    F: AsyncFn(&V, C) -> R + Send + Sync + 'static,
{
    type Input = C;
    type Output = R;

    async fn call(&self, view: &V, input: C) -> R {
        self(view, input).await
    }
}

/// Forgets the types of a function.
pub(super) fn endpoint<V, S, A, F>(view: Arc<V>, state: Arc<S>, function: F) -> Endpoint
where
    V: Send + Sync + 'static,
    S: Send + Sync + 'static,
    F: ViewMethod<V, A>,
    F::Input: Argument<S>,
    F::Output: Answer,
{
    let function = Arc::new(function);
    Arc::new(move |mut context| {
        let (view, state, function) = (view.clone(), state.clone(), function.clone());
        Box::pin(async move {
            let reply = match F::Input::take(&mut context, &state).await {
                Ok(input) => function.call(&view, input).await.into_reply(),
                Err(problem) => problem.into(),
            };
            finish(&context, reply).await
        })
    })
}
