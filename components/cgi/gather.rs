//! Content whose length is not known before its end, gathered so that it is.

use std::fs::File;
use std::io::{self, Seek, Write};

use http::StatusCode;
use kamea::unblock;

use crate::web::{Content, Incomplete};

/// How many bytes are gathered in memory before they are written.
const GATHERED: usize = 256 * 1024;

/// Gathers content in a file without a name, which goes when it is closed; gives it, at its beginning, and its length in bytes. How long
/// content may be is bounded by the parser.
pub(super) async fn gather(mut content: Content) -> Result<(File, u64), Incomplete> {
    let mut file = unblock(tempfile::tempfile).await.map_err(not_kept)?;
    let (mut length, mut is_complete) = (0, false);
    while !is_complete {
        let mut gathered = Vec::new();
        while gathered.len() < GATHERED && !is_complete {
            match content.next().await? {
                Some(chunk) => gathered.extend_from_slice(&chunk),
                None => is_complete = true,
            }
        }
        length += gathered.len() as u64;
        let written = unblock(move || {
            file.write_all(&gathered)?;
            if is_complete {
                file.rewind()?;
            }
            io::Result::Ok(file)
        });
        file = written.await.map_err(not_kept)?;
    }
    Ok((file, length))
}

fn not_kept(error: io::Error) -> Incomplete {
    log::error!("the content of a request cannot be gathered: {error}");
    Incomplete {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        explanation: "the content could not be gathered".into(),
    }
}
