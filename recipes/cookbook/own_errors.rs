//! Your own error component replaces the built-in one. It has a mistake: when it fails, the
//! built-in one answers, and the log reports it.

use kamea::{Done, End};
use kamea_components::server::{Site, WebServer};
use kamea_components::web::ErrorPorts;
use kamea_recipes::{Outcome, serve};

async fn say_it_in_verse(io: &mut ErrorPorts) -> Done {
    while let Some(failure) = io.failures.next().await {
        let verse = match failure.status.as_u16() {
            404 => "I looked for it high, I looked for it low;\nwhere it has gone I do not know.\n",
            405 => "Of many a method I have heard;\nfor this one here I have no word.\n",
            status => return Err(End::fault(format!("nothing rhymes with {status}"))),
        };
        io.responses.send(failure.respond(verse)).await?;
    }
    Ok(())
}

fn main() -> Outcome {
    serve(WebServer::new(Site::new("www")).errors(say_it_in_verse))
}
