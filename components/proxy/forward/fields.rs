//! The head that a backend gets, and the fields that a client gets.

use bytes::Bytes;
use http::Version;
use kamea_components::http::{Fields, RequestHead, Target};

/// The fields of one connection only (RFC 9110 section 7.6.1).
const HOP_BY_HOP: [&str; 7] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
];

fn is_hop_by_hop(fields: &Fields, name: &str) -> bool {
    HOP_BY_HOP.iter().any(|hop| name.eq_ignore_ascii_case(hop))
        || name.eq_ignore_ascii_case("te")
        || fields.list_contains("connection", name)
}

/// The head for a backend.
pub(super) fn request_head(head: &RequestHead, upgrades: bool) -> RequestHead {
    let mut fields = Fields::new();
    for (name, value) in head.fields.iter() {
        if !is_hop_by_hop(&head.fields, name) {
            // It was valid when it came in.
            let _ = fields.push(name, value);
        }
    }
    if upgrades {
        let _ = fields.push("Connection", "upgrade");
        let _ = fields.push("Upgrade", head.fields.get("upgrade").unwrap_or_default());
    }
    RequestHead {
        method: head.method.clone(),
        target: origin_form(head),
        version: Version::HTTP_11,
        fields,
    }
}

/// The target in the form for a server (RFC 9112 section 3.2.1).
fn origin_form(head: &RequestHead) -> Target {
    let target = &head.target;
    if target.as_bytes().starts_with(b"/") || target.is_asterisk() {
        return target.clone();
    }
    let mut text = String::from(target.path());
    if text.is_empty() {
        text.push('/');
    }
    if let Some(query) = target.query() {
        text.push('?');
        text.push_str(query);
    }
    Target::parse(&head.method, Bytes::from(text)).unwrap_or_else(|_| target.clone())
}

/// The fields for a client.
pub(super) fn response_fields(fields: &Fields, upgrades: bool) -> Fields {
    let mut kept = Fields::new();
    for (name, value) in fields.iter() {
        let is_protocol = upgrades && name.eq_ignore_ascii_case("upgrade");
        let is_length = name.eq_ignore_ascii_case("content-length");
        if is_protocol || !is_length && !is_hop_by_hop(fields, name) {
            let _ = kept.push(name, value);
        }
    }
    if upgrades {
        let _ = kept.push("Connection", "Upgrade");
    }
    kept
}
