//! PUT (RFC 9110 section 9.3.4): writes a file atomically.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use http::StatusCode;
use kamea::{Component, at_first_message, unblock};
use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, RenameFlags, fstatvfs, linkat, openat, renameat, renameat_with,
    unlinkat,
};
use rustix::io::Errno;

use super::destination::{Current, Destination, Unchanged, writable_path};
use crate::documents::cache::Identity;
use crate::documents::files::Files;
use crate::http::RequestHead;
use crate::web::{Content, Failure, HandlerPorts, Request, Response};

/// How many bytes of the body are collected before a write.
const GATHERED: usize = 256 * 1024;

/// A body up to this size, in bytes, is read to its end even if it is refused, so that the
/// connection can continue.
const DISCARDED: u64 = 64 * 1024;

/// Serves PUT: writes the body of a request into the document root. The answer is 201 if the file
/// is new, and 204 if it replaces another one.
///
/// The file is written without a name, and gets its name only when it is complete and on the disk:
/// a reader sees the old file or the new one, and an incomplete upload leaves nothing.
/// Preconditions are evaluated before the body is read, and again when the file gets its name, one
/// request at a time.
pub fn put_files(files: Rc<Files>) -> impl Component<HandlerPorts> {
    at_first_message(async move |io: &mut HandlerPorts| {
        while let Some(mut request) = io.requests.next().await {
            log::debug!("{} | Handle Put", request.exchange.peer);
            let answer = match put(&files, &mut request).await {
                Ok(response) => Ok(response),
                Err(failure) => Err(refuse(request, failure).await),
            };
            io.answer(answer).await?;
        }
        Ok(())
    })
}

async fn put(files: &Files, request: &mut Request) -> Result<Response, Failure> {
    let path = writable_path(files, request)?;
    let fields = &request.head.fields;
    if fields.contains("content-range") {
        // RFC 9110 section 14.5: a part must not replace the whole.
        let explanation = "parts of files cannot be written";
        return Err(request.refuse(StatusCode::BAD_REQUEST, explanation));
    }
    if fields.contains("content-encoding") {
        let explanation = "files are written as they are, without a content coding";
        return Err(request.refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, explanation));
    }
    let (docroot, kept_back, head, length) = (
        files.docroot().clone(),
        files.kept_back().clone(),
        request.head.clone(),
        content_length(request),
    );
    let begun = unblock(move || {
        let destination = Destination::open(&docroot, &kept_back, &path)?;
        destination.permitted(&head)?;
        if let Some(length) = length {
            let disk = fstatvfs(&destination.folder)?;
            if length > disk.f_bavail.saturating_mul(disk.f_frsize) {
                return Err(Unchanged::FULL);
            }
        }
        Upload::begin(destination)
    });
    let mut upload = begun.await.map_err(|unchanged| unchanged.of(request))?;
    if let Some(content) = request.content.take() {
        upload = receive(upload, *content, request).await?;
    }
    let head = request.head.clone();
    let ended = unblock(move || upload.end(&head)).await;
    let (status, etag) = ended.map_err(|unchanged| unchanged.of(request))?;
    Ok(request.respond(Response::new(status).with("ETag", etag)))
}

fn content_length(request: &Request) -> Option<u64> {
    let length = request.head.fields.get("content-length")?;
    str::from_utf8(length).ok()?.parse().ok()
}

/// Turns a refusal into a failure. The body may be unread: a short one is read now, a long one ends
/// the connection.
async fn refuse(mut request: Request, failure: Failure) -> Failure {
    match content_length(&request) {
        Some(length) if length <= DISCARDED => request.discard_and_fail(failure).await,
        _ if request.content.is_none() => failure,
        _ => Failure {
            exchange: failure.exchange.closing(),
            ..failure
        },
    }
}

