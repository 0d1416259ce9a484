//! The router alone: each request goes to its component.

use kamea::{Flow, Graph, Receiver, Sender, testing::block_on};

use super::*;
use crate::http::{Event, Limits, RequestDecoder};
use crate::web::Exchange;

/// A router that serves PROPFIND and PURGE beside files.
struct Routed {
    requests: Sender<Request>,
    files: Receiver<Request>,
    methods: Vec<Receiver<Request>>,
    responses: Receiver<Response>,
    failures: Receiver<Failure>,
    flow: Flow,
}

fn routed() -> Routed {
    let routes = ["PROPFIND", "PURGE"].map(|name| Route::any_path().method(name).unwrap());
    let mut graph = Graph::new("routing");
    let mut router = graph.add("router", route_requests(routes.to_vec()));
    Routed {
        requests: graph.feed(router.requests),
        files: graph.take(router.files),
        methods: (0..2).map(|_| graph.take(router.routes.branch())).collect(),
        responses: graph.take(router.responses),
        failures: graph.take(router.failures),
        flow: graph.start().unwrap(),
    }
}

fn request(method: &str) -> Request {
    request_for(method, "/")
}

fn request_for(method: &str, target: &str) -> Request {
    let mut decoder = RequestDecoder::new(Limits::default());
    decoder.feed(format!("{method} {target} HTTP/1.1\r\nHost: A.example:80\r\n\r\n").into());
    let Ok(Some(Event::Head(head, _))) = decoder.next() else {
        panic!("{method} is no request");
    };
    let exchange = Exchange {
        is_head: method == "HEAD",
        ..Exchange::new(0, "192.0.2.1:1".parse().unwrap())
    };
    Request::new(exchange, Box::new(head), None)
}

