//! `/send-peer/` and `/broadcast-peer/`: two commands as plain requests, for programs.

use http::{Method, StatusCode};
use kamea::Sender;
use kamea_components::gateway::Handler;
use kamea_components::web::{Failure, Request, Response};
use serde_json::{Value, json};

use crate::{Command, Input, ask_node};

/// The largest body, in bytes.
const LARGEST: usize = 64 * 1024;

/// Answers the requests for one command.
pub(super) fn answer(command: &'static str, node: Sender<Input>) -> impl Handler + Send + Sync {
    async move |mut request: Request| -> Result<Response<()>, Failure> {
        if request.method() != Method::POST {
            let why = format!("/{command}/ takes POST, with a body in JSON");
            let failure = request.refuse(StatusCode::METHOD_NOT_ALLOWED, why);
            return Err(failure.with("Allow", "POST"));
        }
        let body = request.read_content(LARGEST).await?;
        let command = match parse(command, &body) {
            Ok(command) => command,
            Err(why) => return problem(StatusCode::UNPROCESSABLE_ENTITY, &why),
        };
        match ask_node(&node, command).await {
            Ok(answer) => json(StatusCode::OK, &answer),
            Err(why) => problem(StatusCode::UNPROCESSABLE_ENTITY, &why),
        }
    }
}

fn parse(name: &str, body: &[u8]) -> Result<Command, String> {
    let wrong = |error| {
        let members = match name {
            "send-peer" => r#"{"peer", "text"}"#,
            _ => r#"{"text"} or {"channel", "text"}"#,
        };
        format!("the body is not {members}: {error}")
    };
    let mut value: Value = serde_json::from_slice(body).map_err(wrong)?;
    if let Some(object) = value.as_object_mut() {
        let name = name
            .strip_suffix("-peer")
            .filter(|name| *name == "broadcast");
        object.insert("do".into(), name.unwrap_or("send-peer").into());
    }
    serde_json::from_value(value).map_err(wrong)
}

fn problem(status: StatusCode, why: &str) -> Result<Response<()>, Failure> {
    json(status, &json!({"status": status.as_u16(), "detail": why}))
}

fn json(status: StatusCode, value: &Value) -> Result<Response<()>, Failure> {
    let body = value.to_string();
    Ok(Response::typed("application/json", body)
        .with_status(status)
        .with("Cache-Control", "no-store"))
}
