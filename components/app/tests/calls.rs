//! What handlers take: parameters, bodies, parts, state.

use bytes::Bytes;
use http::StatusCode;
use kamea::testing::block_on;
use serde::{Deserialize, Serialize};

use crate::{
    App, Call, Form, FormData, Header, HeaderName, Html, Json, Multipart, Peer, Problem, Reply,
    State, Stream,
};

#[derive(Deserialize)]
struct Page {
    shelf: String,
    #[serde(default)]
    page: u32,
    #[serde(default)]
    tag: Vec<String>,
}

async fn books(call: Call<Page>) -> String {
    let Page { shelf, page, tag } = call.params;
    format!("{shelf} {page} {tag:?}")
}

#[test]
fn parameters_come_from_the_path_and_the_query() {
    block_on(async {
        let app = App::new()
            .get("/shelves/{shelf}", books)
            .get("/numbers/{number}", async |call: Call<u8>| {
                call.params.to_string()
            })
            .get("/pairs/{a}/{b}", async |call: Call<(u8, String)>| {
                format!("{:?}", call.params)
            })
            .get("/rest/{*rest}", async |call: Call<String>| call.params)
            .test();
        for (path, expected) in [
            (
                "/shelves/a%20b?page=2&tag=x&tag=y+z",
                "a b 2 [\"x\", \"y z\"]",
            ),
            // A capture hides a parameter of the same name.
            ("/shelves/a?shelf=b&other=1", "a 0 []"),
            ("/numbers/7", "7"),
            ("/pairs/7/x", "(7, \"x\")"),
            ("/rest/a/b%2Fc?rest=d", "a/b/c"),
        ] {
            let answer = app.get(path).send().await;
            assert_eq!(answer.text(), expected, "{path}");
        }
    });
}

#[derive(Serialize, Deserialize)]
struct Book {
    title: String,
    pages: u32,
}

#[test]
fn a_body_is_read_as_its_type() {
    block_on(async {
        let app = App::new()
            .post("/json", async |call: Call<(), Json<Book>>| call.body)
            .post("/form", async |call: Call<(), Form<Book>>| {
                Json(call.body.0)
            })
            .post("/text", async |call: Call<(), String>| call.body)
            .post("/bytes", async |call: Call<(), Bytes>| {
                call.body.len().to_string()
            })
            .post("/none", async || "none")
            .post("/stream", async |mut call: Call<(), Stream>| {
                let mut bytes = 0;
                while let Some(chunk) = call.body.next().await? {
                    bytes += chunk.len();
                }
                Ok::<_, Problem>(bytes.to_string())
            })
            .test();
        let book = Book {
            title: "Emma".into(),
            pages: 400,
        };
        let answer = app.post("/json").json(&book).send().await;
        assert_eq!(answer.text(), "{\"title\":\"Emma\",\"pages\":400}");
        assert_eq!(answer.field("content-type"), Some("application/json"));
        let typed = app
            .post("/json")
            .body("application/vnd.book+json; v=1", answer.text());
        assert_eq!(typed.send().await.status(), 200);
        let form = app
            .post("/form")
            .form(&[("title", "Emma & more"), ("pages", "4")]);
        assert_eq!(form.send().await.json::<Book>().title, "Emma & more");
        let text = app.post("/text").body("text/plain", "hé");
        assert_eq!(text.send().await.text(), "hé");
        let bytes = vec![0xFF; 100_000];
        for path in ["/bytes", "/stream"] {
            let answer = app.post(path).body("a/b", bytes.clone()).send().await;
            assert_eq!(answer.text(), "100000");
        }
        assert_eq!(
            app.post("/none").body("a/b", bytes).send().await.text(),
            "none"
        );
        assert_eq!(app.post("/text").send().await.text(), "");
    });
}

#[derive(Deserialize)]
struct Album {
    title: String,
    tags: Vec<String>,
}

#[test]
fn a_form_with_files_is_stored() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let saved = folder.path().join("saved");
        let app = App::with_state(saved.clone())
            .post(
                "/albums",
                async |call: Call<(), FormData<Album>, State<std::path::PathBuf>>| {
                    let FormData { fields, files } = call.body;
                    let sizes: Vec<_> = files
                        .iter()
                        .map(|file| (file.head.file_name.clone().unwrap_or_default(), file.length))
                        .collect();
                    files[0].save(&**call.with).await?;
                    Ok::<_, Problem>(format!("{} {:?} {sizes:?}", fields.title, fields.tags))
                },
            )
            .post("/sizes", async |mut call: Call<(), Multipart>| {
                let mut lines = String::new();
                while let Some(part) = call.body.next().await? {
                    // The first part is skipped.
                    if part.name != "skipped" {
                        lines += &format!("{} {}\n", part.name, call.body.bytes().await?.len());
                    }
                }
                Ok::<_, Problem>(lines)
            })
            .test();
        let photo = vec![7; 700_000];
        let answer = app
            .post("/albums")
            .multipart(&[
                ("title", None, b"Trip"),
                ("tags", None, b"a"),
                ("tags", None, b"b"),
                ("photo", Some("p.jpg"), &photo),
                ("more", Some(""), b""),
            ])
            .send()
            .await;
        assert_eq!(answer.text(), "Trip [\"a\", \"b\"] [(\"p.jpg\", 700000)]");
        assert_eq!(std::fs::read(&saved).unwrap(), photo);
        let parts = [
            ("skipped", Some("x"), &photo[..]),
            ("a", None, b"12"),
            ("b", None, b""),
        ];
        assert_eq!(
            app.post("/sizes").multipart(&parts).send().await.text(),
            "a 2\nb 0\n"
        );
    });
}