/// Writes the body to the disk as it arrives.
async fn receive(
    mut upload: Upload,
    mut content: Content,
    request: &Request,
) -> Result<Upload, Failure> {
    let closing = request.exchange.closing();
    let mut is_complete = false;
    while !is_complete {
        // Copied: kept as they arrived, many small pieces could use far more memory than their
        // bytes.
        let mut gathered = Vec::<u8>::new();
        while gathered.len() < GATHERED && !is_complete {
            let next = content.next().await;
            match next.map_err(|cut| Failure::incomplete(closing, cut))? {
                Some(chunk) => gathered.extend_from_slice(&chunk),
                None => is_complete = true,
            }
        }
        let written = unblock(move || {
            upload.file.write_all(&gathered)?;
            io::Result::Ok(upload)
        });
        upload = written.await.map_err(|error| {
            let failure = Unchanged::from(error).of(request);
            Failure {
                exchange: closing,
                ..failure
            }
        })?;
    }
    Ok(upload)
}

/// A file that has no final name yet. If it is dropped before it gets one, it leaves nothing.
struct Upload {
    destination: Destination,
    file: File,
    /// Its temporary name, if the file system requires one.
    name: Option<PathBuf>,
}

impl Upload {
    fn begin(destination: Destination) -> Result<Self, Unchanged> {
        let mode = Mode::from_raw_mode(0o666);
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        let nameless = openat(&destination.folder, c".", flags | OFlags::TMPFILE, mode);
        let (file, name) = match nameless {
            Ok(file) => (file, None),
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => {
                let name = temporary_name();
                let flags = flags | OFlags::CREATE | OFlags::EXCL;
                (openat(&destination.folder, &name, flags, mode)?, Some(name))
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Self {
            destination,
            file: file.into(),
            name,
        })
    }

    /// Gives the file its name. Returns the status that says whether it is new, and its entity tag.
    fn end(mut self, head: &RequestHead) -> Result<(StatusCode, String), Unchanged> {
        self.file.sync_all()?;
        let (destination, file, name) = (&self.destination, &self.file, &mut self.name);
        let status = destination.change(head, |current| {
            // Only now: under another name of the folder, the file might be a program.
            let name = match name {
                Some(name) => name,
                None => name.insert(link_hidden(destination, file)?),
            };
            replace(destination, file, name, current)
        })?;
        self.name = None;
        let etag = Identity::of(&self.file.metadata()?).etag();
        Ok((status, etag))
    }
}

/// Gives a file without a name a hidden one in the folder of its destination.
fn link_hidden(destination: &Destination, file: &File) -> Result<PathBuf, Unchanged> {
    let (name, own) = (temporary_name(), descriptor_path(file));
    let folder = &destination.folder;
    linkat(CWD, own, folder, &name, AtFlags::SYMLINK_FOLLOW)?;
    Ok(name)
}

/// Moves a file from its temporary name to its final one.
fn replace(
    destination: &Destination,
    file: &File,
    name: &Path,
    current: Option<Current>,
) -> Result<StatusCode, Unchanged> {
    let (folder, destined) = (&destination.folder, destination.name());
    match current {
        Some(current) => {
            // A file from a client is not executable.
            let permissions = Permissions::from_mode(current.mode & 0o666);
            file.set_permissions(permissions)?;
            renameat(folder, name, folder, destined)?;
            Ok(StatusCode::NO_CONTENT)
        }
        None => {
            // If the file system cannot guarantee that nothing is replaced, we assume that only
            // this server creates files.
            match renameat_with(folder, name, folder, destined, RenameFlags::NOREPLACE) {
                Err(Errno::INVAL | Errno::EXIST) => renameat(folder, name, folder, destined)?,
                outcome => outcome?,
            }
            Ok(StatusCode::CREATED)
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // If it cannot be removed now, it is at least hidden.
            let _ = unlinkat(&self.destination.folder, name, AtFlags::empty());
        }
    }
}

/// A unique hidden name.
fn temporary_name() -> PathBuf {
    format!(".upload-{:032x}", kamea::random::token()).into()
}

/// The path to an open file that has no name (linkat(2)).
fn descriptor_path(file: &File) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_fd().as_raw_fd()).into()
}
