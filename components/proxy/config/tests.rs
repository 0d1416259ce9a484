//! Whole configurations, right and wrong, in both formats.

use std::path::Path;
use std::time::Duration;

use http::Method;

use super::{parse_virtual_hosts, read_plan};
use crate::plan::{Errors, HashKey, Plan, PolicyKind, ProxyProtocol, Route};

fn conf(text: &str) -> Plan {
    read_plan(Path::new("proxy.conf"), text).unwrap_or_else(|error| panic!("{error}"))
}

fn toml(text: &str) -> Plan {
    read_plan(Path::new("proxy.toml"), text).unwrap_or_else(|error| panic!("{error}"))
}

fn mistakes(file: &str, text: &str) -> String {
    read_plan(Path::new(file), text).unwrap_err().to_string()
}

fn only_route(plan: &Plan) -> &Route {
    let [block] = plan.blocks() else {
        panic!("{plan}")
    };
    let [route] = block.routes() else {
        panic!("{plan}")
    };
    route
}

#[test]
fn the_file_of_the_assignment() {
    let text = r#"
# Virtual hosts of the proxy.
host "192.168.56.103:8080" {
    proxy_pass http://192.168.56.103:9000;
}

host "app1.local" {
    proxy_pass http://192.168.56.103:9001;
}

host "app2.local" {
    proxy_set_header Host $host;
    proxy_pass http://192.168.56.103:9002;
    proxy_pass http://192.168.56.103:9002;
    dist_policy round-robin
}
"#;
    let plan = conf(text);
    let backends = |host: &str| {
        let block = plan.block_for(host, 8080).unwrap();
        let backends = block.routes()[0].backends.iter();
        backends.map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        backends("192.168.56.103:8080"),
        ["http://192.168.56.103:9000"]
    );
    assert_eq!(backends("app1.local:8080"), ["http://192.168.56.103:9001"]);
    assert_eq!(backends("app2.local").len(), 2);
    assert!(plan.block_for("192.168.56.103:9000", 8080).is_none());
    assert_eq!(plan.blocks()[2].place.line, 11);
    assert_eq!(plan.errors, Errors::Assignment);
    // All of it on one line, and all of it on as many as possible.
    let words: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let policy = "dist_policy round-robin";
    let one_line = words.join(" ").replace(policy, "dist_policy round-robin;");
    assert_eq!(conf(&one_line).blocks(), plan.blocks());
    let lines = one_line.replace(' ', "\n\t").replace("\n\t\n\t", "\n");
    assert_eq!(conf(&lines).blocks(), plan.blocks());
}

#[test]
fn the_file_of_the_repository() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/proxy.conf");
    let plan = parse_virtual_hosts(file).unwrap();
    let hosts: Vec<_> = plan
        .blocks()
        .iter()
        .map(|b| b.hosts[0].to_string())
        .collect();
    assert_eq!(hosts, ["127.0.0.1:8080", "app1.local", "app2.local"]);
}

#[test]
fn a_file_that_cannot_be_read() {
    let error = parse_virtual_hosts("no/such/proxy.conf").unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("cannot read no/such/proxy.conf: ")
    );
}

