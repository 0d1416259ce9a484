//! Access control: a filter before everything that the inspector serves.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::StatusCode;
use kamea::Component;
use subtle::ConstantTimeEq as _;

use crate::http::{Fields, RequestHead};
use crate::web::{Failure, FilterPorts, Request, Response, is_foreign_page, is_loopback_name};

/// Who may use the inspector: clients that know the token. It is random, unless you set one.
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
    token: Arc<str>,
    /// Whether the token is random. Then the address is a loopback address, and only the names of
    /// this machine are answered.
    is_random: bool,
}

/// The token is not shown.
impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.is_random {
            false => "Access(with a token)",
            true => "Access(with a random token)",
        })
    }
}

/// Why the inspector cannot use this address or token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// Other machines could connect.
    #[error(
        "anybody could look at what runs at {0}: inspect at a loopback address such as 127.0.0.1:9235, or set a token"
    )]
    Public(SocketAddr),
    /// The token could be guessed.
    #[error("the token is too short: it takes {SHORTEST_TOKEN} characters or more")]
    Short,
}

/// The minimum length of a token, in bytes.
const SHORTEST_TOKEN: usize = 16;

impl Access {
    /// Creates the access rules for an address, with this token or a random one.
    ///
    /// # Errors
    ///
    /// [`AccessError`], if the address is not a loopback address and there is no token, or the
    /// token is too short.
    pub fn new(address: SocketAddr, token: Option<&str>) -> Result<Self, AccessError> {
        match token {
            Some(token) if token.len() < SHORTEST_TOKEN => Err(AccessError::Short),
            None if !address.ip().to_canonical().is_loopback() => Err(AccessError::Public(address)),
            token => Ok(Self {
                is_random: token.is_none(),
                token: token.map_or_else(|| random_token().into(), Arc::from),
            }),
        }
    }

    /// The token, if it is random. A token that the caller has set is never shown.
    pub fn random_token(&self) -> Option<&str> {
        self.is_random.then_some(&self.token)
    }

    /// Whether a request may use the inspector; if not, the response that refuses it.
    fn check(&self, head: &RequestHead) -> Result<Allowed, Refusal> {
        self.check_origin(head)?;
        let field = |name| head.fields.get(name).unwrap_or_default();
        if knows(&self.token, field("authorization")) || self.has_cookie(head) {
            return Ok(Allowed::Known);
        }
        let query = head.target.query().unwrap_or_default();
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        let token = pairs.find(|(name, _)| name == "token");
        match token {
            Some((_, token)) if self.is_token(token.as_bytes()) => Ok(Allowed::LogsIn),
            _ => Err(Refusal::Token),
        }
    }

    fn is_token(&self, text: &[u8]) -> bool {
        text.ct_eq(self.token.as_bytes()).into()
    }

    /// Whether a request has the cookie that an earlier request with the token in its query has
    /// set.
    fn has_cookie(&self, head: &RequestHead) -> bool {
        let name = cookie_name(head);
        let cookies = head.fields.get_all("cookie");
        let mut pairs = cookies.flat_map(|line| line.split(|&byte| byte == b';'));
        pairs.any(|pair| {
            let value = pair.trim_ascii().strip_prefix(name.as_bytes());
            let value = value.and_then(|rest| rest.strip_prefix(b"="));
            let token = value.and_then(|value| BASE64_STANDARD.decode(value).ok());
            token.is_some_and(|token| self.is_token(&token))
        })
    }

    /// A request with the token in its query gets a cookie instead, so that the token does not stay
    /// in the address.
    fn log_in(&self, request: &Request) -> Response {
        let name = cookie_name(&request.head);
        let token = BASE64_STANDARD.encode(&*self.token);
        let cookie = format!("{name}={token}; HttpOnly; SameSite=Strict; Path=/");
        let response = Response::new(StatusCode::SEE_OTHER)
            .with("Location", "/")
            .with("Set-Cookie", cookie)
            .with("Cache-Control", "no-store");
        request.respond(response)
    }

    /// Whether a request comes from an allowed origin.
    fn check_origin(&self, head: &RequestHead) -> Result<(), Refusal> {
        if is_foreign_page(head) {
            return Err(Refusal::Stranger);
        }
        // If another site makes its own name mean this machine (DNS rebinding), its pages could
        // read the responses.
        if self.is_random && !is_loopback_name(&head.host()) {
            return Err(Refusal::Host);
        }
        Ok(())
    }
}

/// Why a request may use the inspector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Allowed {
    /// It has the token, as credentials or as a cookie.
    Known,
    /// Its query has the token.
    LogsIn,
}

/// A token that cannot be guessed.
#[must_use]
pub fn random_token() -> String {
    format!("{:032x}", kamea::random::token())
}

