//! What each type says of a handler that takes it or returns it.

use bytes::Bytes;
use http::StatusCode;
use schemars::JsonSchema;

use super::Operation;
use crate::{
    Call, Events, Form, FormData, FromBody, Html, Json, Multipart, Problem, Redirect, Reply,
    SendFile, Stream,
};

/// A type that says what a handler takes, for the description of the application.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no description",
    note = "a documented handler takes a `Call` whose parameters and body implement `schemars::JsonSchema`: derive it, or leave `documented` out"
)]
pub trait DescribeInput {
    /// Describes it.
    fn describe(operation: &mut Operation<'_>);
}

/// A type that says what a handler returns, for the description of the application.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no description",
    note = "a documented handler returns types that implement `schemars::JsonSchema`: derive it, or leave `documented` out"
)]
pub trait DescribeOutput {
    /// Describes it.
    fn describe(operation: &mut Operation<'_>);
}

impl DescribeInput for () {
    fn describe(_: &mut Operation<'_>) {}
}

impl<P: JsonSchema, B: FromBody + DescribeInput, W> DescribeInput for Call<P, B, W> {
    fn describe(operation: &mut Operation<'_>) {
        operation.takes_parameters::<P>();
        B::describe(operation);
    }
}

/// Describes bodies by their media type and their schema.
macro_rules! bodies {
    ($($body:ty, $schema:ty, $media_type:literal, $($generic:ident)?;)*) => {$(
        impl$(<$generic: JsonSchema>)? DescribeInput for $body {
            fn describe(operation: &mut Operation<'_>) {
                operation.takes_body::<$schema>($media_type);
            }
        }
    )*};
}

bodies! {
    Json<T>, T, "application/json", T;
    Form<T>, T, "application/x-www-form-urlencoded", T;
    FormData<T>, T, "multipart/form-data", T;
    Multipart, serde_json::Value, "multipart/form-data",;
    String, String, "text/plain",;
    Bytes, serde_json::Value, "application/octet-stream",;
    Stream, serde_json::Value, "application/octet-stream",;
}

/// Describes answers by their status and their media type.
macro_rules! answers {
    ($($answer:ty, $status:literal, $media_type:expr, $($generic:ident)?;)*) => {$(
        impl$(<$generic>)? DescribeOutput for $answer {
            fn describe(operation: &mut Operation<'_>) {
                operation.answers($status, $media_type);
            }
        }
    )*};
}

answers! {
    (), "204", None,;
    &'static str, "200", Some("text/plain"),;
    String, "200", Some("text/plain"),;
    Bytes, "200", Some("application/octet-stream"),;
    Vec<u8>, "200", Some("application/octet-stream"),;
    Html<T>, "200", Some("text/html"), T;
    Events, "200", Some("text/event-stream"),;
    SendFile, "200", Some("*/*"),;
    Redirect, "3XX", None,;
    StatusCode, "2XX", None,;
    Reply, "2XX", Some("*/*"),;
}

impl<T: JsonSchema> DescribeOutput for Json<T> {
    fn describe(operation: &mut Operation<'_>) {
        operation.answers_with::<T>("200", "application/json");
    }
}

/// Every handler may answer with a problem: the document says so itself.
impl DescribeOutput for Problem {
    fn describe(_: &mut Operation<'_>) {}
}

impl<A: DescribeOutput> DescribeOutput for (StatusCode, A) {
    fn describe(operation: &mut Operation<'_>) {
        operation.with_status("2XX", A::describe);
    }
}

impl<A: DescribeOutput> DescribeOutput for Option<A> {
    fn describe(operation: &mut Operation<'_>) {
        A::describe(operation);
    }
}

impl<A: DescribeOutput, E: DescribeOutput> DescribeOutput for Result<A, E> {
    fn describe(operation: &mut Operation<'_>) {
        A::describe(operation);
        E::describe(operation);
    }
}
