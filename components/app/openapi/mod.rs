//! The description of an application in OpenAPI 3.1, made from its table of routes and the types of
//! its handlers, so that it cannot differ from them.

mod describe;
mod document;
mod documented;
mod limits;
mod operation;
mod page;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::Method;
use serde_json::Value;

pub use describe::{DescribeInput, DescribeOutput};
pub use documented::{Documented, documented};
pub use operation::{Documentation, Operation};

use crate::handler::Endpoint;
use crate::layers::Layers;
use crate::routes::{Entry, Table};
use crate::{App, Reply, RouteError};

/// What a description says of the application as a whole.
///
/// # Examples
///
/// ```
/// use kamea_app::{App, Call, Json, OpenApi, documented};
/// use schemars::JsonSchema;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, JsonSchema)]
/// struct Book { title: String, pages: u32 }
///
/// async fn add(call: Call<(), Json<Book>>) -> Json<Book> {
///     call.body
/// }
///
/// let app = App::new()
///     .post("/books", documented(add).summary("Adds a book"))
///     .openapi(OpenApi::new("Books", "1.0"));
/// let document = app.document()?;
/// let schema = &document["paths"]["/books"]["post"]["requestBody"]["content"]["application/json"]["schema"];
/// assert_eq!(schema["$ref"], "#/components/schemas/Book");
/// # Ok::<(), kamea_app::RouteError>(())
/// ```
#[derive(Debug, Clone)]
pub struct OpenApi {
    pub(super) title: String,
    pub(super) version: String,
    pub(super) description: String,
}

impl OpenApi {
    /// The title and the version of the application.
    #[must_use]
    pub fn new(title: &str, version: &str) -> Self {
        Self {
            title: title.to_owned(),
            version: version.to_owned(),
            description: String::new(),
        }
    }

    /// Describes it, in Markdown.
    #[must_use]
    pub fn description(self, text: &str) -> Self {
        let description = text.to_owned();
        Self {
            description,
            ..self
        }
    }

    /// Adds the document and its page to a table.
    pub(crate) fn add_to(&self, table: &mut Table) -> Result<(), RouteError> {
        let document = document::document(table, self);
        let page = page::page(&document);
        let text = format!("{document:#}\n");
        table.add(entry("/openapi.json", move || {
            Reply::typed("application/json", text.clone())
        }))?;
        table.add(entry("/docs", move || Reply::html(page.clone())))
    }
}

/// A route whose reply is always the same.
fn entry(path: &str, reply: impl Fn() -> Reply + Send + Sync + 'static) -> Entry {
    let endpoint: Endpoint = Arc::new(move |_| {
        let reply = reply();
        Box::pin(async { reply })
    });
    Entry {
        methods: vec![Method::GET],
        host: None,
        path: path.to_owned(),
        name: None,
        documentation: None,
        handler: "OpenAPI".into(),
        endpoint,
        layers: Layers::default(),
    }
}

impl<S: Send + Sync + 'static> App<S> {
    /// The description of the application in OpenAPI 3.1.
    ///
    /// Routes whose handler is not [`documented`] have only their path and their method.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn document(&self) -> Result<Value, RouteError> {
        let unnamed = OpenApi::new("An application", "0");
        let info = self.openapi_info().unwrap_or(&unnamed);
        Ok(document::document(&self.own_table()?, info))
    }
}
