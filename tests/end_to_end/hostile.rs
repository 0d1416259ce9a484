//! Malformed or hostile fields, paths and bodies in valid messages: each gets its response, the
//! connection continues, and the file is never larger or smaller than it should be.

use std::fs;

use super::server::Server;

const CONTENT: &str = "0123456789";
/// 2^64 and a little more, and a number beyond all machine integers.
const HUGE: &str = "18446744073709551616";

/// Returns the status of GET with this field.
fn fields() -> Vec<(String, u16)> {
    let many = |part: &str, count: usize| vec![part; count].join(",");
    let rows = [
        // Range: RFC 9110, 14.2: an invalid range is ignored, an unsatisfiable one is 416.
        ("Range: bytes=0-4".to_owned(), 206),
        ("Range: BYTES=0-4".to_owned(), 206),
        ("Range: bytes = 0-4".to_owned(), 206),
        ("Range: bytes=,0-4,,".to_owned(), 206),
        ("Range: bytes=5-4".to_owned(), 200),
        ("Range: bytes=".to_owned(), 200),
        ("Range: bytes".to_owned(), 200),
        ("Range:".to_owned(), 200),
        ("Range: =0-4".to_owned(), 200),
        ("Range: bytes=-".to_owned(), 200),
        ("Range: bytes=--1".to_owned(), 200),
        ("Range: bytes=0".to_owned(), 200),
        ("Range: bytes=a-b".to_owned(), 200),
        ("Range: bytes=0-4x".to_owned(), 200),
        ("Range: bytes=0x0-0x4".to_owned(), 200),
        ("Range: bytes=+0-4".to_owned(), 200),
        ("Range: bytes=0 - 4".to_owned(), 200),
        ("Range: bytes=0-4;5-6".to_owned(), 200),
        ("Range: seconds=0-4".to_owned(), 200),
        ("Range: none".to_owned(), 200),
        ("Range: bytes=\u{663}-\u{664}".to_owned(), 200),
        (format!("Range: bytes={HUGE}-"), 416),
        (format!("Range: bytes=0-{HUGE}"), 206),
        (format!("Range: bytes=-{HUGE}"), 206),
        (format!("Range: bytes={}-", "9".repeat(4000)), 416),
        ("Range: bytes=10-".to_owned(), 416),
        ("Range: bytes=-0".to_owned(), 416),
        ("Range: bytes=10-11,12-13,-0".to_owned(), 416),
        ("Range: bytes=0-0\r\nRange: bytes=1-1".to_owned(), 200),
        (format!("Range: bytes={}", many("0-", 64)), 206),
        (format!("Range: bytes={}", many("0-", 65)), 200),
        (format!("Range: bytes={}", many("0-0", 1500)), 200),
        (format!("Range: bytes={}", many("", 5000)), 200),
        // If-Range: only a strong tag that matches, or the exact date, allows a part.
        ("Range: bytes=0-4\r\nIf-Range: \"other\"".to_owned(), 200),
        ("Range: bytes=0-4\r\nIf-Range: W/\"other\"".to_owned(), 200),
        ("Range: bytes=0-4\r\nIf-Range: *".to_owned(), 200),
        ("Range: bytes=0-4\r\nIf-Range: \"".to_owned(), 200),
        ("Range: bytes=0-4\r\nIf-Range: tomorrow".to_owned(), 200),
        ("Range: bytes=90-\r\nIf-Range: \"other\"".to_owned(), 200),
        // Preconditions: RFC 9110, 13.1: an invalid list matches nothing, an invalid date is
        // ignored.
        ("If-Match: \"other\"".to_owned(), 412),
        ("If-Match: *".to_owned(), 200),
        ("If-Match:".to_owned(), 412),
        ("If-Match: other".to_owned(), 412),
        ("If-Match: \"unended".to_owned(), 412),
        (format!("If-Match: {}", many("\"x\"", 3000)), 412),
        ("If-None-Match: *".to_owned(), 304),
        ("If-None-Match: \"*\"".to_owned(), 200),
        ("If-None-Match: **".to_owned(), 200),
        ("If-None-Match: W/".to_owned(), 200),
        ("If-None-Match: \"\", , \"a\\\"".to_owned(), 200),
        (format!("If-None-Match: {}", many("\"x\"", 3000)), 200),
        (
            "If-Modified-Since: Sat, 32 Foo 2026 25:61:61 GMT".to_owned(),
            200,
        ),
        ("If-Modified-Since: 0".to_owned(), 200),
        (
            "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT".to_owned(),
            200,
        ),
        (
            "If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT".to_owned(),
            304,
        ),
        ("If-Unmodified-Since: never".to_owned(), 200),
        (
            "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT".to_owned(),
            412,
        ),
        (
            "If-None-Match: *\r\nIf-Match: \"other\"\r\nRange: bytes=90-".to_owned(),
            412,
        ),
        ("If-None-Match: *\r\nRange: bytes=90-".to_owned(), 304),
        // Accept and Accept-Encoding: unknown values are ignored.
        ("Accept: ;;;,,,===".to_owned(), 200),
        ("Accept: text/html;q=NaN".to_owned(), 200),
        ("Accept: image/png".to_owned(), 200),
        (format!("Accept: {}", many("a/b;q=0.1", 2000)), 200),
        ("Accept-Encoding: gzip;q=-1".to_owned(), 200),
        ("Accept-Encoding: *;q=0, identity;q=0".to_owned(), 200),
        ("Accept-Encoding: ;q=1, =, gzip gzip".to_owned(), 200),
        (format!("Accept-Encoding: {}", many("x", 5000)), 200),
        ("Accept-Encoding: \u{7f}gzip".to_owned(), 400),
        // Expectations, and bodies where none is expected.
        ("Expect: 100-continue".to_owned(), 200),
        ("Content-Length: 0".to_owned(), 200),
        ("Content-Type: \"".to_owned(), 200),
        ("Cookie: =;=;".to_owned(), 200),
    ];
    rows.into()
}

