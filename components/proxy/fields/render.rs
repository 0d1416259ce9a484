//! The value of a field of the configuration, for one request.

use super::template::{Piece, Variable};
use super::{FieldTemplate, Forwarding, cookie};

impl Forwarding<'_> {
    /// Returns the value of a template for this request.
    pub(super) fn render(&self, template: &FieldTemplate) -> Vec<u8> {
        let mut value = Vec::new();
        for piece in template.pieces() {
            match piece {
                Piece::Text(text) => value.extend_from_slice(text.as_bytes()),
                Piece::Variable(variable) => self.append(variable, &mut value),
            }
        }
        value
    }

    fn append(&self, variable: &Variable, value: &mut Vec<u8>) {
        let (head, inbound) = (self.head, self.inbound);
        let target = &head.target;
        let mut put = |bytes: &[u8]| value.extend_from_slice(bytes);
        match variable {
            Variable::Host => put(head.host().as_bytes()),
            // The target may be absolute: then its host counts, as everywhere.
            Variable::Field(name) if name == "host" => put(self.authority()),
            Variable::Field(name) => put(&joined(self, name)),
            Variable::Cookie(name) => put(cookie(&head.fields, name).unwrap_or_default()),
            Variable::Argument(name) => put(argument(target.query(), name).as_bytes()),
            Variable::RemoteAddress => put(inbound.client(&head.fields).to_string().as_bytes()),
            Variable::RemotePort => put(inbound.peer.port().to_string().as_bytes()),
            Variable::AddForwardedFor => put(&self.forwarded_for()),
            Variable::Scheme => put(self.scheme().as_bytes()),
            Variable::Method => put(head.method.as_str().as_bytes()),
            Variable::RequestUri => put(target.origin_form().as_bytes()),
            Variable::Uri => put(target.path().as_bytes()),
            Variable::Arguments => put(target.query().unwrap_or_default().as_bytes()),
            Variable::RequestId => put(format!("{:032x}", inbound.id).as_bytes()),
            Variable::ProxyHost => put(self.backend.authority().as_bytes()),
            Variable::ServerPort => put(inbound.port.to_string().as_bytes()),
        }
    }
}

/// Returns all values of a field as one list (RFC 9110 section 5.3); those of `Cookie` as one
/// cookie string.
fn joined(forwarding: &Forwarding<'_>, name: &str) -> Vec<u8> {
    let separator: &[u8] = if name == "cookie" { b"; " } else { b", " };
    let values: Vec<_> = forwarding.head.fields.get_all(name).collect();
    values.join(separator)
}

/// Returns a parameter of a query, as it was sent.
fn argument<'q>(query: Option<&'q str>, name: &str) -> &'q str {
    let mut pairs = query.unwrap_or_default().split('&');
    let found = pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    found.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::fields::testing::Setting;

    #[test]
    fn each_variable() {
        let request = "POST /a%20b?q=1&qq=2&e= HTTP/1.1\r\nHost: A.local:8080\r\n\
                       Cookie: x=1; id=z\r\nX-One: a\r\nX-One: b\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n";
        let rows = [
            ("text", "text"),
            ("$host", "a.local"),
            ("$http_host", "A.local:8080"),
            ("$http_x_one", "a, b"),
            ("$http_none", ""),
            ("$cookie_id", "z"),
            ("$cookie_none", ""),
            ("$arg_q", "1"),
            ("$arg_qq", "2"),
            ("$arg_e$arg_none", ""),
            ("$remote_addr:$remote_port", "192.0.2.7:5555"),
            ("$proxy_add_x_forwarded_for", "192.0.2.7"),
            (
                "$scheme://$host$request_uri",
                "http://a.local/a%20b?q=1&qq=2&e=",
            ),
            ("$request_method", "POST"),
            ("$uri|$args", "/a%20b|q=1&qq=2&e="),
            ("$request_id", "00000000000000000000000000000abc"),
            ("$proxy_host", "b:9000"),
            ("$server_port", "8080"),
            ("${host}s$$", "a.locals$"),
        ];
        let setting = Setting::new("http://b:9000");
        for (template, expected) in rows {
            let template = template.parse().unwrap();
            let value = setting.request_and(request, |forwarding| forwarding.render(&template));
            assert_eq!(String::from_utf8(value).unwrap(), expected, "{template}");
        }
    }

    #[test]
    fn trusted_peers_say_who_the_client_is() {
        let mut setting = Setting::new("http://b:9000");
        setting.trusted = vec!["192.0.2.0/24".parse().unwrap()];
        let request = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.1.1.1\r\n\
                       X-Forwarded-Proto: https\r\n\r\n";
        let template = "$remote_addr $proxy_add_x_forwarded_for $scheme"
            .parse()
            .unwrap();
        let value = setting.request_and(request, |forwarding| forwarding.render(&template));
        let expected = "1.1.1.1 1.1.1.1, 192.0.2.7 https";
        assert_eq!(String::from_utf8(value).unwrap(), expected);
    }
}
