//! RFC 9110, HTTP semantics: methods (section 9), content codings (section 8.4), conditional
//! requests (section 13) and range requests (section 14).

mod codings;
mod writing;

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use super::server::{Client, Response, Server};

/// A server of a small file, which is served from memory, and of a large one, which is served from
/// the disk; byte `i` of either is `i % 251`.
fn server() -> Server {
    let root = tempfile::tempdir().unwrap();
    for (name, length) in [("small", 1000), ("large", 300_000)] {
        fs::write(root.path().join(name), content(0..length)).unwrap();
    }
    Server::start_in(root, &[])
}

fn content(range: std::ops::Range<u64>) -> Vec<u8> {
    range.map(|i| (i % 251) as u8).collect()
}

fn ask(client: &mut Client, method: &str, path: &str, fields: &str) -> Response {
    client.send(format!(
        "{method} {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"
    ));
    client.response(method == "HEAD")
}

const FILES: [(&str, u64); 2] = [("/small", 1000), ("/large", 300_000)];

#[test]
fn a_range_is_answered_with_that_part() {
    // 14.2: "If all of the preconditions are true, the server supports the Range header field for
    // the target resource, the received Range field-value contains a valid ranges-specifier [...],
    // the server SHOULD send a 206 (Partial Content)".
    let server = server();
    let mut client = server.connect();
    for (path, length) in FILES {
        let whole = ask(&mut client, "GET", path, "");
        assert_eq!(
            (whole.status, whole.field("accept-ranges")),
            (200, Some("bytes"))
        );
        for (range, start, end) in [
            ("0-0".to_owned(), 0, 1),
            ("0-499".to_owned(), 0, 500),
            ("500-".to_owned(), 500, length),
            ("-1".to_owned(), length - 1, length),
            (format!("-{}", length * 2), 0, length),
            (
                format!("{}-{}", length - 10, length * 2),
                length - 10,
                length,
            ),
        ] {
            let part = ask(
                &mut client,
                "GET",
                path,
                &format!("Range: bytes={range}\r\n"),
            );
            assert_eq!(part.status, 206, "{path} {range}");
            // 15.3.7.1: "If a single part is being transferred, the server generating the 206
            // response MUST generate a Content-Range header field".
            let expected = format!("bytes {start}-{}/{length}", end - 1);
            assert_eq!(part.field("content-range"), Some(expected.as_str()));
            assert_eq!(part.body, content(start..end), "{path} {range}");
            // 15.3.7: "a server MUST generate [...] Date, Cache-Control, ETag, Expires,
            // Content-Location, and Vary" as in 200.
            assert_eq!(part.field("etag"), whole.field("etag"));
            assert!(part.field("date").is_some());
        }
    }
}

#[test]
fn several_ranges_come_in_parts() {
    let server = server();
    let mut client = server.connect();
    for (path, length) in FILES {
        let last = length - 1;
        let response = ask(
            &mut client,
            "GET",
            path,
            "Range: bytes=500-509, 0-9, -1\r\n",
        );
        assert_eq!(response.status, 206);
        // 15.3.7.2: "If multiple parts are being transferred, the server generating the 206
        // response MUST generate "multipart/byteranges" content [...] MUST NOT generate a
        // Content-Range header field in the HTTP header section".
        assert_eq!(response.field("content-range"), None);
        let media_type = response.field("content-type").unwrap();
        let boundary = media_type
            .strip_prefix("multipart/byteranges; boundary=")
            .unwrap_or_else(|| panic!("{media_type}"));
        let mut expected = Vec::new();
        for (start, end) in [(500, 509), (0, 9), (last, last)] {
            let head = format!(
                "\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\n\
                 Content-Range: bytes {start}-{end}/{length}\r\n\r\n"
            );
            expected.extend_from_slice(head.as_bytes());
            expected.extend_from_slice(&content(start..end + 1));
        }
        expected.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        assert_eq!(response.body, expected, "{path}");
    }
}

