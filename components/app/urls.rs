//! URLs for routes, by their names.

use std::collections::HashMap;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::routes::Table;
use crate::{Context, Extract, Problem};

/// Makes URLs for routes, by their names. A handler takes it as a part of its
/// [`Call`](crate::Call).
///
/// # Examples
///
/// ```
/// use kamea_app::{App, Call, Problem, Redirect, Urls};
///
/// async fn latest(call: Call<(), (), Urls>) -> Result<Redirect, Problem> {
///     Ok(Redirect::to(&call.with.path("book", &[("id", "a/b c")])?))
/// }
///
/// let app = App::new()
///     .get("/books/{id}", async || "a book").name("book")
///     .get("/latest", latest);
/// assert_eq!(app.urls()?.path("book", &[("id", "a/b c")])?, "/books/a%2Fb%20c");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Urls(Arc<HashMap<Arc<str>, Arc<str>>>);

/// Why there is no URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// No route has the name.
    #[error("no route has the name {0}")]
    Name(String),
    /// A capture has no value.
    #[error("the route {pattern} needs a value for {capture}")]
    Missing {
        /// The pattern of the route.
        pattern: String,
        /// The name of the capture.
        capture: String,
    },
}

impl Urls {
    pub(crate) fn of(table: &Table) -> Self {
        let mut patterns = HashMap::new();
        for resource in &table.resources {
            let names = resource
                .handlers
                .iter()
                .filter_map(|handler| handler.name.clone());
            patterns.extend(names.map(|name| (name, resource.pattern.clone())));
        }
        Self(Arc::new(patterns))
    }

    /// Whether no route has a name.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The path of the route with this name. Values that are no captures go into the query.
    ///
    /// # Errors
    ///
    /// [`UrlError`], if there is no such route, or a capture has no value.
    pub fn path(&self, name: &str, values: &[(&str, &str)]) -> Result<String, UrlError> {
        let pattern = self
            .0
            .get(name)
            .ok_or_else(|| UrlError::Name(name.to_owned()))?;
        let (mut path, mut rest) = (String::new(), &**pattern);
        let mut is_used = vec![false; values.len()];
        while let Some((before, after)) = rest.split_once('{') {
            path.push_str(&encode(before, true));
            let Some((capture, after)) = after.split_once('}') else {
                break;
            };
            let (name, is_rest) = match capture.strip_prefix('*') {
                Some(name) => (name, true),
                None => (capture, false),
            };
            let place = values.iter().position(|(own, _)| *own == name);
            let place = place.ok_or_else(|| UrlError::Missing {
                pattern: pattern.to_string(),
                capture: name.to_owned(),
            })?;
            is_used[place] = true;
            path.push_str(&encode(values[place].1, is_rest));
            rest = after;
        }
        path.push_str(&encode(rest, true));
        let others = values.iter().zip(is_used).filter(|(_, is_used)| !is_used);
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(others.map(|(pair, _)| pair));
        let query = query.finish();
        Ok(match query.is_empty() {
            true => path,
            false => format!("{path}?{query}"),
        })
    }
}

/// What a segment of a path need not encode (RFC 3986 section 2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Encodes a value for a path: one segment, or several.
pub(crate) fn encode(value: &str, has_slashes: bool) -> String {
    const SEGMENTS: &AsciiSet = &SEGMENT.remove(b'/');
    let set = if has_slashes { SEGMENTS } else { SEGMENT };
    utf8_percent_encode(value, set).to_string()
}

impl<S> Extract<S> for Urls {
    async fn extract(context: &mut Context, _: &Arc<S>) -> Result<Self, Problem> {
        Ok(context.value::<Self>().cloned().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use crate::App;

    #[test]
    fn paths_are_made_by_name() {
        async fn nothing() {}
        let app = App::new()
            .get("/a b/{id}", nothing)
            .name("one")
            .get("/files/{*rest}", nothing)
            .name("files")
            .nest("/api", App::new().get("/{x}/{y}", nothing).name("nested"));
        let urls = app.urls().unwrap();
        let path = |name: &str, values: &[(&str, &str)]| {
            urls.path(name, values)
                .unwrap_or_else(|error| error.to_string())
        };
        assert_eq!(path("one", &[("id", "ü/?")]), "/a%20b/%C3%BC%2F%3F");
        assert_eq!(path("files", &[("rest", "a b/c")]), "/files/a%20b/c");
        assert_eq!(
            path("nested", &[("y", "2"), ("x", "1"), ("q", "a&b")]),
            "/api/1/2?q=a%26b"
        );
        assert_eq!(
            path("nested", &[("x", "1")]),
            "the route /api/{x}/{y} needs a value for y"
        );
        assert_eq!(path("other", &[]), "no route has the name other");
    }
}
