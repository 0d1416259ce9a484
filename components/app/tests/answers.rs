//! What handlers return.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures_lite::stream;
use http::StatusCode;
use kamea::testing::block_on;
use kamea::time::sleep;
use kamea_components::web::Response;

use crate::{App, Event, Events, Html, Json, Problem, Redirect, Reply, SendFile};

#[test]
fn each_type_has_its_reply() {
    block_on(async {
        let app = App::new()
            .get("/text", async || "text")
            .get("/string", async || String::from("string"))
            .get("/bytes", async || Bytes::from_static(b"bytes"))
            .get("/html", async || Html("<p>"))
            .get("/json", async || Json([1, 2]))
            .get("/unit", async || ())
            .get("/none", async || None::<&str>)
            .get("/some", async || Some("some"))
            .get("/status", async || StatusCode::ACCEPTED)
            .get("/gone", async || StatusCode::GONE)
            .get("/both", async || (StatusCode::CREATED, Json("x")))
            .get("/ok", async || Ok::<_, Problem>("ok"))
            .get("/err", async || {
                Err::<&str, _>(Redirect::to("/login?next=a b\r\nX: y"))
            })
            .get("/response", async || {
                Response::text("of the server").with("X-A", "b")
            })
            .get("/stream", async || {
                Reply::stream(stream::iter(["a", "", "b"].map(Ok::<_, Infallible>)))
            })
            .get("/broken", async || {
                Reply::stream(stream::iter([
                    Ok("a"),
                    Err(std::io::Error::other("broken")),
                ]))
            })
            .test();
        for (path, status, media_type, body) in [
            ("/text", 200, Some("text/plain; charset=utf-8"), "text"),
            ("/string", 200, Some("text/plain; charset=utf-8"), "string"),
            ("/bytes", 200, Some("application/octet-stream"), "bytes"),
            ("/html", 200, Some("text/html; charset=utf-8"), "<p>"),
            ("/json", 200, Some("application/json"), "[1,2]"),
            ("/unit", 204, None, ""),
            (
                "/none",
                404,
                Some("text/plain; charset=utf-8"),
                "404 Not Found: there is nothing at this place\n",
            ),
            ("/some", 200, Some("text/plain; charset=utf-8"), "some"),
            ("/status", 202, None, ""),
            (
                "/gone",
                410,
                Some("text/plain; charset=utf-8"),
                "410 Gone: \n",
            ),
            ("/both", 201, Some("application/json"), "\"x\""),
            ("/ok", 200, Some("text/plain; charset=utf-8"), "ok"),
            ("/err", 303, None, ""),
            (
                "/response",
                200,
                Some("text/plain; charset=utf-8"),
                "of the server",
            ),
            ("/stream", 200, None, "ab"),
        ] {
            let answer = app.get(path).field("Accept", "*/*").send().await;
            assert_eq!(answer.status(), status, "{path}");
            assert_eq!(answer.field("content-type"), media_type, "{path}");
            assert_eq!(answer.text(), body, "{path}");
            assert!(answer.is_complete(), "{path}");
        }
        let answer = app.get("/err").send().await;
        assert_eq!(
            answer.field("location"),
            Some("/login?next=a%20b%0D%0AX:%20y")
        );
        let answer = app.get("/broken").send().await;
        assert!(!answer.is_complete());
        assert_eq!(answer.text(), "a");
    });
}

#[test]
fn events_are_sent_as_they_come() {
    block_on(async {
        let app = App::new()
            .get("/events", async || {
                Events::new(stream::unfold(0, async |n: u32| {
                    Some((Event::new(n.to_string()).id(n), n + 1))
                }))
            })
            .get("/silence", async || {
                let never = stream::unfold((), async |()| {
                    sleep(Duration::from_secs(3600)).await;
                    None
                });
                Events::new(never).keep_alive(Duration::from_millis(5))
            })
            .test();
        let answer = app.get("/events").send_until_text("data: 2\n\n").await;
        assert!(
            answer
                .text()
                .starts_with("id: 0\ndata: 0\n\nid: 1\ndata: 1\n\n")
        );
        assert_eq!(answer.field("content-type"), Some("text/event-stream"));
        let answer = app.get("/silence").send_until_text(":\n\n:\n\n").await;
        assert_eq!(answer.status(), 200);
    });
    let event = Event::new("a\r\nb\rc")
        .id("1\n2")
        .name("x\ry")
        .retry(Duration::from_secs(2));
    assert_eq!(
        event.to_string(),
        "id: 1 2\nevent: x y\nretry: 2000\ndata: a\ndata: b\ndata: c\n\n"
    );
}

#[test]
fn a_file_has_ranges_and_conditions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.txt");
    std::fs::write(&path, "0123456789").unwrap();
    let missing = folder.path().join("b.txt");
    block_on(async {
        let app = App::new()
            .get("/file", async move || {
                SendFile::new(&path).download("ü.txt")
            })
            .get("/missing", async move || SendFile::new(&missing))
            .test();
        let whole = app.get("/file").send().await;
        assert_eq!(whole.text(), "0123456789");
        assert_eq!(
            whole.field("content-type"),
            Some("text/plain; charset=utf-8")
        );
        assert!(
            whole
                .field("content-disposition")
                .unwrap()
                .contains("filename*=UTF-8''%C3%BC.txt")
        );
        let part = app.get("/file").field("Range", "bytes=2-4").send().await;
        assert_eq!(
            (part.status().as_u16(), part.text()),
            (206, "234".to_owned())
        );
        let tag = whole.field("etag").unwrap();
        let known = app.get("/file").field("If-None-Match", tag).send().await;
        assert_eq!(
            (known.status().as_u16(), known.text()),
            (304, String::new())
        );
        let other = app.get("/file").field("If-Match", "\"x\"").send().await;
        assert_eq!(other.status(), 412);
        let beyond = app.get("/file").field("Range", "bytes=20-").send().await;
        assert_eq!(
            (beyond.status().as_u16(), beyond.field("content-range")),
            (416, Some("bytes */10"))
        );
        assert_eq!(app.get("/missing").send().await.status(), 404);
    });
}
