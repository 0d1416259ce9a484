//! The settings of a route: each is declared once, for both formats.

mod backend;
mod limits;
mod policy;

use super::mistake::Found;
use super::setting::{Setting, Value, Word};
use super::values;
use crate::fields::FieldTemplate;
use crate::near::near;
use crate::plan::{Route, Scheme, SetField};

/// A setting of a route: its names in `proxy.conf` and `proxy.toml`, its form in a message, and
/// what it changes.
struct Known {
    names: &'static [&'static str],
    form: &'static str,
    /// How many values it has.
    values: (usize, usize),
    apply: fn(&mut Route, &Setting, &mut Found),
    /// Whether it may be given several times.
    is_repeatable: bool,
}

const MANY: usize = 64;

macro_rules! settings {
    ($($names:expr, $form:literal, $least:literal..=$most:expr, $again:literal, $apply:expr;)*) => {
        &[$(Known {
            names: &$names,
            form: $form,
            values: ($least, $most),
            is_repeatable: $again,
            apply: $apply,
        }),*]
    };
}

static KNOWN: &[Known] = settings! {
    ["proxy_pass", "backends", "backend"], "proxy_pass http://127.0.0.1:9000 weight=1",
        1..=MANY, true, backend::apply;
    ["dist_policy", "policy"], "dist_policy round-robin", 1..=3, false, policy::apply;
    ["proxy_set_header", "set_headers"], "proxy_set_header Host $host", 2..=2, true, set_field;
    ["sticky"], "sticky COOKIE", 1..=1, false,
        |route, setting, found| one(setting, |word| {
            route.sticky = values::cookie_name(word, found);
        });
    ["methods"], "methods GET HEAD", 1..=MANY, false,
        |route, setting, found| {
            let methods = words(setting).filter_map(|word| values::method(word, found));
            route.methods = Some(methods.collect());
        };
    ["strip_prefix"], "strip_prefix on", 1..=1, false,
        |route, setting, found| one(setting, |word| {
            route.strip_prefix = values::switch(word, found).unwrap_or_default();
        });
    ["rewrite"], "rewrite off", 1..=1, false,
        |route, setting, found| one(setting, |word| {
            route.rewrite_responses = values::switch(word, found).unwrap_or_default();
        });
    ["timeouts"], "timeouts connect=5s first_byte=60s", 1..=MANY, false, limits::timeouts;
    ["retries"], "retries most=2 budget=20", 1..=MANY, false, limits::retries;
    ["health"], "health path=/health interval=5s", 1..=MANY, false, limits::health;
    ["ejection"], "ejection failures=5 pause=5s", 1..=MANY, false, limits::ejection;
    ["circuit_breaker"], "circuit_breaker errors=50 window=10s", 1..=MANY, false,
        limits::circuit_breaker;
    ["queue"], "queue most=128 longest=5s", 1..=MANY, false, limits::queue;
    ["rate"], "rate per_second=10 burst=20", 1..=MANY, false, limits::rate;
    ["auth"], "auth http://127.0.0.1:9100/check copy=X-User", 1..=MANY, false, limits::auth;
    ["buffer"], "buffer 1m", 1..=1, false,
        |route, setting, found| one(setting, |word| {
            let size = values::size(word, found).map(usize::try_from);
            route.buffer = size.and_then(Result::ok);
        });
    ["body"], "body 10m", 1..=1, false,
        |route, setting, found| one(setting, |word| route.body = values::size(word, found));
    ["keep_idle"], "keep_idle 64", 1..=1, false,
        |route, setting, found| one(setting, |word| {
            let most = values::number(word, 0..=100_000, found);
            route.keep_idle = most.unwrap_or_default();
        });
    ["idle_time"], "idle_time 60s", 1..=1, false,
        |route, setting, found| one(setting, |word| {
            route.idle_time = values::duration(word, found).unwrap_or_default();
        });
    ["root"], "root /var/www/html", 1..=1, false,
        |route, setting, found| one(setting, |word| {
            let folder = values::read(word, "an absolute path", found, |text| {
                text.starts_with('/').then(|| text.into())
            });
            route.root = folder;
        });
    ["index"], "index index.php", 1..=1, false,
        |route, setting, found| one(setting, |word| {
            let name = values::read(word, "the name of a file", found, |text| {
                (!text.is_empty() && !text.contains('/')).then(|| text.to_owned())
            });
            route.index = name.unwrap_or_default();
        });
};

/// Names of other programs, and what is right here.
const ELSEWHERE: [(&str, &str); 16] = [
    ("client_max_body_size", "it is `body` here: body 10m;"),
    ("fastcgi_index", "it is `index` here: index index.php;"),
    (
        "fastcgi_pass",
        "it is `proxy_pass` here: proxy_pass fastcgi://127.0.0.1:9000;",
    ),
    (
        "health_check",
        "it is `health` here: health path=/health interval=5s;",
    ),
    ("ip_hash", "it is a policy here: dist_policy ip-hash;"),
    ("keepalive", "it is `keep_idle` here: keep_idle 64;"),
    ("least_conn", "it is a policy here: dist_policy least-conn;"),
    ("limit_except", "it is `methods` here: methods GET HEAD;"),
    (
        "limit_req",
        "it is `rate` here: rate per_second=10 burst=20;",
    ),
    (
        "auth_request",
        "it is `auth` here: auth http://127.0.0.1:9100/check;",
    ),
    (
        "proxy_connect_timeout",
        "it is an option here: timeouts connect=5s;",
    ),
    (
        "proxy_next_upstream_tries",
        "it is an option here: retries most=2;",
    ),
    (
        "proxy_read_timeout",
        "it is an option here: timeouts first_byte=60s;",
    ),
    (
        "proxy_redirect",
        "responses are rewritten by themselves; rewrite off; turns it off",
    ),
    (
        "proxy_send_timeout",
        "it is an option here: timeouts send=30s;",
    ),
    (
        "scgi_pass",
        "it is `proxy_pass` here: proxy_pass scgi://127.0.0.1:9000;",
    ),
];

