//! DELETE (RFC 9110 section 9.3.5) of files.

use std::rc::Rc;

use kamea::{Component, at_first_message, unblock};
use rustix::fs::{AtFlags, unlinkat};

use super::destination::{Destination, Unchanged, writable_path};
use crate::documents::files::Files;
use crate::web::{Failure, HandlerPorts, Request, Response};

/// Serves DELETE: removes a file of the document root, and answers with 204. A folder stays, and
/// the answer is 409. If the path is a link, only the link is removed.
pub fn delete_files(files: Rc<Files>) -> impl Component<HandlerPorts> {
    at_first_message(async move |io: &mut HandlerPorts| {
        while let Some(request) = io.next_without_content().await? {
            log::debug!("{} | Handle Delete", request.exchange.peer);
            io.answer(delete(&files, &request).await).await?;
        }
        Ok(())
    })
}

async fn delete(files: &Files, request: &Request) -> Result<Response, Failure> {
    let path = writable_path(files, request)?;
    let (docroot, kept_back) = (files.docroot().clone(), files.kept_back().clone());
    let head = request.head.clone();
    let deleted = unblock(move || {
        let destination =
            Destination::open(&docroot, &kept_back, &path).map_err(
                |unchanged| match unchanged {
                    Unchanged::NO_FOLDER => Unchanged::NOTHING,
                    unchanged => unchanged,
                },
            )?;
        destination.change(&head, |current| {
            current.ok_or(Unchanged::NOTHING)?;
            Ok(unlinkat(
                &destination.folder,
                destination.name(),
                AtFlags::empty(),
            )?)
        })
    });
    deleted.await.map_err(|unchanged| unchanged.of(request))?;
    Ok(request.respond(Response::empty()))
}
