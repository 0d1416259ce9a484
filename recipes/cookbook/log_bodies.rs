//! A tee: it logs what clients send while it passes, chunk by chunk; downstream components do not
//! notice.

use std::io::{self, Write};

use kamea::{Done, End};
use kamea_components::server::{Site, WebServer};
use kamea_components::web::{Content, ContentSender, FilterPorts};
use kamea_recipes::{Outcome, serve};

async fn tee(io: &mut FilterPorts) -> Done {
    while let Some(mut request) = io.requests.next().await {
        let Some(content) = request.content.take() else {
            io.passed.send(request).await?;
            continue;
        };
        let line = format!("{} {}", request.head.method, request.head.target);
        let (copy, passed_on) = Content::link(4);
        request.content = Some(Box::new(passed_on));
        io.passed.send(request).await?;
        pass_on(&line, *content, copy).await?;
    }
    Ok(())
}

/// Logs a body while it is passed on. If the receiver is gone, the body is logged all the same.
async fn pass_on(line: &str, mut content: Content, copy: ContentSender) -> Result<(), End> {
    loop {
        match content.next().await {
            Ok(Some(chunk)) => {
                writeln!(io::stdout(), "{line}: {}", chunk.escape_ascii())?;
                let _ = copy.send(chunk).await;
            }
            Ok(None) => {
                let _ = copy.end(content.trailers().clone()).await;
                return Ok(());
            }
            Err(cut) => {
                let _ = copy.cut(cut).await;
                return Ok(());
            }
        }
    }
}

fn main() -> Outcome {
    let mut site = Site::new(std::env::temp_dir());
    site.files.writable = true;
    serve(WebServer::new(site).filter("tee", tee))
}
