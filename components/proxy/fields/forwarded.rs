//! `X-Forwarded-For`, `-Proto`, `-Host` and `Forwarded` (RFC 7239): from whom a request is.
//!
//! From a trusted peer they are continued. From every other peer they are replaced, because a
//! client could write there what it wants.

use std::net::{IpAddr, Ipv4Addr};

use kamea_components::http::FieldsBuilder;

use super::Forwarding;

/// Names that say who the client is. Programs behind CGI, WSGI and FastCGI cannot tell `_` from `-`
/// in a name, so both are meant.
const PREFIX: &str = "x-forwarded-";
const OTHERS: [&str; 4] = ["forwarded", "x-real-ip", "x-client-ip", "true-client-ip"];

/// Whether two names are the same field for such programs.
pub(super) fn is_same_name(a: &str, b: &str) -> bool {
    let plain = |byte: u8| match byte {
        b'_' => b'-',
        byte => byte.to_ascii_lowercase(),
    };
    a.bytes().map(plain).eq(b.bytes().map(plain))
}

/// Whether a field says who the client is.
pub(super) fn is_about_client(name: &str) -> bool {
    let start = name.get(..PREFIX.len());
    start.is_some_and(|start| is_same_name(start, PREFIX))
        || OTHERS.iter().any(|other| is_same_name(name, other))
}

impl Forwarding<'_> {
    /// Adds who the client is.
    pub(super) fn add_client(&self, fields: &mut FieldsBuilder) {
        let prefix = self.route.prefix.trim_end_matches('/');
        let set = |fields: &mut FieldsBuilder, name, value: &[u8]| {
            // A value that cannot be a field is left out.
            let _ = fields.push(name, value);
        };
        set(fields, "X-Forwarded-For", &self.forwarded_for());
        set(fields, "X-Forwarded-Proto", self.scheme().as_bytes());
        let host = self.client_authority();
        if !host.is_empty() {
            set(fields, "X-Forwarded-Host", host);
        }
        if self.route.strip_prefix && !prefix.is_empty() {
            set(fields, "X-Forwarded-Prefix", prefix.as_bytes());
        }
        set(fields, "Forwarded", &self.forwarded());
    }

    /// `http` or `https`, as the client used it.
    pub(super) fn scheme(&self) -> &'static str {
        self.inbound.scheme(&self.head.fields)
    }

    /// The host that the client used, as far as trusted peers say it.
    pub(super) fn client_authority(&self) -> &[u8] {
        let said = self.head.fields.get("x-forwarded-host");
        let said = said.filter(|host| !host.is_empty() && self.inbound.is_from_trusted());
        said.unwrap_or_else(|| self.authority())
    }

    /// `X-Forwarded-For` of a trusted peer, and the peer.
    pub(super) fn forwarded_for(&self) -> Vec<u8> {
        let mut value = self.of_trusted("x-forwarded-for");
        match self.inbound.peer.ip().to_canonical() {
            IpAddr::V4(address) => put_ipv4(&mut value, address),
            IpAddr::V6(address) => value.extend_from_slice(address.to_string().as_bytes()),
        }
        value
    }

    /// `Forwarded` of a trusted peer, and an element for the peer.
    fn forwarded(&self) -> Vec<u8> {
        let mut value = self.of_trusted("forwarded");
        if !is_quoted_well(&value) {
            // In an open quotation, the new element would be part of the old one.
            value.clear();
        }
        value.extend_from_slice(b"for=");
        // Section 6: "IPv6 addresses [...] MUST be enclosed in square brackets", and with these a
        // value is a quoted string.
        match self.inbound.peer.ip().to_canonical() {
            IpAddr::V4(address) => put_ipv4(&mut value, address),
            IpAddr::V6(address) => value.extend_from_slice(format!("\"[{address}]\"").as_bytes()),
        }
        if !self.authority().is_empty() {
            value.extend_from_slice(b";host=");
            put_quoted(&mut value, self.authority());
        }
        let scheme = if self.inbound.is_tls { "https" } else { "http" };
        value.extend_from_slice(b";proto=");
        value.extend_from_slice(scheme.as_bytes());
        value
    }

    /// Returns the list of a trusted peer, ready for another member.
    fn of_trusted(&self, name: &str) -> Vec<u8> {
        if !self.inbound.is_from_trusted() {
            return Vec::new();
        }
        let lists = self.head.fields.get_all(name);
        let mut value = Vec::new();
        for list in lists.filter(|list| !list.is_empty()) {
            value.extend_from_slice(list);
            value.extend_from_slice(b", ");
        }
        value
    }
}

/// Appends an address as its `Display` does, without the cost of that: each request has it twice.
fn put_ipv4(out: &mut Vec<u8>, address: Ipv4Addr) {
    for (index, octet) in address.octets().into_iter().enumerate() {
        if index > 0 {
            out.push(b'.');
        }
        if octet >= 100 {
            out.push(b'0' + octet / 100);
        }
        if octet >= 10 {
            out.push(b'0' + octet / 10 % 10);
        }
        out.push(b'0' + octet % 10);
    }
}

