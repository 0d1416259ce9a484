//! Cache control: how long browsers and caches may store responses, by rules.

use kamea_components::server::{Site, WebServer};
use kamea_recipes::{Outcome, serve};

fn main() -> Outcome {
    let mut site = Site::new("www");
    // The first matching rule wins. A pattern is a path, a media type, or a name.
    site.files.cache_rules = vec![
        "/songs/*=public, max-age=31536000, immutable".parse()?,
        "image/*=public, max-age=86400".parse()?,
        "*.html=no-cache".parse()?,
    ];
    serve(WebServer::new(site))
}
