//! Other methods from forms.

use http::Method;

use crate::{Context, Layer, Next, Reply};

/// Lets a form, which can only send GET and POST, use another method: POST with the parameter
/// `_method=PUT`, `PATCH` or `DELETE` in the query, or with the field `X-HTTP-Method-Override`.
///
/// It must be around the whole application, because it acts before the routing.
///
/// # Examples
///
/// ```
/// use kamea_app::{App, MethodOverride};
///
/// // <form method="post" action="/notes/7?_method=DELETE">
/// let app = App::new().delete("/notes/{id}", async || "x").layer(MethodOverride);
/// # app.check().unwrap();
/// ```
#[derive(Debug, Clone, Copy)]
pub struct MethodOverride;

impl Layer for MethodOverride {
    async fn around(&self, mut context: Context, next: Next) -> Reply {
        if *context.method() == Method::POST {
            let query = context.head().target.query().unwrap_or_default();
            let mut parameters = form_urlencoded::parse(query.as_bytes());
            let named = parameters.find(|(name, _)| name == "_method");
            let field = context.field("x-http-method-override");
            let wanted = match &named {
                Some((_, value)) => Some(value.as_ref()),
                None => field,
            };
            let method = match wanted.map(str::to_ascii_uppercase).as_deref() {
                Some("PUT") => Some(Method::PUT),
                Some("PATCH") => Some(Method::PATCH),
                Some("DELETE") => Some(Method::DELETE),
                _ => None,
            };
            if let Some(method) = method {
                context.head_mut().method = method;
            }
        }
        next.run(context).await
    }
}
