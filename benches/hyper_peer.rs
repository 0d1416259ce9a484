//! The hyper peer: hyper 1 with the body in memory, on one thread, set up for speed.
//!
//! It listens on a free port of 127.0.0.1 and prints it.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Response, header};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

fn main() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let tasks = tokio::task::LocalSet::new();
    runtime.block_on(tasks.run_until(serve()))
}

async fn serve() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    kamea_benches::http::announce(listener.local_addr()?);
    let body = Bytes::from(kamea_benches::http::body());
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tokio::task::spawn_local(answer(socket, body.clone()));
    }
}

async fn answer(socket: TcpStream, body: Bytes) {
    let service = service_fn(move |_| {
        let mut response = Response::new(Full::new(body.clone()));
        let text = header::HeaderValue::from_static("text/plain");
        response.headers_mut().insert(header::CONTENT_TYPE, text);
        async move { Ok::<_, Infallible>(response) }
    });
    // The harness checks the answers. This server ignores clients that leave in the middle of a
    // response.
    let _ = http1::Builder::new()
        .pipeline_flush(true)
        .serve_connection(TokioIo::new(socket), service)
        .await;
}
