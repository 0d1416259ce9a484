//! Bad input: each row is answered with its status, and with a body that says what is wrong.

use std::collections::BTreeMap;

use bytes::Bytes;
use kamea::testing::block_on;
use serde::Deserialize;

use crate::{App, Call, Form, FormData, Json, Multipart, Problem, TestApp, TestRequest};

#[derive(Deserialize)]
#[allow(dead_code, reason = "only read")]
struct New {
    name: String,
    age: u8,
    #[serde(default)]
    tags: Vec<String>,
    address: Option<Address>,
    kind: Option<Kind>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "only read")]
struct Address {
    city: String,
    lines: Vec<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Guest,
    Member,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only read")]
struct Paging {
    page: Option<u32>,
    size: Option<u8>,
    all: Option<bool>,
}

#[derive(Deserialize)]
#[allow(dead_code, reason = "only read")]
struct Signup {
    name: String,
    age: u8,
    news: Option<bool>,
}

fn app() -> TestApp {
    async fn multipart(mut call: Call<(), Multipart>) -> Result<(), Problem> {
        while call.body.next().await?.is_some() {
            call.body.bytes().await?;
        }
        Ok(())
    }
    App::new()
        .post("/json", async |_: Call<(), Json<New>>| {})
        .post("/form", async |_: Call<(), Form<Signup>>| {})
        .post("/files", async |_: Call<(), FormData<Signup>>| {})
        .post("/parts", multipart)
        .post("/text", async |_: Call<(), String>| {})
        .post("/bytes", async |_: Call<(), Bytes>| {})
        .get("/list", async |_: Call<Paging>| {})
        .get("/items/{id}", async |_: Call<u16>| {})
        .get("/days/{day}/{kind}", async |_: Call<(u8, Kind)>| {})
        .body_limit(4096)
        .test()
}

async fn check(request: TestRequest<'_>, status: u16, said: &str) {
    let shown = format!("{request:?}");
    let answer = request
        .field("Accept", "application/problem+json")
        .send()
        .await;
    let text = answer.text();
    assert_eq!(answer.status(), status, "{shown}: {text}");
    assert_eq!(
        answer.field("content-type"),
        Some("application/problem+json"),
        "{shown}"
    );
    assert!(text.contains(said), "{shown}: {said:?} is not in {text}");
}

#[test]
fn bad_json() {
    const JSON: &str = "application/json";
    let deep = format!("{}1{}", "[".repeat(1000), "]".repeat(1000));
    let wide = format!("{{\"name\":\"{}\",\"age\":1}}", "x".repeat(5000));
    let rows: Vec<(&str, &[u8], u16, &str)> = vec![
        (JSON, b"", 400, "not valid JSON"),
        (JSON, b"{", 400, "not valid JSON"),
        (
            JSON,
            b"{\"name\":\"a\",\"age\":1} x",
            400,
            "trailing characters",
        ),
        (JSON, b"{\"name\":\"a\",\"age\":1,}", 400, "trailing comma"),
        (JSON, b"{'name':'a'}", 400, "not valid JSON"),
        (JSON, b"{\"name\":\"a\",\"age\":01}", 400, "not valid JSON"),
        (
            JSON,
            b"{\"name\":\"\\ud800\",\"age\":1}",
            400,
            "not valid JSON",
        ),
        (
            JSON,
            b"{\"name\":\"\xFF\",\"age\":1}",
            400,
            "not valid JSON",
        ),
        (
            JSON,
            b"\xEF\xBB\xBF{\"name\":\"a\",\"age\":1}",
            400,
            "not valid JSON",
        ),
        (JSON, b"{\"name\":NaN,\"age\":1}", 400, "not valid JSON"),
        (JSON, deep.as_bytes(), 422, "\"field\":\"[0]\""),
        (JSON, b"[]", 422, "invalid length 0"),
        (JSON, b"null", 422, "\"field\":\"body\""),
        (JSON, b"{}", 422, "\"field\":\"name\""),
        (JSON, b"{\"name\":\"a\"}", 422, "\"field\":\"age\""),
        (JSON, b"{\"name\":1,\"age\":1}", 422, "\"field\":\"name\""),
        (
            JSON,
            b"{\"name\":null,\"age\":1}",
            422,
            "\"field\":\"name\"",
        ),
        (
            JSON,
            b"{\"name\":\"a\",\"age\":256}",
            422,
            "\"field\":\"age\"",
        ),
        (
            JSON,
            b"{\"name\":\"a\",\"age\":-1}",
            422,
            "\"field\":\"age\"",
        ),
        (
            JSON,
            b"{\"name\":\"a\",\"age\":1.5}",
            422,
            "\"field\":\"age\"",
        ),
        (
            JSON,
            b"{\"name\":\"a\",\"age\":\"1\"}",
            422,
            "\"field\":\"age\"",
        ),
        (
            JSON,
            b"{\"name\":\"a\",\"age\":1,\"age\":2}",
            422,
            "duplicate field",
        ),
        (
            JSON,
            b"{\"name\":\"a\",\"age\":1,\"tags\":[\"a\",2]}",
            422,
            "\"field\":\"tags[1]\"",
        ),
        (
            JSON,
            b"{\"name\":\"a\",\"age\":1,\"tags\":\"a\"}",
            422,
            "\"field\":\"tags\"",
        ),
        (
            JSON,
            b"{\"name\":\"a\",\"age\":1,\"address\":{\"lines\":[]}}",
            422,
            "\"field\":\"address.city\"",
        ),
        (
            JSON,
            b"{\"name\":\"a\",\"age\":1,\"address\":{\"city\":\"x\",\"lines\":[1,70000]}}",
            422,
            "\"field\":\"address.lines[1]\"",
        ),
        (
            JSON,
            b"{\"name\":\"a\",\"age\":1,\"kind\":\"king\"}",
            422,
            "unknown variant `king`",
        ),
        (JSON, wide.as_bytes(), 413, "at most 4096 bytes"),
        ("text/plain", b"{}", 415, "this one is text/plain"),
        ("application/jsonp", b"{}", 415, "must be application/json"),
        (
            "application/x-www-form-urlencoded",
            b"name=a",
            415,
            "must be application/json",
        ),
        ("", b"{}", 415, "must be application/json"),
    ];
    block_on(async {
        let app = app();
        for (media_type, body, status, said) in rows {
            check(
                app.post("/json").body(media_type, body.to_vec()),
                status,
                said,
            )
            .await;
        }
        check(app.post("/json"), 415, "its Content-Type is missing").await;
    });
}

#[test]
fn bad_forms() {
    const FORM: &str = "application/x-www-form-urlencoded";
    let many = "a=1&".repeat(1001);
    let rows: Vec<(&str, &[u8], u16, &str)> = vec![
        (FORM, b"", 422, "\"field\":\"name\""),
        (FORM, b"name=a", 422, "\"field\":\"age\""),
        (FORM, b"name=a&age=", 422, "\"field\":\"age\""),
        (FORM, b"name=a&age=300", 422, "a whole number from 0 to 255"),
        (FORM, b"name=a&age=1&age=2", 422, "more than once"),
        (FORM, b"name=a&name=b&age=1", 422, "\"field\":\"name\""),
        (FORM, b"name=a&age=1&news=maybe", 422, "\"field\":\"news\""),
        (FORM, b"name=a;age=1", 422, "\"field\":\"age\""),
        (FORM, many.as_bytes(), 413, "more than 1000 fields"),
        (FORM, &[b'x'; 5000], 413, "at most 4096 bytes"),
        ("application/json", b"{}", 415, "x-www-form-urlencoded"),
        (
            "multipart/form-data; boundary=b",
            b"--b--",
            415,
            "x-www-form-urlencoded",
        ),
    ];
    block_on(async {
        let app = App::new()
            .post("/form", async |_: Call<(), Form<Signup>>| {})
            .body_limit(4096)
            .test();
        for (media_type, body, status, said) in rows {
            check(
                app.post("/form").body(media_type, body.to_vec()),
                status,
                said,
            )
            .await;
        }
    });
}

#[test]
fn bad_multipart() {
    const TYPE: &str = "multipart/form-data; boundary=b";
    const PART: &str = "--b\r\nContent-Disposition: form-data; name=";
    let long = format!("{PART}\"name\"\r\n\r\n{}\r\n--b--", "x".repeat(5000));
    let text = format!("{PART}\"name\"\r\n\r\na\r\n{PART}\"age\"\r\n\r\nx\r\n--b--");
    let head = format!("--b\r\nA: {}\r\n\r\n", "x".repeat(20_000));
    let rows: Vec<(&str, &str, &[u8], u16, &str)> = vec![
        ("/parts", "multipart/form-data", b"", 400, "boundary"),
        (
            "/parts",
            "multipart/form-data; boundary=\"a \"",
            b"",
            400,
            "boundary",
        ),
        ("/parts", TYPE, b"", 400, "ends before its last boundary"),
        (
            "/parts",
            TYPE,
            b"--c--",
            400,
            "ends before its last boundary",
        ),
        ("/parts", TYPE, b"--b\r\n\r\nx\r\n--b--", 400, "no name"),
        (
            "/parts",
            TYPE,
            b"--b\r\nx\r\n\r\nx\r\n--b--",
            400,
            "head of a part",
        ),
        (
            "/parts",
            TYPE,
            head.as_bytes(),
            413,
            "head of a part is too long",
        ),
        ("/parts", TYPE, long.as_bytes(), 413, "more than 4096 bytes"),
        (
            "/parts",
            "multipart/mixed; boundary=b",
            b"",
            415,
            "multipart/form-data",
        ),
        ("/files", TYPE, b"--b--", 422, "\"field\":\"name\""),
        ("/files", TYPE, text.as_bytes(), 422, "\"field\":\"age\""),
        ("/files", TYPE, long.as_bytes(), 413, "more than 4096 bytes"),
        (
            "/files",
            TYPE,
            b"--b\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\n\xFF\r\n--b--",
            422,
            "\"field\":\"name\"",
        ),
    ];
    block_on(async {
        let app = app();
        for (path, media_type, body, status, said) in rows {
            check(app.post(path).body(media_type, body.to_vec()), status, said).await;
        }
    });
}

#[test]
fn bad_parameters_and_paths() {
    let rows = [
        ("/items/x", 404, "\"field\":\"id\""),
        ("/items/-1", 404, "\"field\":\"id\""),
        ("/items/65536", 404, "\"field\":\"id\""),
        ("/items/1%00", 400, "NUL"),
        ("/items/%ff", 400, "UTF-8"),
        ("/items/%", 400, "hexadecimal"),
        ("/items/%1", 400, "hexadecimal"),
        ("/items/..", 400, "dot segment"),
        ("/items/%2e%2e", 400, "dot segment"),
        ("/items/1%2F2", 404, "\"field\":\"id\""),
        ("/items/", 404, "nothing at this place"),
        ("/days/1/king", 404, "nothing at this place"),
        ("/list?page=x", 400, "\"field\":\"page\""),
        ("/list?page=-1", 400, "\"field\":\"page\""),
        ("/list?page=1&page=2", 400, "more than once"),
        ("/list?size=256", 400, "a whole number from 0 to 255"),
        ("/list?all=2", 400, "neither true nor false"),
        ("/list?other=1", 400, "\"field\":\"other\""),
        ("/list?page=%ff", 400, "\"field\":\"page\""),
        ("/nowhere", 404, "nothing at this place"),
    ];
    block_on(async {
        let app = app();
        for (path, status, said) in rows {
            check(app.get(path), status, said).await;
        }
        check(
            app.get(&format!("/list?{}", "a=1&".repeat(1001))),
            400,
            "1000 parameters",
        )
        .await;
        check(app.delete("/list"), 405, "DELETE is not for this resource").await;
        check(
            app.post("/text").body("text/plain", &b"\xFF"[..]),
            400,
            "UTF-8",
        )
        .await;
        check(
            app.post("/bytes").body("a/b", vec![0; 4097]),
            413,
            "at most 4096 bytes",
        )
        .await;
    });
}

/// A body without a length is cut where its limit is.
#[test]
fn a_body_that_hides_its_length_is_limited_too() {
    block_on(async {
        let app = app();
        let request = app
            .post("/bytes")
            .field("Content-Length", "1")
            .body("a/b", vec![0; 100_000]);
        check(request, 413, "4096").await;
    });
}

#[test]
fn forms_with_too_many_files_or_too_long_heads() {
    type Fields = BTreeMap<String, Vec<String>>;
    block_on(async {
        let app = App::new()
            .post("/", async |call: Call<(), FormData<Fields>>| {
                call.body.files.len().to_string()
            })
            .body_limit(4096)
            .test();
        let file = ("f", Some("x"), &b"1"[..]);
        // Fields that nobody has filled in are no files.
        let mut parts = vec![file; 32];
        parts.push(("f", Some(""), b""));
        assert_eq!(app.post("/").multipart(&parts).send().await.text(), "32");
        check(
            app.post("/").multipart(&[file; 33]),
            413,
            "more than 32 files",
        )
        .await;
        parts.push(("f", Some(""), b"1"));
        check(app.post("/").multipart(&parts), 413, "more than 32 files").await;
        let long = "x".repeat(500);
        for part in [
            (long.as_str(), Some("x"), &b""[..]),
            ("f", Some(long.as_str()), b""),
            (long.as_str(), None, b""),
        ] {
            let answer = app.post("/").multipart(&[part; 8]).send().await;
            assert_eq!(answer.status(), 200, "{}", answer.text());
            check(
                app.post("/").multipart(&[part; 9]),
                413,
                "more than 4096 bytes",
            )
            .await;
        }
        let head =
            format!("Content-Disposition: form-data; name=f; filename=x\r\nContent-Type: {long}");
        let part = format!("--b\r\n{head}\r\n\r\n\r\n");
        let body = part.repeat(9) + "--b--\r\n";
        let request = app.post("/").body("multipart/form-data; boundary=b", body);
        check(request, 413, "more than 4096 bytes").await;
    });
}
