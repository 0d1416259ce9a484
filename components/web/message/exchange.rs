//! What a request and its response share.

use std::net::SocketAddr;

use http::Version;

use crate::http::{Fields, preferred_type};

/// One request and its response: the properties that both share. It travels with the request and
/// returns with the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    /// The index of the request in its connection, from 0. Responses leave in this order.
    pub number: u64,
    /// The peer's address.
    pub peer: SocketAddr,
    /// The version that the peer speaks.
    pub version: Version,
    /// Whether the method was HEAD: the response then has no body (RFC 9110 section 9.3.2).
    pub is_head: bool,
    /// Whether the connection ends after this exchange (RFC 9112 section 9.3).
    pub closes: bool,
    /// The format in which the peer wants errors.
    pub error_form: ErrorForm,
    /// How the client reaches the server: the TLS of its connection, or what a trusted proxy says.
    pub scheme: Scheme,
}

impl Exchange {
    /// The number that stands for the exchange whose response is next, where a component does not
    /// know it.
    pub(crate) const DUE: u64 = u64::MAX;

    /// An exchange with a peer that speaks HTTP/1.1, over a persistent connection.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_components::web::{ErrorForm, Exchange};
    ///
    /// let exchange = Exchange::new(0, "192.0.2.1:1234".parse()?).closing();
    /// assert!(exchange.closes && exchange.error_form == ErrorForm::Page);
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    pub fn new(number: u64, peer: SocketAddr) -> Self {
        Self {
            number,
            peer,
            version: Version::HTTP_11,
            is_head: false,
            closes: false,
            error_form: ErrorForm::Page,
            scheme: Scheme::Http,
        }
    }

    /// The same exchange as the last of its connection.
    pub fn closing(self) -> Self {
        Self {
            closes: true,
            ..self
        }
    }
}

/// Whether a client reaches the server by TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scheme {
    /// Without TLS, as far as the server knows.
    #[default]
    Http,
    /// By TLS.
    Https,
}

impl Scheme {
    /// The scheme as the first part of a URL: `http` or `https`.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_components::web::Scheme;
    ///
    /// assert_eq!(Scheme::Https.as_str(), "https");
    /// ```
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// The format in which a peer wants errors, by its `Accept`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorForm {
    /// As a page: `text/html`.
    #[default]
    Page,
    /// As an object: `application/json`.
    Json,
    /// As a line: `text/plain`.
    Text,
}

impl ErrorForm {
    /// The format that a request with these fields prefers.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_components::http::Fields;
    /// use kamea_components::web::ErrorForm;
    ///
    /// assert_eq!(ErrorForm::wanted_by(&Fields::new()), ErrorForm::Page);
    /// let fields = Fields::new().with("Accept", "application/json");
    /// assert_eq!(ErrorForm::wanted_by(&fields), ErrorForm::Json);
    /// ```
    #[must_use]
    pub fn wanted_by(fields: &Fields) -> Self {
        match fields.get("accept") {
            // Browsers name HTML. Programs such as curl, and fetch in a page, accept anything:
            // plain text is best for these.
            Some(b"*/*") => Self::Text,
            None => Self::Page,
            Some(accept) if accept.starts_with(b"text/html,") => Self::Page,
            Some(_) => match preferred_type(fields, &Self::MEDIA_TYPES) {
                "application/json" => Self::Json,
                "text/plain" => Self::Text,
                _ => Self::Page,
            },
        }
    }

    const MEDIA_TYPES: [&str; 3] = ["text/html", "application/json", "text/plain"];
}
