//! Applications, through a server.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use kamea::time::sleep;

use super::*;
use crate::gateway::testing::{Served, Tells, read_until, serve, tells};
use crate::http::Fields;
use crate::web::Route;

fn served(application: impl Application + Send + Sync) -> Served {
    serve(|server| server.mount("/app", application))
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: a\r\nAccept: text/plain\r\nConnection: close\r\n\r\n")
}

fn pause() -> Duration {
    Duration::from_millis(1)
}

async fn where_am_i(environ: Environ, start: StartResponse) -> Result<String, BoxError> {
    start.ok([])?;
    let [script, path, query] =
        ["SCRIPT_NAME", "PATH_INFO", "QUERY_STRING"].map(|name| environ.text(name));
    Ok(format!("[{script}] [{path}] [{query}]"))
}

#[test]
fn a_mount_is_for_its_path_and_what_is_below_it() {
    let files = async |_: Environ, start: StartResponse| {
        start.start(StatusCode::GONE, Fields::new())?;
        Ok::<_, BoxError>("elsewhere")
    };
    let served = serve(|server| {
        let server = server.mount("/app/inner", where_am_i);
        server
            .mount("/app", where_am_i)
            .mount("/app/late", files)
            .mount("/", files)
    });
    for (target, expected) in [
        ("/app", "[/app] [] []"),
        ("/app?", "[/app] [] []"),
        ("/app/", "[/app] [/] []"),
        ("/%61pp/b%20c?d", "[/app] [/b c] [d]"),
        ("/app/inner/x", "[/app/inner] [/x] []"),
        // "The first that matches counts."
        ("/app/late", "[/app] [/late] []"),
        ("/application", "elsewhere"),
        ("/a", "elsewhere"),
    ] {
        let response = served.ask(&get(target));
        assert!(
            response.ends_with(&format!("\r\n\r\n{expected}")),
            "{target}: {response}"
        );
    }
    // A mount does not serve the server as a whole.
    let response = served.ask("OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(response.starts_with("HTTP/1.1 204 "), "{response}");
}

#[test]
fn an_environ_has_the_variables_of_the_interface() {
    let served = served(async |environ: Environ, start: StartResponse| {
        start.ok([])?;
        assert!(environ.is_multithread() && !environ.is_multiprocess() && !environ.is_run_once());
        assert_eq!(environ.url_scheme(), "http");
        let names = environ.variables.iter().map(|(name, _)| name);
        let mut own: Vec<_> = names.filter(|name| name.contains('.')).collect();
        own.sort_unstable();
        let [port, version] =
            ["SERVER_PORT", "gateway.version"].map(|name| environ.text(name).into_owned());
        Ok::<_, BoxError>(format!("{port} {version} {}", own.join(" ")))
    });
    let port = served.address.port();
    let names = "gateway.multiprocess gateway.multithread gateway.run_once gateway.url_scheme gateway.version";
    let response = served.ask(&get("/app"));
    assert!(
        response.ends_with(&format!("{port} 1.0 {names}")),
        "{response}"
    );
}

/// The result of an application, by its path.
async fn by_path(environ: Environ, start: StartResponse) -> Result<Chunks, BoxError> {
    let status = |code| StatusCode::from_u16(code);
    let begin = |code, fields| {
        start
            .start(StatusCode::from_u16(code)?, fields)
            .map_err(BoxError::from)
    };
    let error = || std::io::Error::other("a secret");
    let later = |chunks: Vec<Result<&'static str, std::io::Error>>| {
        // A chunk that is not available at once.
        let late = stream::once_future(sleep(pause())).map(|()| Ok(""));
        Chunks::stream(late.chain(stream::iter(chunks)))
    };
    match &*environ.text("PATH_INFO") {
        "/small" => begin(200, Fields::new())?,
        "/sized" => begin(200, Fields::new().with("Content-Length", "5"))?,
        "/large" => {
            begin(200, Fields::new())?;
            return Ok(vec![b'x'; 1 << 20].into());
        }
        "/204" => begin(204, Fields::new())?,
        "/304" => begin(304, Fields::new())?,
        "/empty" => {
            begin(200, Fields::new())?;
            return Ok(Chunks::none());
        }
        "/slow" => {
            begin(200, Fields::new())?;
            return Ok(later(vec![Ok("he"), Ok(""), Ok("llo")]));
        }
        "/streamed" => {
            begin(200, Fields::new())?;
            let rest = stream::once_future(sleep(pause())).map(|()| Ok::<_, BoxError>("llo"));
            return Ok(Chunks::stream(stream::iter([Ok("he")]).chain(rest)));
        }
        // PEP 3333: "applications [may] defer calling start_response until the first iteration"
        "/lazy" => {
            let start = start.clone();
            let begun = async move { start.ok([]).map(|()| "hello") };
            return Ok(Chunks::stream(stream::once_future(begun)));
        }
        "/twice" => {
            begin(200, Fields::new())?;
            begin(200, Fields::new())?;
        }
        "/restart" => {
            begin(200, Fields::new().with("X-Lost", "1"))?;
            start.restart(error(), status(409)?, Fields::new())?;
        }
        "/never" => {}
        "/error" => {
            begin(200, Fields::new())?;
            return Err(error().into());
        }
        "/first-chunk" => {
            begin(200, Fields::new())?;
            return Ok(later(vec![Err(error())]));
        }
        "/panic" => panic!("a secret"),
        "/late-error" => {
            begin(200, Fields::new())?;
            let failing = async move {
                sleep(pause()).await;
                Err(error())
            };
            let failing = stream::once_future(failing);
            return Ok(Chunks::stream(stream::iter([Ok("he")]).chain(failing)));
        }
        "/late-restart" => {
            begin(200, Fields::new())?;
            let start = start.clone();
            let failing = async move {
                sleep(pause()).await;
                start.restart(error(), StatusCode::CONFLICT, Fields::new())?;
                Ok::<_, std::io::Error>("not reached")
            };
            let failing = stream::once_future(failing);
            return Ok(Chunks::stream(stream::iter([Ok("he")]).chain(failing)));
        }
        path => panic!("{path}"),
    }
    Ok("hello".into())
}

