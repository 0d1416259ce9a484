//! The state of an application.

use std::ops::Deref;
use std::sync::Arc;

use super::Extract;
use crate::Problem;
use crate::context::Context;

/// The state that the application was made with: shared by all workers, so read-only, or with locks
/// of its own. For state that changes, ask a component instead: see [`kamea::Asker`].
///
/// # Examples
///
/// ```
/// use kamea_app::{App, Call, State};
///
/// struct Config { greeting: String }
///
/// async fn greet(call: Call<(), (), State<Config>>) -> String {
///     call.with.greeting.clone()
/// }
///
/// let app = App::with_state(Config { greeting: "hello\n".into() }).get("/", greet);
/// # app.check().unwrap();
/// ```
#[derive(Debug)]
pub struct State<S>(pub Arc<S>);

impl<S> Clone for State<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S> Deref for State<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.0
    }
}

impl<S> Extract<S> for State<S> {
    async fn extract(_: &mut Context, state: &Arc<S>) -> Result<Self, Problem> {
        Ok(Self(state.clone()))
    }
}