/// Cookies ignore the port, and each port may have an inspector.
fn cookie_name(head: &RequestHead) -> String {
    let authority = head.authority().unwrap_or_default();
    let port = authority.rsplit(|&byte| byte == b':').next();
    let digits = port
        .unwrap_or_default()
        .iter()
        .filter(|byte| byte.is_ascii_digit());
    let port: String = digits.map(|&byte| char::from(byte)).collect();
    format!("kamea-inspect-{port}")
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
            Self::Token => {
                "open the address that the program has printed, which has the token; or give the token as password, with any user name"
            }
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

/// Passes only requests that may use the inspector.
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
        while let Some(request) = io.requests.next().await {
            let refusal = match access.check(&request.head) {
                Ok(Allowed::LogsIn) if request.head.target.path() == "/" => {
                    io.responses.send(access.log_in(&request)).await?;
                    continue;
                }
                Ok(_) => {
                    io.passed.send(request).await?;
                    continue;
                }
                Err(refusal) => refusal,
            };
            // The connection closes, so that it does not count against other clients.
            let exchange = request.exchange.closing();
            let failure = Failure::new(exchange, refusal.status(), refusal.explanation());
            let fields = refusal.fields();
            io.refuse(request, Failure { fields, ..failure }).await?;
        }
        Ok(())
    }
}

/// Whether credentials (RFC 7617 section 2, RFC 6750 section 2.1) have the token. The comparison
/// takes the same time for every token of the same length.
fn knows(token: &str, credentials: &[u8]) -> bool {
    let Some(space) = credentials.iter().position(|&byte| byte == b' ') else {
        return false;
    };
    let (scheme, rest) = (&credentials[..space], credentials[space..].trim_ascii());
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return rest.ct_eq(token.as_bytes()).into();
    }
    let decoded = BASE64_STANDARD.decode(rest).unwrap_or_default();
    // "user-id and password MUST NOT contain any control characters", "a user-id containing a colon
    // character is invalid".
    let colon = decoded.iter().position(|&byte| byte == b':');
    let password = colon.map_or(&[][..], |colon| &decoded[colon + 1..]);
    scheme.eq_ignore_ascii_case(b"basic") && bool::from(password.ct_eq(token.as_bytes()))
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
            let lines = format!("Host: {own}\r\nAuthorization: Bearer {}", access.token);
            assert_eq!(access.check(&head(&lines)), Ok(Allowed::Known), "{own}");
            let checked = access.check(&head(&format!("Host: {own}")));
            assert_eq!(checked, Err(Refusal::Token), "{own}");
        }
        for other in [
            "evil.example",
            "evil.example:9235",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "[::2]",
            "notlocalhost",
        ] {
            let lines = format!("Host: {other}\r\nAuthorization: Bearer {}", access.token);
            let checked = access.check(&head(&lines));
            assert_eq!(checked, Err(Refusal::Host), "{other}");
        }
        // A request of HTTP/1.0 may have no host; an empty one does not get here.
        let mut nameless = head("Host: localhost");
        nameless.fields.remove("host");
        assert_eq!(access.check(&nameless), Err(Refusal::Host));
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
            assert_eq!(access.check(&head(&lines)), Ok(Allowed::Known), "{right}");
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
        let access = Access::new("127.0.0.1:9235".parse().unwrap(), Some(TOKEN)).unwrap();
        for (site, mode, expected) in [
            ("cross-site", "no-cors", Err(Refusal::Stranger)),
            ("same-site", "cors", Err(Refusal::Stranger)),
            ("cross-site", "navigate", Ok(Allowed::Known)),
            ("same-origin", "cors", Ok(Allowed::Known)),
            ("none", "navigate", Ok(Allowed::Known)),
        ] {
            let lines = format!(
                "Host: localhost\r\nSec-Fetch-Site: {site}\r\nSec-Fetch-Mode: {mode}\r\nAuthorization: Bearer {TOKEN}"
            );
            assert_eq!(access.check(&head(&lines)), expected, "{lines}");
        }
    }

    #[test]
    fn the_token_in_a_query_or_a_cookie_lets_in() {
        let access = Access::new("127.0.0.1:9235".parse().unwrap(), None).unwrap();
        let token = access.random_token().unwrap().to_owned();
        assert_eq!(token.len(), 32);
        assert_ne!(token, random_token());
        let asked = |query: &str, lines: &str| {
            let mut decoder = RequestDecoder::new(Limits::default());
            let text = format!("GET /{query} HTTP/1.1\r\nHost: localhost:9235\r\n{lines}\r\n");
            decoder.feed(text.into());
            match decoder.next() {
                Ok(Some(Event::Head(head, _))) => access.check(&head),
                _ => unreachable!("a request: {query} {lines}"),
            }
        };
        let cookie = |name: &str, token: &str| {
            format!("Cookie: a=b; {name}={}\r\n", BASE64_STANDARD.encode(token))
        };
        for (query, lines, expected) in [
            (
                format!("?token={token}"),
                String::new(),
                Ok(Allowed::LogsIn),
            ),
            (
                format!("?a=b&token={token}"),
                String::new(),
                Ok(Allowed::LogsIn),
            ),
            (
                format!("?token={token}0"),
                String::new(),
                Err(Refusal::Token),
            ),
            ("?token=".into(), String::new(), Err(Refusal::Token)),
            (
                String::new(),
                cookie("kamea-inspect-9235", &token),
                Ok(Allowed::Known),
            ),
            (
                String::new(),
                cookie("kamea-inspect-80", &token),
                Err(Refusal::Token),
            ),
            (
                String::new(),
                cookie("kamea-inspect-9235", ""),
                Err(Refusal::Token),
            ),
        ] {
            assert_eq!(asked(&query, &lines), expected, "{query} {lines}");
        }
        let given = Access::new("127.0.0.1:1".parse().unwrap(), Some(TOKEN)).unwrap();
        assert_eq!(given.random_token(), None, "it is not told");
    }
}
