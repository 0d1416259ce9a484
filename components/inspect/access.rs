//! Who may look: a filter before everything that the inspector serves.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::StatusCode;
use kamea::Component;
use subtle::ConstantTimeEq as _;

use crate::http::{Fields, RequestHead};
use crate::web::{Failure, FilterPorts};

/// Who may look at what runs: who is on this machine, or who knows the token.
///
/// # Examples
///
/// ```
/// use kamea_components::inspect::Access;
///
/// assert!(Access::new("127.0.0.1:9235".parse()?, None).is_ok());
/// let refused = Access::new("0.0.0.0:9235".parse()?, None).unwrap_err();
/// assert_eq!(
///     refused.to_string(),
///     "anybody could look at what runs at 0.0.0.0:9235: inspect at a loopback address such as 127.0.0.1:9235, or set a token",
/// );
/// assert!(Access::new("0.0.0.0:9235".parse()?, Some("correct horse battery")).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Access {
    token: Option<Arc<str>>,
}

/// A token is not shown.
impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.token {
            Some(_) => "Access(with a token)",
            None => "Access(from this machine)",
        })
    }
}

/// Why what runs cannot be inspected there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// Others than this machine could connect.
    #[error(
        "anybody could look at what runs at {0}: inspect at a loopback address such as 127.0.0.1:9235, or set a token"
    )]
    Public(SocketAddr),
    /// The token could be guessed.
    #[error("the token is too short: it takes {SHORTEST_TOKEN} characters or more")]
    Short,
}

/// How long a token must be, in bytes.
const SHORTEST_TOKEN: usize = 16;

impl Access {
    /// At an address, with a token or without.
    ///
    /// # Errors
    ///
    /// [`AccessError`], if the address is not a loopback address and there is no token, or the token is too short.
    pub fn new(address: SocketAddr, token: Option<&str>) -> Result<Self, AccessError> {
        match token {
            Some(token) if token.len() < SHORTEST_TOKEN => Err(AccessError::Short),
            None if !address.ip().to_canonical().is_loopback() => Err(AccessError::Public(address)),
            token => Ok(Self {
                token: token.map(Arc::from),
            }),
        }
    }

    /// Whether a request may see what runs, and if not, what it is told.
    fn check(&self, head: &RequestHead) -> Result<(), Refusal> {
        // "Sec-Fetch-Site: cross-site": another site's page has it sent. Only a link may lead here.
        let field = |name| head.fields.get(name).unwrap_or_default();
        let is_link = field("sec-fetch-mode") == b"navigate";
        if matches!(field("sec-fetch-site"), b"cross-site" | b"same-site") && !is_link {
            return Err(Refusal::Stranger);
        }
        match &self.token {
            Some(token) if knows(token, field("authorization")) => Ok(()),
            Some(_) => Err(Refusal::Token),
            // A name that somebody else has made to mean this machine would let his pages read what it serves.
            None if is_own(head.authority().unwrap_or_default()) => Ok(()),
            None => Err(Refusal::Host),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    Token,
    Host,
    Stranger,
}

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Self::Token => StatusCode::UNAUTHORIZED,
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Stranger => StatusCode::FORBIDDEN,
        }
    }

    fn explanation(self) -> &'static str {
        match self {
            Self::Token => "the token is the password; any user name will do",
            Self::Host => {
                "what runs can be looked at by the names of this machine alone: localhost, 127.0.0.1, [::1]"
            }
            Self::Stranger => "the page of another site may not look at what runs",
        }
    }

    fn fields(self) -> Fields {
        match self {
            Self::Token => Fields::new().with(
                "WWW-Authenticate",
                "Basic realm=\"kamea\", charset=\"UTF-8\"",
            ),
            Self::Host | Self::Stranger => Fields::new(),
        }
    }
}

/// Lets pass who may look.
///
/// # Examples
///
/// ```
/// use kamea_components::server::{Site, WebServer};
/// use kamea_components::inspect::{Access, guard_inspector};
///
/// let access = Access::new("127.0.0.1:9235".parse()?, None)?;
/// let server = WebServer::new(Site::new(".")).filter("access", guard_inspector(access));
/// # server.check()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn guard_inspector(access: Access) -> impl Component<FilterPorts> + Clone + Send + Sync {
    async move |io: &mut FilterPorts| {
        while let Some(mut request) = io.requests.next().await {
            let Err(refusal) = access.check(&request.head) else {
                io.passed.send(request).await?;
                continue;
            };
            let failure = match request.discard_content().await {
                Err(failure) => failure,
                Ok(()) => Failure {
                    fields: refusal.fields(),
                    ..Failure::new(request.exchange, refusal.status(), refusal.explanation())
                },
            };
            io.failures.send(failure).await?;
        }
        Ok(())
    }
}

