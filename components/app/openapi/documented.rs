//! A handler whose types are part of the description.

use super::{DescribeInput, DescribeOutput, Documentation};
use crate::Handler;

/// A handler whose types are part of the description of the application: see [`documented`].
#[derive(Debug, Clone)]
pub struct Documented<H> {
    handler: H,
    summary: &'static str,
}

/// Makes the types of a handler part of the description of the application. What it takes and
/// returns must implement `schemars::JsonSchema`.
///
/// # Examples
///
/// ```
/// use kamea_app::{App, Call, documented};
///
/// async fn square(call: Call<u16>) -> String {
///     (u32::from(call.params).pow(2)).to_string()
/// }
///
/// let app = App::new().get("/squares/{number}", documented(square).summary("The square of a number"));
/// let document = app.document()?;
/// let parameter = &document["paths"]["/squares/{number}"]["get"]["parameters"][0];
/// assert_eq!(parameter["schema"]["maximum"], 65535);
/// # Ok::<(), kamea_app::RouteError>(())
/// ```
pub fn documented<H>(handler: H) -> Documented<H> {
    Documented {
        handler,
        summary: "",
    }
}

impl<H> Documented<H> {
    /// Says in a line what the handler does.
    #[must_use]
    pub fn summary(self, summary: &'static str) -> Self {
        Self { summary, ..self }
    }
}

#[diagnostic::do_not_recommend]
impl<A, H> Handler<(Documentation, A)> for Documented<H>
where
    H: Handler<A>,
    H::Input: DescribeInput,
    H::Output: DescribeOutput,
{
    type Input = H::Input;
    type Output = H::Output;

    async fn call(&self, input: H::Input) -> H::Output {
        self.handler.call(input).await
    }

    fn type_name(&self) -> &'static str {
        self.handler.type_name()
    }

    fn documentation(&self) -> Option<Documentation> {
        Some(Documentation {
            summary: self.summary,
            describe: |operation| {
                H::Input::describe(operation);
                H::Output::describe(operation);
            },
        })
    }
}
