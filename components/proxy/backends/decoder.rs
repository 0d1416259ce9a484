//! Decodes the responses of a backend, whatever it speaks.

use bytes::Bytes;
use http::Method;
use kamea_components::http::{Limits, MalformedResponse, Reply, ResponseDecoder};
use thiserror::Error;

use crate::plan::Scheme;
use crate::scripts::{ScriptDecoder, ScriptError};

/// Decodes the responses of a backend.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "most connections are of the large kind, and a box would cost each an allocation"
)]
pub(crate) enum BackendDecoder {
    /// HTTP/1.1, one response after the other.
    Http(ResponseDecoder),
    /// The only response of a FastCGI or SCGI connection.
    Script(Box<ScriptDecoder>),
}

/// A response that is invalid.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ResponseError {
    /// By the rules of HTTP.
    #[error(transparent)]
    Http(#[from] MalformedResponse),
    /// By those of CGI, FastCGI or SCGI.
    #[error(transparent)]
    Script(#[from] ScriptError),
}

impl BackendDecoder {
    pub(crate) fn new(scheme: Scheme) -> Self {
        let limits = Limits {
            body: u64::MAX,
            ..Limits::default()
        };
        match scheme {
            Scheme::Http | Scheme::Https => Self::Http(ResponseDecoder::new(limits)),
            Scheme::FastCgi => Self::Script(Box::new(ScriptDecoder::fastcgi(&Method::GET))),
            Scheme::Scgi => Self::Script(Box::new(ScriptDecoder::scgi(&Method::GET))),
        }
    }

    /// Announces a request with this method.
    pub(crate) fn expect(&mut self, method: &Method) {
        match self {
            Self::Http(decoder) => decoder.expect(method),
            Self::Script(decoder) => decoder.expect(method),
        }
    }

    pub(crate) fn feed(&mut self, bytes: Bytes) {
        match self {
            Self::Http(decoder) => decoder.feed(bytes),
            Self::Script(decoder) => decoder.feed(bytes),
        }
    }

    pub(crate) fn next(&mut self) -> Result<Option<Reply>, ResponseError> {
        Ok(match self {
            Self::Http(decoder) => decoder.next()?,
            Self::Script(decoder) => decoder.next()?,
        })
    }

    /// Returns what the end of the connection says.
    pub(crate) fn finish(&mut self) -> Result<Option<Reply>, ResponseError> {
        Ok(match self {
            Self::Http(decoder) => decoder.finish()?,
            Self::Script(decoder) => Some(decoder.finish()?),
        })
    }

    pub(crate) fn unread(&self) -> usize {
        match self {
            Self::Http(decoder) => decoder.unread(),
            Self::Script(decoder) => decoder.unread(),
        }
    }

    /// Whether the connection can be used for another request. That of a script is not: a process
    /// of php-fpm that keeps one serves nobody else.
    pub(crate) fn is_reusable(&self) -> bool {
        matches!(self, Self::Http(decoder) if decoder.unread() == 0)
    }

    /// Takes what a script has written for the log.
    pub(crate) fn take_messages(&mut self) -> Option<String> {
        match self {
            Self::Http(_) => None,
            Self::Script(decoder) => decoder.take_messages(),
        }
    }
}
