//! A form that sends files: the server counts them while they arrive, whatever their size.

use std::fmt::Write;

use http::StatusCode;
use kamea_components::gateway::Input;
use kamea_components::server::{Site, WebServer};
use kamea_components::web::{Failure, Request, Response, Route};
use kamea_recipes::{Outcome, serve};
use multer::{Constraints, Multipart, SizeLimit, parse_boundary};

const FORM: &str = r#"<!DOCTYPE html>
<title>Upload</title>
<form method="post" enctype="multipart/form-data">
  <p><label>Your name <input name="name"></label>
  <p><label>Files <input name="files" type="file" multiple></label>
  <p><button>Send</button>
</form>
"#;

/// Bytes of one field, or one file.
const LARGEST: u64 = 1 << 30;

async fn count_fields(mut form: Multipart<'_>) -> Result<String, multer::Error> {
    let mut report = String::new();
    while let Some(mut field) = form.next_field().await? {
        let mut bytes = 0;
        while let Some(chunk) = field.chunk().await? {
            bytes += chunk.len();
        }
        let name = field.name().unwrap_or_default();
        // Quoted as in Rust: a name may contain any characters.
        let _ = match field.file_name() {
            Some(file) => writeln!(report, "{name:?}: file {file:?}, {bytes} bytes"),
            None => writeln!(report, "{name:?}: {bytes} bytes"),
        };
    }
    Ok(report)
}

async fn receive(mut request: Request) -> Result<String, Failure> {
    let media_type = request.head.fields.get("content-type").unwrap_or_default();
    let Ok(boundary) = parse_boundary(String::from_utf8_lossy(media_type)) else {
        let explanation = "send a form, as multipart/form-data";
        return Err(request.refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, explanation));
    };
    let content = Input::from(request.content.take()).into_stream();
    let limits = Constraints::new().size_limit(SizeLimit::new().per_field(LARGEST));
    let counted = count_fields(Multipart::with_constraints(content, boundary, limits)).await;
    counted.map_err(|error| match error {
        multer::Error::FieldSizeExceeded { .. } => {
            request.refuse(StatusCode::PAYLOAD_TOO_LARGE, "a file is too large")
        }
        error => request.refuse(StatusCode::BAD_REQUEST, error.to_string()),
    })
}

fn main() -> Outcome {
    let mut site = Site::new("www");
    site.limits.body = 1 << 32;
    let route = || Route::path("/upload");
    let form = async |_: Request| Response::html(FORM);
    let server = WebServer::new(site)
        .handle("form", route().method("GET")?.method("HEAD")?, form)
        .handle("upload", route().method("POST")?, receive);
    serve(server)
}
