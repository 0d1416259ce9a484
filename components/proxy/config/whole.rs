//! The settings of a whole file: hosts, their locations, and what applies to all of them.

use std::collections::HashMap;
use std::path::Path;

use super::mistake::{Found, Span, line_of};
use super::route;
use super::setting::{Setting, Value, Word};
use super::values;
use crate::near::near;
use crate::plan::{Block, Errors, HostPattern, Network, Place, Plan, Route};

/// Settings outside of hosts.
const OUTSIDE: [&str; 5] = ["host", "errors", "trusted", "accept_proxy_protocol", "name"];

/// Names of nginx, and what is right here.
const ELSEWHERE: [(&str, &str); 8] = [
    ("server", "it is `host` here: host \"name\" { ... }"),
    (
        "server_name",
        "the names stand behind `host`: host \"a\" \"b\" { ... }",
    ),
    (
        "upstream",
        "the backends stand in the host: several proxy_pass and dist_policy",
    ),
    (
        "listen",
        "the port is an option of the program: --server-port 8080",
    ),
    ("http", "remove it: hosts stand in no block"),
    ("events", "remove it: hosts stand in no block"),
    (
        "worker_processes",
        "it is an option of the program: --workers 2",
    ),
    (
        "set_real_ip_from",
        "it is `trusted` here: trusted 10.0.0.0/8;",
    ),
];

/// Whether a setting has this name, inside or outside of hosts.
pub(super) fn is_known(name: &str) -> bool {
    let mut inside = route::names();
    OUTSIDE.contains(&name) || name == "location" || inside.any(|known| known == name)
}

/// Makes a plan of the settings of a file.
pub(super) fn plan(settings: &[Setting], file: &Path, text: &str, found: &mut Found) -> Plan {
    let mut whole = Whole {
        file,
        text,
        hosts: HashMap::new(),
        found,
    };
    let (mut plan, mut blocks, mut routes) = (Plan::default(), Vec::new(), Vec::new());
    for setting in settings {
        match (&*setting.name.text, &setting.inside) {
            ("host", Some(inside)) => blocks.push(whole.host(setting, inside)),
            ("route", Some(inside)) => {
                let route = whole.route(setting, inside, &routes);
                routes.push(route);
            }
            ("host", None) => {
                let help = "write host \"name\" { proxy_pass http://127.0.0.1:9000; }";
                whole
                    .found
                    .push(&setting.name.span, "`host` needs a block", help);
            }
            (name, None) if OUTSIDE.contains(&name) => outside(&mut plan, setting, whole.found),
            _ => unknown(setting, whole.found),
        }
    }
    blocks.extend(by_hosts(routes));
    let Plan {
        errors,
        trusted,
        accepts_proxy_protocol,
        name,
        ..
    } = plan;
    let mut plan = Plan::new(blocks);
    plan.errors = errors;
    plan.trusted = trusted;
    plan.accepts_proxy_protocol = accepts_proxy_protocol;
    plan.name = name;
    plan
}

struct Whole<'t, 'f> {
    file: &'t Path,
    text: &'t str,
    /// Where each host has its block.
    hosts: HashMap<HostPattern, Span>,
    found: &'f mut Found,
}

/// A `[[route]]` of `proxy.toml`.
struct HostedRoute {
    hosts: Vec<HostPattern>,
    route: Route,
    place: Place,
}

impl Whole<'_, '_> {
    /// `host "a" "b:8080" { ... }`
    fn host(&mut self, setting: &Setting, inside: &[Setting]) -> Block {
        let hosts = self.host_names(setting);
        if hosts.is_empty() && setting.values.is_empty() {
            let help = "write host \"name\" { ... }, or host default { ... }";
            self.found
                .push(&setting.name.span, "this block has no host", help);
        }
        for (host, word) in &hosts {
            if let Some(first) = self.hosts.get(host) {
                let (line, _) = line_of(self.text, first.start);
                let message = format!("the host {host} has a block in line {line} already");
                self.found
                    .push(&word.span, message, "put both into one block");
            } else {
                self.hosts.insert(host.clone(), word.span.clone());
            }
        }
        let is_location = |setting: &&Setting| setting.name.text == "location";
        let (locations, own): (Vec<_>, Vec<_>) = inside.iter().partition(is_location);
        let mut route = Route::to([]);
        route::read(&mut route, &own, &setting.name, self.found);
        let mut routes = self.locations(&locations, &route);
        if !route.backends.is_empty() {
            routes.push(route);
        } else if locations.is_empty() {
            let help = "add one: proxy_pass http://127.0.0.1:9000;";
            self.found
                .push(&setting.name.span, "this block has no backend", help);
        }
        let mut block = Block::new(hosts.into_iter().map(|(host, _)| host), routes);
        block.place = self.place(&setting.name.span);
        block
    }