/// Whether credentials (RFC 7617 section 2, RFC 6750 section 2.1) have the token. It takes as long for a wrong one as for the right one of the same length.
fn knows(token: &str, credentials: &[u8]) -> bool {
    let Some(space) = credentials.iter().position(|&byte| byte == b' ') else {
        return false;
    };
    let (scheme, rest) = (&credentials[..space], credentials[space..].trim_ascii());
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return rest.ct_eq(token.as_bytes()).into();
    }
    let decoded = BASE64_STANDARD.decode(rest).unwrap_or_default();
    // "user-id and password MUST NOT contain any control characters", "a user-id containing a colon character is invalid".
    let colon = decoded.iter().position(|&byte| byte == b':');
    let password = colon.map_or(&[][..], |colon| &decoded[colon + 1..]);
    scheme.eq_ignore_ascii_case(b"basic") && bool::from(password.ct_eq(token.as_bytes()))
}

/// Whether an authority, with a port or without, can mean nothing but this machine.
fn is_own(authority: &[u8]) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Event, Limits, RequestDecoder};

    const TOKEN: &str = "correct horse battery";

    fn head(lines: &str) -> RequestHead {
        let mut decoder = RequestDecoder::new(Limits::default());
        decoder.feed(format!("GET / HTTP/1.1\r\n{lines}\r\n\r\n").into());
        let Ok(Some(Event::Head(head, _))) = decoder.next() else {
            unreachable!("a request: {lines}")
        };
        head
    }

    #[test]
    fn only_loopback_addresses_do_without_a_token() {
        for (address, token, expected) in [
            ("127.0.0.1:1", None, true),
            ("127.8.9.1:1", None, true),
            ("[::1]:1", None, true),
            ("[::ffff:127.0.0.1]:1", None, true),
            ("0.0.0.0:1", None, false),
            ("[::]:1", None, false),
            ("192.168.0.1:1", None, false),
            ("[fe80::1]:1", None, false),
            ("0.0.0.0:1", Some(TOKEN), true),
            ("127.0.0.1:1", Some("short"), false),
            ("127.0.0.1:1", Some(""), false),
        ] {
            let access = Access::new(address.parse().unwrap(), token);
            assert_eq!(access.is_ok(), expected, "{address} {token:?}");
            assert!(!format!("{access:?}").contains("horse"));
        }
    }

    #[test]
    fn the_host_must_be_this_machine() {
        let access = Access::new("127.0.0.1:9235".parse().unwrap(), None).unwrap();
        for own in [
            "localhost",
            "LOCALHOST:9235",
            "a.localhost.",
            "127.0.0.1:80",
            "127.1.2.3",
            "[::1]:9235",
            "[::1]",
        ] {
            assert_eq!(
                access.check(&head(&format!("Host: {own}"))),
                Ok(()),
                "{own}"
            );
        }
        for other in [
            "",
            "evil.example",
            "evil.example:9235",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "[::2]",
            "notlocalhost",
        ] {
            let checked = access.check(&head(&format!("Host: {other}")));
            assert_eq!(checked, Err(Refusal::Host), "{other}");
        }
    }

    #[test]
    fn a_token_is_the_password_of_anybody_or_borne() {
        let access = Access::new("0.0.0.0:9235".parse().unwrap(), Some(TOKEN)).unwrap();
        let basic = |text: &str| format!("Basic {}", BASE64_STANDARD.encode(text));
        for right in [
            basic(&format!("me:{TOKEN}")),
            basic(&format!(":{TOKEN}")).replacen("Basic", "bASIC", 1),
            format!("Bearer {TOKEN}"),
        ] {
            let lines = format!("Host: any.example\r\nAuthorization: {right}");
            assert_eq!(access.check(&head(&lines)), Ok(()), "{right}");
        }
        for wrong in [
            basic("me:correct horse"),
            basic(&format!("me:{TOKEN}s")),
            basic(TOKEN),
            basic(""),
            "Basic *".into(),
            "Bearer".into(),
            "Bearer correct".into(),
            format!("Digest {TOKEN}"),
            TOKEN.into(),
        ] {
            let lines = format!("Host: localhost\r\nAuthorization: {wrong}");
            assert_eq!(access.check(&head(&lines)), Err(Refusal::Token), "{wrong}");
        }
        assert_eq!(access.check(&head("Host: localhost")), Err(Refusal::Token));
    }

    #[test]
    fn the_page_of_another_site_may_link_here_and_no_more() {
        let access = Access::new("127.0.0.1:9235".parse().unwrap(), None).unwrap();
        for (site, mode, expected) in [
            ("cross-site", "no-cors", Err(Refusal::Stranger)),
            ("same-site", "cors", Err(Refusal::Stranger)),
            ("cross-site", "navigate", Ok(())),
            ("same-origin", "cors", Ok(())),
            ("none", "navigate", Ok(())),
        ] {
            let lines =
                format!("Host: localhost\r\nSec-Fetch-Site: {site}\r\nSec-Fetch-Mode: {mode}");
            assert_eq!(access.check(&head(&lines)), expected, "{lines}");
        }
    }
}
