//! A request of a test.

use std::fmt;
use std::net::SocketAddr;
use std::sync::PoisonError;

use bytes::Bytes;
use futures_lite::future::zip;
use http::{Method, Version};
use kamea_components::http::{Fields, RequestHead, Target};
use kamea_components::web::{Content, ErrorForm, Exchange, Request, Scheme};
use serde::Serialize;

use super::{TestApp, TestResponse};

/// A request of a test. It is sent by [`send`](Self::send).
#[must_use = "the request is not sent yet"]
pub struct TestRequest<'a> {
    app: &'a TestApp,
    method: String,
    target: String,
    fields: Fields,
    body: Option<Vec<Bytes>>,
    peer: SocketAddr,
    scheme: Scheme,
}

impl fmt::Debug for TestRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.target)
    }
}

/// How many bytes of a body come at a time.
const CHUNK: usize = 16 * 1024;

/// The boundary of the forms of tests.
const BOUNDARY: &str = "a-boundary-of-a-test";

impl<'a> TestRequest<'a> {
    pub(super) fn new(app: &'a TestApp, method: &str, target: &str) -> Self {
        Self {
            app,
            method: method.to_owned(),
            target: target.to_owned(),
            fields: Fields::new(),
            body: None,
            peer: SocketAddr::from(([192, 0, 2, 1], 1234)),
            scheme: Scheme::Http,
        }
    }

    /// Adds a header field.
    ///
    /// # Panics
    ///
    /// If it is invalid.
    #[track_caller]
    pub fn field(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        Self {
            fields: self.fields.with(name, value),
            ..self
        }
    }

    /// Sets the address of the peer.
    pub fn peer(self, peer: SocketAddr) -> Self {
        Self { peer, ..self }
    }

    /// Sends it as a client that uses TLS.
    pub fn secure(self) -> Self {
        let scheme = Scheme::Https;
        Self { scheme, ..self }
    }

    /// Sets the body and its media type.
    ///
    /// # Panics
    ///
    /// If the media type contains a line break.
    #[track_caller]
    pub fn body(self, media_type: &str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let chunks = body.chunks(CHUNK).map(Bytes::copy_from_slice).collect();
        let length = body.len().to_string();
        let request = self
            .field("Content-Type", media_type)
            .field("Content-Length", length);
        Self {
            body: Some(chunks),
            ..request
        }
    }

    /// Sets the body: a value as JSON.
    ///
    /// # Panics
    ///
    /// If it cannot be written as JSON.
    #[track_caller]
    pub fn json(self, value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(text) => self.body("application/json", text),
            Err(error) => panic!("{error}"),
        }
    }

    /// Sets the body: the fields of a form.
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        self.body("application/x-www-form-urlencoded", body.finish())
    }

    /// Sets the body: a form with files, each a name, the name of a file or nothing, and a content.
    pub fn multipart(self, parts: &[(&str, Option<&str>, &[u8])]) -> Self {
        let mut body = Vec::new();
        for (name, file, content) in parts {
            let file = file.map_or(String::new(), |file| format!("; filename=\"{file}\""));
            let head = format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n"
            );
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        self.body(&format!("multipart/form-data; boundary={BOUNDARY}"), body)
    }

    /// Sends it, and reads the whole answer.
    ///
    /// # Panics
    ///
    /// If the method or the path is invalid, or if there is no answer.
    pub async fn send(self) -> TestResponse {
        self.send_until(|_| false).await
    }

    /// Sends it, and reads the answer until its body contains this text: for streams without an
    /// end.
    ///
    /// # Panics
    ///
    /// As [`send`](Self::send).
    pub async fn send_until_text(self, text: &str) -> TestResponse {
        let text = text.to_owned();
        self.send_until(move |body| String::from_utf8_lossy(body).contains(&text))
            .await
    }

    async fn send_until(self, enough: impl Fn(&[u8]) -> bool) -> TestResponse {
        let app = self.app;
        let (mut request, chunks) = self.into_request();
        let Some(chunks) = chunks else {
            return app.exchange(request, &enough).await;
        };
        let (sender, content) = Content::link(4);
        request.content = Some(Box::new(content));
        let feed = async {
            for chunk in chunks {
                if sender.send(chunk).await.is_err() {
                    return;
                }
            }
            // If nobody reads the body, nobody misses its end.
            let _ = sender.end(Fields::new()).await;
        };
        zip(app.exchange(request, &enough), feed).await.0
    }

    fn into_request(self) -> (Request, Option<Vec<Bytes>>) {
        let method = Method::from_bytes(self.method.as_bytes());
        let method = method.unwrap_or_else(|_| panic!("`{}` is not a method", self.method));
        let target = Target::parse(&method, self.target.clone().into());
        let target = target.unwrap_or_else(|_| panic!("`{}` is not a path", self.target));
        let mut fields = self.fields;
        if !fields.contains("host") {
            fields = fields.with("Host", "localhost");
        }
        if let Some(cookies) = self.app.cookies() {
            fields = fields.with("Cookie", cookies);
        }
        let exchange = Exchange {
            is_head: method == Method::HEAD,
            error_form: ErrorForm::wanted_by(&fields),
            scheme: self.scheme,
            ..Exchange::new(0, self.peer)
        };
        let head = RequestHead {
            method,
            target,
            version: Version::HTTP_11,
            fields,
        };
        (Request::new(exchange, Box::new(head), None), self.body)
    }
}

impl TestApp {
    /// The value of `Cookie`, if there are cookies.
    fn cookies(&self) -> Option<String> {
        let cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        let pairs: Vec<_> = cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}
