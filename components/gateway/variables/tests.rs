//! The meta-variables, tested against the sentences of RFC 3875.

use http::Method;

use super::*;
use crate::http::{Fields, Target};

fn request(method: &str, target: &str, fields: Fields) -> RequestHead {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    RequestHead {
        target: Target::parse(&method, target.to_owned().into()).unwrap(),
        method,
        version: Version::HTTP_11,
        fields,
    }
}

fn mount() -> Mount {
    Mount::new("192.0.2.1:8080".parse().unwrap()).script_name("/app/")
}

fn variables(head: &RequestHead, mount: &Mount) -> Variables {
    let exchange = Exchange::new(0, "[2001:db8::7]:1234".parse().unwrap());
    Variables::of(head, &exchange, mount).unwrap()
}

/// The variables of a GET with these fields.
fn with_fields(fields: Fields) -> Variables {
    variables(&request("GET", "/app", fields), &mount())
}

fn check(variables: &Variables, rows: &[(&str, Option<&str>)]) {
    for (name, expected) in rows {
        let value = variables.get(name).map(String::from_utf8_lossy);
        assert_eq!(value.as_deref(), *expected, "{name}");
    }
}

#[test]
fn each_variable_has_its_value() {
    let fields = Fields::new()
        .with("Host", "example.org:81")
        .with("Content-Type", "text/plain; charset=utf-8")
        .with("Content-Length", "12");
    let head = request("POST", "/app/a%20b?c=d%20e&f", fields);
    let mount = mount().document_root("/srv/www/");
    let rows = [
        // 4.1.2, 4.1.3
        ("CONTENT_LENGTH", Some("12")),
        ("CONTENT_TYPE", Some("text/plain; charset=utf-8")),
        // 4.1.4: "It MUST be set to the dialect of CGI being used by the server"
        ("GATEWAY_INTERFACE", Some("CGI/1.1")),
        // 4.1.5: "Unlike a URI path, the PATH_INFO is not URL-encoded"
        ("PATH_INFO", Some("/a b")),
        // 4.1.6: "derived by taking the PATH_INFO value [...] and performing any
        // virtual-to-physical translation"
        ("PATH_TRANSLATED", Some("/srv/www/a b")),
        ("DOCUMENT_ROOT", Some("/srv/www/")),
        // 4.1.7: "a URL-encoded search or parameter string"
        ("QUERY_STRING", Some("c=d%20e&f")),
        // 4.1.8: "hostnumber = ipv4-address | ipv6-address": without brackets
        ("REMOTE_ADDR", Some("2001:db8::7")),
        // 4.1.9: "If the hostname is not available for performance reasons or otherwise, the server
        // MAY substitute the REMOTE_ADDR value"
        ("REMOTE_HOST", Some("2001:db8::7")),
        ("REMOTE_PORT", Some("1234")),
        ("REQUEST_METHOD", Some("POST")),
        // 4.1.13: "The leading "/" is not part of the path. It is optional if the path is NULL"
        ("SCRIPT_NAME", Some("/app")),
        ("SERVER_NAME", Some("example.org")),
        ("SERVER_ADDR", Some("192.0.2.1")),
        // 4.1.15: "the TCP/IP port number on which this request is received from the client"
        ("SERVER_PORT", Some("8080")),
        ("SERVER_PROTOCOL", Some("HTTP/1.1")),
        ("REQUEST_URI", Some("/app/a%20b?c=d%20e&f")),
        ("REQUEST_SCHEME", Some("http")),
        ("HTTP_HOST", Some("example.org:81")),
        ("HTTP_CONTENT_TYPE", None),
        ("HTTP_CONTENT_LENGTH", None),
        // 4.1.1, 4.1.10, 4.1.11: no authentication, no RFC 1413
        ("AUTH_TYPE", None),
        ("REMOTE_USER", None),
        ("REMOTE_IDENT", None),
    ];
    let variables = variables(&head, &mount);
    check(&variables, &rows);
    let software = variables.get("SERVER_SOFTWARE").unwrap();
    assert!(software.starts_with(b"Kamea/"));
}

#[test]
fn the_method_keeps_its_case_and_the_version_is_that_of_the_request() {
    // 4.1.12: "The method is case sensitive"
    let mut head = request("brew", "/", Fields::new());
    head.version = Version::HTTP_10;
    let rows = [
        ("REQUEST_METHOD", Some("brew")),
        ("SERVER_PROTOCOL", Some("HTTP/1.0")),
    ];
    check(&variables(&head, &mount()), &rows);
}

