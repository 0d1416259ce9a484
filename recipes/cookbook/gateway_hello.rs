//! The gateway interface: an application like those of WSGI, mounted at a path.

use kamea_components::gateway::{BoxError, Environ, StartResponse};
use kamea_components::server::{Site, WebServer};
use kamea_recipes::{Outcome, serve};

async fn hello(environ: Environ, start_response: StartResponse) -> Result<String, BoxError> {
    start_response.ok([("Content-Type", "text/plain; charset=utf-8")])?;
    let name = match environ.text("PATH_INFO") {
        path if path.len() > 1 => path[1..].to_owned(),
        _ => "world".to_owned(),
    };
    let [method, mount] = ["REQUEST_METHOD", "SCRIPT_NAME"].map(|name| environ.text(name));
    Ok(format!("hello {name}, by {method} at {mount}\n"))
}

fn main() -> Outcome {
    serve(WebServer::new(Site::new("www")).mount("/hello", hello))
}
