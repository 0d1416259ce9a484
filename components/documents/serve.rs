//! The file handler: GET and HEAD of the files in the document root.

use std::borrow::Cow;
use std::fs::{File, Metadata};
use std::io::{self, IoSliceMut, Read};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use futures_lite::future::or;
use http::{Method, StatusCode};
use kamea::time::wall_clock;
use kamea::{Component, at_first_message, compute, link, unblock};
use rustix::io::{ReadWriteFlags, preadv2};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::archive::Format;
use super::cache::{Entry, Identity, LARGEST, Origin};
use super::files::{Files, failure, system_failure};
use super::representation::{Description, Representation};
use super::thumbnail::give_up;
use super::{Compression, Found, Refused};
use crate::coding::{AcceptedCodings, Coding, Encoder};
use crate::file::{FileSlice, OpenFile};
use crate::http::Names;
use crate::web::{Body, Encoding, Failure, HandlerPorts, Piece, Request, Response};

/// Files smaller than this, in bytes, are not encoded.
const SMALLEST_TO_ENCODE: u64 = 1024;

/// How many large files the handler of a connection has open for responses that wait for their turn
/// or are being sent. One more is open while its response waits for such a place.
const OPEN: usize = 1;

/// The places of the open files of one handler. Made for the first large file.
type Places = Option<Arc<Semaphore>>;

/// What the handler of a connection keeps of its client.
struct Client<Gone> {
    places: Places,
    /// Waits until the client no longer waits for a response that is made from now on.
    gone: Gone,
}

/// Serves GET and HEAD from files. A large file is opened only when its response is nearly due: a
/// client that sends many requests at once has two files open.
pub fn serve_files(files: Rc<Files>) -> impl Component<HandlerPorts> {
    serve_files_until(files, std::future::pending)
}

/// Like `serve_files`, for a peer that may be gone before a listing is ready: the listing is given
/// up when `gone()` is ready first. That is created for each listing.
pub(crate) fn serve_files_until<G: Future<Output = ()>>(
    files: Rc<Files>,
    gone: impl Fn() -> G + 'static,
) -> impl Component<HandlerPorts> {
    let mut client = Client {
        places: Places::None,
        gone,
    };
    at_first_message(async move |io: &mut HandlerPorts| {
        while let Some(mut request) = io.requests.next().await {
            let answer = match files.answer_from_memory(&request) {
                Some(answer) => answer,
                None => match request.discard_content().await {
                    // Boxed, because an answer from the cache needs none of it.
                    Ok(()) => Box::pin(files.answer(&request, &mut client)).await,
                    Err(failure) => Err(failure),
                },
            };
            io.answer(answer).await?;
        }
        Ok(())
    })
}

impl Files {
    /// The answer, if it is cached: then nothing has to wait. Only files that may be served are
    /// cached.
    fn answer_from_memory(&self, request: &Request) -> Option<Result<Response, Failure>> {
        if !is_read(request) || request.content.is_some() {
            return None;
        }
        let path = request.head.target.decoded_path().ok()?;
        let path = path.strip_prefix(b"/")?;
        if Format::of_query(request.head.target.query()).is_some() {
            return None;
        }
        let accepted = accepted_codings(request);
        let entry = match accepted.first() {
            None => self.recall(path)?,
            Some(_) => self.recall(&key(path, accepted))?,
        };
        log::debug!("{} | Handle File", request.exchange.peer);
        Some(from_memory(request, &entry))
    }

    async fn answer<G: Future<Output = ()>>(
        &self,
        request: &Request,
        client: &mut Client<impl Fn() -> G>,
    ) -> Result<Response, Failure> {
        if !is_read(request) {
            let failure = request.refuse(StatusCode::METHOD_NOT_ALLOWED, "this can only be read");
            return Err(failure.with("Allow", "GET, HEAD, OPTIONS"));
        }
        let path = self.path(request)?;
        let found = self.look_up(&path).await.map_err(|refused| {
            self.forget(&key(&path, accepted_codings(request)));
            failure(request, refused)
        });
        match found? {
            Found::File(file, metadata) => {
                let found = (file, metadata);
                self.file(request, &path, &path, found, &mut client.places)
                    .await
            }
            Found::Folder(_) if !path.is_empty() && !path.ends_with(b"/") => {
                Ok(to_the_slash(request))
            }
            Found::Folder(folder) => match Format::of_query(request.head.target.query()) {
                Some(format) => self.archive(request, &path, folder, format).await,
                None => self.index(request, &path, folder, client).await,
            },
        }
    }

    /// The index of a folder, or else its listing.
    async fn index<G: Future<Output = ()>>(
        &self,
        request: &Request,
        path: &[u8],
        folder: File,
        client: &mut Client<impl Fn() -> G>,
    ) -> Result<Response, Failure> {
        for index in &self.options().index {
            let index = [path, index.as_bytes()].concat();
            match self.look_up(&index).await {
                Ok(Found::File(file, metadata)) => {
                    let found = (file, metadata);
                    let places = &mut client.places;
                    return self.file(request, path, &index, found, places).await;
                }
                Ok(Found::Folder(_)) | Err(Refused::NotFound) => {}
                Err(refused) => return Err(failure(request, refused)),
            }
        }
        let gone = async {
            (client.gone)().await;
            Err(give_up(request))
        };
        or(self.list(request, path, folder), gone).await
    }

