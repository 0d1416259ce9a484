//! A folder as one file: a tape archive or a ZIP archive, made while it is sent.
//!
//! Its memory does not grow with the number of files in the folders that it has left: the directory
//! at the end of a ZIP archive is gathered in a temporary file. It keeps the names in the folder
//! that it reads and in those above. If they are many, they count towards the budget of long
//! listings.

mod place;
mod tar;
mod walk;
mod zip;

use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use kamea::{End, Graph, Sender, link, spawn, unblock};

use super::files::{Files, failure, system_failure};
use super::{Found, Refused};
use crate::chassis::NoPorts;
use crate::file::{FileSlice, ScratchFile};
use crate::http::{Chunk, attachment};
use crate::web::{Failure, Request, Response};
use place::Place;
use walk::{Entered, Item, Walk};
use zip::Zip;

/// How long a client should wait, in seconds, when there are too many archives.
const RETRY_AFTER: &str = "5";

/// How many chunks may wait for the writer.
const CAPACITY: usize = 2;

/// How many bytes of the directory of a ZIP archive are in memory.
const GATHERED: usize = 64 * 1024;

/// The format of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Tar,
    Zip,
}

impl Format {
    /// The format that a query asks for.
    pub(super) fn of_query(query: Option<&str>) -> Option<Self> {
        match query? {
            "download=tar" => Some(Self::Tar),
            "download=zip" => Some(Self::Zip),
            _ => None,
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Tar => "application/x-tar",
            Self::Zip => "application/zip",
        }
    }

    fn extension(self) -> &'static [u8] {
        match self {
            Self::Tar => b".tar",
            Self::Zip => b".zip",
        }
    }
}

impl Files {
    /// Sends a folder as an archive. It contains what listings would show: a folder with an index
    /// is not listed, and is not sent.
    pub(super) async fn archive(
        &self,
        request: &Request,
        path: &[u8],
        folder: File,
        format: Format,
    ) -> Result<Response, Failure> {
        log::debug!("{} | Handle Archive", request.exchange.peer);
        for index in &self.options().index {
            if let Ok(Found::File(..)) = self.look_up(&[path, index.as_bytes()].concat()).await {
                let explanation = "this folder has a page of its own, and is not sent whole";
                return Err(request.refuse(StatusCode::NOT_FOUND, explanation));
            }
        }
        let place = Place::take(request.exchange.peer.ip()).ok_or_else(|| too_many(request))?;
        let (docroot, kept_back) = (self.docroot().clone(), self.kept_back().clone());
        let mut walk = Walk::new(docroot, kept_back, self.options().clone());
        let from = path.to_vec();
        let entered = unblock(move || {
            let entered = walk.enter(&from, &folder)?;
            std::io::Result::Ok((walk, entered))
        })
        .await;
        let (walk, entered) = entered.map_err(system_failure(request))?;
        match entered {
            Entered::Inside => {}
            Entered::Gone => return Err(failure(request, Refused::NotFound)),
            Entered::NoRoom => return Err(too_many(request)),
        }
        let (sender, chunks) = link(CAPACITY);
        if !request.exchange.is_head {
            let archive = Archive {
                sender,
                zip: (format == Format::Zip).then(Zip::default),
                directory: Directory::default(),
                before: path.len(),
                name: name_of(path),
                _place: place,
            };
            archive.start(walk);
        }
        let file_name = [&name_of(path)[..], format.extension()].concat();
        let response = Response::stream(chunks)
            .with("Content-Type", format.media_type())
            .with("Content-Disposition", attachment(&file_name))
            .with("Cache-Control", "no-cache");
        Ok(request.respond(response))
    }
}

fn too_many(request: &Request) -> Failure {
    let explanation = "too many archives are being sent; try again in a moment";
    let failure = request.refuse(StatusCode::SERVICE_UNAVAILABLE, explanation);
    failure.with("Retry-After", RETRY_AFTER)
}

