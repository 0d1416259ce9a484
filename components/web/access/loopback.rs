//! Names of the local machine, and the filter that refuses all other names.

use std::net::IpAddr;
use std::sync::Arc;

use http::StatusCode;
use kamea::Component;

use crate::web::FilterPorts;

/// Answers only requests whose host is a name of this machine (`localhost`, a loopback address) or
/// one of `names`, without ports and in lower case. Other requests get 421.
///
/// Use it for servers that listen only on loopback addresses. Otherwise a page from another site
/// could reach them through the browser of a local user, if its own name resolves to this machine
/// (DNS rebinding).
///
/// # Examples
///
/// ```
/// use kamea_components::server::{Site, WebServer};
/// use kamea_components::web::require_loopback_name;
///
/// let server = WebServer::new(Site::new(".")).filter("host", require_loopback_name(["files.example".to_owned()]));
/// # server.check()?;
/// # Ok::<(), kamea_components::server::StartError>(())
/// ```
pub fn require_loopback_name(
    names: impl IntoIterator<Item = String>,
) -> impl Component<FilterPorts> + Clone + Send + Sync {
    let names: Arc<[String]> = names.into_iter().collect();
    async move |io: &mut FilterPorts| {
        while let Some(request) = io.requests.next().await {
            let host = request.head.host();
            if is_loopback_name(&host) || names.contains(&host) {
                io.passed.send(request).await?;
                continue;
            }
            let failure = request.refuse(
                StatusCode::MISDIRECTED_REQUEST,
                "this server answers to the names of its own machine, such as localhost, and to \
                 those of --host",
            );
            io.refuse(request, failure).await?;
        }
        Ok(())
    }
}

/// Whether a host, in lower case and without a port, can only mean this machine.
///
/// # Examples
///
/// ```
/// use kamea_components::web::is_loopback_name;
///
/// assert!(is_loopback_name("localhost") && is_loopback_name("[::1]"));
/// assert!(!is_loopback_name("localhost.evil.example"));
/// ```
#[must_use]
pub fn is_loopback_name(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    // "localhost." and names below it are loopback everywhere (RFC 6761 section 6.3).
    if name == "localhost" || name.ends_with(".localhost") {
        return true;
    }
    let literal = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let address = literal.unwrap_or(host).parse::<IpAddr>();
    address.is_ok_and(|address| address.to_canonical().is_loopback())
}