#[test]
fn paths_are_split_behind_the_script_name() {
    let rows = [
        // 4.1.13: "It is optional if the path is NULL; however, the variable MUST still be set in
        // that case."; 4.1.5: "PATH_INFO = "" | ( "/" path )"
        ("/app", "/app", ""),
        ("/app/", "/app", "/"),
        ("/app//x/", "/app", "//x/"),
        ("/%61pp/%C3%A9", "/app", "/\u{e9}"),
        ("http://example.org/app/x", "/app", "/x"),
        // The rules for files do not apply to programs, which check the path themselves.
        ("/app/u/a%2Fb", "/app", "/u/a/b"),
        ("/app/../b", "/app", "/../b"),
        ("/app/%2e%2e/b", "/app", "/../b"),
        ("//app//x", "/app", "//x"),
        // Not below the script name.
        ("/apple", "", "/apple"),
        ("http://example.org", "", "/"),
    ];
    for (target, script_name, path_info) in rows {
        let variables = variables(&request("GET", target, Fields::new()), &mount());
        let rows = [
            ("SCRIPT_NAME", Some(script_name)),
            ("PATH_INFO", Some(path_info)),
            ("REQUEST_URI", Some(target)),
            // 4.1.7: "The server MUST set this variable; if the Script-URI does not include a query
            // component, the QUERY_STRING MUST be defined as an empty string"
            ("QUERY_STRING", Some("")),
            // There is no document root.
            ("PATH_TRANSLATED", None),
        ];
        check(&variables, &rows);
    }
    let asterisk = variables(&request("OPTIONS", "*", Fields::new()), &mount());
    check(
        &asterisk,
        &[("PATH_INFO", Some("")), ("REQUEST_URI", Some("*"))],
    );
}

#[test]
fn a_program_below_the_mount_has_a_script_name_of_its_own() {
    let head = request("GET", "/app/run/more?x", Fields::new());
    let exchange = Exchange::new(0, "192.0.2.7:1".parse().unwrap());
    let mount = mount().document_root("/srv");
    for (info, translated) in [("/more", Some("/srv/more")), ("", None)] {
        // 4.1.6: "If PATH_INFO is NULL, then the PATH_TRANSLATED variable MUST be set to NULL (or
        // unset)."
        let variables =
            Variables::of_script(&head, &exchange, &mount, b"/app/run", info.as_bytes());
        let rows = [
            ("SCRIPT_NAME", Some("/app/run")),
            ("PATH_INFO", Some(info)),
            ("PATH_TRANSLATED", translated),
        ];
        check(&variables, &rows);
    }
}

#[test]
fn a_path_that_names_nothing_is_refused() {
    // 4.1.5: "The server MAY impose restrictions and limitations on what values it permits for
    // PATH_INFO"
    let exchange = Exchange::new(0, "192.0.2.7:1".parse().unwrap());
    for (target, error) in [
        ("/app/%00", PathError::Nul),
        ("/app/a%00%2Fb", PathError::Nul),
        ("/%00app", PathError::Nul),
        ("/app/100%", PathError::Percent),
        ("/app/%zz", PathError::Percent),
    ] {
        let head = request("GET", target, Fields::new());
        assert_eq!(Variables::of(&head, &exchange, &mount()), Err(error));
    }
}

#[test]
fn the_server_is_named_as_the_client_names_it() {
    // 4.1.14: "server-name = hostname | ipv4-address | ( "[" ipv6-address "]" )"
    let local = |address: &str| Mount::new(address.parse().unwrap());
    let rows = [
        ("/", Some("Example.org"), "192.0.2.1:80", "Example.org"),
        ("/", Some("example.org:81"), "192.0.2.1:80", "example.org"),
        ("/", Some("[::1]:81"), "192.0.2.1:80", "[::1]"),
        ("/", Some("[::1]"), "192.0.2.1:80", "[::1]"),
        ("/", Some(":81"), "192.0.2.1:80", "192.0.2.1"),
        ("/", Some(""), "192.0.2.1:80", "192.0.2.1"),
        ("/", None, "192.0.2.1:80", "192.0.2.1"),
        ("/", None, "[::1]:80", "[::1]"),
        ("/", None, "[::ffff:192.0.2.1]:80", "192.0.2.1"),
        // RFC 9112, 3.2.2: "an origin server MUST ignore the received Host header field (if any)
        // and instead use the host information of the request-target".
        ("http://b:82/", Some("a"), "192.0.2.1:80", "b"),
    ];
    for (target, field, address, expected) in rows {
        let fields = field.map_or(Fields::new(), |host| Fields::new().with("Host", host));
        let variables = variables(&request("GET", target, fields), &local(address));
        let name = variables.get("SERVER_NAME").map(String::from_utf8_lossy);
        assert_eq!(name.as_deref(), Some(expected), "{target} {field:?}");
    }
    let absolute = request("GET", "http://b:82/", Fields::new().with("Host", "a"));
    let variables = variables(&absolute, &mount());
    check(&variables, &[("HTTP_HOST", Some("b:82"))]);
}

