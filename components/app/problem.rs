//! What goes wrong in a request, as a value: a status, and what was wrong, field by field (RFC
//! 9457).

use std::any::Any;
use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use http::StatusCode;
use kamea::AskError;
use kamea_components::gateway::BoxError;
use kamea_components::http::Fields;
use kamea_components::web::{Exchange, Failure, Incomplete};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// A problem that the peer is told about: a status, an explanation, and the fields that are wrong.
///
/// The error component writes it as `application/problem+json` (RFC 9457), as a page, or as text:
/// see [`answer_problems`](crate::answer_problems). Any error converts to a problem by `?`: it
/// becomes a 500, and only the log shows its cause.
///
/// # Examples
///
/// ```
/// use http::StatusCode;
/// use kamea_app::Problem;
///
/// fn age(text: &str) -> Result<u8, Problem> {
///     let age: u8 = text.parse().map_err(|_| Problem::invalid("age", "it is not a number"))?;
///     if age < 18 {
///         return Err(Problem::new(StatusCode::FORBIDDEN, "this is for adults"));
///     }
///     Ok(age)
/// }
/// assert_eq!(age("x").unwrap_err().status(), StatusCode::UNPROCESSABLE_ENTITY);
/// assert_eq!(age("x").unwrap_err().to_string(), "422 Unprocessable Entity: age: it is not a number");
/// assert_eq!(age("7").unwrap_err().status(), StatusCode::FORBIDDEN);
/// ```
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    detail: Cow<'static, str>,
    errors: Vec<WrongField>,
    kind: Option<Cow<'static, str>>,
    pub(crate) fields: Fields,
    /// Only for the log.
    pub(crate) cause: Option<BoxError>,
    /// Whether the rest of the request cannot be read.
    closes: bool,
}

/// One wrong field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WrongField {
    /// The name of the field, or its path in a JSON body: `address.city`, `tags[2]`.
    pub field: String,
    /// What is wrong with it.
    pub detail: String,
}

impl Problem {
    /// A problem with this status. The explanation is for the peer.
    pub fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            detail: detail.into(),
            errors: Vec::new(),
            kind: None,
            fields: Fields::new(),
            cause: None,
            closes: false,
        }
    }

    /// 400 (Bad Request).
    pub fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 404 (Not Found).
    pub fn not_found(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 422 (Unprocessable Content): a field has a wrong value. [`wrong`](Self::wrong) adds more.
    pub fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "").wrong(field, detail)
    }

    /// 500 (Internal Server Error): the peer learns nothing of the cause; the log shows it.
    pub fn internal(cause: impl Into<BoxError>) -> Self {
        Self {
            cause: Some(cause.into()),
            ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, FAILED)
        }
    }

    /// Adds a wrong field.
    #[must_use]
    pub fn wrong(mut self, field: impl Into<String>, detail: impl Into<String>) -> Self {
        let (field, detail) = (field.into(), detail.into());
        self.errors.push(WrongField { field, detail });
        self
    }

    /// Sets the `type`: a URI that identifies this kind of problem (RFC 9457 section 3.1.1).
    #[must_use]
    pub fn kind(self, uri: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind: Some(uri.into()),
            ..self
        }
    }

    /// Sets the status.
    #[must_use]
    pub fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// Adds a header field that is a constant of the program.
    ///
    /// # Panics
    ///
    /// If the field is invalid.
    #[must_use]
    #[track_caller]
    pub fn field(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        Self {
            fields: self.fields.with(name, value),
            ..self
        }
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The wrong fields.
    #[must_use]
    pub fn errors(&self) -> &[WrongField] {
        &self.errors
    }

    /// The problem in one line, without the status: the explanation, then each wrong field.
    fn explanation(&self) -> String {
        let errors = self.errors.iter();
        let errors = errors.map(|error| format!("{}: {}", error.field, error.detail));
        let detail = Some(self.detail.to_string()).filter(|detail| !detail.is_empty());
        detail
            .into_iter()
            .chain(errors)
            .collect::<Vec<_>>()
            .join("; ")
    }

    /// The same for the error component. It carries what only JSON shows as extension members.
    pub(crate) fn into_failure(self, exchange: Exchange) -> Failure {
        let exchange = match self.closes {
            true => exchange.closing(),
            false => exchange,
        };
        let mut members = Map::new();
        if !self.errors.is_empty() {
            members.insert("errors".to_owned(), json!(self.errors));
        }
        if let Some(kind) = &self.kind {
            members.insert("type".to_owned(), Value::from(kind.as_ref()));
        }
        Failure {
            members: (!members.is_empty()).then(|| Box::new(members)),
            ..Failure::new(exchange, self.status, self.explanation())
        }
    }
}

/// The explanation of a 500.
const FAILED: &str = "what serves this has failed";

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.explanation())
    }
}

/// A failure and a body that broke off keep their own status; a component that was asked and has
/// ended is a 503; every other error is a 500, and only the log shows it.
impl<E: Error + Send + Sync + 'static> From<E> for Problem {
    fn from(error: E) -> Self {
        let any: &dyn Any = &error;
        if let Some(cut) = any.downcast_ref::<Incomplete>() {
            return Self {
                closes: true,
                ..Self::new(cut.status, cut.explanation.clone())
            };
        }
        if let Some(failure) = any.downcast_ref::<Failure>() {
            return Self {
                closes: failure.exchange.closes,
                fields: failure.fields.clone(),
                ..Self::new(failure.status, failure.explanation.clone())
            };
        }
        match any.downcast_ref::<AskError>() {
            Some(_) => Self {
                cause: Some(error.into()),
                ..Self::new(StatusCode::SERVICE_UNAVAILABLE, FAILED)
            },
            None => Self::internal(error),
        }
    }
}
