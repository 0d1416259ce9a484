//! Thumbnails: small pictures for the images in a listing.

#[cfg(feature = "thumbnails")]
mod make;
#[cfg(feature = "thumbnails")]
mod weigh;

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_lite::future::or;
use http::StatusCode;
use kamea::{Component, at_first_message};
use tokio::sync::OnceCell;

use super::Found;
use super::cache::Identity;
use super::files::Files;
use super::representation::{Description, Representation};
use crate::http::Fields;
use crate::web::{Failure, HandlerPorts, Piece, Request, Response};
#[cfg(feature = "thumbnails")]
use make::make;

/// The query that asks for the thumbnail of an image instead of the image.
pub const THUMBNAIL: &str = "thumbnail";

/// The query that asks for a large thumbnail, as the grid of a listing shows it.
pub const LARGE_THUMBNAIL: &str = "thumbnail=large";

/// The largest width and height of a thumbnail, in pixels: twice the size on the page, for high
/// resolution screens.
const SIZE: u32 = 96;
const LARGE_SIZE: u32 = 400;

/// The most memory for all thumbnails of a server, in bytes.
const KEPT: usize = 32 << 20;

/// Whether the server can make a thumbnail of a file of this media type.
pub(super) fn has_thumbnail(media_type: &str) -> bool {
    let is_image = matches!(
        media_type,
        "image/jpeg" | "image/png" | "image/gif" | "image/webp"
    );
    cfg!(feature = "thumbnails") && is_image
}

/// The thumbnails of a server: each is made once, for all workers.
#[derive(Clone, Debug, Default)]
pub struct Thumbnails(Arc<Mutex<Cached>>);

#[derive(Debug, Default)]
struct Cached {
    /// By the image and the size.
    by_image: HashMap<(Identity, u32), Arc<OnceCell<Option<Thumbnail>>>>,
    /// In the order of their arrival; the oldest are removed first.
    order: VecDeque<((Identity, u32), usize)>,
    bytes: usize,
}

#[derive(Debug, Clone)]
struct Thumbnail {
    content: Bytes,
    media_type: &'static str,
}

/// The placeholder for an image without a thumbnail.
const PLACEHOLDER: Thumbnail = Thumbnail {
    content: Bytes::from_static(include_bytes!("no_thumbnail.svg")),
    media_type: "image/svg+xml",
};

impl Thumbnails {
    /// The thumbnail of an image; `None` if it cannot be made. A request that arrives while it is
    /// made waits for it.
    async fn of(&self, identity: Identity, size: u32, file: File) -> Option<Thumbnail> {
        let making = self.begin((identity, size));
        let make = async {
            let thumbnail = make(file, size).await;
            match &thumbnail {
                Ok(thumbnail) => {
                    log::debug!("Made a thumbnail of {} bytes", thumbnail.content.len())
                }
                Err(error) => log::debug!("Made no thumbnail: {error}"),
            }
            let thumbnail = thumbnail.ok();
            self.keep((identity, size), thumbnail.as_ref());
            thumbnail
        };
        making.cell.get_or_init(|| make).await.clone()
    }

    fn begin(&self, key: (Identity, u32)) -> Making<'_> {
        let cell = self.lock().by_image.entry(key).or_default().clone();
        Making {
            thumbnails: self,
            key,
            cell,
        }
    }

    /// No operation under the lock can leave the state half changed.
    fn lock(&self) -> MutexGuard<'_, Cached> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a thumbnail that was made, or that could not be made: a failed one is not tried again
    /// and again.
    fn keep(&self, identity: (Identity, u32), thumbnail: Option<&Thumbnail>) {
        const OVERHEAD: usize = 256;
        let cost = thumbnail.map_or(0, |thumbnail| thumbnail.content.len()) + OVERHEAD;
        let mut kept = self.lock();
        kept.bytes += cost;
        kept.order.push_back((identity, cost));
        while kept.bytes > KEPT
            && let Some((oldest, cost)) = kept.order.pop_front()
        {
            kept.by_image.remove(&oldest);
            kept.bytes -= cost;
        }
    }
}

/// A request that makes a thumbnail, or waits for it.
#[derive(Debug)]
struct Making<'a> {
    thumbnails: &'a Thumbnails,
    key: (Identity, u32),
    cell: Arc<OnceCell<Option<Thumbnail>>>,
}

