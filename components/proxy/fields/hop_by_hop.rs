//! Fields that belong to one connection, and are not passed on (RFC 9110 section 7.6.1).

use kamea_components::http::Fields;

/// "Intermediaries SHOULD remove or replace fields that are known to require removal before
/// forwarding, whether or not they appear as a connection-option" (section 7.6.1); and those of
/// authentication at a proxy (section 11.7), which this one neither asks for nor passes on.
const KNOWN: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
    // Only of a connection that asks for HTTP/2 without TLS (RFC 7540 section 3.2.1).
    "http2-settings",
];

fn is_known(name: &[u8]) -> bool {
    let mut known = KNOWN.iter();
    known.any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// Which fields of a message belong to its connection.
pub(super) struct HopByHop {
    /// What `Connection` names, in lower case and sorted.
    named: Vec<Vec<u8>>,
}

impl HopByHop {
    /// "Intermediaries MUST parse a received Connection header field before a message is forwarded
    /// and, for each connection-option in this field, remove any header or trailer field(s) from
    /// the message with the same name as the connection-option" (section 7.6.1).
    pub(super) fn of(fields: &Fields) -> Self {
        let lists = fields.get_all("connection");
        let members = lists.flat_map(|list| list.split(|b| *b == b','));
        let members = members.map(<[u8]>::trim_ascii);
        // The usual options are known, and need not be looked up twice.
        let members = members.filter(|member| !member.is_empty() && !is_known(member));
        let mut named: Vec<_> = members.map(<[u8]>::to_ascii_lowercase).collect();
        named.sort_unstable();
        named.dedup();
        Self { named }
    }

    /// Whether a field belongs to the connection.
    ///
    /// `Content-Length` never does, whatever `Connection` says: without it a body would change.
    pub(super) fn contains(&self, name: &str) -> bool {
        if is_known(name.as_bytes()) {
            return true;
        }
        if self.named.is_empty() || name.eq_ignore_ascii_case("content-length") {
            return false;
        }
        let name = name.to_ascii_lowercase();
        self.named
            .binary_search_by(|named| (**named).cmp(name.as_bytes()))
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_connection_names_and_what_is_known() {
        let fields = Fields::new()
            .with("Connection", "keep-alive, X-One ,,")
            .with("connection", "x-TWO");
        let hop_by_hop = HopByHop::of(&fields);
        let gone = [
            "Connection",
            "KEEP-ALIVE",
            "TE",
            "Transfer-Encoding",
            "x-one",
            "X-Two",
        ];
        for name in gone {
            assert!(hop_by_hop.contains(name), "{name}");
        }
        for name in ["X-Three", "Trailer", "X-On", "Content-Length", "Host", ""] {
            assert!(!hop_by_hop.contains(name), "{name}");
        }
    }

    #[test]
    fn the_length_of_a_body_stays() {
        let fields = Fields::new().with("Connection", "content-length");
        assert!(!HopByHop::of(&fields).contains("Content-Length"));
    }
}
