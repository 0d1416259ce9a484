//! The conversation of steps 6 and 7 of the bulletin board: login, and a menu to read and to write.

use kamea::{Component, Done, Sender};

use crate::board::Ask;
use crate::conversation::{User, ask, login, say};

const HELP: &str = "r  read the messages\r\nw  write one\r\nq  leave";

/// One conversation, from the greeting to the goodbye.
pub(crate) fn converse(board: Sender<Ask>) -> impl Component<User> + Send {
    async move |user: &mut User| {
        say(user, "Welcome to the bulletin board.").await?;
        let Some(nick) = login(user).await else {
            return Ok(());
        };
        say(user, &format!("Hello, {nick}. h is for help.")).await?;
        menu(user, &nick, &board).await?;
        Ok(say(user, "Goodbye.").await?)
    }
}

/// Executes the user's choices, until the user leaves.
async fn menu(user: &mut User, nick: &str, board: &Sender<Ask>) -> Done {
    while let Some(choice) = ask(user, "> ").await {
        let (answer, mut answers) = kamea::link(1);
        match choice.as_str() {
            "r" => board.send(Ask::Read(answer)).await?,
            "w" => {
                let Some(text) = ask(user, "Your message: ").await else {
                    break;
                };
                let message = format!("{nick}: {text}");
                board.send(Ask::Write(message, answer)).await?;
            }
            "q" => break,
            _ => answer.send(HELP.to_owned()).await?,
        }
        for line in answers.next().await.unwrap_or_default().lines() {
            say(user, line).await?;
        }
    }
    Ok(())
}
