//! `dist_policy round-robin`

use super::{Value, Word};
use crate::config::mistake::Found;
use crate::config::setting::Setting;
use crate::config::values;
use crate::near::near;
use crate::plan::{HashKey, PolicyKind, Route};

const NAMES: [&str; 7] = [
    "round-robin",
    "least-conn",
    "random",
    "two-choices",
    "ip-hash",
    "hash",
    "sticky",
];

/// What `hash` hashes.
const HASH: &str = "`hash header NAME`, `hash cookie NAME` or `hash target`";

/// Sets the policy of a route.
pub(super) fn apply(route: &mut Route, setting: &Setting, found: &mut Found) {
    let words: Vec<Word> = setting.values.iter().flat_map(split).collect();
    let (Some(name), arguments) = (words.first(), words.get(1..).unwrap_or_default()) else {
        return;
    };
    match (&*name.text, arguments) {
        ("round-robin" | "round_robin" | "roundrobin", []) => route.policy = PolicyKind::RoundRobin,
        ("least-conn" | "least_conn" | "leastconn", []) => {
            route.policy = PolicyKind::LeastConnections;
        }
        ("random", []) => route.policy = PolicyKind::Random,
        ("two-choices" | "two_choices", []) => route.policy = PolicyKind::TwoChoices,
        ("ip-hash" | "ip_hash" | "iphash", []) => route.policy = PolicyKind::IpHash,
        ("hash", arguments) => hash(route, name, arguments, found),
        ("sticky", [cookie]) => route.sticky = values::cookie_name(cookie, found),
        ("sticky", _) => found.push(&name.span, "`sticky` needs a cookie", "write sticky COOKIE"),
        (known, [extra, ..]) if NAMES.contains(&known) => {
            found.push(
                &extra.span,
                format!("`{known}` takes no value"),
                "remove it",
            );
        }
        _ => unknown(name, found),
    }
}

/// In `proxy.toml` the policy is one text, such as "hash header X-User".
fn split(value: &Value) -> Vec<Word> {
    let Value::Word(word) = value else {
        return Vec::new();
    };
    let span = |_| word.span.clone();
    let words = word.text.split_whitespace();
    words.map(|part| Word::new(part, span(part))).collect()
}

fn hash(route: &mut Route, name: &Word, arguments: &[Word], found: &mut Found) {
    let key = match arguments {
        [kind] if matches!(&*kind.text, "target" | "uri") => Some(HashKey::Target),
        [kind, name] if kind.text == "header" => {
            values::field_name(name, found).map(HashKey::Field)
        }
        [kind, name] if kind.text == "cookie" => {
            values::cookie_name(name, found).map(HashKey::Cookie)
        }
        _ => {
            found.push(
                &name.span,
                "`hash` needs to know of what",
                format!("write {HASH}"),
            );
            None
        }
    };
    if let Some(key) = key {
        route.policy = PolicyKind::Hash(key);
    }
}

fn unknown(name: &Word, found: &mut Found) {
    let help = match &near(&name.text, NAMES)[..] {
        [] => format!("there are: {}", NAMES.join(", ")),
        near => format!("near it: {}", near.join(", ")),
    };
    found.push(
        &name.span,
        format!("there is no policy `{}`", name.text),
        help,
    );
}