    /// The file at `path`, for a request for `asked`.
    async fn file(
        &self,
        request: &Request,
        asked: &[u8],
        path: &[u8],
        (file, metadata): (File, Metadata),
        places: &mut Places,
    ) -> Result<Response, Failure> {
        log::debug!("{} | Handle File", request.exchange.peer);
        let accepted = accepted_codings(request);
        let key = key(asked, accepted);
        let modified = metadata.modified().map_err(system_failure(request))?;
        let identity = Identity::of(&metadata);
        let media_type = self.media_type(path, &file).await;
        let media_type = media_type.map_err(system_failure(request))?;
        let modified = modified.min(wall_clock());
        let mut found = Selected {
            description: self.describe(path, media_type, identity.etag(), modified),
            origin: Origin::of(identity),
            length: metadata.len(),
            file,
            encode: None,
        };
        if found.description.has_codings {
            match self.find_coded(path, accepted, identity).await {
                Some((coding, file, coded)) => found.replace(coding, file, &coded),
                None if found.length < SMALLEST_TO_ENCODE => {}
                None if self.options().compression == Compression::Made => {
                    found.encode = accepted.first();
                }
                None => {}
            }
        }
        if let Some(entry) = self.confirm(&key, found.origin) {
            return from_memory(request, &entry);
        }
        if found.length > LARGEST {
            self.forget(&key);
            return found.stream(request, place(places).await);
        }
        let entry = found.load().await.map_err(system_failure(request))?;
        let entry = Rc::new(entry);
        if entry.is_whole {
            self.remember(&key, entry.clone());
        }
        from_memory(request, &entry)
    }
}

/// Waits for a place for an open file. Those that hold the places answer earlier requests, so they
/// do not wait for this one.
async fn place(places: &mut Places) -> Option<OwnedSemaphorePermit> {
    let places = places.get_or_insert_with(|| Arc::new(Semaphore::new(OPEN)));
    places.clone().acquire_owned().await.ok()
}

/// The file that was selected for a request.
struct Selected {
    description: Description,
    origin: Origin,
    file: File,
    /// In bytes.
    length: u64,
    /// The coding in which its content will be encoded.
    encode: Option<Coding>,
}

impl Selected {
    /// Selects the file that holds the content in a coding.
    fn replace(&mut self, coding: Coding, file: File, metadata: &Metadata) {
        let coded = Identity::of(metadata);
        let variant = format!("{}-{}", coding.name(), coded.opaque());
        self.description
            .encode(coding, self.origin.file.etag_of(&variant));
        self.origin.coded = Some(coded);
        self.file = file;
        self.length = metadata.len();
    }

    /// A large file: unchanged from the disk, or encoded while it is sent.
    fn stream(
        mut self,
        request: &Request,
        place: Option<OwnedSemaphorePermit>,
    ) -> Result<Response, Failure> {
        let encoding = self.encode.and_then(Encoding::begin);
        if let Some(encoding) = &encoding {
            let coding = encoding.coding();
            let etag = self.origin.file.etag_of(coding.name());
            self.description.encode(coding, etag);
        }
        let file = OpenFile::from(self.file);
        let file = match place {
            Some(place) => file.counted(place),
            None => file,
        };
        let slice = FileSlice {
            file: Arc::new(file),
            offset: 0,
            length: self.length,
        };
        let representation = Representation {
            description: &self.description,
            content: Piece::File(slice),
        };
        let mut response = representation.answer(request)?;
        if let Some(encoding) = encoding
            && response.head.status == StatusCode::OK
        {
            response.body = if request.exchange.is_head {
                // The length is unknown until all of it is encoded.
                Body::Stream {
                    chunks: link(1).1,
                    length: None,
                }
            } else {
                encoding.apply(response.body)
            };
        }
        Ok(response)
    }

    /// A small file, for the cache.
    async fn load(mut self) -> io::Result<Entry> {
        let mut content = match read_cached(&self.file, self.length) {
            Some(content) => content,
            None => {
                let (file, length) = (self.file, self.length);
                unblock(move || read_whole(file, length)).await?
            }
        };
        // Shorter than its metadata says: it is being changed now, and must not be cached.
        let is_whole = content.len() as u64 == self.length;
        if let Some(coding) = self.encode {
            let plain = content.clone();
            let encoded = compute(move || Encoder::encode_whole(coding, &plain)).await?;
            if encoded.len() < content.len() {
                content = encoded;
                let etag = self.origin.file.etag_of(coding.name());
                self.description.encode(coding, etag);
            }
        }
        Ok(Entry::new(
            self.description,
            content,
            self.origin,
            is_whole,
            wall_clock(),
        ))
    }
}

