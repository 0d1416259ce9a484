//! Layers: their order, and where they are.

use std::time::Duration;

use futures_lite::future::zip;
use kamea::testing::block_on;
use kamea::time::sleep;

use crate::{
    App, BodyLimit, Call, Compress, ConcurrencyLimit, Context, Cors, EntityTags, Html, Layer,
    MethodOverride, Next, RateLimit, Reply, RequestId, RequestIds, SecurityHeaders, TimeOut,
};

/// Adds its name to a field, after what is inside of it.
struct Mark(&'static str);

impl Layer for Mark {
    async fn around(&self, context: Context, next: Next) -> Reply {
        let reply = next.run(context).await;
        let inner = reply.fields().get("x-mark").unwrap_or_default().to_vec();
        let mut reply = reply;
        let marks = [&inner[..], self.0.as_bytes()].concat();
        reply.fields_mut().set("X-Mark", marks).unwrap();
        reply
    }
}

#[test]
fn layers_are_around_what_they_were_put_around() {
    block_on(async {
        let inner = App::new()
            .get("/in", async || "in")
            .fallback(async || "lost")
            .layer(Mark("1"))
            .layer(Mark("2"));
        let app = App::new()
            .get("/out", async || "out")
            .nest("/a", App::new().nest("/b", inner).layer(Mark("3")))
            .layer(Mark("4"))
            .layer(async |context: Context, next: Next| match context.path() {
                "/closed" => Reply::text("closed"),
                _ => next.run(context).await,
            })
            .test();
        for (path, marks) in [
            ("/a/b/in", Some("1234")),
            ("/a/b/x", Some("1234")),
            ("/a/x", Some("4")),
            ("/out", Some("4")),
            ("/closed", None),
        ] {
            assert_eq!(app.get(path).send().await.field("x-mark"), marks, "{path}");
        }
    });
}

#[test]
fn a_layer_around_the_application_may_change_the_method_before_the_routing() {
    async fn override_method(mut context: Context, next: Next) -> Reply {
        if let Some(method) = context.field("x-method").and_then(|name| name.parse().ok()) {
            context.head_mut().method = method;
        }
        next.run(context).await
    }
    block_on(async {
        let app = App::new()
            .delete("/a", async || "deleted")
            .layer(override_method)
            .test();
        assert_eq!(
            app.post("/a")
                .field("X-Method", "DELETE")
                .send()
                .await
                .text(),
            "deleted"
        );
        assert_eq!(app.post("/a").send().await.status(), 405);
    });
}

#[test]
fn each_request_has_an_id() {
    block_on(async {
        let echo = async |call: Call<(), (), RequestId>| call.with.0.to_string();
        let app = App::new().get("/", echo).layer(RequestIds::new()).test();
        let (first, second) = (app.get("/").send().await, app.get("/").send().await);
        assert_eq!(first.field("x-request-id"), Some(&*first.text()));
        assert_ne!(first.text(), second.text());
        let answer = app.get("/").field("X-Request-Id", "mine").send().await;
        assert_ne!(answer.text(), "mine");
        let app = App::new()
            .get("/", echo)
            .layer(RequestIds::new().trust_peer())
            .test();
        let answer = app.get("/").field("X-Request-Id", "proxy-1").send().await;
        assert_eq!(answer.text(), "proxy-1");
        let answer = app.get("/").field("X-Request-Id", "a b").send().await;
        assert_ne!(answer.text(), "a b");
        // Without the layer the handler cannot be served, and the log says why.
        assert_eq!(
            App::new()
                .get("/", echo)
                .test()
                .get("/")
                .send()
                .await
                .status(),
            500
        );
    });
}

#[test]
fn a_handler_that_takes_too_long_is_stopped() {
    block_on(async {
        let app = App::new()
            .get("/slow", async || {
                std::future::pending::<()>().await;
            })
            .get("/fast", async || "fast")
            .layer(TimeOut::after(Duration::from_millis(20)))
            .test();
        assert_eq!(app.get("/slow").send().await.status(), 503);
        assert_eq!(app.get("/fast").send().await.status(), 200);
    });
}

#[test]
fn too_many_requests_at_the_same_time_are_refused() {
    block_on(async {
        let app = App::new()
            .get("/", async || sleep(Duration::from_millis(20)).await)
            .layer(ConcurrencyLimit::new(1))
            .test();
        let (first, second) = zip(app.get("/").send(), app.get("/").send()).await;
        assert_eq!(first.status(), 204);
        assert_eq!(
            (second.status().as_u16(), second.field("retry-after")),
            (503, Some("1"))
        );
        assert_eq!(app.get("/").send().await.status(), 204);
    });
}

#[test]
fn too_many_requests_of_a_client_are_refused() {
    block_on(async {
        let app = App::new()
            .get("/", async || "x")
            .layer(RateLimit::new(2, Duration::from_secs(3600)))
            .test();
        let from = |peer: &str| app.get("/").peer(peer.parse().unwrap());
        for (peer, status) in [
            ("192.0.2.1:1", 200),
            ("192.0.2.1:2", 200),
            ("192.0.2.1:3", 429),
            ("192.0.2.2:1", 200),
            // The addresses of one network of IPv6 are one client.
            ("[2001:db8::1]:1", 200),
            ("[2001:db8::2]:1", 200),
            ("[2001:db8::3]:1", 429),
            ("[2001:db8:0:1::1]:1", 200),
            // An address of IPv4 in that of IPv6 is the same client.
            ("[::ffff:192.0.2.1]:4", 429),
        ] {
            let answer = from(peer).send().await;
            assert_eq!(answer.status(), status, "{peer}");
            assert_eq!(
                answer.field("retry-after").is_some(),
                status == 429,
                "{peer}"
            );
        }
        let limit = RateLimit::new(1, Duration::from_secs(3600))
            .by_key(|context| context.field("x-key").map(str::to_owned));
        let app = App::new().get("/", async || "x").layer(limit).test();
        let with = |key: &str| app.get("/").field("X-Key", key);
        assert_eq!(with("a").send().await.status(), 200);
        assert_eq!(with("a").send().await.status(), 429);
        assert_eq!(with("b").send().await.status(), 200);
        assert_eq!(app.get("/").send().await.status(), 200);
        assert_eq!(app.get("/").send().await.status(), 200);
        let limit = RateLimit::new(1, Duration::from_millis(30));
        let app = App::new().get("/", async || "x").layer(limit).test();
        assert_eq!(app.get("/").send().await.status(), 200);
        sleep(Duration::from_millis(40)).await;
        assert_eq!(app.get("/").send().await.status(), 200);
    });
}

#[test]
fn other_origins_are_let_in_if_they_are_named() {
    block_on(async {
        let cors = Cors::new()
            .origin("https://a.example")
            .methods(&["PUT"])
            .fields(&["Content-Type", "X-Token"])
            .expose(&["X-Total"])
            .credentials()
            .max_age(Duration::from_secs(600));
        let app = App::new().put("/", async || "x").layer(cors).test();
        let preflight = app
            .options("/")
            .field("Origin", "https://A.example")
            .field("Access-Control-Request-Method", "PUT")
            .send()
            .await;
        assert_eq!(preflight.status(), 204);
        for (name, value) in [
            ("access-control-allow-origin", "https://A.example"),
            ("access-control-allow-methods", "PUT"),
            ("access-control-allow-headers", "Content-Type, X-Token"),
            ("access-control-allow-credentials", "true"),
            ("access-control-max-age", "600"),
            ("vary", "Origin"),
        ] {
            assert_eq!(preflight.field(name), Some(value), "{name}");
        }
        let answer = app
            .put("/")
            .field("Origin", "https://a.example")
            .send()
            .await;
        assert_eq!(
            answer.field("access-control-expose-headers"),
            Some("X-Total")
        );
        for origin in [
            "https://b.example",
            "http://a.example",
            "https://a.example:8443",
            "null",
        ] {
            let answer = app.put("/").field("Origin", origin).send().await;
            assert_eq!(
                (
                    answer.status().as_u16(),
                    answer.field("access-control-allow-origin")
                ),
                (200, None),
                "{origin}"
            );
            assert_eq!(answer.field("vary"), Some("Origin"));
        }
        let any = App::new()
            .get("/", async || "x")
            .layer(Cors::new().any_origin().credentials())
            .test();
        let answer = any
            .get("/")
            .field("Origin", "https://b.example")
            .send()
            .await;
        assert_eq!(answer.field("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.field("access-control-allow-credentials"), None);
    });
}

#[test]
fn browsers_are_made_careful() {
    block_on(async {
        let app = App::new()
            .get("/", async || "x")
            .get("/framed", async || {
                Reply::text("x").field("X-Frame-Options", "DENY")
            })
            .layer(SecurityHeaders::new().content_security_policy("default-src 'self'"))
            .test();
        let answer = app.get("/").send().await;
        assert_eq!(answer.field("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.field("x-frame-options"), Some("SAMEORIGIN"));
        assert_eq!(
            answer.field("content-security-policy"),
            Some("default-src 'self'")
        );
        assert_eq!(
            app.get("/framed").send().await.field("x-frame-options"),
            Some("DENY")
        );
        assert_eq!(
            app.get("/none")
                .send()
                .await
                .field("x-content-type-options"),
            Some("nosniff")
        );
    });
}

#[test]
fn a_body_has_the_limit_of_its_routes() {
    block_on(async {
        let length = async |call: Call<(), String>| call.body.len().to_string();
        let app = App::new()
            .nest("/small", App::new().post("/", length).layer(BodyLimit(10)))
            .post("/", length)
            .test();
        let body = "x".repeat(11);
        assert_eq!(
            app.post("/small")
                .body("a/b", body.clone())
                .send()
                .await
                .status(),
            413
        );
        assert_eq!(app.post("/").body("a/b", body).send().await.text(), "11");
    });
}

#[test]
fn answers_are_compressed_for_those_who_accept_it() {
    block_on(async {
        let page = "<p>".repeat(1000);
        let long = page.clone();
        let app = App::new()
            .get("/page", async move || Html(page.clone()))
            .get("/tagged", async move || {
                Reply::html(long.clone()).field("ETag", "\"a\"")
            })
            .get("/short", async || "short")
            .get("/image", async || Reply::typed("image/png", vec![0; 5000]))
            .layer(Compress)
            .test();
        for (path, accept, encoding, vary) in [
            ("/page", "gzip", Some("gzip"), Some("Accept-Encoding")),
            ("/page", "br, zstd", Some("zstd"), Some("Accept-Encoding")),
            ("/page", "identity", None, Some("Accept-Encoding")),
            ("/page", "gzip;q=0", None, Some("Accept-Encoding")),
            ("/short", "gzip", None, None),
            ("/image", "gzip", None, None),
        ] {
            let answer = app.get(path).field("Accept-Encoding", accept).send().await;
            assert_eq!(
                answer.field("content-encoding"),
                encoding,
                "{path} {accept}"
            );
            assert_eq!(answer.field("vary"), vary, "{path} {accept}");
            assert_eq!(
                answer.bytes().len() < 1000,
                encoding.is_some() || path == "/short"
            );
        }
        let answer = app
            .get("/tagged")
            .field("Accept-Encoding", "gzip")
            .send()
            .await;
        assert_eq!(answer.field("etag"), Some("W/\"a\""));
    });
}

#[test]
fn an_answer_that_the_client_has_is_not_sent_again() {
    block_on(async {
        let app = App::new()
            .get("/", async || "hello")
            .get("/own", async || Reply::text("x").field("ETag", "\"own\""))
            .post("/", async || "posted")
            .layer(EntityTags)
            .test();
        let tag = app.get("/").send().await.field("etag").unwrap().to_owned();
        let again = app.get("/").field("If-None-Match", &tag).send().await;
        assert_eq!(
            (again.status().as_u16(), again.text()),
            (304, String::new())
        );
        assert_eq!(again.field("etag"), Some(&*tag));
        assert_eq!(
            app.get("/")
                .field("If-None-Match", "\"x\"")
                .send()
                .await
                .text(),
            "hello"
        );
        assert_eq!(
            app.get("/own")
                .field("If-None-Match", "\"own\"")
                .send()
                .await
                .status(),
            304
        );
        let posted = app.post("/").field("If-None-Match", &tag).send().await;
        assert_eq!(
            (posted.status().as_u16(), posted.field("etag")),
            (200, None)
        );
    });
}

#[test]
fn a_form_may_use_other_methods() {
    block_on(async {
        let app = App::new()
            .delete("/a", async || "deleted")
            .put("/a", async || "put")
            .post("/a", async || "posted")
            .get("/a", async || "read")
            .layer(MethodOverride)
            .test();
        assert_eq!(app.post("/a?_method=DELETE").send().await.text(), "deleted");
        assert_eq!(
            app.post("/a")
                .field("X-HTTP-Method-Override", "put")
                .send()
                .await
                .text(),
            "put"
        );
        assert_eq!(app.post("/a?_method=CONNECT").send().await.text(), "posted");
        // A link must not change anything.
        assert_eq!(app.get("/a?_method=DELETE").send().await.text(), "read");
    });
}
