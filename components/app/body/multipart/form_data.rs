//! A whole form with files.

use http::StatusCode;
use serde::de::DeserializeOwned;

use super::{Multipart, PartHead, Upload};
use crate::body::form::read_fields;
use crate::context::Context;
use crate::{FromBody, Problem};

/// A whole form with files: its fields as a struct, as [`Form`](crate::Form) reads them, and its
/// files, which were stored while they arrived.
///
/// All fields, and the names and media types of all parts, must fit together into the limit of the
/// application, [`App::body_limit`]; a file may be as large as the body that the server takes. A
/// form has at most 32 files. More is answered with 413.
///
/// [`App::body_limit`]: crate::App::body_limit
///
/// # Examples
///
/// ```
/// use kamea_app::{App, Call, FormData, Problem, Upload};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Album { title: String }
///
/// async fn add(call: Call<(), FormData<Album>>) -> Result<String, Problem> {
///     let FormData { fields, files } = call.body;
///     for file in &files {
///         let name = file.head.file_name.as_deref().and_then(Upload::safe_name);
///         let name = name.ok_or_else(|| Problem::invalid(&file.head.name, "it has no name"))?;
///         file.save(format!("uploads/{name}")).await?;
///     }
///     Ok(format!("{} photos of {}\n", files.len(), fields.title))
/// }
/// # App::new().post("/albums", add).check().unwrap();
/// ```
#[derive(Debug)]
pub struct FormData<T> {
    /// The fields.
    pub fields: T,
    /// The files, in their order. A file field that nobody has filled in is left out.
    pub files: Vec<Upload>,
}

/// How many files a form may have. Each is an open file.
const MOST_FILES: usize = 32;

impl<T: DeserializeOwned> FromBody for FormData<T> {
    async fn from_body(context: &mut Context) -> Result<Self, Problem> {
        let mut form = Multipart::from_body(context).await?;
        let (mut fields, mut files) = (Vec::new(), Vec::new());
        while let Some(head) = form.next().await? {
            form.keep(length_of(&head))?;
            if let Some(file_name) = &head.file_name {
                // Browsers send an empty part without a file name for a field that nobody has
                // filled in.
                let (is_chosen, is_full) = (!file_name.is_empty(), files.len() >= MOST_FILES);
                if is_chosen && is_full {
                    return Err(too_many_files());
                }
                let file = Upload::receive(&mut form, head, u64::MAX).await?;
                match is_chosen || file.length > 0 {
                    true if is_full => return Err(too_many_files()),
                    true => files.push(file),
                    false => {}
                }
                continue;
            }
            let bytes = form.bytes().await?;
            form.keep(bytes.len())?;
            let text = String::from_utf8(bytes.into());
            let text = text.map_err(|_| Problem::invalid(&head.name, "it is not text in UTF-8"))?;
            fields.push((head.name.into(), text.into()));
        }
        let fields = read_fields(fields)?;
        Ok(Self { fields, files })
    }
}

/// The bytes of a head, which stay in memory too.
fn length_of(head: &PartHead) -> usize {
    let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    head.name.len() + length(&head.file_name) + length(&head.media_type)
}

fn too_many_files() -> Problem {
    let detail = format!("the form has more than {MOST_FILES} files");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
}
