//! The live connection of a page: commands in, answers and events out.

use futures_lite::future::or;
use kamea::{Done, Sender};
use kamea_components::chassis::Subscription;
use kamea_components::gateway::WebSocket;
use kamea_components::websocket::{CloseCode, Message};
use serde_json::{Value, json};

use crate::{Command, Input, ask_node};

/// Serves one page until it goes. A page that does not read is closed, and may come again.
pub(super) async fn serve(
    ws: &mut WebSocket<'_>,
    mut news: Subscription<Message>,
    node: &Sender<Input>,
) -> Done {
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
