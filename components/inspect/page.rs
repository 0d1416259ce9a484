//! The page: its parts are compiled into the program.

use http::StatusCode;

use crate::gateway::Reply;
use crate::http::Fields;
use crate::web::Response;

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Path, media type, content.
const PARTS: [(&str, &str, &str); 9] = [
    ("/", HTML, include_str!("page/page.html")),
    ("/view.css", STYLE, include_str!("page/view.css")),
    ("/view.js", SCRIPT, include_str!("page/view.js")),
    ("/rates.js", SCRIPT, include_str!("page/rates.js")),
    ("/picture.js", SCRIPT, include_str!("page/picture.js")),
    ("/details.js", SCRIPT, include_str!("page/details.js")),
    ("/routes.js", SCRIPT, include_str!("page/routes.js")),
    ("/dagre.js", SCRIPT, include_str!("vendor/dagre.js")),
    (
        "/dagre.LICENSE",
        "text/plain; charset=utf-8",
        include_str!("vendor/dagre.LICENSE"),
    ),
];

/// The part of the page that is at a path.
pub(super) fn part(path: &str) -> Reply {
    match PARTS.iter().find(|(name, ..)| *name == path) {
        Some((_, media_type, content)) => Response::typed(media_type, *content).into(),
        None => Reply::failure(StatusCode::NOT_FOUND, "the inspector has nothing here"),
    }
}

/// The fields of every response: the page loads nothing from elsewhere, has no inline scripts or
/// styles, and no other site may embed it.
pub(super) fn fields() -> Fields {
    const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    Fields::new()
        .with("Content-Security-Policy", POLICY)
        .with("Cross-Origin-Resource-Policy", "same-origin")
        .with("Referrer-Policy", "no-referrer")
        .with("X-Content-Type-Options", "nosniff")
        .with("Cache-Control", "no-store")
}