/// Every setting of a route, in both formats.
#[test]
fn both_formats_say_the_same() {
    let from_conf = conf(
        r#"
errors standard;
trusted 10.0.0.0/8 ::1;
accept_proxy_protocol on;
name edge-1;
host "a.local" "*.b.local:8080" {
    location /api {
        proxy_pass http://127.0.0.1:9000/v1 weight=3 max_conns=10 slow_start=30s
            send_proxy_protocol=v2;
        proxy_pass https://app.internal backup tls_name=a.b
            tls_ca=/etc/ca.pem tls_verify=off;
        dist_policy hash header X-User;
        proxy_set_header Host $host;
        proxy_set_header X-A "a b";
        sticky node;
        methods GET POST;
        strip_prefix on;
        rewrite off;
        timeouts connect=1s send=2s first_byte=3s whole=1m;
        retries most=1 budget=10 non_idempotent;
        health path=/up interval=9s timeout=1s expected=204 healthy_after=1 unhealthy_after=2;
        ejection failures=3 pause=1s longest=10s;
        circuit_breaker errors=30 window=1m requests=9 pause=2s trials=1;
        queue most=7 longest=1500ms;
        rate per_second=2.5 burst=9;
        auth http://127.0.0.1:9100/check copy=X-User,X-Role;
        buffer 1m; body 10m; keep_idle 3; idle_time 5s;
        root /srv; index main.php;
    }
}
"#,
    );
    let from_toml = toml(
        r#"
errors = "standard"
trusted = ["10.0.0.0/8", "::1"]
accept_proxy_protocol = true
name = "edge-1"

[[route]]
hosts = ["a.local", "*.b.local:8080"]
path = "/api"
backends = [
    { url = "http://127.0.0.1:9000/v1", weight = 3, max_conns = 10, slow_start = "30s", send_proxy_protocol = "v2" },
    { url = "https://app.internal", backup = true, tls_name = "a.b", tls_ca = "/etc/ca.pem", tls_verify = false },
]
policy = "hash header X-User"
set_headers = { Host = "$host", X-A = "a b" }
sticky = "node"
methods = ["GET", "POST"]
strip_prefix = true
rewrite = false
timeouts = { connect = 1, send = "2s", first_byte = "3s", whole = "1m" }
retries = { most = 1, budget = 10, non_idempotent = true }
ejection = { failures = 3, pause = "1s", longest = "10s" }
circuit_breaker = { errors = 30, window = "1m", requests = 9, pause = 2, trials = 1 }
queue = { most = 7, longest = "1.5s" }
rate = { per_second = 2.5, burst = 9 }
auth = { url = "http://127.0.0.1:9100/check", copy = ["X-User", "X-Role"] }
buffer = "1m"
body = 10_485_760
keep_idle = 3
idle_time = 5
root = "/srv"
index = "main.php"

[route.health]
path = "/up"
interval = "9s"
timeout = "1s"
expected = 204
healthy_after = 1
unhealthy_after = 2
"#,
    );
    assert_eq!(from_conf.blocks(), from_toml.blocks());
    assert_eq!(from_conf.trusted, from_toml.trusted);
    assert_eq!(
        (from_toml.errors, from_toml.accepts_proxy_protocol),
        (Errors::Standard, true)
    );
    assert_eq!(from_conf.name, from_toml.name);
    let route = only_route(&from_toml);
    assert_eq!(
        route.policy,
        PolicyKind::Hash(HashKey::Field("X-User".to_owned()))
    );
    assert_eq!(route.backends[0].weight, 3);
    assert_eq!(
        route.backends[0].send_proxy_protocol,
        Some(ProxyProtocol::V2)
    );
    assert!(route.backends[1].is_backup && route.retries.non_idempotent);
    assert_eq!(route.methods, Some(vec![Method::GET, Method::POST]));
    assert_eq!(route.timeouts.whole, Some(Duration::from_secs(60)));
    assert_eq!(route.health.as_ref().unwrap().expected, 204..=204);
    let breaker = route.circuit_breaker.as_ref().unwrap();
    assert_eq!((breaker.errors_percent, breaker.trials), (30, 1));
    assert_eq!(breaker.window, Duration::from_secs(60));
    assert_eq!((route.buffer, route.body), (Some(1 << 20), Some(10 << 20)));
    assert_eq!(
        route.auth.as_ref().unwrap().copy_fields,
        ["X-User", "X-Role"]
    );
}

#[test]
fn a_location_has_what_its_host_has() {
    let plan = conf(
        "host a {
            proxy_pass http://b:1;
            dist_policy random
            location /api { strip_prefix on; }
            location /other { proxy_pass http://c:1; dist_policy ip-hash; }
        }",
    );
    let [other, api, root] = plan.blocks()[0].routes() else {
        panic!("{plan}")
    };
    assert_eq!(
        (&*root.prefix, &*api.prefix, &*other.prefix),
        ("/", "/api", "/other")
    );
    assert_eq!(api.backends, root.backends);
    assert!(api.strip_prefix && !root.strip_prefix);
    assert_eq!(api.policy, PolicyKind::Random);
    assert_eq!(other.policy, PolicyKind::IpHash);
    assert_eq!(other.backends.len(), 1);
}