#[test]
fn ranges_that_cannot_be_had_are_416() {
    let server = server();
    let mut client = server.connect();
    for (path, length) in FILES {
        for range in [
            format!("{length}-"),
            "-0".to_owned(),
            format!("{length}-,-0"),
        ] {
            let response = ask(
                &mut client,
                "GET",
                path,
                &format!("Range: bytes={range}\r\n"),
            );
            assert_eq!(response.status, 416, "{path} {range}");
            // 15.5.17: "A server that generates a 416 response to a byte-range request SHOULD
            // generate a Content-Range header field specifying the current length of the selected
            // representation".
            let expected = format!("bytes */{length}");
            assert_eq!(response.field("content-range"), Some(expected.as_str()));
        }
    }
    assert_eq!(ask(&mut client, "GET", "/small", "").status, 200);
}

#[test]
fn ranges_that_are_not_understood_are_ignored() {
    // 14.2: "A server MUST ignore a Range header field received with a request method that is
    // unrecognized or for which range handling is not defined"; "An origin server MUST ignore a
    // Range header field that contains a range unit it does not understand."
    let server = server();
    let mut client = server.connect();
    for (path, length) in FILES {
        let head = ask(&mut client, "HEAD", path, "Range: bytes=0-1\r\n");
        let whole_length = length.to_string();
        assert_eq!(
            (head.status, head.field("content-length")),
            (200, Some(whole_length.as_str()))
        );
        let many: Vec<_> = (0..100).map(|i| format!("{i}00-{i}00")).collect();
        for range in [
            "lines=1-2",
            "bytes=2-1",
            "bytes=",
            "bytes=x-y",
            "bytes 0-1",
            "bytes=0-1\r\nRange: bytes=3-4",
            &format!("bytes={}", many.join(",")),
        ] {
            let response = ask(&mut client, "GET", path, &format!("Range: {range}\r\n"));
            assert_eq!(response.status, 200, "{path} {range}");
            assert_eq!(response.body.len() as u64, length);
        }
    }
}

#[test]
fn beyond_four_gibibytes() {
    let root = tempfile::tempdir().unwrap();
    let length = 5_u64 << 30;
    let file = File::create(root.path().join("huge")).unwrap();
    file.set_len(length).unwrap();
    file.write_all_at(b"here", length - 4).unwrap();
    let server = Server::start_in(root, &[]);
    let mut client = server.connect();
    let response = ask(&mut client, "GET", "/huge", "Range: bytes=-4\r\n");
    let expected = format!("bytes {}-{}/{length}", length - 4, length - 1);
    assert_eq!(response.field("content-range"), Some(expected.as_str()));
    assert_eq!(response.text(), "here");
}

#[test]
fn if_range_is_heeded() {
    // 13.1.5: "A recipient of an If-Range header field MUST ignore the Range header field if the
    // If-Range condition evaluates as false. Otherwise, the recipient SHOULD process the Range
    // header field as requested."
    let server = server();
    let mut client = server.connect();
    for (path, _) in FILES {
        let whole = ask(&mut client, "GET", path, "");
        let (etag, date) = (
            whole.field("etag").unwrap(),
            whole.field("last-modified").unwrap(),
        );
        for (validator, status) in [
            (etag, 206),
            (date, 206),
            ("\"another\"", 200),
            (&format!("W/{etag}"), 200),
            ("Thu, 01 Jan 1970 00:00:00 GMT", 200),
        ] {
            let fields = format!("Range: bytes=0-1\r\nIf-Range: {validator}\r\n");
            let response = ask(&mut client, "GET", path, &fields);
            assert_eq!(response.status, status, "{path} {validator}");
        }
    }
}

