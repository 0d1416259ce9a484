//! Forms: `application/x-www-form-urlencoded`.

use bytes::Bytes;
use http::StatusCode;
use serde::de::DeserializeOwned;

use super::{FromBody, require_type};
use crate::Problem;
use crate::context::{Context, essence};
use crate::values::{Pair, Values};

/// The fields of a form, as a struct. A field that is repeated fills a `Vec`.
///
/// An empty field is `None` in an `Option`; a checkbox is a `bool` with `#[serde(default)]`. A
/// field that does not fit is answered with 422, and the answer names it.
///
/// # Examples
///
/// ```
/// use kamea_app::{App, Call, Form};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Order {
///     name: String,
///     #[serde(default)]
///     toppings: Vec<String>,
///     table: Option<u8>,
/// }
///
/// async fn order(call: Call<(), Form<Order>>) -> String {
///     let Form(order) = call.body;
///     format!("{} gets {}\n", order.name, order.toppings.join(" and "))
/// }
/// # App::new().post("/orders", order).check().unwrap();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form<T>(pub T);

/// How many fields a form may have. More would only be sent to slow the server down.
const MOST_FIELDS: usize = 1000;

/// The media type of a form.
const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";

impl<T: DeserializeOwned> FromBody for Form<T> {
    async fn from_body(context: &mut Context) -> Result<Self, Problem> {
        check_type(context)?;
        let bytes = Bytes::from_body(context).await?;
        read_fields(parse(context, &bytes)?).map(Self)
    }
}

/// Checks that the body of a request is a form.
fn check_type(context: &Context) -> Result<(), Problem> {
    let is_form = |given: &str| essence(given).eq_ignore_ascii_case(MEDIA_TYPE);
    require_type(context, MEDIA_TYPE, is_form)
}

/// Parses the body of a request as the fields of a form.
pub(crate) fn parse<'b>(context: &Context, body: &'b [u8]) -> Result<Vec<Pair<'b>>, Problem> {
    check_type(context)?;
    let fields = form_urlencoded::parse(body);
    let fields: Vec<_> = fields.take(MOST_FIELDS + 1).collect();
    check_count(&fields)?;
    Ok(fields)
}

fn check_count(fields: &[Pair<'_>]) -> Result<(), Problem> {
    if fields.len() > MOST_FIELDS {
        let detail = format!("the form has more than {MOST_FIELDS} fields");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
    }
    Ok(())
}

/// Reads the fields of a form as a struct.
pub(crate) fn read_fields<T: DeserializeOwned>(fields: Vec<Pair<'_>>) -> Result<T, Problem> {
    check_count(&fields)?;
    Values::new(fields).read().map_err(|error| {
        let field = error.field.unwrap_or_else(|| "form".to_owned());
        let detail = "a field of the form does not fit";
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).wrong(field, error.detail)
    })
}
