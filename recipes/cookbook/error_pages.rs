//! Custom error pages: templates by status, and a redirect for another status.

use kamea_components::server::{Site, WebServer};
use kamea_components::web::{ErrorPages, answer_errors_with};
use kamea_recipes::{Outcome, serve};

const LOST: &str = "<!DOCTYPE html><title>{{ status }}</title>
<h1>{{ reason }}</h1>
<p>Sorry: {{ explanation }}.</p>
";

fn main() -> Outcome {
    let pages = ErrorPages::new([("404.html", LOST)])?.redirect("501=/how.html".parse()?);
    serve(WebServer::new(Site::new("www")).errors(answer_errors_with(pages)))
}