/// Appends a value as a token or as a quoted string (RFC 9110 section 5.6.4).
fn put_quoted(out: &mut Vec<u8>, value: &[u8]) {
    let is_token = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
    if value.iter().all(is_token) {
        return out.extend_from_slice(value);
    }
    out.push(b'"');
    for byte in value {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

/// Whether each quotation that begins ends too.
fn is_quoted_well(value: &[u8]) -> bool {
    let (mut is_open, mut bytes) = (false, value.iter());
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => is_open = !is_open,
            b'\\' if is_open => _ = bytes.next(),
            _ => {}
        }
    }
    !is_open
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::testing::{Setting, lines};

    /// The fields about the client that a backend gets.
    fn sent(setting: &Setting, request: &str) -> String {
        lines(&setting.request(request).unwrap().fields, |name| {
            is_about_client(name)
        })
    }

    #[test]
    fn addresses_are_written_as_they_are_displayed() {
        let octets = [0, 1, 9, 10, 11, 99, 100, 101, 109, 110, 199, 200, 255];
        for octet in octets {
            let address = Ipv4Addr::new(octet, 0, 255, octet);
            let mut written = Vec::new();
            put_ipv4(&mut written, address);
            assert_eq!(written, address.to_string().as_bytes());
        }
    }

    #[test]
    fn a_trusted_peer_is_continued_and_another_one_replaced() {
        let said = "GET / HTTP/1.1\r\nHost: a.local:8080\r\n\
                    X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\n\
                    X-Forwarded-Proto: HTTPS\r\nX-Forwarded-Host: www.local\r\n\
                    X-Forwarded-Port: 1\r\nX_Forwarded_For: 6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n\
                    Forwarded: for=1.1.1.1;proto=https\r\n\r\n";
        let mut setting = Setting::new("http://127.0.0.1:9000");
        let replaced = "\
X-Forwarded-For: 192.0.2.7
X-Forwarded-Proto: http
X-Forwarded-Host: a.local:8080
Forwarded: for=192.0.2.7;host=\"a.local:8080\";proto=http
";
        assert_eq!(sent(&setting, said), replaced);
        setting.trusted = vec!["192.0.2.0/24".parse().unwrap()];
        let continued = "\
X-Forwarded-Port: 1
X-Real-IP: 6.6.6.6
X-Forwarded-For: 1.1.1.1, 2.2.2.2, 192.0.2.7
X-Forwarded-Proto: https
X-Forwarded-Host: www.local
Forwarded: for=1.1.1.1;proto=https, for=192.0.2.7;host=\"a.local:8080\";proto=http
";
        assert_eq!(sent(&setting, said), continued);
    }

    #[test]
    fn ipv6_is_quoted_and_tls_is_said() {
        let mut setting = Setting::new("http://127.0.0.1:9000");
        setting.peer = "[2001:db8::7]:1".parse().unwrap();
        setting.is_tls = true;
        let expected = "\
X-Forwarded-For: 2001:db8::7
X-Forwarded-Proto: https
X-Forwarded-Host: a
Forwarded: for=\"[2001:db8::7]\";host=a;proto=https
";
        assert_eq!(
            sent(&setting, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
            expected
        );
        // RFC 4291 section 2.5.5.2: an IPv4 address in IPv6 is shown as what it is.
        setting.peer = "[::ffff:192.0.2.1]:1".parse().unwrap();
        let sent = sent(&setting, "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n");
        assert!(sent.contains("For: 192.0.2.1\n"), "{sent}");
        assert!(sent.contains("for=192.0.2.1;host=\"[::1]:80\";"), "{sent}");
    }

    #[test]
    fn an_open_quotation_does_not_swallow_the_new_element() {
        let mut setting = Setting::new("http://127.0.0.1:9000");
        setting.trusted = vec!["0.0.0.0/0".parse().unwrap()];
        for open in ["for=\"x", "for=\"x\\\"", "\""] {
            let request = format!("GET / HTTP/1.1\r\nHost: a\r\nForwarded: {open}\r\n\r\n");
            let sent = sent(&setting, &request);
            assert!(
                sent.contains("Forwarded: for=192.0.2.7;host=a;"),
                "{open}: {sent}"
            );
        }
    }

    #[test]
    fn a_stripped_prefix_is_told() {
        let mut setting = Setting::new("http://127.0.0.1:9000");
        setting.route.prefix = "/api/".to_owned();
        setting.route.strip_prefix = true;
        let request = "GET /api/x HTTP/1.1\r\nHost: a\r\nX-Forwarded-Prefix: /evil\r\n\r\n";
        let sent = sent(&setting, request);
        assert!(sent.contains("X-Forwarded-Prefix: /api\n"), "{sent}");
        assert!(!sent.contains("evil"), "{sent}");
    }

    #[test]
    fn names_with_underscores_are_the_same_names() {
        for name in [
            "X_Forwarded_For",
            "x-forwarded_proto",
            "FORWARDED",
            "X_Real-IP",
        ] {
            assert!(is_about_client(name), "{name}");
        }
        for name in [
            "X-Forwarded",
            "X-Forward-For",
            "Forwarded-For",
            "",
            "X-Real-IPs",
        ] {
            assert!(!is_about_client(name), "{name}");
        }
    }
}
