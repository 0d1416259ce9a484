//! A header field, by its type.

use std::marker::PhantomData;
use std::ops::Deref;
use std::str::FromStr;
use std::sync::Arc;

use super::Extract;
use crate::Problem;
use crate::context::Context;

/// The name of a header field, as a type: see [`Header`].
pub trait HeaderName {
    /// The name.
    const NAME: &'static str;
}

/// The value of a header field. If the field is missing or does not fit, the answer is 400;
/// `Option<Header<_>>` takes it or nothing.
///
/// # Examples
///
/// ```
/// use kamea_app::{App, Call, Header, HeaderName};
///
/// struct Depth;
/// impl HeaderName for Depth {
///     const NAME: &'static str = "Depth";
/// }
///
/// async fn list(call: Call<(), (), Header<Depth, u8>>) -> String {
///     format!("{} levels\n", *call.with)
/// }
/// # App::new().get("/", list).check().unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Header<N, T = String> {
    value: T,
    name: PhantomData<fn() -> N>,
}

impl<N, T> Header<N, T> {
    /// The value.
    #[must_use]
    pub fn into_value(self) -> T {
        self.value
    }
}

impl<N, T> Deref for Header<N, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<S, N: HeaderName, T: FromStr> Extract<S> for Header<N, T> {
    async fn extract(context: &mut Context, _: &Arc<S>) -> Result<Self, Problem> {
        let wrong =
            |detail: &str| Problem::bad_request("a header field is wrong").wrong(N::NAME, detail);
        let text = context.field(N::NAME);
        let text = text.ok_or_else(|| wrong("it is missing, or is not text"))?;
        let value = text
            .trim()
            .parse()
            .map_err(|_| wrong("it is not what is expected here"))?;
        Ok(Self {
            value,
            name: PhantomData,
        })
    }
}
