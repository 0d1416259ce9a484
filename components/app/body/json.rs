//! JSON, in requests and in responses.

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::{FromBody, require_type};
use crate::context::{Context, is_json};
use crate::values::missing_field;
use crate::{Answer, Problem, Reply};

/// JSON: the body of a request, or of a response.
///
/// A body that is no JSON is answered with 400, one of another media type with 415, and one whose
/// members do not fit the type with 422; the answer names the member.
///
/// # Examples
///
/// ```
/// use http::StatusCode;
/// use kamea_app::{App, Call, Json};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Book { title: String, pages: u32 }
///
/// async fn add(call: Call<(), Json<Book>>) -> (StatusCode, Json<Book>) {
///     (StatusCode::CREATED, call.body)
/// }
/// # App::new().post("/books", add).check().unwrap();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromBody for Json<T> {
    async fn from_body(context: &mut Context) -> Result<Self, Problem> {
        require_type(context, "application/json", is_json)?;
        let bytes = Bytes::from_body(context).await?;
        let mut deserializer = serde_json::Deserializer::from_slice(&bytes);
        let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            let path = error.path().to_string();
            problem(&path, &error.into_inner())
        })?;
        deserializer.end().map_err(|error| problem("", &error))?;
        Ok(Self(value))
    }
}

/// What is wrong with a body, at this path.
fn problem(path: &str, error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    match error.classify() {
        Category::Syntax | Category::Eof | Category::Io => {
            Problem::bad_request(format!("the body is not valid JSON: {text}"))
        }
        Category::Data => {
            // The place in the text says nothing that the path does not.
            let what = text.split(" at line ").next().unwrap_or(&text);
            let parent = if path == "." { "" } else { path };
            let (field, what) = match missing_field(what) {
                Some(name) if parent.is_empty() => (name.to_owned(), "it is missing"),
                Some(name) => (format!("{parent}.{name}"), "it is missing"),
                None if parent.is_empty() => ("body".to_owned(), what),
                None => (parent.to_owned(), what),
            };
            let detail = "the body does not fit";
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).wrong(field, what)
        }
    }
}

impl<T: Serialize> Answer for Json<T> {
    fn into_reply(self) -> Reply {
        match serde_json::to_vec(&self.0) {
            Ok(text) => Reply::typed("application/json", text),
            Err(error) => Problem::internal(error).into(),
        }
    }
}
