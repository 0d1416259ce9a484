//! The listing of a folder as a response.

use std::fs::File;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use http::StatusCode;
use kamea::time::{turn, wall_clock};
use kamea::{compute, unblock};

use super::cache::{Entry as Cached, Origin};
use super::files::{Files, system_failure};
use super::folder::{Entry, View, read_folder};
use super::listing::{Listing, MEDIA_TYPES, SHORT, Shown, UPLOAD_DIGEST};
use super::representation::Description;
use super::serve::{accepted_codings, from_memory};
use super::snapshots::Entries;
use super::{Compression, FileOptions};
use crate::coding::{AcceptedCodings, Coding, Encoder};
use crate::file;
use crate::http::{Fields, preferred_type};
use crate::web::{Encoding, Failure, Request, Response};

/// The longest query, in bytes, whose listing is cached.
const LONGEST_QUERY: usize = 64;

/// The policy of every listing.
const POLICY: &str = "default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline'; form-action 'self'; \
    base-uri 'none'; frame-ancestors 'self'";

/// How long a client should wait, in seconds, when too many clients read long listings.
const RETRY_AFTER: &str = "5";

/// The result of reading a folder.
enum Made {
    /// A short listing.
    Whole(String),
    /// The entries of a long one.
    Long(Vec<Entry>),
}

/// The parameters of a listing.
struct Wanted {
    path: Vec<u8>,
    query: String,
    media_type: &'static str,
    accepted: AcceptedCodings,
}

impl Wanted {
    fn by(request: &Request, path: &[u8], options: &FileOptions) -> Self {
        Self {
            path: path.to_vec(),
            query: request.head.target.query().unwrap_or_default().to_owned(),
            media_type: preferred_type(&request.head.fields, &MEDIA_TYPES),
            accepted: match options.compression {
                Compression::Made => accepted_codings(request),
                _ => AcceptedCodings::default(),
            },
        }
    }

    /// The key under which its entries are shared.
    fn entries_key(&self) -> Vec<u8> {
        [&self.path, &b"\0?"[..], self.query.as_bytes()].concat()
    }

    /// The key under which it is cached.
    fn key(&self) -> Vec<u8> {
        let coding = [0, self.accepted.key()];
        let kind = [self.media_type.as_bytes(), &coding[..]];
        [&self.entries_key()[..], &kind.concat()].concat()
    }

    fn listing(&self, entries: Arc<Entries>, options: &FileOptions) -> Listing {
        let view = View::from_query(&self.query);
        Listing::new(
            &self.path,
            view,
            self.media_type,
            Shown::by(options),
            entries,
        )
    }
}

impl Files {
    /// Lists a folder. A short listing is cached as long as it is trusted; a long one is sent while
    /// it is made.
    pub(super) async fn list(
        &self,
        request: &Request,
        path: &[u8],
        folder: File,
    ) -> Result<Response, Failure> {
        log::debug!("{} | Handle Directory", request.exchange.peer);
        let wanted = Wanted::by(request, path, self.options());
        if let Some(entry) = self.recall(&wanted.key()) {
            return from_memory(request, &entry);
        }
        // One at a time for each folder, and few in total. After the wait, another request may have
        // made the listing already.
        let (entries_key, asked) = (wanted.entries_key(), turn());
        let reading = self.snapshots().reading(&entries_key);
        let _turn = reading.acquire().await.expect("nobody closes it");
        let permit = self.listers().acquire().await.expect("nobody closes it");
        if let Some(entry) = self.recall(&wanted.key()) {
            return from_memory(request, &entry);
        }
        let shared = self.snapshots().find(&entries_key, asked);
        let entries = match shared {
            Some(entries) => entries,
            None => match self.read(request, &wanted, folder).await? {
                Made::Whole(whole) => return self.short(request, &wanted, whole).await,
                Made::Long(entries) => {
                    let mut snapshots = self.snapshots();
                    let entries = match snapshots.is_full() {
                        true => None,
                        false => Entries::long(entries),
                    };
                    let entries = entries.ok_or_else(|| too_many(request))?;
                    snapshots.add(&entries_key, &entries, turn());
                    entries
                }
            },
        };
        drop(permit);
        let listing = wanted.listing(entries, self.options());
        Ok(self.long(request, &wanted, listing))
    }