    fn host_names(&mut self, setting: &Setting) -> Vec<(HostPattern, Word)> {
        let words = setting.values.iter().filter_map(|value| match value {
            Value::Word(word) => Some(word),
            Value::Option { .. } => None,
        });
        let hosts = words.filter_map(|word| {
            let host = values::parse(word, self.found)?;
            Some((host, word.clone()))
        });
        hosts.collect()
    }

    /// `location /api { ... }`: what it does not set is as in its host.
    fn locations(&mut self, locations: &[&Setting], of_host: &Route) -> Vec<Route> {
        let mut routes: Vec<Route> = Vec::new();
        for location in locations {
            let Some(inside) = &location.inside else {
                let help = "write location /path { ... }";
                self.found
                    .push(&location.name.span, "`location` needs a block", help);
                continue;
            };
            let mut route = of_host.clone();
            if let Some(prefix) = self.prefix(location) {
                route.prefix = prefix;
            }
            let inside: Vec<_> = inside.iter().collect();
            route::read(&mut route, &inside, &location.name, self.found);
            self.check_route(&route, &location.name.span);
            let is_same = |other: &Route| other.prefix == route.prefix && other.methods.is_none();
            if routes.iter().any(is_same) {
                let message = format!("a location before this one takes all of {}", route.prefix);
                self.found.push(
                    &location.span(),
                    message,
                    "remove one, or give the first `methods`",
                );
            }
            routes.push(route);
        }
        routes
    }

    fn prefix(&mut self, location: &Setting) -> Option<String> {
        match &location.values[..] {
            [Value::Word(word)] => prefix(word, self.found),
            [Value::Word(word), _] if matches!(&*word.text, "=" | "~" | "~*" | "^~") => {
                let help = "a location is the beginning of a path: location /api { ... }";
                self.found.push(
                    &word.span,
                    format!("`{}` is not supported", word.text),
                    help,
                );
                None
            }
            _ => {
                let help = "write location /path { ... }";
                self.found
                    .push(&location.span(), "`location` needs one path", help);
                None
            }
        }
    }

    fn check_route(&mut self, route: &Route, span: &Span) {
        if route.backends.is_empty() {
            let help = "add one: proxy_pass http://127.0.0.1:9000;";
            self.found.push(span, "this location has no backend", help);
        }
    }

    /// `[[route]]`
    fn route(
        &mut self,
        setting: &Setting,
        inside: &[Setting],
        before: &[HostedRoute],
    ) -> HostedRoute {
        let is_host = |s: &&Setting| matches!(&*s.name.text, "host" | "hosts" | "path");
        let (where_to, own): (Vec<_>, Vec<_>) = inside.iter().partition(is_host);
        let (mut route, mut hosts) = (Route::to([]), Vec::new());
        for setting in where_to {
            match (&*setting.name.text, &setting.values[..]) {
                ("path", [Value::Word(word)]) => {
                    if let Some(prefix) = prefix(word, self.found) {
                        route.prefix = prefix;
                    }
                }
                ("path", _) => {
                    self.found.push(
                        &setting.span(),
                        "`path` has one value",
                        "write path = \"/api\"",
                    );
                }
                _ => hosts.extend(self.host_names(setting).into_iter().map(|(host, _)| host)),
            }
        }
        if hosts.is_empty() {
            hosts.push(HostPattern::Default);
        }
        route::read(&mut route, &own, &setting.name, self.found);
        if route.backends.is_empty() {
            let help = "add backends = [\"http://127.0.0.1:9000\"]";
            self.found
                .push(&setting.name.span, "this route has no backend", help);
        }
        let takes_all = |host: &HostPattern| {
            let is_same = |other: &HostedRoute| {
                other.hosts.contains(host)
                    && other.route.prefix == route.prefix
                    && other.route.methods.is_none()
            };
            before.iter().any(is_same)
        };
        if let Some(host) = hosts.iter().find(|host| takes_all(host)) {
            let message = format!(
                "a route before this one takes all of host {host}, path {}",
                route.prefix
            );
            let help = "remove one, or give the first `methods`";
            self.found.push(&setting.name.span, message, help);
        }
        HostedRoute {
            hosts,
            route,
            place: self.place(&setting.name.span),
        }
    }

