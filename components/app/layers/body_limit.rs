//! The limit of a body, for some routes.

use crate::{Context, Layer, Next, Reply};

/// Sets how many bytes of a body are read into memory, for the routes that it is around.
///
/// # Examples
///
/// ```
/// use kamea_app::{App, BodyLimit, Call};
///
/// let notes = App::new().post("/", async |_: Call<(), String>| "x").layer(BodyLimit(1024));
/// let app = App::new().nest("/notes", notes);
/// # app.check().unwrap();
/// ```
#[derive(Debug, Clone, Copy)]
pub struct BodyLimit(pub usize);

impl Layer for BodyLimit {
    async fn around(&self, mut context: Context, next: Next) -> Reply {
        context.set_body_limit(self.0);
        next.run(context).await
    }
}
