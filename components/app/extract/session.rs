//! The session of a request.

use std::sync::Arc;

use kamea_session::Session;

use super::Extract;
use crate::Problem;
use crate::context::Context;

/// The session of a request, if [`App::around`](crate::App::around) has put sessions around the
/// application. Its store is asked here, and not for requests whose handler takes no session.
impl<S> Extract<S> for Session {
    async fn extract(context: &mut Context, _: &Arc<S>) -> Result<Self, Problem> {
        Self::of(&context.request).await.map_err(|error| {
            let status = error.status();
            Problem::internal(error).with_status(status)
        })
    }
}