#[test]
fn routes_of_a_host_are_one_block() {
    let plan = toml(
        r#"
[[route]]
hosts = ["a", "b"]
backends = "http://x:1"
[[route]]
host = "a"
path = "/api"
backends = ["http://y:1", "http://z:1"]
[[route]]
backends = "http://rest:1"
"#,
    );
    let shown = plan.to_string();
    let expected = "\
host     route  policy       backend
a        /api   round-robin  http://y:1
                             http://z:1
         /      round-robin  http://x:1
b        /      round-robin  http://x:1
default  /      round-robin  http://rest:1
backends that fail: 404
";
    assert_eq!(shown, expected);
    assert_eq!(plan.blocks()[2].place.line, 9);
}

/// Each mistake alone in a host with a backend, and what is said of it.
#[test]
fn mistakes_in_a_host() {
    let rows = [
        (
            "proxy_pas http://a;",
            "no setting `proxy_pas`\n",
            "near it: proxy_pass",
        ),
        (
            "proxy_pass;",
            "`proxy_pass` has too few values",
            "write proxy_pass http://127.0.0.1:9000",
        ),
        (
            "proxy_pass 127.0.0.1:9000;",
            "begins with `http://`",
            "write, for example, http://",
        ),
        (
            "proxy_pass http://a:99999;",
            "a port is a number from 1 to 65535",
            "",
        ),
        (
            "proxy_pass http://a weight=0;",
            "`0` is wrong here",
            "a whole number from 1 to 1000",
        ),
        (
            "proxy_pass http://a wieght=2;",
            "no option `wieght` here",
            "near it: weight",
        ),
        (
            "proxy_pass http://a weight=1 weight=2;",
            "`weight` is here twice",
            "remove one",
        ),
        (
            "proxy_pass http://a weight;",
            "`weight` needs a value",
            "write weight=...",
        ),
        (
            "proxy_pass http://a max_conns=-1;",
            "`-1` is wrong here",
            "number from 1 to 4294967295",
        ),
        (
            "proxy_pass http://a slow_start=x;",
            "`x` is wrong here",
            "such as `5s`",
        ),
        (
            "proxy_pass http://a backup=maybe;",
            "`maybe` is wrong here",
            "`on` or `off`",
        ),
        (
            "proxy_pass https://a send_proxy_protocol=v1;",
            "the PROXY protocol is not sent before TLS",
            "X-Forwarded-For",
        ),
        (
            "proxy_pass http://a tls_verify=off;",
            "this backend does not speak TLS",
            "`https://`",
        ),
        (
            "proxy_pass https://a tls_ca=x;",
            "`x` is wrong here",
            "an absolute path",
        ),
        (
            "proxy_pass fastcgi://a:1;",
            "a FastCGI backend needs `root`",
            "root /var/www/html",
        ),
        (
            "proxy_set_header Host;",
            "too few values",
            "write proxy_set_header Host $host;",
        ),
        ("proxy_set_header Host a b;", "too many values", ""),
        (
            "proxy_set_header Host $hots;",
            "no variable `$hots`; near it: $host",
            "",
        ),
        (
            "proxy_set_header \"a b\" c;",
            "`a b` is wrong here",
            "the name of a field",
        ),
        (
            "proxy_set_header A \"x\u{1}\";",
            "no line breaks and no control characters",
            "",
        ),
        (
            "proxy_set_header Transfer-Encoding x;",
            "is written by the proxy itself",
            "remove",
        ),
        (
            "dist_policy round-robbin;",
            "no policy `round-robbin`",
            "near it: round-robin",
        ),
        (
            "dist_policy xyz;",
            "no policy `xyz`",
            "there are: round-robin, least-conn",
        ),
        (
            "dist_policy random 2;",
            "`random` takes no value",
            "remove it",
        ),
        (
            "dist_policy hash;",
            "`hash` needs to know of what",
            "`hash header NAME`",
        ),
        (
            "dist_policy hash header;",
            "`hash` needs to know of what",
            "",
        ),
        (
            "dist_policy random; dist_policy random;",
            "is in this block twice",
            "remove one",
        ),
        (
            "least_conn;",
            "no setting `least_conn`",
            "dist_policy least-conn;",
        ),
        (
            "client_max_body_size 1m;",
            "no setting `client_max_body_size`",
            "body 10m;",
        ),
        (
            "strip_prefix on;",
            "`strip_prefix` needs a route with a prefix",
            "location /api",
        ),
        (
            "strip_prefix maybe;",
            "`maybe` is wrong here",
            "write `on` or `off`",
        ),
        (
            "methods get;",
            "`get` is wrong here",
            "upper and lower case differ",
        ),
        ("body many;", "`many` is wrong here", "such as `64k`"),
        (
            "timeouts conect=5s;",
            "no option `conect` here",
            "near it: connect",
        ),
        ("timeouts connect=0;", "`0` is wrong here", "above 0"),
        ("health expected=2xx;", "`2xx` is wrong here", "`200-399`"),
        (
            "ejection pause=2s longest=1s;",
            "`longest` is less than `pause`",
            "",
        ),
        (
            "circuit_breaker error=50;",
            "no option `error` here",
            "near it: errors",
        ),
        (
            "circuit_breaker errors=101;",
            "`101` is wrong here",
            "1 to 100",
        ),
        ("circuit_breaker errors=0;", "`0` is wrong here", "1 to 100"),
        ("circuit_breaker trials=0;", "`0` is wrong here", ""),
        ("circuit_breaker window=0;", "`0` is wrong here", "above 0"),
        (
            "circuit_braker errors=5;",
            "no setting `circuit_braker`",
            "circuit_breaker",
        ),
        ("rate burst=1;", "`rate` needs `per_second`", ""),
        ("rate per_second=x;", "`x` is wrong here", ""),
        (
            "auth copy=X-A;",
            "`auth` needs an address",
            "write auth http://",
        ),
        (
            "auth fastcgi://a:1/x;",
            "authentication asks an HTTP backend",
            "",
        ),
        (
            "sticky \"a b\";",
            "`a b` is wrong here",
            "the name of a cookie",
        ),
        ("root www;", "`www` is wrong here", "an absolute path"),
        ("body 1m { }", "`body` has no block", "write body 10m;"),
        (
            "location /a;",
            "`location` needs a block",
            "write location /path { ... }",
        ),
        (
            "location { proxy_pass http://a; }",
            "`location` needs one path",
            "",
        ),
        (
            "location ~ /a { }",
            "`~` is not supported",
            "the beginning of a path",
        ),
        (
            "location a { }",
            "`a` is wrong here",
            "the beginning of a path",
        ),
        ("location /a/../b { }", "`/a/../b` is wrong here", ""),
        (
            "location /a { } location /a { }",
            "a location before this one takes all of /a",
            "",
        ),
        (
            "location /a { location /b { } }",
            "no setting `location`",
            "",
        ),
        ("\"\" x;", "no setting ``", ""),
    ];
    for (line, message, help) in rows {
        let text = format!("host a {{\n{line}\nproxy_pass http://b;\n}}\n");
        let shown = mistakes("proxy.conf", &text);
        let (first, rest) = shown.split_once('\n').unwrap();
        assert!(first.contains(message.trim_end()), "{line}: {shown}");
        assert!(first.starts_with("error: proxy.conf:"), "{line}: {shown}");
        assert!(rest.contains(help), "{line}: {shown}");
        assert!(
            shown.ends_with("1 mistake in proxy.conf"),
            "{line}: {shown}"
        );
    }
}