#[test]
fn preconditions_in_their_order() {
    // 13.2.2: "When recipient is the origin server and If-Match is present, evaluate the If-Match
    // precondition: [...] if false, respond 412 (Precondition Failed)", and so on.
    let server = server();
    let mut client = server.connect();
    for (path, _) in FILES {
        let whole = ask(&mut client, "GET", path, "");
        let (etag, date) = (
            whole.field("etag").unwrap(),
            whole.field("last-modified").unwrap(),
        );
        let before = "Thu, 01 Jan 1970 00:00:00 GMT";
        for (fields, status) in [
            (format!("If-Match: {etag}\r\n"), 200),
            ("If-Match: *\r\n".to_owned(), 200),
            ("If-Match: \"x\"\r\n".to_owned(), 412),
            (format!("If-Match: W/{etag}\r\n"), 412),
            (format!("If-Unmodified-Since: {date}\r\n"), 200),
            (format!("If-Unmodified-Since: {before}\r\n"), 412),
            ("If-Unmodified-Since: now\r\n".to_owned(), 200),
            (
                format!("If-Match: {etag}\r\nIf-Unmodified-Since: {before}\r\n"),
                200,
            ),
            (format!("If-None-Match: {etag}\r\n"), 304),
            (format!("If-None-Match: W/{etag}\r\n"), 304),
            ("If-None-Match: \"x\"\r\n".to_owned(), 200),
            (format!("If-Modified-Since: {date}\r\n"), 304),
            (format!("If-Modified-Since: {before}\r\n"), 200),
            (
                format!("If-None-Match: \"x\"\r\nIf-Modified-Since: {date}\r\n"),
                200,
            ),
            (format!("If-Match: \"x\"\r\nIf-None-Match: {etag}\r\n"), 412),
            (
                format!("If-None-Match: {etag}\r\nRange: bytes=0-1\r\n"),
                304,
            ),
            (format!("If-Match: {etag}\r\nRange: bytes=0-1\r\n"), 206),
        ] {
            let response = ask(&mut client, "GET", path, &fields);
            assert_eq!(response.status, status, "{path} {fields}");
            if status == 412 {
                assert!(
                    response.text().contains("<svg"),
                    "the error component answers"
                );
            }
        }
    }
}

#[test]
fn options_tells_what_there_is() {
    // 9.3.7: "If the request target is an asterisk ("*"), the OPTIONS request applies to the server
    // in general".
    for (options, allowed) in [
        (&[][..], "GET, HEAD, OPTIONS"),
        (&["--trace"][..], "GET, HEAD, OPTIONS, TRACE"),
    ] {
        let server = Server::start(options);
        let mut client = server.connect();
        for path in ["*", "/", "/hello.txt", "/missing"] {
            let response = ask(&mut client, "OPTIONS", path, "");
            assert_eq!(
                (response.status, response.field("allow")),
                (204, Some(allowed)),
                "{path}"
            );
        }
    }
}

#[test]
fn trace_sends_back_what_came_if_it_is_switched_on() {
    // 9.3.8: "The final recipient of the request SHOULD reflect the message received, excluding
    // some fields described below, back to the client as the content of a 200 (OK) response."
    let server = Server::start(&["--trace"]);
    let mut client = server.connect();
    let fields = "X-Way: here\r\nCookie: secret\r\nAuthorization: Basic secret\r\n";
    let response = ask(&mut client, "TRACE", "/a?b", fields);
    assert_eq!(
        (response.status, response.field("content-type")),
        (200, Some("message/http"))
    );
    let expected = "TRACE /a?b HTTP/1.1\r\nHost: a\r\nX-Way: here\r\n\r\n";
    assert_eq!(response.text(), expected);

    let server = Server::start(&[]);
    let refused = ask(&mut server.connect(), "TRACE", "/", fields);
    assert_eq!(refused.status, 405);
}

#[test]
fn cache_control_by_rules() {
    let rules = [
        "--cache-control",
        "*.txt=max-age=60",
        "--cache-control",
        "/*=no-store",
    ];
    let server = Server::start(&rules);
    fs::write(server.path().join("a.css"), "").unwrap();
    let mut client = server.connect();
    for (path, expected) in [("/hello.txt", "max-age=60"), ("/a.css", "no-store")] {
        let whole = ask(&mut client, "GET", path, "");
        assert_eq!(whole.field("cache-control"), Some(expected));
        // 15.4.5: "The server generating a 304 response MUST generate any of the following header
        // fields that would have been sent in a 200 (OK) response to the same request: [...]
        // Cache-Control".
        let etag = format!("If-None-Match: {}\r\n", whole.field("etag").unwrap());
        let unchanged = ask(&mut client, "GET", path, &etag);
        let cache_control = unchanged.field("cache-control");
        assert_eq!((unchanged.status, cache_control), (304, Some(expected)));
    }
}
