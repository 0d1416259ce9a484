//! The live connection of a page: commands in, answers and events out.

use std::time::Duration;

use futures_lite::future::or;
use kamea::{Done, Sender};
use kamea_components::chassis::Backplane;
use kamea_components::gateway::WebSocket;
use kamea_components::websocket::{CloseCode, Message};
use serde_json::{Value, json};

use super::{PageToken, TOPIC};
use crate::{Command, Input, ask_node};

/// How long the first message may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The first message has no token, or another one.
const WRONG_TOKEN: CloseCode = CloseCode(4401);

/// Serves one page until it goes. A page that does not read is closed, and may come again.
pub(super) async fn serve(
    ws: &mut WebSocket<'_>,
    token: &PageToken,
    pages: &Backplane<Message>,
    node: &Sender<Input>,
) -> Done {
    let first = ws.receive_within(PATIENCE).await?;
    if !first.is_some_and(|first| has_token(&first, token)) {
        let why = "Open the address that start_peer has printed: it contains the token.";
        ws.close(WRONG_TOKEN, why);
        return Ok(());
    }
    let mut news = pages.subscribe(TOPIC);
    match ask_node(node, Command::Hello).await {
        Ok(hello) => ws.send(hello.to_string()).await?,
        Err(_) => return Ok(()),
    }
    loop {
        let event = async { Ok(Err(news.next().await)) };
        let command = async { ws.receive().await.map(Ok) };
        match or(event, command).await? {
            Err(Some(event)) => ws.send(event).await?,
            Err(None) => {
                ws.close(
                    CloseCode::TRY_AGAIN_LATER,
                    "the page was too slow: open it again",
                );
                return Ok(());
            }
            Ok(command) => {
                let answer = answer(command.as_text(), node).await;
                ws.send(answer.to_string()).await?;
            }
        }
    }
}

/// Whether a message is `{"do": "log-in", "token": …}` with the right token.
fn has_token(message: &Message, token: &PageToken) -> bool {
    let text = message.as_text().unwrap_or_default();
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let given = value["token"].as_str().unwrap_or_default();
    value["do"] == "log-in" && token.is(given.as_bytes())
}

/// Answers a command: exactly once, whatever it is.
async fn answer(text: Option<&str>, node: &Sender<Input>) -> Value {
    let parsed = text.map(serde_json::from_str::<Value>);
    let Some(Ok(value)) = parsed else {
        return json!({"reply": null, "error": "a command is a JSON object"});
    };
    let id = value.get("id").cloned().unwrap_or_default();
    let command = match serde_json::from_value(value) {
        Ok(command) => command,
        Err(error) => return json!({"reply": id, "error": format!("no such command: {error}")}),
    };
    match ask_node(node, command).await {
        Ok(answer) => json!({"reply": id, "ok": answer}),
        Err(error) => json!({"reply": id, "error": error}),
    }
}