#[test]
fn mistakes_outside_of_a_host() {
    let rows = [
        (
            "proxy_pass http://a;",
            "`proxy_pass` stands in a host",
            "host \"name\" { ... }",
        ),
        ("hots a { }", "no setting `hots` here", "near it: host"),
        ("server { }", "no setting `server`", "it is `host` here"),
        ("listen 80;", "no setting `listen`", "--server-port"),
        ("xyz;", "no setting `xyz` here", ""),
        ("host a;", "`host` needs a block", "proxy_pass"),
        (
            "host { proxy_pass http://a; }",
            "this block has no host",
            "host default",
        ),
        (
            "host a { }",
            "this block has no backend",
            "add one: proxy_pass",
        ),
        (
            "host a { location /b { } }",
            "this location has no backend",
            "add one",
        ),
        (
            "host \"http://a\" { proxy_pass http://a; }",
            "a host has no scheme",
            "",
        ),
        (
            "host a:99999 { proxy_pass http://a; }",
            "a port is a number",
            "",
        ),
        ("errors none;", "`none` is wrong here", "`assignment` (404)"),
        ("errors;", "`errors` needs a value", ""),
        ("trusted 10.0.0.1/8;", "the range begins at 10.0.0.0", ""),
        ("trusted localhost;", "this is not an IP address", ""),
        ("accept_proxy_protocol 1;", "`1` is wrong here", ""),
        ("name \"a b\";", "`a b` is wrong here", ""),
        (
            "host a { proxy_pass http://a; } host A { proxy_pass http://a; }",
            "the host a has a block in line 1 already",
            "put both into one block",
        ),
    ];
    for (text, message, help) in rows {
        let shown = mistakes("proxy.conf", text);
        assert!(shown.contains(message), "{text}: {shown}");
        assert!(shown.contains(help), "{text}: {shown}");
        assert!(
            shown.ends_with("1 mistake in proxy.conf"),
            "{text}: {shown}"
        );
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = "\
host \"a\" {
    proxy_pas http://a:1;
    dist_policy rund-robin
    proxy_pass http://a:x
    proxy_set_header Host $hots;
}
}
host \"b\"
    proxy_pass http://b:1;
