//! Settings of a route that have options: time limits, retries, checks, queues, rates.

use crate::config::mistake::Found;
use crate::config::options::{self, Options, Take};
use crate::config::setting::{Setting, Value, Word};
use crate::config::values;
use crate::plan::{
    ActiveCheck, AuthRequest, Backend, CircuitBreaker, Ejection, Queue, RateLimit, Retries, Route,
    Scheme, Timeouts,
};

/// Sets `target` to what a word says, if it is right.
macro_rules! set {
    ($read:expr, $($field:ident).+) => {
        Take::One(|target, word, found| {
            if let Some(value) = $read(word, found) {
                target.$($field).+ = value;
            }
        })
    };
}

fn count(word: &Word, found: &mut Found) -> Option<u32> {
    values::number(word, 1..=1_000_000, found)
}

fn count_or_none(word: &Word, found: &mut Found) -> Option<u32> {
    values::number(word, 0..=1_000_000, found)
}

fn percent(word: &Word, found: &mut Found) -> Option<u32> {
    values::number(word, 0..=100, found)
}

fn share(word: &Word, found: &mut Found) -> Option<u32> {
    values::number(word, 1..=100, found)
}

fn places(word: &Word, found: &mut Found) -> Option<usize> {
    values::number(word, 0..=1_000_000, found)
}

fn some_duration(word: &Word, found: &mut Found) -> Option<Option<std::time::Duration>> {
    values::duration(word, found).map(Some)
}

const TIMEOUTS: &Options<Timeouts> = &[
    ("connect", set!(values::duration, connect)),
    ("send", set!(values::duration, send)),
    ("first_byte", set!(values::duration, first_byte)),
    ("whole", set!(some_duration, whole)),
];

pub(super) fn timeouts(route: &mut Route, setting: &Setting, found: &mut Found) {
    options::read(&setting.values, TIMEOUTS, &mut route.timeouts, found);
}

const RETRIES: &Options<Retries> = &[
    ("most", set!(count_or_none, most)),
    ("budget", set!(percent, budget_percent)),
    (
        "non_idempotent",
        Take::Flag(|retries, is_on| retries.non_idempotent = is_on),
    ),
];

pub(super) fn retries(route: &mut Route, setting: &Setting, found: &mut Found) {
    options::read(&setting.values, RETRIES, &mut route.retries, found);
}

const HEALTH: &Options<ActiveCheck> = &[
    ("path", set!(values::path, path)),
    ("interval", set!(values::duration, interval)),
    ("timeout", set!(values::duration, timeout)),
    ("expected", set!(values::statuses, expected)),
    ("healthy_after", set!(count, healthy_after)),
    ("unhealthy_after", set!(count, unhealthy_after)),
];

pub(super) fn health(route: &mut Route, setting: &Setting, found: &mut Found) {
    let mut check = route.health.take().unwrap_or_default();
    options::read(&setting.values, HEALTH, &mut check, found);
    route.health = Some(check);
}

const EJECTION: &Options<Ejection> = &[
    ("failures", set!(count_or_none, failures)),
    ("pause", set!(values::duration, pause)),
    ("longest", set!(values::duration, longest)),
];

pub(super) fn ejection(route: &mut Route, setting: &Setting, found: &mut Found) {
    options::read(&setting.values, EJECTION, &mut route.ejection, found);
    if route.ejection.longest < route.ejection.pause {
        let help = "give a larger `longest`, or a smaller `pause`";
        found.push(&setting.span(), "`longest` is less than `pause`", help);
    }
}

const CIRCUIT_BREAKER: &Options<CircuitBreaker> = &[
    ("errors", set!(share, errors_percent)),
    ("window", set!(values::duration, window)),
    ("requests", set!(count, requests)),
    ("pause", set!(values::duration, pause)),
    ("trials", set!(count, trials)),
];

pub(super) fn circuit_breaker(route: &mut Route, setting: &Setting, found: &mut Found) {
    let mut breaker = route.circuit_breaker.take().unwrap_or_default();
    options::read(&setting.values, CIRCUIT_BREAKER, &mut breaker, found);
    route.circuit_breaker = Some(breaker);
}

const QUEUE: &Options<Queue> = &[
    ("most", set!(places, most)),
    ("longest", set!(values::duration, longest)),
];

pub(super) fn queue(route: &mut Route, setting: &Setting, found: &mut Found) {
    options::read(&setting.values, QUEUE, &mut route.queue, found);
}

const RATE: &Options<(Option<f64>, Option<u32>)> = &[
    (
        "per_second",
        Take::One(|(rate, _), word, found| *rate = values::rate(word, found)),
    ),
    (
        "burst",
        Take::One(|(_, burst), word, found| *burst = count(word, found)),
    ),
];

pub(super) fn rate(route: &mut Route, setting: &Setting, found: &mut Found) {
    let mut rate = (None, None);
    let is_given = setting
        .values
        .iter()
        .any(|value| value.as_option().0.text == "per_second");
    options::read(&setting.values, RATE, &mut rate, found);
    match rate {
        (Some(per_second), burst) => {
            // Without a burst, what one second allows.
            let burst = burst.unwrap_or(per_second.ceil() as u32);
            route.rate = Some(RateLimit::new(per_second, burst));
        }
        _ if is_given => {}
        _ => found.push(
            &setting.span(),
            "`rate` needs `per_second`",
            "write rate per_second=10;",
        ),
    }
}

const AUTH: &Options<AuthRequest> = &[(
    "copy",
    Take::Many(|auth, words, found| {
        let names = words
            .iter()
            .filter_map(|word| values::field_name(word, found));
        auth.copy_fields = names.collect();
    }),
)];

pub(super) fn auth(route: &mut Route, setting: &Setting, found: &mut Found) {
    let is_url = |value: &Value| match value {
        Value::Option { key, .. } => key.text == "url",
        Value::Word(word) => word.text.contains("://"),
    };
    let (urls, rest): (Vec<_>, Vec<_>) = setting.values.iter().cloned().partition(is_url);
    let url = urls.first().and_then(|value| match value {
        Value::Word(word) => Some(word.clone()),
        Value::Option { values, .. } => values.first().cloned(),
    });
    let Some(url) = url else {
        let help = "write auth http://127.0.0.1:9100/check;";
        found.push(&setting.span(), "`auth` needs an address", help);
        return;
    };
    let backend: Option<Backend> = values::parse(&url, found);
    let Some(backend) = backend else { return };
    if !matches!(backend.scheme, Scheme::Http | Scheme::Https) {
        found.push(
            &url.span,
            "authentication asks an HTTP backend",
            "begin it with `http://`",
        );
    }
    let mut auth = AuthRequest::new(backend);
    options::read(&rest, AUTH, &mut auth, found);
    route.auth = Some(auth);
}
