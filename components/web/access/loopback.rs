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
            let authority = request.head.authority().unwrap_or_default();
            if is_loopback_name(authority) || is_among(&names, authority) {
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

/// Whether an authority, with a port or without, has one of these names.
fn is_among(names: &[String], authority: &[u8]) -> bool {
    let authority = String::from_utf8_lossy(authority).to_ascii_lowercase();
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => &authority,
    };
    names.iter().any(|name| name == host)
}

/// Whether an authority, with a port or without, can only mean this machine.
pub(crate) fn is_loopback_name(authority: &[u8]) -> bool {
    let Ok(authority) = str::from_utf8(authority) else {
        return false;
    };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if is_port(port) => host,
        _ => authority,
    };
    let host = host.to_ascii_lowercase();
    let name = host.strip_suffix('.').unwrap_or(&host);
    // "localhost." and names below it are loopback everywhere (RFC 6761 section 6.3).
    if name == "localhost" || name.ends_with(".localhost") {
        return true;
    }
    let literal = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let address = literal.unwrap_or(&host).parse::<IpAddr>();
    address.is_ok_and(|address| address.to_canonical().is_loopback())
}