/// Returns the status of GET for this path.
const PATHS: [(&str, u16); 31] = [
    ("/file?", 200),
    ("/file?a=b&c=%zz", 200),
    ("/file?thumbnail", 404),
    ("/file?download", 200),
    ("/?sort=size&sort=name&order=&filter=%FF%00", 200),
    ("/?filter=%3Cscript%3Ealert(1)%3C/script%3E", 200),
    ("/?sort=../../etc/passwd", 200),
    ("/%66ile", 200),
    ("/FILE", 404),
    ("/file/", 404),
    ("/file/x", 404),
    ("/file%20", 404),
    ("/file%0d%0aX: y", 400),
    ("/file%0D%0ASet-Cookie:%20a", 404),
    ("//file", 200),
    ("///file?a", 200),
    ("//", 200),
    ("//.hidden", 404),
    ("/.//file", 400),
    ("/./file", 400),
    ("/folder/../file", 400),
    ("/%2e%2e/file", 400),
    ("/%2e%2e%2ffile", 400),
    ("/..%5cfile", 404),
    ("/%c0%ae%c0%ae/file", 404),
    ("/file%00.html", 400),
    ("/%", 400),
    ("/%4", 400),
    ("/%u0066ile", 400),
    ("/.hidden", 404),
    ("/~root", 404),
];

#[test]
fn each_field_has_its_answer() {
    let rows = fields();
    assert!(rows.len() + PATHS.len() >= 60 + 31);
    let server = Server::start(&["--workers", "1"]);
    fs::write(server.path().join("file"), CONTENT).unwrap();
    for (field, status) in rows {
        let response = server.ask_with("GET", "/file", &format!("{field}\r\n"));
        let shown: String = field.chars().take(80).collect();
        assert_eq!(response.status, status, "{shown}");
        match status {
            200 => assert_eq!(response.text(), CONTENT, "{shown}"),
            206 => assert!(response.body.len() < 64 * 200, "{shown}"),
            304 => assert!(response.body.is_empty()),
            _ => assert!(!response.body.is_empty()),
        }
        // HEAD is GET without the body, except for ranges, which it does not have.
        if !field.contains("Range") && status != 400 {
            let head = server.ask_with("HEAD", "/file", &format!("{field}\r\n"));
            assert_eq!(head.status, status, "HEAD {shown}");
        }
    }
}

#[test]
fn each_path_has_its_answer() {
    let server = Server::start(&["--workers", "1"]);
    fs::write(server.path().join("file"), CONTENT).unwrap();
    fs::write(server.path().join(".hidden"), CONTENT).unwrap();
    fs::create_dir(server.path().join("folder")).unwrap();
    for (path, status) in PATHS {
        let response = server.get(path);
        assert_eq!(response.status, status, "{path}");
        assert!(!response.text().contains("<script"), "{path}");
        assert!(response.field("set-cookie").is_none() && response.field("x").is_none());
    }
}

#[test]
fn each_content_has_its_answer() {
    let server = Server::start(&["--writable", "--max-body", "100", "--workers", "1"]);
    let rows = [
        ("PUT", "Content-Length: 3\r\n", "abc", 201),
        ("PUT", "Content-Length: 0\r\n", "", 204),
        ("PUT", "", "", 204),
        ("PUT", "Content-Length: 101\r\n", &"x".repeat(101), 413),
        (
            "PUT",
            "Transfer-Encoding: chunked\r\n",
            &format!("65\r\n{}\r\n0\r\n\r\n", "x".repeat(101)),
            413,
        ),
        ("PUT", "Transfer-Encoding: chunked\r\n", "zz\r\n", 400),
        (
            "PUT",
            "Transfer-Encoding: chunked\r\n",
            "3\r\nabcd\r\n0\r\n\r\n",
            400,
        ),
        (
            "PUT",
            "Transfer-Encoding: chunked\r\n",
            "ffffffffffffffffff\r\n",
            400,
        ),
        (
            "PUT",
            "Transfer-Encoding: chunked\r\n",
            "0\r\nA: b\r\n\r\n",
            204,
        ),
        ("PUT", "Content-Length: -1\r\n", "", 400),
        ("PUT", "Content-Length: 1, 1\r\n", "a", 400),
        (
            "PUT",
            "Content-Encoding: br\r\nContent-Length: 1\r\n",
            "a",
            415,
        ),
        (
            "PUT",
            "Content-Range: bytes 0-0/1\r\nContent-Length: 1\r\n",
            "a",
            400,
        ),
        ("PUT", "If-Match: \"x\"\r\nContent-Length: 1\r\n", "a", 412),
        ("GET", "Content-Length: 3\r\n", "abc", 200),
        ("DELETE", "Content-Length: 3\r\n", "abc", 204),
        ("POST", "Content-Length: 3\r\n", "abc", 405),
    ];
    for (method, fields, content, status) in rows {
        let response = server.ask(&format!(
            "{method} /new HTTP/1.1\r\nHost: a\r\n{fields}\r\n{content}"
        ));
        assert_eq!(response.status, status, "{method} {fields:?}");
        server.assert_well();
    }
}
