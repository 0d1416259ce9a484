//! Content codings (sections 8.4 and 12.5.3).

use std::fs;
use std::io::Read;

use super::super::server::{PATIENCE, Response, Server};

const TEXT: &str = "All work and no play makes Jack a dull boy. ";

/// A small page, a large one, a picture, and a script with files beside it that claim to contain
/// it.
fn server(options: &[&str]) -> Server {
    let server = Server::start(options);
    let write = |name: &str, content: &[u8]| fs::write(server.path().join(name), content).unwrap();
    write("small.html", TEXT.repeat(100).as_bytes());
    write("large.txt", TEXT.repeat(100_000).as_bytes());
    write("tiny.txt", TEXT.as_bytes());
    write("picture.png", &[7; 5000]);
    write("app.js", TEXT.repeat(100).as_bytes());
    write("app.js.br", b"stored br");
    write("app.js.gz", b"stored gz");
    server
}

fn get(server: &Server, path: &str, accept: &str) -> Response {
    server.ask_with("GET", path, &format!("Accept-Encoding: {accept}\r\n"))
}

fn decoded(response: &Response) -> Vec<u8> {
    let (mut content, body) = (Vec::new(), &response.body[..]);
    match response.field("content-encoding") {
        None => content = body.to_vec(),
        Some("gzip") => {
            let mut decoder = flate2::read::GzDecoder::new(body);
            decoder.read_to_end(&mut content).unwrap();
        }
        Some("zstd") => content = zstd::decode_all(body).unwrap(),
        Some("br") => {
            let mut decoder = brotli::Decompressor::new(body, 4096);
            decoder.read_to_end(&mut content).unwrap();
        }
        Some(other) => panic!("{other}"),
    }
    content
}

#[test]
fn text_comes_in_the_coding_that_is_wanted_most() {
    // 12.5.3: "a server [...] tests whether a content coding for a given representation is
    // acceptable".
    let server = server(&[]);
    for (path, length) in [("/small.html", 100), ("/large.txt", 100_000)] {
        let mut tags = Vec::new();
        for (accept, coding) in [
            ("gzip", Some("gzip")),
            ("br", Some("br")),
            ("zstd", Some("zstd")),
            ("gzip;q=0.5, br;q=0.8", Some("br")),
            ("gzip, deflate, br, zstd", Some("zstd")),
            ("*", Some("zstd")),
            ("identity", None),
            ("", None),
            ("deflate", None),
            ("gzip;q=0", None),
        ] {
            let response = get(&server, path, accept);
            assert_eq!(response.status, 200);
            assert_eq!(
                response.field("content-encoding"),
                coding,
                "{path} {accept}"
            );
            assert_eq!(decoded(&response), TEXT.repeat(length).as_bytes());
            // 12.5.5: "An origin server SHOULD generate a Vary header field on a cacheable response
            // when it wishes that response to be selectively reused for subsequent requests".
            assert_eq!(response.field("vary"), Some("Accept-Encoding"));
            let tag = response.field("etag").unwrap().to_owned();
            // The second time it is served from memory, if it is small.
            let again = get(&server, path, accept);
            assert_eq!(again.body, response.body, "a strong tag promises that");
            assert_eq!(again.field("etag"), Some(tag.as_str()));
            tags.push((coding, tag));
        }
        // 8.8.3.3: "an entity tag [...] is different for each" coding.
        for (coding, tag) in &tags {
            for (other, other_tag) in &tags {
                assert_eq!(coding == other, tag == other_tag, "{coding:?} {other:?}");
            }
        }
    }
}

#[test]
fn a_file_that_is_stored_in_a_coding_is_taken_as_it_is() {
    let server = server(&["--workers", "1"]);
    for (accept, expected) in [
        ("br", "stored br"),
        ("gzip", "stored gz"),
        ("gzip, br", "stored br"),
    ] {
        for _ in 0..2 {
            let response = get(&server, "/app.js", accept);
            assert_eq!(response.text(), expected, "{accept}");
            assert_eq!(
                response.field("content-type"),
                Some("text/javascript; charset=utf-8")
            );
            assert!(response.field("content-length").is_some());
        }
    }
    // There is no zstd file: the best coding that exists is used, before a new one is made.
    assert_eq!(get(&server, "/app.js", "zstd, br").text(), "stored br");
    assert_eq!(
        get(&server, "/app.js", "zstd").field("content-encoding"),
        Some("zstd")
    );
    // A file that is older than its original is out of date.
    let file = fs::File::options()
        .write(true)
        .open(server.path().join("app.js.gz"))
        .unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH)
        .unwrap();
    let deadline = std::time::Instant::now() + PATIENCE;
    while get(&server, "/app.js", "gzip").text() == "stored gz" {
        assert!(std::time::Instant::now() < deadline, "it is not noticed");
        std::thread::yield_now();
    }
    assert_eq!(
        decoded(&get(&server, "/app.js", "gzip")),
        TEXT.repeat(100).as_bytes()
    );
}

