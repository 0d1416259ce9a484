//! A whole form with files.

use serde::de::DeserializeOwned;

use super::{Multipart, Upload};
use crate::body::form::read_fields;
use crate::context::Context;
use crate::{FromBody, Problem};

/// A whole form with files: its fields as a struct, as [`Form`](crate::Form) reads them, and its
/// files, which were stored while they arrived.
///
/// All fields together must fit into the limit of the application, [`App::body_limit`]; a file may
/// be as large as the body that the server takes.
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

impl<T: DeserializeOwned> FromBody for FormData<T> {
    async fn from_body(context: &mut Context) -> Result<Self, Problem> {
        let mut form = Multipart::from_body(context).await?;
        let (mut fields, mut files) = (Vec::new(), Vec::new());
        while let Some(head) = form.next().await? {
            if head.file_name.is_some() {
                let is_chosen = head.file_name.as_deref() != Some("");
                let file = Upload::receive(&mut form, head, u64::MAX).await?;
                if is_chosen || file.length > 0 {
                    files.push(file);
                }
                continue;
            }
            let bytes = form.bytes().await?;
            form.limit -= bytes.len();
            let text = String::from_utf8(bytes.into());
            let text = text.map_err(|_| Problem::invalid(&head.name, "it is not text in UTF-8"))?;
            fields.push((head.name.into(), text.into()));
        }
        let fields = read_fields(fields)?;
        Ok(Self { fields, files })
    }
}
