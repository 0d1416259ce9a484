//! Error pages of a user's own: templates, one for each status.

use std::io;
use std::sync::Arc;

use http::StatusCode;
use kamea::{Component, Done};
use minijinja::{Environment, context};

use super::errors::{ErrorPorts, error_response, page_response};
use super::message::{ErrorForm, Failure};

/// Pages for errors, by status: templates in which `{{ status }}`, `{{ reason }}` and `{{ explanation }}` stand for what happened.
///
/// What is put in is escaped. The language is that of Jinja, as far as `minijinja` has it.
///
/// # Examples
///
/// ```
/// use kamea_components::http::{ErrorPages, Site, WebServer, answer_errors_with};
///
/// let pages = ErrorPages::new([("404.html", "<h1>{{ status }}: {{ reason }}</h1>")])?;
/// let server = WebServer::new(Site::new(".")).errors(answer_errors_with(pages));
/// # let _ = server;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct ErrorPages {
    templates: Environment<'static>,
}

/// What follows the status in the name of a page.
const EXTENSION: &str = ".html";

impl ErrorPages {
    /// Pages by the names of their files: the status and `.html`.
    ///
    /// # Errors
    ///
    /// If a name is not that of a status of an error, or a text is no template; the error names file and line.
    pub fn new<'t>(pages: impl IntoIterator<Item = (&'t str, &'t str)>) -> io::Result<Self> {
        let mut templates = Environment::new();
        for (name, text) in pages {
            let status = name.strip_suffix(EXTENSION).and_then(|s| s.parse().ok());
            if !status.is_some_and(|status: u16| (400..600).contains(&status)) {
                let wrong = format!("{name}: an error page is named like 404.html");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, wrong));
            }
            templates
                .add_template_owned(name.to_owned(), text.to_owned())
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
        }
        Ok(Self { templates })
    }

    /// The page of a failure, if there is one for its status.
    fn render(&self, status: StatusCode, explanation: &str) -> Option<String> {
        let name = format!("{}{EXTENSION}", status.as_u16());
        let template = self.templates.get_template(&name).ok()?;
        let page = template.render(context! {
            status => status.as_u16(),
            reason => status.canonical_reason().unwrap_or("Error"),
            explanation,
        });
        page.inspect_err(|error| log::error!("the error page {name} fails: {error}"))
            .ok()
    }
}

/// Answers each failure with the user's page for its status; like [`answer_errors`](super::answer_errors) where there is none,
/// where it fails, and where the peer wants no page.
pub fn answer_errors_with(pages: ErrorPages) -> impl Component<ErrorPorts> + Clone + Send + Sync {
    let pages = Arc::new(pages);
    async move |io: &mut ErrorPorts| -> Done {
        while let Some(failure) = io.failures.next().await {
            let own = match failure.exchange.error_form {
                ErrorForm::Page => pages.render(failure.status, &failure.explanation),
                _ => None,
            };
            let response = match own {
                Some(page) => {
                    let Failure {
                        exchange, status, ..
                    } = failure;
                    log::debug!("{} | Handle Error {}", exchange.peer, status.as_u16());
                    page_response(exchange, status, failure.fields, page)
                }
                None => error_response(failure)?,
            };
            io.responses.send(response).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_filled_in_and_what_is_put_in_is_escaped() {
        let pages = ErrorPages::new([("404.html", "{{ status }} {{ reason }}: {{ explanation }}")]);
        let page = pages
            .unwrap()
            .render(StatusCode::NOT_FOUND, "<b>nothing</b>");
        assert_eq!(
            page.unwrap(),
            "404 Not Found: &lt;b&gt;nothing&lt;&#x2f;b&gt;"
        );
    }

    #[test]
    fn a_mistake_names_its_file() {
        for (name, text, expected) in [
            ("404.html", "a\n{{ status", "404.html:2"),
            ("four.html", "", "four.html"),
            ("200.html", "", "200.html"),
            ("404.htm", "", "404.htm"),
        ] {
            let error = ErrorPages::new([(name, text)]).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_page_that_fails_is_none() {
        let pages = ErrorPages::new([("500.html", "{{ status / 0 }}{{ missing() }}")]).unwrap();
        assert!(
            pages
                .render(StatusCode::INTERNAL_SERVER_ERROR, "")
                .is_none()
        );
        assert!(pages.render(StatusCode::NOT_FOUND, "").is_none());
    }
}