#[test]
fn what_would_not_gain_is_left_as_it_is() {
    let server = server(&[]);
    for path in ["/picture.png", "/tiny.txt"] {
        let response = get(&server, path, "gzip, br, zstd");
        assert_eq!(response.field("content-encoding"), None, "{path}");
    }
    assert_eq!(get(&server, "/picture.png", "gzip").field("vary"), None);
}

#[test]
fn a_part_is_a_part_of_the_file_itself() {
    let server = server(&[]);
    for path in ["/small.html", "/large.txt", "/app.js"] {
        let fields = "Accept-Encoding: gzip, br, zstd\r\nRange: bytes=4-7\r\n";
        let response = server.ask_with("GET", path, fields);
        assert_eq!((response.status, response.text().as_str()), (206, "work"));
        assert_eq!(response.field("content-encoding"), None);
    }
}

#[test]
fn conditions_are_about_the_coding_that_is_selected() {
    let server = server(&[]);
    for path in ["/small.html", "/large.txt", "/app.js"] {
        let [plain, coded] = ["identity", "gzip"].map(|accept| {
            let response = get(&server, path, accept);
            response.field("etag").unwrap().to_owned()
        });
        for (accept, tag, status) in [
            ("gzip", &coded, 304),
            ("gzip", &plain, 200),
            ("identity", &coded, 200),
            ("identity", &plain, 304),
        ] {
            let fields = format!("Accept-Encoding: {accept}\r\nIf-None-Match: {tag}\r\n");
            let response = server.ask_with("GET", path, &fields);
            assert_eq!(response.status, status, "{path} {accept} {tag}");
            if status == 304 {
                assert_eq!(response.field("etag"), Some(tag.as_str()));
                assert_eq!(response.field("vary"), Some("Accept-Encoding"));
            }
        }
    }
}

#[test]
fn head_says_what_get_would() {
    let server = server(&[]);
    for path in ["/small.html", "/large.txt", "/app.js"] {
        let fields = "Accept-Encoding: gzip\r\n";
        let (head, get) = (
            server.ask_with("HEAD", path, fields),
            server.ask_with("GET", path, fields),
        );
        for name in [
            "content-encoding",
            "etag",
            "vary",
            "content-type",
            "content-length",
        ] {
            assert_eq!(head.field(name), get.field(name), "{path} {name}");
        }
    }
}

#[test]
fn http_1_0_gets_coded_content_up_to_the_close() {
    let server = server(&[]);
    let response = server.ask("GET /large.txt HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n");
    assert_eq!(response.field("transfer-encoding"), None);
    assert_eq!(response.field("content-encoding"), Some("gzip"));
    assert_eq!(decoded(&response), TEXT.repeat(100_000).as_bytes());
}

#[test]
fn a_listing_is_coded_too() {
    let server = server(&[]);
    for number in 0..5000 {
        fs::write(server.path().join(format!("{number}.txt")), "").unwrap();
    }
    let whole = |path: &str| decoded(&get(&server, path, "identity"));
    for (path, entries) in [("/?filter=77", 90), ("/", 5000)] {
        for coding in ["gzip", "br", "zstd"] {
            let response = get(&server, path, coding);
            assert_eq!(response.field("content-encoding"), Some(coding));
            let page = decoded(&response);
            assert!(page == whole(path), "{path} {coding}");
            let page = String::from_utf8(page).unwrap();
            assert!(page.matches("<tr>").count() > entries, "{path} {coding}");
        }
    }
}

#[test]
fn it_can_be_switched_off() {
    let off = server(&["--compress", "off"]);
    for path in ["/small.html", "/large.txt", "/app.js", "/"] {
        let response = get(&off, path, "gzip, br, zstd");
        assert_eq!(response.field("content-encoding"), None, "{path}");
    }
    let stored = server(&["--compress", "stored"]);
    assert_eq!(get(&stored, "/app.js", "br").text(), "stored br");
    assert_eq!(
        get(&stored, "/small.html", "br").field("content-encoding"),
        None
    );
}

#[test]
fn a_client_that_leaves_a_large_coded_file_harms_nobody() {
    let server = server(&["--workers", "1"]);
    for _ in 0..20 {
        let mut client = server.connect();
        client.send("GET /large.txt HTTP/1.1\r\nHost: a\r\nAccept-Encoding: br\r\n\r\n");
    }
    server.assert_well();
}

#[test]
fn only_so_many_are_encoded_at_once_and_the_others_are_served_all_the_same() {
    let server = server(&[]);
    // Incompressible, so that the buffers of the system cannot hold all of it.
    let mut state = 1_u32;
    let noise: Vec<u8> = (0..20_000_000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .collect();
    fs::write(server.path().join("noise.txt"), &noise).unwrap();
    let mut slow: Vec<_> = (0..128).map(|_| server.connect()).collect();
    for client in &mut slow {
        client.send("GET /noise.txt HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
        assert_eq!(client.head().field("content-encoding"), Some("gzip"));
    }
    let response = get(&server, "/noise.txt", "gzip");
    assert_eq!(response.field("content-encoding"), None);
    assert!(response.body == noise);
    drop(slow);
    // Small ones are served from memory, and need no slot.
    assert_eq!(
        get(&server, "/small.html", "gzip").field("content-encoding"),
        Some("gzip")
    );
}