#[test]
fn each_method_goes_where_it_is_served() {
    let mut routed = routed();
    block_on(async {
        for method in ["GET", "PURGE", "HEAD", "PROPFIND"] {
            routed.requests.send(request(method)).await.unwrap();
        }
        drop(routed.requests);
        routed.flow.await.unwrap();
    });
    let methods = |receiver: &mut Receiver<Request>| {
        std::iter::from_fn(|| receiver.try_next())
            .map(|request| request.method().to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(methods(&mut routed.files), ["GET", "HEAD"]);
    assert_eq!(methods(&mut routed.methods[0]), ["PROPFIND"]);
    assert_eq!(methods(&mut routed.methods[1]), ["PURGE"]);
    assert!(routed.failures.try_next().is_none());
}

#[test]
fn what_nobody_serves_is_a_failure() {
    // RFC 9110, 15.5.6: "The origin server MUST generate an Allow header field in a 405 response".
    // RFC 9110, 9.1: a method that is "unrecognized or not implemented" is answered with 501.
    for (method, status, allow) in [
        (
            "DELETE",
            405,
            Some(&b"GET, HEAD, OPTIONS, PROPFIND, PURGE"[..]),
        ),
        ("BREW", 501, None),
        ("get", 501, None),
    ] {
        let mut routed = routed();
        block_on(async {
            routed.requests.send(request(method)).await.unwrap();
            drop(routed.requests);
            routed.flow.await.unwrap();
        });
        let failure = routed.failures.try_next().unwrap();
        assert_eq!(failure.status.as_u16(), status, "{method}");
        assert_eq!(failure.fields.get("allow"), allow, "{method}");
    }
}

#[test]
fn a_request_whose_component_is_gone_fails_and_the_others_do_not() {
    let mut routed = routed();
    drop(routed.methods.remove(0));
    block_on(async {
        for method in ["PROPFIND", "GET"] {
            routed.requests.send(request(method)).await.unwrap();
        }
        drop(routed.requests);
        routed.flow.await.unwrap();
    });
    let failure = routed.failures.try_next().unwrap();
    assert_eq!(failure.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(failure.exchange.closes);
    assert!(routed.files.try_next().is_some());
}

#[test]
fn options_tells_which_methods_there_are() {
    // RFC 9110, 9.3.7: "A server generating a successful response to OPTIONS SHOULD send any header
    // that might indicate optional features implemented by the server and applicable to the target
    // resource (e.g., Allow)".
    let mut routed = routed();
    block_on(async {
        routed.requests.send(request("OPTIONS")).await.unwrap();
        drop(routed.requests);
        routed.flow.await.unwrap();
    });
    let head = routed.responses.try_next().unwrap().head;
    assert_eq!(head.status, StatusCode::NO_CONTENT);
    let allowed = b"GET, HEAD, OPTIONS, PROPFIND, PURGE";
    assert_eq!(head.fields.get("allow"), Some(&allowed[..]));
}

#[test]
fn a_route_is_for_methods_paths_and_queries() {
    let head = |path: &str| request_for("GET", path).head;
    let rows = [
        (Route::path("/a/*"), "/a/b", true),
        (Route::path("/a/*"), "/a/", true),
        (Route::path("/a/*"), "/%61/b", true),
        (Route::path("/a/*"), "/a", false),
        (Route::path("/a/*"), "/b/a/", false),
        (Route::path("/a?"), "/ab", true),
        (Route::path("/a"), "/a?b", true),
        (Route::path("/a b"), "/a%20b", true),
        // An invalid path goes only to the file handler, which reports it.
        (Route::path("/*"), "/a/%2e%2e/b", false),
        (Route::path("/a/*"), "/a%2Fb", false),
        (Route::path("/a/*"), "//a///b", true),
        (Route::path("/a/b"), "/a//%62", true),
        // An application checks paths itself.
        (Route::below("/a"), "/a/%2e%2e/b", true),
        (Route::below("/a"), "/a%2Fb", true),
        (Route::below("/a"), "//a//b", true),
        (Route::below("/a"), "/ab%2F", false),
        (Route::below("/a"), "/b/../a", false),
        (Route::any_path(), "/x", true),
        (Route::any_path().host("a.Example"), "/x", true),
        (Route::any_path().host("b.example"), "/x", false),
        (
            Route::any_path().host("b.example"),
            "http://B.example/x",
            true,
        ),
        (Route::any_path().host("[::1]"), "http://[::1]:80/x", true),
        (Route::any_path().query("thumbnail"), "/x?thumbnail", true),
        (
            Route::any_path().query("thumbnail"),
            "/x?thumbnail=1",
            false,
        ),
        (Route::any_path().query("thumbnail"), "/x", false),
        (Route::any_path().method("PUT").unwrap(), "/x", false),
        (
            Route::any_path()
                .method("PUT")
                .unwrap()
                .method("GET")
                .unwrap(),
            "/x",
            true,
        ),
    ];
    for (route, path, expected) in rows {
        assert_eq!(route.matches(&head(path)), expected, "{route:?} {path}");
    }
    assert!(Route::any_path().method("two words").is_err());
}

#[test]
fn connect_goes_only_where_it_is_asked_for_by_name() {
    // RFC 9110, 9.3.6: "An origin server MAY accept a CONNECT request, but most origin servers do
    // not implement CONNECT."
    let head = request_for("CONNECT", "a.example:443").head;
    for route in [
        Route::any_path(),
        Route::below("/"),
        Route::below(""),
        Route::path("*"),
        Route::any_path().host("a.example"),
        Route::any_path().method("GET").unwrap(),
    ] {
        assert!(!route.matches(&head), "{route:?}");
    }
    assert!(Route::any_path().method("CONNECT").unwrap().matches(&head));
}

#[test]
fn allow_names_what_is_there_for_this_path() {
    let routes = [
        Route::path("/drafts/*").method("PUT").unwrap(),
        Route::path("/mail").method("POST").unwrap(),
    ];
    let allow = |path: &str| {
        let method = if path == "*" { "OPTIONS" } else { "GET" };
        allowed(&routes, &request_for(method, path).head)
    };
    assert_eq!(allow("/drafts/a"), "GET, HEAD, OPTIONS, PUT");
    assert_eq!(allow("/mail"), "GET, HEAD, OPTIONS, POST");
    assert_eq!(allow("/"), "GET, HEAD, OPTIONS");
    assert_eq!(allow("*"), "GET, HEAD, OPTIONS, PUT, POST");
}
