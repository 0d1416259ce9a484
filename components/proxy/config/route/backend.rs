//! `proxy_pass http://127.0.0.1:9000 weight=3 backup max_conns=10 slow_start=30s;`

use crate::config::mistake::Found;
use crate::config::options::{self, Options, Take};
use crate::config::setting::{Setting, Value};
use crate::config::values;
use crate::plan::{Address, Backend, BackendTls, ProxyProtocol, Route, Scheme};

const OPTIONS: &Options<Backend> = &[
    (
        "weight",
        Take::One(|backend, word, found| {
            backend.weight = values::number(word, 1..=1000, found).unwrap_or(1);
        }),
    ),
    (
        "backup",
        Take::Flag(|backend, is_backup| backend.is_backup = is_backup),
    ),
    (
        "max_conns",
        Take::One(|backend, word, found| {
            backend.most_connections = values::number(word, 1..=u32::MAX, found);
        }),
    ),
    (
        "slow_start",
        Take::One(|backend, word, found| {
            backend.slow_start = values::duration(word, found).unwrap_or_default();
        }),
    ),
    (
        "send_proxy_protocol",
        Take::One(|backend, word, found| {
            backend.send_proxy_protocol =
                values::read(word, "`v1` or `v2`", found, |text| match text {
                    "v1" => Some(ProxyProtocol::V1),
                    "v2" => Some(ProxyProtocol::V2),
                    _ => None,
                });
        }),
    ),
    (
        "tls_name",
        Take::One(|backend, word, found| {
            let wanted = "the name in the certificate, such as app.internal";
            backend.tls.name = values::read(word, wanted, found, |text| {
                let is_part = |b: u8| b.is_ascii_alphanumeric() || b"-_.:".contains(&b);
                (!text.is_empty() && text.bytes().all(is_part)).then(|| text.to_owned())
            });
        }),
    ),
    (
        "tls_ca",
        Take::One(|backend, word, found| {
            backend.tls.authorities = values::read(word, "an absolute path", found, |text| {
                text.starts_with('/').then(|| text.into())
            });
        }),
    ),
    (
        "tls_verify",
        Take::One(|backend, word, found| {
            backend.tls.verifies = values::switch(word, found).unwrap_or(true);
        }),
    ),
];

/// Adds a backend to a route.
pub(super) fn apply(route: &mut Route, setting: &Setting, found: &mut Found) {
    let (address, rest) = match &setting.values[..] {
        [Value::Word(word), rest @ ..] => (word, rest),
        _ => {
            let help = "write { url = \"http://127.0.0.1:9000\" }";
            found.push(&setting.name.span, "this backend has no `url`", help);
            return;
        }
    };
    let parsed = Backend::parse(&address.text);
    let parsed = parsed.map_err(|error| {
        let help = "write, for example, http://127.0.0.1:9000";
        found.push(&address.span, format!("{error}"), help);
    });
    // With a wrong address, the mistakes in the options are found all the same.
    let mut backend = parsed.clone().unwrap_or_else(|()| placeholder());
    options::read(rest, OPTIONS, &mut backend, found);
    if backend.send_proxy_protocol.is_some() && backend.scheme == Scheme::Https {
        let help = "remove `send_proxy_protocol`; X-Forwarded-For names the client";
        found.push(
            &address.span,
            "the PROXY protocol is not sent before TLS",
            help,
        );
    }
    if backend.tls != BackendTls::new() && backend.scheme != Scheme::Https && parsed.is_ok() {
        let help = "begin the address with `https://`, or remove the options of TLS";
        found.push(&address.span, "this backend does not speak TLS", help);
    }
    route.backends.push(backend);
}

/// Stands for a backend whose address is wrong; its plan is never used.
fn placeholder() -> Backend {
    let address = Address::Unix("/".into());
    Backend::new(Scheme::Http, address)
}
