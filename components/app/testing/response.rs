//! The answer of a test.

use http::StatusCode;
use kamea_components::http::{Fields, ResponseHead};
use serde::de::DeserializeOwned;

/// The answer of an application in a test.
#[derive(Debug, Clone)]
pub struct TestResponse {
    head: ResponseHead,
    body: Vec<u8>,
    is_complete: bool,
}

impl TestResponse {
    pub(super) fn new(head: ResponseHead, body: Vec<u8>, is_complete: bool) -> Self {
        Self {
            head,
            body,
            is_complete,
        }
    }

    /// The status. It can be compared with a number.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.head.status
    }

    /// The value of a header field, if it is text.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        str::from_utf8(self.head.fields.get(name)?).ok()
    }

    /// The header fields.
    #[must_use]
    pub fn fields(&self) -> &Fields {
        &self.head.fields
    }

    /// The body.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// Whether the body has its end: a stream that has failed has none.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as a value.
    ///
    /// # Panics
    ///
    /// If it is not this value as JSON.
    #[must_use]
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("{error}: {}", self.text()),
        }
    }
}