struct Depth;

impl HeaderName for Depth {
    const NAME: &'static str = "Depth";
}

#[test]
fn other_parts_come_together() {
    struct Config {
        greeting: &'static str,
    }
    type Parts = (
        State<Config>,
        Peer,
        Header<Depth, u8>,
        Option<Header<Depth>>,
    );
    block_on(async {
        let app = App::with_state(Config { greeting: "hello" })
            .get("/", async |call: Call<(), (), Parts>| {
                let (config, Peer(peer), depth, again) = call.with;
                let again = again.map(Header::into_value);
                format!("{} {peer} {} {again:?}", config.greeting, *depth)
            })
            .test();
        let answer = app.get("/").field("Depth", "3").send().await;
        assert_eq!(answer.text(), "hello 192.0.2.1:1234 3 Some(\"3\")");
        let answer = app
            .get("/")
            .field("Accept", "application/json")
            .send()
            .await;
        assert_eq!(answer.status(), 400);
        assert!(
            answer.text().contains("\"field\":\"Depth\""),
            "{}",
            answer.text()
        );
    });
}

#[test]
fn problems_are_told_as_the_peer_prefers() {
    async fn fail() -> Result<(), Problem> {
        let problem = Problem::invalid("age", "it is too low").wrong("name", "it is <empty>");
        Err(problem
            .kind("https://example.org/wrong")
            .field("X-More", "1"))
    }
    block_on(async {
        let app = App::new()
            .get("/", fail)
            .get("/io", async || {
                Err::<(), Problem>(std::io::Error::other("secret").into())
            })
            .get("/panic", async || -> Html<&str> { panic!("a mistake") })
            .test();
        // RFC 9457, 3: "application/problem+json".
        let answer = app
            .get("/")
            .field("Accept", "application/json")
            .send()
            .await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(
            answer.field("content-type"),
            Some("application/problem+json")
        );
        assert_eq!(answer.field("x-more"), Some("1"));
        assert_eq!(
            answer.json::<serde_json::Value>(),
            serde_json::json!({
                "type": "https://example.org/wrong",
                "title": "Unprocessable Entity",
                "status": 422,
                "detail": "age: it is too low; name: it is <empty>",
                "errors": [
                    {"field": "age", "detail": "it is too low"},
                    {"field": "name", "detail": "it is <empty>"},
                ],
            })
        );
        let answer = app.get("/").field("Accept", "text/html").send().await;
        assert!(
            answer.text().contains("it is &#60;empty&#62;"),
            "{}",
            answer.text()
        );
        let answer = app.get("/").field("Accept", "*/*").send().await;
        assert_eq!(
            answer.text(),
            "422 Unprocessable Entity: age: it is too low; name: it is <empty>\n"
        );
        // The cause of a 500 is only in the log; a panic ends only its own request.
        for path in ["/io", "/panic"] {
            let answer = app.get(path).field("Accept", "*/*").send().await;
            assert_eq!(answer.status(), 500, "{path}");
            assert!(!answer.text().contains("secret") && !answer.text().contains("mistake"));
        }
    });
}

#[test]
fn methods_without_a_handler_are_answered_by_the_table() {
    block_on(async {
        let app = App::new()
            .get("/a", async || "hello")
            .post("/a", async || StatusCode::ACCEPTED)
            .route(&["BREW"], "/pot", async || {
                Reply::new(StatusCode::IM_A_TEAPOT)
            })
            .fallback(async || (StatusCode::NOT_FOUND, Html("lost")))
            .test();
        // RFC 9110, 15.5.6: "The origin server MUST generate an Allow header field in a 405
        // response".
        let answer = app.delete("/a").send().await;
        assert_eq!(
            (answer.status().as_u16(), answer.field("allow")),
            (405, Some("GET, HEAD, POST, OPTIONS"))
        );
        let answer = app.options("/a").send().await;
        assert_eq!(
            (answer.status().as_u16(), answer.field("allow")),
            (204, Some("GET, HEAD, POST, OPTIONS"))
        );
        let answer = app.head("/a").send().await;
        assert_eq!(
            (answer.status().as_u16(), answer.text()),
            (200, String::new())
        );
        assert_eq!(app.request("BREW", "/pot").send().await.status(), 418);
        let answer = app.get("/b").send().await;
        assert_eq!(
            (answer.status().as_u16(), answer.text()),
            (404, "lost".to_owned())
        );
        let answer = app.get("/a/?x").send().await;
        assert_eq!(
            (answer.status().as_u16(), answer.field("location")),
            (308, Some("/a?x"))
        );
        let answer = app.get("/%zz").send().await;
        assert_eq!(answer.status(), 400);
    });
}

#[test]
fn times_are_shown_by_route() {
    block_on(async {
        let app = App::new()
            .get("/a/{b}", async || "x")
            .metrics("/metrics")
            .test();
        app.get("/a/1").send().await;
        app.get("/a/2").send().await;
        app.get("/c").send().await;
        let text = app.get("/metrics").send().await.text();
        assert!(
            text.contains("kamea_app_request_seconds_count{route=\"/a/{b}\",method=\"GET\"} 2"),
            "{text}"
        );
        assert!(
            text.contains("kamea_app_request_seconds_count{route=\"\",method=\"\"} 1"),
            "{text}"
        );
    });
}