/// Returns all names of settings of a route.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().flat_map(|known| known.names).copied()
}

/// Returns what another program's setting is called here.
pub(super) fn elsewhere(name: &str) -> Option<&'static str> {
    let found = ELSEWHERE.iter().find(|(known, _)| *known == name);
    found.map(|(_, help)| *help)
}

/// Reads the settings of a route over those in `route`, which are those of its host.
pub(super) fn read(route: &mut Route, settings: &[&Setting], whole: &Word, found: &mut Found) {
    let mut seen: Vec<&str> = Vec::new();
    if settings.iter().any(|s| is_named(s, "proxy_pass")) {
        route.backends.clear();
    }
    for setting in settings {
        let name = &*setting.name.text;
        let Some(known) = KNOWN.iter().find(|known| known.names.contains(&name)) else {
            unknown(setting, found);
            continue;
        };
        if seen.contains(&known.names[0]) && !known.is_repeatable {
            let message = format!("`{name}` is in this block twice");
            found.push(&setting.name.span, message, "remove one of them");
            continue;
        }
        seen.push(known.names[0]);
        let (least, most) = known.values;
        if setting.inside.is_some() {
            let message = format!("`{name}` has no block");
            found.push(
                &setting.name.span,
                message,
                format!("write {};", known.form),
            );
        } else if !(least..=most).contains(&setting.values.len()) {
            let few = setting.values.len() < least;
            let message = format!(
                "`{name}` has too {} values",
                if few { "few" } else { "many" }
            );
            found.push(&setting.span(), message, format!("write {};", known.form));
        } else {
            (known.apply)(route, setting, found);
        }
    }
    check(route, whole, found);
}

/// Whether a setting has one of the names of this one.
fn is_named(setting: &Setting, name: &str) -> bool {
    let known = KNOWN.iter().find(|known| known.names.contains(&name));
    known.is_some_and(|known| known.names.contains(&&*setting.name.text))
}

fn unknown(setting: &Setting, found: &mut Found) {
    let name = &*setting.name.text;
    let near = near(name, names().chain(["host", "location"]));
    let help = match (elsewhere(name), &near[..]) {
        (Some(help), _) => help.to_owned(),
        (None, []) => String::new(),
        (None, near) => format!("near it: {}", near.join(", ")),
    };
    found.push(
        &setting.name.span,
        format!("there is no setting `{name}`"),
        help,
    );
}

/// Checks what settings say together.
fn check(route: &Route, whole: &Word, found: &mut Found) {
    let runs_scripts = |scheme| matches!(scheme, Scheme::FastCgi | Scheme::Scgi);
    if route.root.is_none() && route.backends.iter().any(|b| b.scheme == Scheme::FastCgi) {
        let help = "add the folder of the scripts: root /var/www/html;";
        found.push(&whole.span, "a FastCGI backend needs `root`", help);
    }
    if route.strip_prefix && route.prefix == "/" {
        let help = "give it a path: location /api { ... }, or path = \"/api\"";
        found.push(
            &whole.span,
            "`strip_prefix` needs a route with a prefix",
            help,
        );
    }
    let checked = route.backends.iter().any(|b| runs_scripts(b.scheme));
    if checked && route.health.is_some() {
        let help = "remove `health`: backends that fail requests are left alone anyway";
        found.push(
            &whole.span,
            "FastCGI and SCGI backends have no active checks",
            help,
        );
    }
}

/// `proxy_set_header Host $host;`
fn set_field(route: &mut Route, setting: &Setting, found: &mut Found) {
    let mut words = words(setting);
    let (Some(name), Some(value)) = (words.next(), words.next()) else {
        return;
    };
    let parsed_name = values::field_name(name, found);
    let value = values::parse::<FieldTemplate>(value, found);
    let (Some(parsed), Some(value)) = (parsed_name, value) else {
        return;
    };
    if OWN_FIELDS
        .iter()
        .any(|own| parsed.eq_ignore_ascii_case(own))
    {
        let message = format!("`{parsed}` is written by the proxy itself");
        found.push(
            &name.span,
            message,
            "remove this line; nothing else is needed",
        );
        return;
    }
    route
        .set_fields
        .retain(|field| !field.name.eq_ignore_ascii_case(&parsed));
    route.set_fields.push(SetField {
        name: parsed,
        value,
    });
}

/// Fields that say where a message ends, or belong to one connection (RFC 9110 section 7.6.1).
const OWN_FIELDS: [&str; 8] = [
    "connection",
    "content-length",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// Returns the words of a setting; an option that stands for itself is none.
fn words(setting: &Setting) -> impl Iterator<Item = &Word> {
    setting.values.iter().filter_map(|value| match value {
        Value::Word(word) => Some(word),
        Value::Option { .. } => None,
    })
}

/// Calls `read` with the only value of a setting.
fn one(setting: &Setting, read: impl FnOnce(&Word)) {
    if let Some(word) = words(setting).next() {
        read(word);
    }
}