impl Description {
    /// The same in a content coding, which is another representation (RFC 9110 section 8.8.3.3).
    pub(super) fn encode(&mut self, coding: Coding, etag: String) {
        self.fields.remove("accept-ranges");
        self.fields.remove("etag");
        let fields = std::mem::take(&mut self.fields);
        self.fields = fields
            .with("Content-Encoding", coding.name())
            .with("ETag", &etag);
        self.etag = etag;
    }
}

fn is_read(request: &Request) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
}

/// The codings that a request accepts. Empty if it asks for a part: a part is always one of the
/// unencoded file.
pub(super) fn accepted_codings(request: &Request) -> AcceptedCodings {
    const ACCEPT_ENCODING: Names = Names::of(&[b"accept-encoding"]);
    let fields = &request.head.fields;
    if !fields.may_contain_any(ACCEPT_ENCODING) || fields.contains("range") {
        return AcceptedCodings::default();
    }
    AcceptedCodings::of(fields)
}

/// The key of a worker's cache for requests for a path that accept these codings.
fn key(path: &[u8], accepted: AcceptedCodings) -> Cow<'_, [u8]> {
    match accepted.first() {
        None => Cow::Borrowed(path),
        Some(_) => Cow::Owned([path, &[0, accepted.key()]].concat()),
    }
}

pub(super) fn from_memory(request: &Request, entry: &Entry) -> Result<Response, Failure> {
    let representation = Representation {
        description: &entry.description,
        content: Piece::Bytes(entry.content.clone()),
    };
    representation.answer(request)
}

/// The URL of a folder ends in a slash, so that relative links in its pages work.
fn to_the_slash(request: &Request) -> Response {
    let target = &request.head.target;
    let query = target
        .query()
        .map_or(String::new(), |query| format!("?{query}"));
    // A path that begins with two slashes would lead to another server (RFC 3986 section 4.2).
    let path = target.path().trim_start_matches('/');
    let location = format!("/{path}/{query}");
    request.respond(Response::new(StatusCode::MOVED_PERMANENTLY).with("Location", location))
}

/// The content of a file, if the system has all of it in memory (`RWF_NOWAIT`, preadv2(2)).
fn read_cached(file: &File, length: u64) -> Option<Bytes> {
    let mut content = vec![0; usize::try_from(length).ok()?];
    let into = &mut [IoSliceMut::new(&mut content)];
    let read = preadv2(file, into, 0, ReadWriteFlags::NOWAIT).ok()?;
    (read == content.len()).then(|| content.into())
}

fn read_whole(mut file: File, length: u64) -> io::Result<Bytes> {
    let mut content = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    file.by_ref().take(length).read_to_end(&mut content)?;
    Ok(content.into())
}

#[cfg(test)]
mod tests {
    use kamea::testing::block_on;
    use kamea::{Graph, Sink, Source};

    use super::*;
    use crate::documents::{Docroot, FileOptions, Thumbnails};
    use crate::http::{Fields, RequestHead, Target};
    use crate::web::Exchange;

    fn request(path: &'static str) -> Request {
        let head = RequestHead {
            method: Method::GET,
            target: Target::parse(&Method::GET, path.into()).unwrap(),
            version: http::Version::HTTP_11,
            fields: Fields::new().with("Host", "a"),
        };
        let exchange = Exchange::new(0, "192.0.2.1:1".parse().unwrap());
        Request::new(exchange, Box::new(head), None)
    }

    /// What is ready is sent; what would have to be waited for is given up.
    #[test]
    fn nothing_is_made_for_a_client_that_has_gone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "text").unwrap();
        for (path, is_gone, is_answered) in [
            ("/", true, false),
            ("/", false, true),
            ("/file", true, true),
        ] {
            let gone = move || async move {
                if !is_gone {
                    std::future::pending::<()>().await;
                }
            };
            let docroot = Docroot::open(folder.path()).unwrap();
            // The system has the file in memory now.
            docroot.find(b"file").unwrap();
            let (sender, mut responses) = link(1);
            let mut graph = Graph::template("serving");
            let asker = graph.add("asker", async move |io: &mut Source<Request>| {
                Ok(io.outbox.send(request(path)).await?)
            });
            let files = graph.add_seeded("files", move |docroot: &mut Docroot| {
                let options = FileOptions::default();
                let files = Files::new(docroot.clone(), &options, Thumbnails::default());
                if is_gone {
                    // No folder can be read.
                    let listers = files.listers();
                    let all = listers.try_acquire_many(listers.available_permits() as u32);
                    all.unwrap().forget();
                }
                serve_files_until(Rc::new(files), gone)
            });
            let taker = graph.add("taker", async move |io: &mut Sink<Response>| {
                while let Some(response) = io.inbox.next().await {
                    let _ = sender.try_send(response.head.status);
                }
                Ok(())
            });
            let failures = graph.add("failures", async move |io: &mut Sink<Failure>| {
                assert_eq!(io.inbox.next().await.is_none(), is_answered);
                Ok(())
            });
            graph.link(asker.outbox, files.requests);
            graph.link(files.responses, taker.inbox);
            graph.link(files.failures, failures.inbox);
            block_on(graph.into_template().unwrap().start(docroot)).unwrap();
            assert_eq!(responses.try_next().is_some(), is_answered, "{path}");
        }
    }
}