#[test]
fn a_response_is_framed_as_its_content_allows() {
    let served = served(by_path);
    let chunked = "Transfer-Encoding: chunked\r\n";
    for (request, status, fields, content) in [
        ("GET /app/small", "200", "Content-Length: 5\r\n", "hello"),
        ("GET /app/sized", "200", "Content-Length: 5\r\n", "hello"),
        ("GET /app/empty", "200", "Content-Length: 0\r\n", ""),
        ("GET /app/lazy", "200", "Content-Length: 5\r\n", "hello"),
        // The first chunk had to be awaited; the rest is available at once.
        ("GET /app/slow", "200", "Content-Length: 5\r\n", "hello"),
        (
            "GET /app/streamed",
            "200",
            chunked,
            "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        ),
        ("HEAD /app/small", "200", "Content-Length: 5\r\n", ""),
        ("HEAD /app/lazy", "200", "Content-Length: 5\r\n", ""),
        ("HEAD /app/slow", "200", "Content-Length: 5\r\n", ""),
        ("HEAD /app/sized", "200", "Content-Length: 5\r\n", ""),
        ("HEAD /app/streamed", "200", chunked, ""),
        ("GET /app/204", "204", "", ""),
        ("GET /app/304", "304", "", ""),
        ("GET /app/restart", "409", "Content-Length: 5\r\n", "hello"),
    ] {
        let close = format!("{request} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let response = served.ask(&close);
        let (head, rest) = response.split_once("Connection: close\r\n\r\n").unwrap();
        let (status_line, head) = head.split_once("\r\n").unwrap();
        assert!(status_line.contains(status), "{request}: {response}");
        // Every response with a body forbids browsers to guess its type.
        let head = head.replacen("X-Content-Type-Options: nosniff\r\n", "", 1);
        assert_eq!((&*head, rest), (fields, content), "{request}");
        let two = format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n{close}");
        let responses = served.ask(&two);
        assert_eq!(responses.matches("HTTP/1.1 ").count(), 2, "{request}");
    }
    // A complete body stays complete, at any length.
    let large = served.ask(&get("/app/large"));
    assert!(large.contains("Content-Length: 1048576\r\n") && large.ends_with("xxx"));
    // RFC 9112, 6.1: no chunks for HTTP/1.0.
    let old = served.ask("GET /app/streamed HTTP/1.0\r\n\r\n");
    assert!(
        old.ends_with("\r\n\r\nhello") && !old.contains("chunked"),
        "{old}"
    );
}

#[test]
fn an_error_before_the_head_is_a_500_that_tells_nothing() {
    let served = served(by_path);
    for path in ["/twice", "/never", "/error", "/first-chunk", "/panic"] {
        let response = served.ask(&get(&format!("/app{path}")));
        assert!(response.starts_with("HTTP/1.1 500 "), "{path}: {response}");
        assert!(!response.contains("secret"), "{path}: {response}");
    }
}

#[test]
fn an_error_in_mid_stream_cuts_the_connection() {
    let served = served(by_path);
    // PEP 3333: "if exc_info is provided, and the HTTP headers have already been sent,
    // start_response must raise an error".
    for path in ["/late-error", "/late-restart"] {
        let request = format!("GET /app{path} HTTP/1.1\r\nHost: a\r\n\r\n");
        let response = served.ask(&request.repeat(2));
        assert!(response.starts_with("HTTP/1.1 200 "), "{path}: {response}");
        assert!(response.ends_with("\r\n\r\n2\r\nhe\r\n"), "{response}");
    }
}

#[test]
fn content_comes_in_by_the_input() {
    let served = served(async |mut environ: Environ, start: StartResponse| {
        start.ok([])?;
        let content = environ.input.read_to_end(10).await?;
        Ok::<_, BoxError>(Chunks::from(content))
    });
    let post = "POST /app HTTP/1.1\r\nHost: a\r\nConnection: close\r\n";
    let chunked = "Transfer-Encoding: chunked\r\n\r\n";
    for (content, status, end) in [
        (
            "Content-Length: 10\r\n\r\n0123456789".to_owned(),
            200,
            "0123456789",
        ),
        (
            format!("{chunked}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
            200,
            "abcde",
        ),
        ("\r\n".to_owned(), 200, "\r\n\r\n"),
        ("Content-Length: 11\r\n\r\n0123456789a".to_owned(), 413, ""),
        (format!("{chunked}3\r\nabc\r\nx"), 400, ""),
    ] {
        let response = served.ask(&format!("{post}{content}"));
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status} ")),
            "{content}: {response}"
        );
        assert!(response.ends_with(end), "{content}: {response}");
    }
}

#[test]
fn content_goes_in_while_chunks_come_out() {
    let served = served(async |environ: Environ, start: StartResponse| {
        start.ok([])?;
        Ok::<_, BoxError>(Chunks::stream(environ.input.into_stream()))
    });
    let mut stream = served.connect();
    let head = "POST /app HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    assert!(read_until(&mut stream, "3\r\none\r\n").contains("chunked"));
    stream.write_all(b"3\r\ntwo\r\n").unwrap();
    assert_eq!(read_until(&mut stream, "two\r\n"), "3\r\ntwo\r\n");
    // A body that is incomplete on its way in is incomplete on its way out.
    stream.write_all(b"nonsense\r\n").unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty());
}