";
    let expected = "\
error: proxy.conf:2:5: there is no setting `proxy_pas`
        proxy_pas http://a:1;
        ^^^^^^^^^
    near it: proxy_pass
error: proxy.conf:3:17: there is no policy `rund-robin`
        dist_policy rund-robin
                    ^^^^^^^^^^
    near it: round-robin
error: proxy.conf:4:16: a port is a number from 1 to 65535
        proxy_pass http://a:x
                   ^^^^^^^^^^
    write, for example, http://127.0.0.1:9000
error: proxy.conf:4:26: `;` is missing
        proxy_pass http://a:x
                             ^
    a setting ends with `;`
error: proxy.conf:5:27: there is no variable `$hots`; near it: $host
        proxy_set_header Host $hots;
                              ^^^^^
error: proxy.conf:7:1: this `}` closes nothing
    }
    ^
    remove it
error: proxy.conf:8:1: `host` needs a block
    host \"b\"
    ^^^^
    write host \"name\" { proxy_pass http://127.0.0.1:9000; }
error: proxy.conf:8:9: `;` is missing
    host \"b\"
            ^
    a block follows it: `{ ... }`
error: proxy.conf:9:5: `proxy_pass` stands in a host
        proxy_pass http://b:1;
        ^^^^^^^^^^
    write it into a block: host \"name\" { ... }, or below [[route]]
9 mistakes in proxy.conf";
    assert_eq!(mistakes("proxy.conf", text), expected);
}

/// A route that no request can reach.
#[test]
fn a_route_of_toml_that_another_one_hides_is_a_mistake() {
    let route = |more: &str| format!("[[route]]\n{more}\nbackends = [\"http://a\"]\n");
    let rows = [
        ("path = \"/a\"", "path = \"/a\"", true),
        ("host = \"a\"", "hosts = [\"b\", \"A\"]", true),
        ("", "", true),
        ("host = \"a\"", "host = \"b\"", false),
        ("path = \"/a\"", "path = \"/a/b\"", false),
        ("path = \"/a\"\nmethods = [\"GET\"]", "path = \"/a\"", false),
    ];
    for (first, second, is_mistake) in rows {
        let text = route(first) + &route(second);
        let read = read_plan(Path::new("proxy.toml"), &text);
        assert_eq!(read.is_err(), is_mistake, "{text}");
        if let Err(mistakes) = read {
            let shown = mistakes.to_string();
            assert!(
                shown.contains("a route before this one takes all"),
                "{shown}"
            );
        }
    }
}

