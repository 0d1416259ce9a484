//! Custom error pages: templates, one for each status.

use std::io;
use std::str::FromStr;
use std::sync::Arc;

use http::StatusCode;
use kamea::{Component, Done, at_first_message};
use minijinja::{Environment, context};

use super::errors::{ErrorPorts, error_response, respond};
use super::message::{ErrorForm, Failure, Response};
use crate::http::Fields;

/// Pages for errors, by status: templates with the variables `{{ status }}`, `{{ reason }}` and `{{
/// explanation }}`.
///
/// Values are escaped. The template language is Jinja, as far as `minijinja` supports it.
///
/// # Examples
///
/// ```
/// use kamea_components::server::{Site, WebServer};
/// use kamea_components::web::{ErrorPages, answer_errors_with};
///
/// let pages = ErrorPages::new([("404.html", "<h1>{{ status }}: {{ reason }}</h1>")])?;
/// let server = WebServer::new(Site::new(".")).errors(answer_errors_with(pages));
/// # let _ = server;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct ErrorPages {
    templates: Environment<'static>,
    redirects: Vec<ErrorRedirect>,
}

/// The redirect for failures of a status: written `STATUS=LOCATION`.
///
/// # Examples
///
/// ```
/// use kamea_components::web::{ErrorPages, ErrorRedirect};
///
/// let pages = ErrorPages::default().redirect("404=/lost.html".parse()?);
/// assert!("200=/".parse::<ErrorRedirect>().is_err());
/// # let _ = pages;
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorRedirect {
    status: u16,
    location: String,
}

impl FromStr for ErrorRedirect {
    type Err = String;

    fn from_str(rule: &str) -> Result<Self, String> {
        let wanted = "a redirect is STATUS=LOCATION, such as 404=/lost.html";
        let (status, location) = rule.split_once('=').ok_or(wanted)?;
        let status = status.trim().parse().ok().filter(is_error).ok_or(wanted)?;
        let location = location.trim().to_owned();
        let is_valid = Fields::new().push("Location", &location).is_ok();
        if location.is_empty() || location.contains(' ') || !location.is_ascii() || !is_valid {
            return Err(wanted.to_owned());
        }
        Ok(Self { status, location })
    }
}

/// Whether a status is an error status (RFC 9110 sections 15.5 and 15.6).
fn is_error(status: &u16) -> bool {
    (400..600).contains(status)
}

/// The extension of a page, after the status.
const EXTENSION: &str = ".html";

impl ErrorPages {
    /// Builds pages from the names of their files, which are the status and `.html`.
    ///
    /// # Errors
    ///
    /// If a name is not an error status, or a text is not a valid template. The error names file
    /// and line.
    pub fn new<'t>(pages: impl IntoIterator<Item = (&'t str, &'t str)>) -> io::Result<Self> {
        let mut templates = Environment::new();
        for (name, text) in pages {
            let status = name.strip_suffix(EXTENSION).and_then(|s| s.parse().ok());
            if !status.is_some_and(|status| is_error(&status)) {
                let wrong = format!("{name}: an error page is named like 404.html");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, wrong));
            }
            templates
                .add_template_owned(name.to_owned(), text.to_owned())
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
        }
        Ok(Self {
            templates,
            redirects: Vec::new(),
        })
    }

    /// Adds redirects: failures of a status lead to a location, with 302 (RFC 9110 section 15.4.3),
    /// in any form. That location should not fail with the same status.
    #[must_use]
    pub fn redirect(mut self, redirect: ErrorRedirect) -> Self {
        self.redirects.push(redirect);
        self
    }

    /// Whether there are neither pages nor redirects.
    pub fn is_empty(&self) -> bool {
        self.redirects.is_empty() && self.templates.templates().next().is_none()
    }

    /// The redirect for a failure, if there is one for its status.
    fn redirected(&self, failure: &Failure) -> Option<Response> {
        let status = failure.status.as_u16();
        let redirect = self.redirects.iter().find(|rule| rule.status == status)?;
        let response = Response::new(StatusCode::FOUND).with("Location", &redirect.location);
        Some(response.to(failure.exchange))
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

/// Answers each failure with the user's page for its status. Works like
/// [`answer_errors`](super::answer_errors) if there is no page, if the page fails, or if the peer
/// does not want HTML.
pub fn answer_errors_with(pages: ErrorPages) -> impl Component<ErrorPorts> + Clone + Send + Sync {
    let pages = Arc::new(pages);
    at_first_message(async move |io: &mut ErrorPorts| -> Done {
        while let Some(failure) = io.failures.next().await {
            if let Some(response) = pages.redirected(&failure) {
                io.responses.send(response).await?;
                continue;
            }
            let own = match failure.exchange.error_form {
                ErrorForm::Page => pages.render(failure.status, &failure.explanation),
                _ => None,
            };
            let response = match own {
                Some(page) => {
                    let (exchange, status) = (failure.exchange, failure.status);
                    log::debug!("{} | Handle Error {}", exchange.peer, status.as_u16());
                    respond(failure, Response::html(page))
                }
                None => error_response(failure)?,
            };
            io.responses.send(response).await?;
        }
        Ok(())
    })
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