/// Counts its calls, adds a field, and passes the count on.
struct Counting<A> {
    inner: A,
    calls: AtomicUsize,
}

impl<A: Application> Application for Counting<A> {
    async fn call(&self, mut environ: Environ, start: StartResponse) -> Result<Chunks, BoxError> {
        let calls = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        environ.set("calls", calls.to_string());
        let start = start.with(move |head| {
            let fields = std::mem::take(&mut head.fields);
            head.fields = fields.with("X-Calls", calls.to_string());
        });
        let chunks = self.inner.call(environ, start).await?;
        Ok(Chunks::stream(chunks.map(|chunk| {
            chunk.map(|bytes| bytes.to_ascii_uppercase())
        })))
    }
}

fn counting(inner: impl Application) -> Counting<impl Application> {
    let calls = AtomicUsize::new(0);
    Counting { inner, calls }
}

#[test]
fn middleware_wraps_applications_and_keeps_its_state() {
    let hello = async |environ: Environ, start: StartResponse| {
        start.ok([])?;
        Ok::<_, BoxError>(format!("call {}", environ.text("calls")))
    };
    let served = served(counting(counting(hello)));
    for call in 1..=3 {
        let response = served.ask(&get("/app"));
        assert_eq!(response.matches(&format!("X-Calls: {call}\r\n")).count(), 2);
        assert!(
            response.ends_with(&format!("\r\n\r\nCALL {call}")),
            "{response}"
        );
    }
}

/// Returns mebibytes without end, and counts them.
fn endless(
    given: Arc<AtomicUsize>,
    guard: Tells,
) -> impl AsyncFn(Environ, StartResponse) -> Result<Chunks, BoxError> + Send + Sync {
    async move |_, start: StartResponse| {
        start.ok([])?;
        let (given, guard) = (given.clone(), guard.clone());
        let mebibytes = stream::repeat_with(move || {
            let _guard = &guard;
            given.fetch_add(1, Ordering::Relaxed);
            Ok::<_, BoxError>(Bytes::from(vec![0; 1 << 20]))
        });
        Ok(Chunks::stream(mebibytes))
    }
}

#[test]
fn a_slow_client_holds_the_stream_up_and_one_that_goes_drops_it() {
    let (guard, dropped) = tells();
    let given = Arc::new(AtomicUsize::new(0));
    let served = served(endless(given.clone(), guard));
    let mut stream = served.connect();
    stream
        .write_all(b"GET /app HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    stream.read_exact(&mut [0; 1 << 16]).unwrap();
    // There is no signal that nothing more arrives.
    let mut before = usize::MAX;
    while before != given.load(Ordering::Relaxed) {
        before = given.load(Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(before < 64, "{before} MiB");
    drop(stream);
    dropped.wait();
}

#[test]
fn a_head_without_content_drops_the_stream() {
    let (guard, dropped) = tells();
    let served = served(endless(Arc::default(), guard));
    let request = "HEAD /app HTTP/1.1\r\nHost: a\r\n";
    let responses = served.ask(&format!("{request}\r\n{request}Connection: close\r\n\r\n"));
    assert_eq!(responses.matches(" 200 OK").count(), 2, "{responses}");
    dropped.wait();
}

#[test]
fn a_path_with_nul_is_refused_whatever_the_route() {
    let mount = Mount::new("192.0.2.1:80".parse().unwrap());
    let component = serve_application(where_am_i, mount);
    let served = serve(|server| server.route("all", Route::any_path(), component));
    let response = served.ask(&get("/a%00b"));
    assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
}
