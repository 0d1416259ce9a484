//! `start_sampleapp`: routes of a `WeApRous`.

use super::started::Started;

const SAMPLEAPP: &str = env!("CARGO_BIN_EXE_start_sampleapp");

#[test]
fn the_routes_are_printed_and_answer_in_json() {
    let app = Started::new(SAMPLEAPP, &[]);
    let printed: Vec<_> = app.printed.iter().map(String::as_str).collect();
    assert_eq!(
        printed,
        ["Route: POST, PUT    /login", "Route: GET, POST    /hello"]
    );
    for (request, body, expected) in [
        (
            "POST /login HTTP/1.1",
            "username=admin",
            r#"{"message":"Logged in"}"#,
        ),
        ("POST /login HTTP/1.1", "", r#"{"message":"Logged in"}"#),
        (
            "PUT /login HTTP/1.1",
            "anything",
            r#"{"message":"Logged in"}"#,
        ),
        ("GET /hello HTTP/1.1", "", r#"{"message":"Hello, world!"}"#),
        (
            "POST /hello HTTP/1.1",
            "x",
            r#"{"message":"Hello, world!"}"#,
        ),
    ] {
        let answered = app.ask(request, body);
        assert_eq!(answered.status(), 200, "{request}: {answered:?}");
        assert_eq!(answered.body().trim_end(), expected, "{request}");
        assert!(
            answered
                .field("content-type")
                .starts_with("application/json")
        );
    }
    let answered = app.ask("DELETE /hello HTTP/1.1", "");
    assert_eq!(answered.status(), 405);
    // RFC 9110, 15.5.6: "The origin server MUST generate an Allow header field".
    assert!(answered.field("allow").contains("POST"), "{answered:?}");
    assert_eq!(app.ask("GET /nothing HTTP/1.1", "").status(), 404);
    let large = "x".repeat(3 << 20);
    assert_eq!(app.ask("POST /login HTTP/1.1", &large).status(), 413);
}
