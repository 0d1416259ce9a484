//! The access control of the assignment: Task 1A (a login sets a cookie) and Task 1B (pages require
//! that cookie).
//!
//! **It is not safe**: the cookie is `auth=true` for everybody, so anybody can send it without a
//! login. `login_for_real` shows how to do it.

use std::path::PathBuf;
use std::sync::Arc;

use http::{Method, StatusCode};
use kamea::{Component, unblock};
use kamea_components::gateway::Handler;
use kamea_components::web::{Failure, FilterPorts, Request, Response};
use kamea_session::Cookies;

use crate::FormFields;

/// The page for users who are not logged in. It contains the form.
pub const UNAUTHORIZED: &str = include_str!("www/unauthorized.html");

/// The name and the value of the cookie.
const COOKIE: (&str, &str) = ("auth", "true");

/// The name and the password that are right.
const LOGIN: (&str, &str) = ("admin", "password");

/// Answers a login (Task 1A): with `admin` and `password` the index page and `Set-Cookie:
/// auth=true`, otherwise 401.
pub fn log_in(index: PathBuf) -> impl Handler + Send + Sync {
    let index = Arc::new(index);
    async move |mut request: Request| -> Result<Response<()>, Failure> {
        let form = FormFields::read(&mut request).await?;
        if (form.only("username"), form.only("password")) != (Some(LOGIN.0), Some(LOGIN.1)) {
            return Ok(unauthorized());
        }
        let path = index.clone();
        let page = unblock(move || std::fs::read(&*path)).await;
        let page = page.map_err(|error| {
            log::error!("{}: {error}", index.display());
            request.refuse(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the index page cannot be read",
            )
        })?;
        let (name, value) = COOKIE;
        let page = Response::html(page).with("Set-Cookie", format!("{name}={value}"));
        Ok(page.with("Cache-Control", "no-store"))
    }
}

/// Requires the cookie `auth=true` for pages (Task 1B); without it the answer is 401. Pictures,
/// styles and scripts are for everybody, because the page of the 401 uses them.
pub fn require_cookie() -> impl Component<FilterPorts> + Clone + Send + Sync {
    async |io: &mut FilterPorts| {
        while let Some(mut request) = io.requests.next().await {
            let cookies = Cookies::of(&request.head.fields);
            if !is_page(&request) || cookies.only(COOKIE.0) == Some(COOKIE.1) {
                io.passed.send(request).await?;
                continue;
            }
            match request.discard_content().await {
                Ok(()) => io.responses.send(request.respond(unauthorized())).await?,
                Err(failure) => io.failures.send(failure).await?,
            }
        }
        Ok(())
    }
}

/// RFC 9110 section 15.5.2: a 401 "MUST send a WWW-Authenticate header field". Browsers open a
/// dialog for `Basic` and `Digest`, and none for a scheme that they do not know.
fn unauthorized() -> Response<()> {
    Response::html(UNAUTHORIZED)
        .with_status(StatusCode::UNAUTHORIZED)
        .with(
            "WWW-Authenticate",
            "Cookie realm=\"daemon\", form-action=\"/login\"",
        )
        .with("Cache-Control", "no-store")
}

/// Whether a request is for a page, apart from the login page.
fn is_page(request: &Request) -> bool {
    let is_read = [Method::GET, Method::HEAD].contains(request.method());
    // The router refuses what cannot be decoded.
    let Ok(path) = request.head.target.decoded_path() else {
        return false;
    };
    let is_of_page = path.ends_with(b"/") || path.ends_with(b".html");
    is_read && is_of_page && !path.ends_with(b"/login.html")
}