#[test]
fn fields_become_variables() {
    // 4.1.18: "The HTTP header field name is converted to upper case, has all occurrences of "-"
    // replaced with "_" and has "HTTP_" prepended to give the meta-variable name."
    let fields = Fields::new()
        .with("user-Agent", "curl")
        .with("X-1", "one")
        .with("Cookie", "a=b")
        .with("Empty", "")
        .with("X-Name", b"caf\xe9")
        .with("Accept", "text/html")
        .with("cookie", "c=d")
        // "If multiple header fields with the same field-name are received then the server MUST
        // rewrite them as a single value having the same semantics."
        .with("ACCEPT", "text/plain;q=0.5")
        .with("Accept", "*/*;q=0.1")
        .with("Last", "end");
    let variables = with_fields(fields);
    let rows = [
        ("HTTP_USER_AGENT", Some("curl")),
        ("HTTP_X_1", Some("one")),
        ("HTTP_COOKIE", Some("a=b; c=d")),
        ("HTTP_EMPTY", Some("")),
        (
            "HTTP_ACCEPT",
            Some("text/html, text/plain;q=0.5, */*;q=0.1"),
        ),
        ("HTTP_LAST", Some("end")),
    ];
    check(&variables, &rows);
    assert_eq!(variables.get("HTTP_X_NAME"), Some(&b"caf\xe9"[..]));
}

#[test]
fn fields_that_deceive_or_belong_to_the_connection_stay_behind() {
    let mut fields = Fields::new().with("X-Forwarded-For", "192.0.2.9");
    for name in NEVER {
        fields = fields.with(name, "x");
    }
    for name in [
        "X_Forwarded_For",
        "X-Forwarded_For",
        "PROXY",
        "X.Y",
        "X%",
        "Content_Length",
    ] {
        fields = fields.with(name, "evil");
    }
    // 4.1.18: "The server SHOULD remove any header fields carrying authentication information".
    let fields = fields.with("Authorization", "Basic eDp5");
    let variables = with_fields(fields.clone());
    let passed: Vec<_> = variables
        .iter()
        .filter(|(name, _)| name.starts_with("HTTP_"))
        .collect();
    assert_eq!(passed, [("HTTP_X_FORWARDED_FOR", &b"192.0.2.9"[..])]);
    assert_eq!(variables.get("CONTENT_LENGTH"), None);

    let head = request("GET", "/app", fields);
    let exchange = Exchange::new(0, "192.0.2.7:1".parse().unwrap());
    let variables = Variables::of(&head, &exchange, &mount().pass_authorization()).unwrap();
    check(&variables, &[("HTTP_AUTHORIZATION", Some("Basic eDp5"))]);
    assert!(
        !format!("{variables:?}").contains("eDp5"),
        "it is not shown"
    );
}

#[test]
fn variables_can_be_set_and_replaced() {
    let mut variables = with_fields(Fields::new().with("A", "1").with("B", "2"));
    let before = variables.iter().len();
    variables.set_content_length(17);
    variables.set("HTTP_A", "longer");
    variables.set("REMOTE_USER", b"kiri");
    variables.set("REQUEST_METHOD", "");
    variables.set_content_length(3);
    assert_eq!(variables.iter().len(), before + 2);
    let rows = [
        ("CONTENT_LENGTH", Some("3")),
        ("HTTP_A", Some("longer")),
        ("HTTP_B", Some("2")),
        ("REMOTE_USER", Some("kiri")),
        ("REQUEST_METHOD", Some("")),
        ("REMOTE_PORT", Some("1234")),
        ("HTTP_", None),
        ("", None),
    ];
    check(&variables, &rows);
}
