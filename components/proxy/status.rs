//! Shows a proxy while it runs, and changes its backends: a page, JSON, and Prometheus.
//!
//! ```text
//!  GET  /          the page            POST /backends   address=...&take=out
//!  GET  /status    the same as JSON                     address=...&take=in
//!  GET  /metrics   for Prometheus                       address=...&weight=3
//! ```

mod draw;
pub(crate) mod metrics;

use http::StatusCode;
use http::method::InvalidMethod;
use kamea_components::gateway::Reply;
use kamea_components::http::Fields;
use kamea_components::inspect::{Access, guard_inspector};
use kamea_components::server::{Site, WebServer};
use kamea_components::web::{Request, Response, Route};

use crate::Proxy;
pub use draw::draw_proxy;
use metrics::metrics;

const PAGE: &str = include_str!("status/page.html");
const STYLE: &str = include_str!("status/page.css");
const SCRIPT: &str = include_str!("status/page.js");

/// The page uses only its own files.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

/// The limit for the body of a change, in bytes.
const LARGEST_CHANGE: usize = 4096;

/// A server that shows a proxy, and that changes its backends. `access` says who may use it.
///
/// # Examples
///
/// ```
/// use kamea_components::inspect::Access;
/// use kamea_proxy::{Plan, Proxy, status_server};
///
/// let proxy = Proxy::new(Plan::new([]));
/// let access = Access::new("127.0.0.1:9236".parse()?, None)?;
/// let server = status_server(&proxy, access);
/// # server.check()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
///
/// Never: GET and POST are methods.
#[must_use]
pub fn status_server(proxy: &Proxy, access: Access) -> WebServer {
    try_server(proxy.clone(), access).expect("GET and POST are methods")
}

fn try_server(proxy: Proxy, access: Access) -> Result<WebServer, InvalidMethod> {
    let mut site = Site::new("/");
    site.files.thumbnails = false;
    site.limits.body = LARGEST_CHANGE as u64;
    site.fields = Fields::new()
        .with("Cache-Control", "no-store")
        .with("Content-Security-Policy", POLICY)
        .with("Referrer-Policy", "no-referrer");
    let read = Route::any_path().method("GET")?.method("HEAD")?;
    let change = Route::path("/backends").method("POST")?;
    let shown = proxy.clone();
    Ok(WebServer::new(site)
        .filter("access", guard_inspector(access))
        .handle("change", change, async move |request: Request| {
            change_backend(&proxy, request).await
        })
        .handle("show", read, async move |request: Request| {
            show(&shown, request.head.target.path())
        })
        // Everything else: there are no files.
        .handle("others", Route::any_path(), async |_: Request| {
            (
                StatusCode::METHOD_NOT_ALLOWED,
                "this page is read, and POST changes /backends\n",
            )
        }))
}

fn show(proxy: &Proxy, path: &str) -> Reply {
    let typed = |media_type, text: String| Response::typed(media_type, text).into();
    match path {
        "/" => typed("text/html; charset=utf-8", PAGE.to_owned()),
        "/page.css" => typed("text/css; charset=utf-8", STYLE.to_owned()),
        "/page.js" => typed("text/javascript; charset=utf-8", SCRIPT.to_owned()),
        "/metrics" => typed(
            "text/plain; version=0.0.4; charset=utf-8",
            metrics(&proxy.status()),
        ),
        "/status" => match Response::json(&proxy.status()) {
            Ok(response) => response.into(),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into(),
        },
        _ => (StatusCode::NOT_FOUND, "there are /, /status and /metrics\n").into(),
    }
}

/// Takes a backend out, brings it back, or sets its weight, as a form says.
async fn change_backend(proxy: &Proxy, mut request: Request) -> Reply {
    let body = match request.read_content(LARGEST_CHANGE).await {
        Ok(body) => body,
        Err(failure) => return (failure.status, failure.explanation.into_owned()).into(),
    };
    let field = |wanted: &str| {
        let mut pairs = form_urlencoded::parse(&body);
        pairs.find_map(|(name, value)| (name == wanted).then(|| value.into_owned()))
    };
    let Some(address) = field("address") else {
        return wrong("the address of a backend is missing: address=http://127.0.0.1:9000");
    };
    let weight = field("weight").map(|weight| weight.parse::<u16>());
    let changed = match (field("take").as_deref(), weight) {
        (Some("out"), None) => proxy.drain(&address, true),
        (Some("in"), None) => proxy.drain(&address, false),
        (None, Some(Ok(weight))) => proxy.weigh(&address, weight.into()),
        (None, Some(Err(_))) => return wrong("a weight is a number from 0 to 65535"),
        _ => return wrong("a change is take=out, take=in or weight=NUMBER"),
    };
    match changed {
        Ok(()) => {
            log::info!(
                "{} | {}",
                request.exchange.peer,
                String::from_utf8_lossy(&body)
            );
            Response::empty().into()
        }
        Err(unknown) => (StatusCode::NOT_FOUND, format!("{unknown}\n")).into(),
    }
}

fn wrong(why: &str) -> Reply {
    (StatusCode::BAD_REQUEST, format!("{why}\n")).into()
}