/// The name of the folder at a path; the root has none.
fn name_of(path: &[u8]) -> Vec<u8> {
    let mut segments = path.split(|&byte| byte == b'/');
    match segments.rfind(|segment| !segment.is_empty()) {
        Some(name) => name.to_vec(),
        None => b"files".to_vec(),
    }
}

/// An archive while it is sent.
struct Archive {
    sender: Sender<Chunk>,
    /// `None` for a tape archive.
    zip: Option<Zip>,
    directory: Directory,
    /// The length of the path of the folder, which is replaced by its name.
    before: usize,
    name: Vec<u8>,
    _place: Place,
}

impl Archive {
    /// Sends it in a graph of its own, at the speed of the peer.
    fn start(mut self, walk: Walk) {
        let mut graph = Graph::new("archive");
        let mut walk = Some(walk);
        graph.add("archiver", async move |_: &mut NoPorts| match walk.take() {
            Some(walk) => self.send_all(walk).await,
            None => Ok(()),
        });
        let flow = graph.start();
        spawn(flow.expect("a graph of one component without ports is right"));
    }

    async fn send_all(&mut self, mut walk: Walk) -> Result<(), End> {
        loop {
            let found;
            (walk, found) = unblock(move || {
                let found = walk.next();
                (walk, found)
            })
            .await;
            match found? {
                Some(item) => self.send_item(item).await?,
                None => break,
            }
        }
        self.finish().await
    }

    async fn send_item(&mut self, item: Item) -> Result<(), End> {
        let name = [&self.name, &b"/"[..], &item.path[self.before..]].concat();
        let length = item.file.as_ref().map_or(0, |(_, length)| *length);
        let header = match &mut self.zip {
            Some(zip) => zip.begin(&name, length, item.modified),
            None => tar::header(&name, length, item.modified),
        };
        self.send(header).await?;
        if let Some((file, length)) = item.file {
            let mut slice = FileSlice {
                file: Arc::new(file.into()),
                offset: 0,
                length,
            };
            while let Some(bytes) = slice.read_next().await? {
                if let Some(zip) = &mut self.zip {
                    zip.count(&bytes);
                }
                self.send(bytes).await?;
            }
        }
        let after = match &mut self.zip {
            Some(zip) => {
                let (after, entry) = zip.end_file();
                self.directory.add(&entry).await?;
                after
            }
            None => tar::padding(length),
        };
        self.send(after).await
    }

    async fn finish(&mut self) -> Result<(), End> {
        let end = match &self.zip {
            Some(zip) => zip.end(),
            None => tar::end(),
        };
        for from in (0..self.directory.written).step_by(GATHERED) {
            let count = (self.directory.written - from).min(GATHERED as u64) as usize;
            if let Some(file) = &self.directory.file {
                let bytes = file.read_at(from, count).await?;
                self.send(bytes).await?;
            }
        }
        let rest = std::mem::take(&mut self.directory.rest);
        self.send(rest).await?;
        self.send(end).await?;
        Ok(self.sender.send(Chunk::END).await?)
    }

    async fn send(&self, bytes: impl Into<Bytes>) -> Result<(), End> {
        let bytes = bytes.into();
        if !bytes.is_empty() {
            self.sender.send(bytes.into()).await?;
        }
        Ok(())
    }
}

/// The directory at the end of a ZIP archive, most of it in a temporary file.
#[derive(Default)]
struct Directory {
    file: Option<ScratchFile>,
    /// The number of bytes in the file.
    written: u64,
    rest: Vec<u8>,
}

impl Directory {
    async fn add(&mut self, entry: &[u8]) -> std::io::Result<()> {
        self.rest.extend(entry);
        if self.rest.len() < GATHERED {
            return Ok(());
        }
        let file = match &self.file {
            Some(file) => file.clone(),
            None => self.file.insert(ScratchFile::create().await?).clone(),
        };
        let bytes = Bytes::from(std::mem::take(&mut self.rest));
        let count = bytes.len() as u64;
        file.write_at(bytes, self.written).await?;
        self.written += count;
        Ok(())
    }
}