    fn place(&self, span: &Span) -> Place {
        Place {
            file: self.file.to_owned(),
            line: line_of(self.text, span.start).0,
        }
    }
}

/// The beginning of a path, percent-decoded.
fn prefix(word: &Word, found: &mut Found) -> Option<String> {
    let wanted = "the beginning of a path, percent-decoded, such as /api";
    values::read(word, wanted, found, |text| {
        let is_dots = |segment: &str| segment == "." || segment == "..";
        let is_plain = !text.contains("//") && !text.split('/').any(is_dots);
        let is_text = !text.chars().any(|c| c.is_control() || "%?#".contains(c));
        (text.starts_with('/') && is_plain && is_text).then(|| text.to_owned())
    })
}

/// Makes blocks of the routes of `proxy.toml`: hosts with the same routes are one block.
fn by_hosts(routes: Vec<HostedRoute>) -> Vec<Block> {
    let mut of_hosts: Vec<(HostPattern, Vec<usize>)> = Vec::new();
    for (index, hosted) in routes.iter().enumerate() {
        for host in &hosted.hosts {
            match of_hosts.iter_mut().find(|(known, _)| known == host) {
                Some((_, indices)) => indices.push(index),
                None => of_hosts.push((host.clone(), vec![index])),
            }
        }
    }
    let mut grouped: Vec<(Vec<HostPattern>, Vec<usize>)> = Vec::new();
    for (host, indices) in of_hosts {
        match grouped.iter_mut().find(|(_, known)| *known == indices) {
            Some((hosts, _)) => hosts.push(host),
            None => grouped.push((vec![host], indices)),
        }
    }
    let block = |(hosts, indices): (Vec<_>, Vec<usize>)| {
        let own = indices.iter().map(|index| routes[*index].route.clone());
        let mut block = Block::new(hosts, own);
        block.place = indices
            .first()
            .map_or_else(Place::default, |i| routes[*i].place.clone());
        block
    };
    grouped.into_iter().map(block).collect()
}

/// Settings of the whole proxy.
fn outside(plan: &mut Plan, setting: &Setting, found: &mut Found) {
    let words = setting.values.iter().filter_map(|value| match value {
        Value::Word(word) => Some(word),
        Value::Option { .. } => None,
    });
    let words: Vec<_> = words.collect();
    match (&*setting.name.text, &words[..]) {
        ("trusted", words) if !words.is_empty() => {
            let networks = words
                .iter()
                .filter_map(|w| values::parse::<Network>(w, found));
            plan.trusted = networks.collect();
        }
        ("errors", [word]) => {
            let wanted = "`assignment` (404) or `standard` (502, 503, 504)";
            let errors = values::read(word, wanted, found, |text| match text {
                "assignment" => Some(Errors::Assignment),
                "standard" => Some(Errors::Standard),
                _ => None,
            });
            plan.errors = errors.unwrap_or_default();
        }
        ("accept_proxy_protocol", [word]) => {
            plan.accepts_proxy_protocol = values::switch(word, found).unwrap_or_default();
        }
        ("name", [word]) => {
            let wanted = "a name of letters, digits, `-`, `_` and dots";
            plan.name = values::read(word, wanted, found, |text| {
                let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
                (!text.is_empty() && text.chars().all(is_part)).then(|| text.to_owned())
            });
        }
        (name, _) => {
            found.push(
                &setting.span(),
                format!("`{name}` needs a value, and only one"),
                "",
            );
        }
    }
}

fn unknown(setting: &Setting, found: &mut Found) {
    let name = &*setting.name.text;
    let known = ELSEWHERE.iter().find(|(known, _)| *known == name);
    let near = near(name, OUTSIDE.into_iter().chain(["route", "location"]));
    let (message, help) = match (known, &near[..]) {
        (Some((_, help)), _) => (format!("there is no setting `{name}`"), (*help).to_owned()),
        _ if is_known(name) => (format!("`{name}` stands in a host"), HOST.to_owned()),
        (None, []) => (
            format!("there is no setting `{name}` here"),
            HOST.to_owned(),
        ),
        (None, near) => (
            format!("there is no setting `{name}` here"),
            format!("near it: {}", near.join(", ")),
        ),
    };
    found.push(&setting.name.span, message, help);
}

const HOST: &str = "write it into a block: host \"name\" { ... }, or below [[route]]";
