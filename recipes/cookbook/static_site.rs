//! A static site: the files of a folder, with an index, compression, and its own media types.

use kamea_components::http::Fields;
use kamea_components::server::{Site, WebServer};
use kamea_recipes::{Outcome, serve};

fn main() -> Outcome {
    let mut site = Site::new("www");
    site.files.index = vec!["index.html".into()];
    site.files.types.insert("ogg".into(), "audio/ogg".into());
    site.fields = Fields::new().with("X-Content-Type-Options", "nosniff");
    serve(WebServer::new(site))
}