#[test]
fn mistakes_in_toml_have_their_places_too() {
    let text = "\
errors = 3
[[route]]
host = \"a b\"
backends = [\"a:1\", { url = \"http://b\", weigth = 2 }]
policy = \"randon\"
timeouts = { connect = \"x\" }
when = 2020-01-01
[[route]]
host = \"c\"
";
    let shown = mistakes("proxy.toml", text);
    let expected = [
        "proxy.toml:1:10: `3` is wrong here",
        "proxy.toml:3:8: a host consists of letters",
        "proxy.toml:4:13: an address begins with `http://`",
        "proxy.toml:4:40: there is no option `weigth` here",
        "proxy.toml:5:10: there is no policy `randon`",
        "proxy.toml:6:24: `x` is wrong here",
        "proxy.toml:7:1: there is no setting `when`",
        "proxy.toml:7:8: a text or a number is wanted, not a date",
        "proxy.toml:8:1: this route has no backend",
        "9 mistakes in proxy.toml",
    ];
    for line in expected {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    assert!(mistakes("a.toml", "a = = 1\nb = [").contains("a.toml:1:5: "));
    assert!(mistakes("a.toml", "route = 1").contains("a route is a table"));
}

#[test]
fn a_value_that_is_missing_or_has_no_quotes_is_one_mistake() {
    for (text, expected) in [
        ("errors =", "p.toml:1:9: a value is missing here"),
        (
            "errors = \nname = \"a\"\n",
            "p.toml:1:10: a value is missing here",
        ),
        (
            "errors = # standard\n",
            "p.toml:1:10: a value is missing here",
        ),
        (
            "errors = standard # 502\n",
            "p.toml:1:10: a text stands in quotes: \"standard\"",
        ),
        ("name = a\"b\n", "p.toml:1:8: a text stands in quotes"),
        ("errors = \"standard\n", "p.toml:1:19: invalid basic string"),
        (
            "errors = \"standard\" 1\n",
            "p.toml:1:21: unexpected key or value",
        ),
    ] {
        let shown = mistakes("p.toml", text);
        assert!(
            shown.contains(&format!("error: {expected}")),
            "{text}: {shown}"
        );
        assert!(shown.ends_with("\n1 mistake in p.toml"), "{text}: {shown}");
    }
}

#[test]
fn a_table_of_another_name_is_told_of_routes() {
    for (text, name) in [
        ("[[routes]]\nhost = \"a\"\n", "routes"),
        ("[[host]]\nname = \"a\"\n", "host"),
        ("[server]\nlisten = 80\n", "server"),
        ("errors = { a = 1 }\n", "errors"),
    ] {
        let shown = mistakes("p.toml", text);
        assert!(
            shown.contains(&format!("there is no table `{name}`")),
            "{shown}"
        );
        assert!(shown.contains("begins with [[route]]"), "{shown}");
        assert!(shown.ends_with("\n1 mistake in p.toml"), "{shown}");
    }
}

/// A text that is wrong in one place is a plan or has mistakes, in both formats.
#[test]
fn no_text_stops_the_parser() {
    let text = "host \"a\" {\n proxy_pass http://b:1/c weight=2; # d\n dist_policy hash header X\n\
                location /e { timeouts connect=1s; proxy_set_header F ${host}g$uri; } }\n\
                [[route]]\nhosts = [\"h\"]\nbackends = [{ url = \"http://i\" }]\n";
    for at in 0..text.len() {
        for other in [
            "", "{", "}", ";", "\"", "'", "$", "#", "=", "\n", "\u{e9}", "[", "\0",
        ] {
            let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            for file in ["proxy.conf", "proxy.toml"] {
                if let Err(mistakes) = read_plan(Path::new(file), &changed) {
                    assert!(mistakes.to_string().contains(file), "{changed}");
                }
            }
        }
    }
}
