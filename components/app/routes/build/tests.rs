//! The table of routes: what is found, and which mistakes are.

use kamea_components::http::{Event, Limits, RequestDecoder, RequestHead};

use super::*;
use crate::routes::Found;
use crate::{App, TrailingSlash};

async fn nothing() {}

fn head(method: &str, target: &str) -> RequestHead {
    let mut decoder = RequestDecoder::new(Limits::default());
    decoder.feed(format!("{method} {target} HTTP/1.1\r\nHost: A.example:80\r\n\r\n").into());
    match decoder.next() {
        Ok(Some(Event::Head(head, _))) => head,
        other => panic!("{other:?}"),
    }
}

/// What a request finds, in a line.
fn found(table: &Table, method: &str, target: &str) -> String {
    match table.find(&head(method, target)) {
        Found::Handler {
            resource, captures, ..
        } => {
            let captures: Vec<_> = captures
                .iter()
                .map(|(name, value)| format!(" {name}={value}"))
                .collect();
            format!("{}{}", resource.pattern, captures.concat())
        }
        Found::Options { allow, .. } => format!("options {allow}"),
        Found::NotAllowed { allow, .. } => format!("405 {allow}"),
        Found::Elsewhere(location) => format!("308 {location}"),
        Found::Nothing(Some(fallback)) => format!("fallback {}", fallback.prefix),
        Found::Nothing(None) => "404".to_owned(),
        Found::Invalid(why) => format!("400 {why}"),
    }
}

fn table(app: App) -> Table {
    app.table().unwrap()
}

#[test]
fn the_most_specific_route_wins_in_any_order() {
    let table = table(
        App::new()
            .get("/files/{*rest}", nothing)
            .get("/users/{id}", nothing)
            .put("/users/{id}", nothing)
            .get("/users/me", nothing)
            .get("/users/{id}/posts/{post}", nothing)
            .get("/files/index", nothing)
            .get("/a b/{c}", nothing)
            .any("/any", nothing)
            .post("/", nothing),
    );
    for (method, target, expected) in [
        ("GET", "/users/7", "/users/{id} id=7"),
        ("GET", "/users/me", "/users/me"),
        (
            "GET",
            "/users/7/posts/x",
            "/users/{id}/posts/{post} id=7 post=x",
        ),
        ("GET", "/users/a%2Fb", "/users/{id} id=a/b"),
        ("GET", "/users/a%252Fb", "/users/{id} id=a%2Fb"),
        ("GET", "/users/%C3%A9%20+", "/users/{id} id=\u{e9} +"),
        ("GET", "/%75sers/1", "/users/{id} id=1"),
        ("GET", "/a%20b/c", "/a b/{c} c=c"),
        ("GET", "/files/a/b%2Fc", "/files/{*rest} rest=a/b/c"),
        ("GET", "/files/index", "/files/index"),
        ("GET", "//users//7", "/users/{id} id=7"),
        ("GET", "http://a.example/users/7?q", "/users/{id} id=7"),
        ("HEAD", "/users/7", "/users/{id} id=7"),
        ("DELETE", "/any", "/any"),
        ("BREW", "/any", "/any"),
        ("DELETE", "/users/7", "405 GET, HEAD, PUT, OPTIONS"),
        ("OPTIONS", "/users/7", "options GET, HEAD, PUT, OPTIONS"),
        ("OPTIONS", "*", "options GET, HEAD, PUT, POST, OPTIONS"),
        ("GET", "/", "405 POST, OPTIONS"),
        ("GET", "/users/7/?q", "308 /users/7?q"),
        ("GET", "/nothing", "404"),
        ("GET", "/users", "404"),
        ("GET", "/Users/7", "404"),
        ("GET", "/users/%ff", "400 the path is not UTF-8"),
        ("GET", "/users/..", "400 the path contains a dot segment"),
    ] {
        assert_eq!(found(&table, method, target), expected, "{method} {target}");
    }
}

