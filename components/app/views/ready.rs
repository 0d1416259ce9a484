//! Views that need no code: a page, a redirect.

use std::sync::Arc;

use serde::Serialize;

use super::{Methods, View};
use crate::{Call, Context, Extract, Html, Problem, Redirect, Templates};

/// A page from a template and a value that never changes.
///
/// # Examples
///
/// ```
/// use kamea_app::{App, TemplateView, Templates};
///
/// let templates = Templates::new([("about.html", "<h1>{{ title }}</h1>")])?;
/// let value = std::collections::HashMap::from([("title", "About")]);
/// let app = App::new().view("/about", TemplateView::new(templates, "about.html", value));
/// # app.check().unwrap();
/// # Ok::<(), kamea_app::TemplateError>(())
/// ```
#[derive(Debug)]
pub struct TemplateView<T> {
    templates: Templates,
    name: String,
    value: T,
}

impl<T: Serialize> TemplateView<T> {
    /// The page that a template makes of a value.
    pub fn new(templates: Templates, name: &str, value: T) -> Self {
        Self {
            templates,
            name: name.to_owned(),
            value,
        }
    }

    async fn get(&self) -> Result<Html<String>, Problem> {
        self.templates.page(&self.name, &self.value)
    }
}

impl<S, T> View<S> for TemplateView<T>
where
    S: Send + Sync + 'static,
    T: Serialize + Send + Sync + 'static,
{
    fn methods(methods: Methods<Self, S>) -> Methods<Self, S> {
        methods.get(Self::get)
    }
}

/// A permanent redirect of any GET to another path, with the captures of the route in it, and the
/// query behind it.
///
/// # Examples
///
/// ```
/// use kamea_app::{App, RedirectView};
///
/// let app = App::new().view("/user/{id}", RedirectView::to("/users/{id}"));
/// # app.check().unwrap();
/// ```
#[derive(Debug)]
pub struct RedirectView(String);

impl RedirectView {
    /// A redirect to this path, with `{name}` for a capture.
    #[must_use]
    pub fn to(path: &str) -> Self {
        Self(path.to_owned())
    }

    async fn get(&self, call: Call<(), (), Captures>) -> Redirect {
        let captures = call.with.0.iter();
        let path = captures.fold(self.0.clone(), |path, (name, value)| {
            let value = crate::urls::encode(value, false);
            path.replace(&format!("{{{name}}}"), &value)
        });
        let query = call.head.target.query();
        let query = query.map_or(String::new(), |query| format!("?{query}"));
        Redirect::permanent(&(path + &query))
    }
}

impl<S: Send + Sync + 'static> View<S> for RedirectView {
    fn methods(methods: Methods<Self, S>) -> Methods<Self, S> {
        methods.get(Self::get)
    }
}

/// The captures of the route, by name.
struct Captures(Vec<(Arc<str>, String)>);

impl<S> Extract<S> for Captures {
    async fn extract(context: &mut Context, _: &Arc<S>) -> Result<Self, Problem> {
        Ok(Self(context.captures.clone()))
    }
}