    /// Reads and sorts a folder, and makes its listing if that is short.
    async fn read(
        &self,
        request: &Request,
        wanted: &Wanted,
        folder: File,
    ) -> Result<Made, Failure> {
        let (docroot, kept_back) = (self.docroot().clone(), self.kept_back().clone());
        let options = self.options().clone();
        let view = View::from_query(&wanted.query);
        let (path, media_type) = (wanted.path.clone(), wanted.media_type);
        let (_waiting, is_wanted) = file::wanted();
        let made = unblock(move || {
            let mut entries = read_folder(&folder, &docroot, &kept_back, &options, &is_wanted)?;
            view.arrange(&mut entries);
            if entries.len() > SHORT {
                return Ok(Made::Long(entries));
            }
            let entries = Entries::short(entries);
            let listing = Listing::new(&path, view, media_type, Shown::by(&options), entries);
            listing
                .into_whole()
                .map(Made::Whole)
                .map_err(io::Error::other)
        });
        made.await.map_err(system_failure(request))
    }

    /// Answers with a short listing, and caches it.
    async fn short(
        &self,
        request: &Request,
        wanted: &Wanted,
        whole: String,
    ) -> Result<Response, Failure> {
        let content = match wanted.accepted.first() {
            Some(coding) => {
                let content = compute(move || Encoder::encode_whole(coding, whole.as_bytes()));
                content.await.map_err(system_failure(request))?
            }
            None => whole.into(),
        };
        // Without a key: all processes must compute the same tag.
        let hashes = BuildHasherDefault::<DefaultHasher>::default();
        let etag = format!("W/\"{:016x}\"", hashes.hash_one(&content));
        let description = Description {
            fields: self
                .fields(wanted.media_type, wanted.accepted.first())
                .with("ETag", &etag),
            etag,
            modified: None,
            has_codings: false,
        };
        let entry = Rc::new(Cached::new(
            description,
            content,
            Origin::NONE,
            true,
            wall_clock(),
        ));
        if wanted.query.len() <= LONGEST_QUERY {
            self.remember(&wanted.key(), entry.clone());
        }
        from_memory(request, &entry)
    }

    /// Answers with a long listing, which is made while it is sent.
    fn long(&self, request: &Request, wanted: &Wanted, listing: Listing) -> Response {
        let encoding = wanted.accepted.first().and_then(Encoding::begin);
        let fields = self.fields(wanted.media_type, encoding.as_ref().map(Encoding::coding));
        let body = listing.into_stream();
        let body = match encoding {
            Some(encoding) => encoding.apply(body),
            None => body,
        };
        let response = Response::new(StatusCode::OK).with_fields(fields);
        request.respond(response.with_body(body))
    }

    fn fields(&self, media_type: &str, coding: Option<Coding>) -> Fields {
        let fields = Fields::new()
            .with("Content-Type", format!("{media_type}; charset=utf-8"))
            .with("Vary", "Accept, Accept-Encoding")
            .with("Cache-Control", "no-cache")
            .with("Content-Security-Policy", self.policy());
        match coding {
            Some(coding) => fields.with("Content-Encoding", coding.name()),
            None => fields,
        }
    }

    /// What a listing may load and do in a browser: show its own pictures and play its own songs;
    /// and where clients may write, upload by its own script.
    fn policy(&self) -> String {
        match self.options().writable {
            true => format!("{POLICY}; script-src '{UPLOAD_DIGEST}'; connect-src 'self'"),
            false => POLICY.to_owned(),
        }
    }
}

fn too_many(request: &Request) -> Failure {
    let explanation = "too many are reading long listings; try again in a moment";
    let failure = request.refuse(StatusCode::SERVICE_UNAVAILABLE, explanation);
    failure.with("Retry-After", RETRY_AFTER)
}