#[test]
fn a_slash_at_the_end_follows_the_policy() {
    let app = || App::new().get("/a", nothing).get("/b/", nothing);
    for (policy, a, b) in [
        (TrailingSlash::Redirect, "308 /a", "308 /b/"),
        (TrailingSlash::Ignore, "/a", "/b/"),
        (TrailingSlash::Strict, "404", "404"),
    ] {
        let table = table(app().trailing_slash(policy));
        assert_eq!(found(&table, "GET", "/a/"), a, "{policy:?}");
        assert_eq!(found(&table, "GET", "/b"), b, "{policy:?}");
        assert_eq!(found(&table, "GET", "//a"), "/a", "{policy:?}");
    }
    // It leads to no other server.
    let table = table(app());
    assert_eq!(found(&table, "GET", "//a/"), "308 /a");
}

#[test]
fn a_route_may_be_for_one_host() {
    let table = table(
        App::new()
            .get("/", nothing)
            .get("/all", nothing)
            .host(
                "a.Example",
                App::new().get("/", async || "a").get("/{own}", nothing),
            )
            .host("b.example", App::new().get("/b", nothing)),
    );
    assert_eq!(found(&table, "GET", "/all"), "/{own} own=all");
    assert_eq!(found(&table, "GET", "/b"), "/{own} own=b");
    assert_eq!(found(&table, "GET", "http://b.example:8080/b"), "/b");
    assert_eq!(found(&table, "GET", "http://c.example/b"), "404");
    assert_eq!(found(&table, "GET", "http://c.example/all"), "/all");
}

#[test]
fn a_nested_router_has_a_prefix_and_a_fallback() {
    let inner = App::new()
        .get("/", nothing)
        .get("/{id}", nothing)
        .fallback(nothing);
    let outer = App::new()
        .nest(
            "/api",
            App::new().nest("/users", inner).get("/other", nothing),
        )
        .get("/apis", nothing);
    let table = table(outer);
    for (target, expected) in [
        ("/api/users", "/api/users"),
        ("/api/users/7", "/api/users/{id} id=7"),
        ("/api/users/7/8", "fallback /api/users"),
        ("/api/other", "/api/other"),
        ("/api/usersx/1", "404"),
        ("/api", "404"),
    ] {
        assert_eq!(found(&table, "GET", target), expected, "{target}");
    }
}

#[test]
fn mistakes_name_the_routes() {
    let name = |app: App| app.table().map(drop).unwrap_err().to_string();
    for (app, expected) in [
        (
            App::new()
                .get("/users/{id}", nothing)
                .put("/users/{name}", nothing),
            "the routes GET /users/{id} and PUT /users/{name} conflict: both match the same requests",
        ),
        (
            App::new()
                .get("/a", nothing)
                .nest("/", App::new().get("/a", nothing)),
            "the routes GET /a and GET /a conflict: both match the same requests",
        ),
        (
            App::new().any("/a", nothing).any("/a", nothing),
            "the routes any method /a and any method /a conflict: both match the same requests",
        ),
        (
            App::new().get("a", nothing),
            "the pattern a is invalid: it does not begin with a slash",
        ),
        (
            App::new().get("/{*rest}/a", nothing),
            "the pattern /{*rest}/a is invalid: `{*rest}` must be the last segment",
        ),
        (
            App::new().get("/{a}/{a}", nothing),
            "the pattern /{a}/{a} is invalid: two captures have the same name",
        ),
        (
            App::new().get("/a?b", nothing),
            "the pattern /a?b is invalid: it is the pattern of a path: it has no query and no fragment",
        ),
        (
            App::new()
                .get("/a", nothing)
                .name("x")
                .get("/b", nothing)
                .name("x"),
            "two routes have the name x: /a and /b",
        ),
    ] {
        assert_eq!(name(app), expected);
    }
    for pattern in ["/{", "/{}", "/}", "/{a}{b}", "/a//b", "/..", "/{*}"] {
        let error = App::new()
            .get(pattern, nothing)
            .table()
            .map(drop)
            .unwrap_err();
        assert!(
            matches!(error, RouteError::Pattern { .. }),
            "{pattern}: {error}"
        );
    }
}