impl Drop for Making<'_> {
    /// Forgets a thumbnail that everybody has given up before it was made: nothing counts it.
    fn drop(&mut self) {
        let mut kept = self.thumbnails.lock();
        // All others are created, and dropped, under the lock.
        let cell = std::mem::take(&mut self.cell);
        let is_given_up = !cell.initialized() && Arc::strong_count(&cell) == 2;
        let known = kept.by_image.get(&self.key);
        if is_given_up && known.is_some_and(|known| Arc::ptr_eq(known, &cell)) {
            kept.by_image.remove(&self.key);
        }
        drop(cell);
    }
}

/// There are no thumbnails without the feature `thumbnails`.
#[cfg(not(feature = "thumbnails"))]
async fn make(_image: File, _size: u32) -> std::io::Result<Thumbnail> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// Serves the thumbnails of images: GET and HEAD with the query [`THUMBNAIL`] or
/// [`LARGE_THUMBNAIL`].
///
/// An image that the server cannot read, or that is too large, is shown as an empty frame. A file
/// that is not an image gets 404.
pub fn serve_thumbnails(files: Rc<Files>) -> impl Component<HandlerPorts> {
    serve_thumbnails_until(files, std::future::pending)
}

/// Like `serve_thumbnails`, for a peer that may be gone before its thumbnail is made: it is given
/// up when `gone()` is ready first. That is created for each thumbnail.
pub(crate) fn serve_thumbnails_until<G: Future<Output = ()>>(
    files: Rc<Files>,
    gone: impl Fn() -> G + 'static,
) -> impl Component<HandlerPorts> {
    at_first_message(async move |io: &mut HandlerPorts| {
        while let Some(request) = io.next_without_content().await? {
            let given_up = async {
                gone().await;
                Err(give_up(&request))
            };
            let answer = or(answer(&files, &request), given_up).await;
            io.answer(answer).await?;
        }
        Ok(())
    })
}

/// The failure of a request whose client has probably gone. One that has only shut down its side
/// learns why.
pub(super) fn give_up(request: &Request) -> Failure {
    let explanation = "this takes too long for a client that sends nothing more";
    request.refuse(StatusCode::SERVICE_UNAVAILABLE, explanation)
}

async fn answer(files: &Files, request: &Request) -> Result<Response, Failure> {
    log::debug!("{} | Handle Thumbnail", request.exchange.peer);
    let (file, metadata) = match files.find(request).await? {
        Found::File(file, metadata) if files.is_image(request) => (file, metadata),
        _ => {
            let explanation = "there is no thumbnail of this";
            let status = StatusCode::NOT_FOUND;
            return Err(request.refuse(status, explanation));
        }
    };
    let identity = Identity::of(&metadata);
    let (size, tag) = match request.head.target.query() {
        Some(LARGE_THUMBNAIL) => (LARGE_SIZE, "large-thumbnail"),
        _ => (SIZE, "thumbnail"),
    };
    let thumbnail = files.thumbnails().of(identity, size, file).await;
    let thumbnail = thumbnail.unwrap_or(PLACEHOLDER);
    let etag = identity.etag_of(tag);
    let fields = Fields::new()
        .with("Content-Type", thumbnail.media_type)
        .with("ETag", &etag)
        // The listing asks again, and gets 304.
        .with("Cache-Control", "no-cache");
    let description = Description {
        fields,
        etag,
        modified: None,
        has_codings: false,
    };
    let representation = Representation {
        description: &description,
        content: Piece::Bytes(thumbnail.content),
    };
    representation.answer(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbnail_that_is_given_up_takes_no_memory() {
        let file = tempfile::tempfile().unwrap();
        let key = (Identity::of(&file.metadata().unwrap()), SIZE);
        let thumbnails = Thumbnails::default();
        let count = || thumbnails.lock().by_image.len();
        let (first, second) = (thumbnails.begin(key), thumbnails.begin(key));
        drop(first);
        assert_eq!(count(), 1, "the second waits");
        drop(second);
        assert_eq!(count(), 0);
        let made = thumbnails.of(key.0, key.1, file);
        assert!(kamea::testing::block_on(made).is_none(), "it is no image");
        assert_eq!(count(), 1, "it is not tried again");
    }
}
