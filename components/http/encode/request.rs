//! Encodes requests (RFC 9112 section 3): appends to a buffer, no I/O.

use bytes::BufMut;
use http::{Method, Version};

use crate::http::{BodyKind, RequestHead};

/// Appends the head of a request with this kind of body.
///
/// - `Host` comes first. If the fields have no `Host`, it is that of the target, or empty
///   (RFC 9112 section 3.2).
/// - `Content-Length` and `Transfer-Encoding` among the fields are not written: the encoder
///   decides about them. All other fields are written, so the caller is responsible for
///   `User-Agent` and `Connection`.
/// - If there is no body, and the method usually has one, `Content-Length: 0` is written (RFC 9110
///   section 8.6).
///
/// For a chunked body, [`encode_chunk`](crate::http::encode_chunk) follows; HTTP/1.0 does not have
/// chunks.
///
/// # Examples
/// ```
/// use http::{Method, Version};
/// use kamea_components::http::{BodyKind, Fields, RequestHead, Target, encode_request};
///
/// let head = RequestHead {
///     target: Target::parse(&Method::POST, "/form?a=b".into())?,
///     method: Method::POST,
///     version: Version::HTTP_11,
///     fields: Fields::new().with("User-Agent", "example/1").with("Host", "example.org"),
/// };
/// let mut out = Vec::new();
/// encode_request(&mut out, &head, BodyKind::Sized(5));
/// assert_eq!(
///     out,
///     b"POST /form?a=b HTTP/1.1\r\nHost: example.org\r\nUser-Agent: example/1\r\nContent-Length: 5\r\n\r\n"
/// );
/// # Ok::<(), kamea_components::http::Malformed>(())
/// ```
pub fn encode_request(out: &mut impl BufMut, head: &RequestHead, body: BodyKind) {
    let RequestHead {
        method,
        target,
        version,
        fields,
    } = head;
    put(out, &[method.as_str().as_bytes(), b" ", target.as_bytes()]);
    out.put_slice(match *version {
        Version::HTTP_10 => b" HTTP/1.0\r\n",
        _ => b" HTTP/1.1\r\n",
    });
    // "A user agent that sends Host SHOULD send it as the first field in the header section of a
    // request" (RFC 9110, 7.2).
    let host = fields.get("host").or_else(|| target.authority());
    if host.is_some() || *version != Version::HTTP_10 {
        put(out, &[b"Host: ", host.unwrap_or_default(), b"\r\n"]);
    }
    for (name, value) in fields.iter() {
        let is_ours = ["host", "content-length", "transfer-encoding"]
            .iter()
            .any(|ours| name.eq_ignore_ascii_case(ours));
        if !is_ours {
            put(out, &[name.as_bytes(), b": ", value, b"\r\n"]);
        }
    }
    match body {
        BodyKind::Sized(length) => {
            put(
                out,
                &[b"Content-Length: ", length.to_string().as_bytes(), b"\r\n"],
            );
        }
        BodyKind::Chunked => out.put_slice(b"Transfer-Encoding: chunked\r\n"),
        // "A user agent SHOULD send Content-Length in a request when the method defines a meaning
        // for enclosed content and it is not sending Transfer-Encoding" (RFC 9110, 8.6).
        BodyKind::None if [Method::POST, Method::PUT, Method::PATCH].contains(method) => {
            out.put_slice(b"Content-Length: 0\r\n");
        }
        BodyKind::None => {}
    }
    out.put_slice(b"\r\n");
}

fn put(out: &mut impl BufMut, parts: &[&[u8]]) {
    parts.iter().for_each(|part| out.put_slice(part));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Event, Fields, Limits, Malformed, RequestDecoder, Target};

    fn encoded(
        method: Method,
        target: &'static str,
        version: Version,
        fields: &Fields,
        body: BodyKind,
    ) -> String {
        let head = RequestHead {
            target: Target::parse(&method, target.into()).unwrap(),
            method,
            version,
            fields: fields.clone(),
        };
        let mut out = Vec::new();
        encode_request(&mut out, &head, body);
        let mut decoder = RequestDecoder::new(Limits::default());
        decoder.feed(out.clone().into());
        match decoder.next() {
            Ok(Some(Event::Head(_, kind))) => assert_eq!(kind, body, "what the decoder sees"),
            // A server refuses a request without a host.
            refused => {
                assert_eq!(refused, Err(Malformed::InvalidHost));
                assert!(fields.is_empty() && target == "/");
            }
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn heads() {
        let host = Fields::new().with("X", "y").with("host", "a");
        let none = Fields::new();
        let rows = [
            // "If the target URI includes an authority component, then a client MUST send a field
            // value for Host that is identical to that authority component" (RFC 9112, 3.2).
            (
                "GET",
                "/?q",
                Version::HTTP_11,
                &host,
                BodyKind::None,
                "GET /?q HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n",
            ),
            (
                "GET",
                "http://b:1/",
                Version::HTTP_11,
                &none,
                BodyKind::None,
                "GET http://b:1/ HTTP/1.1\r\nHost: b:1\r\n\r\n",
            ),
            (
                "CONNECT",
                "b:1",
                Version::HTTP_11,
                &none,
                BodyKind::None,
                "CONNECT b:1 HTTP/1.1\r\nHost: b:1\r\n\r\n",
            ),
            // "A client MUST send a Host header field in all HTTP/1.1 request messages" (RFC 9112,
            // 3.2).
            (
                "GET",
                "/",
                Version::HTTP_11,
                &none,
                BodyKind::None,
                "GET / HTTP/1.1\r\nHost: \r\n\r\n",
            ),
            (
                "GET",
                "/",
                Version::HTTP_10,
                &none,
                BodyKind::None,
                "GET / HTTP/1.0\r\n\r\n",
            ),
            // "a Content-Length header field is normally sent in a POST request even when the value
            // is 0"; "A user agent SHOULD NOT send a Content-Length header field when the request
            // message does not contain content and the method semantics do not anticipate such
            // data" (RFC 9110, 8.6).
            (
                "POST",
                "/",
                Version::HTTP_10,
                &none,
                BodyKind::None,
                "POST / HTTP/1.0\r\nContent-Length: 0\r\n\r\n",
            ),
            (
                "DELETE",
                "/",
                Version::HTTP_10,
                &none,
                BodyKind::None,
                "DELETE / HTTP/1.0\r\n\r\n",
            ),
            (
                "PUT",
                "/",
                Version::HTTP_10,
                &none,
                BodyKind::Sized(5),
                "PUT / HTTP/1.0\r\nContent-Length: 5\r\n\r\n",
            ),
            (
                "PUT",
                "/",
                Version::HTTP_11,
                &host,
                BodyKind::Chunked,
                "PUT / HTTP/1.1\r\nHost: a\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n",
            ),
        ];
        for (method, target, version, fields, body, expected) in rows {
            let method = method.parse().unwrap();
            assert_eq!(encoded(method, target, version, fields, body), expected);
        }
    }

    #[test]
    fn framing_is_decided_here_and_there_is_one_host() {
        let fields = Fields::new()
            .with("Content-Length", "7")
            .with("Host", "a")
            .with("TRANSFER-ENCODING", "chunked")
            .with("Host", "b")
            .with("Connection", "close");
        assert_eq!(
            encoded(
                Method::GET,
                "/",
                Version::HTTP_11,
                &fields,
                BodyKind::Sized(1)
            ),
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\n"
        );
    }
}
