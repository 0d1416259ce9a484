//! The shared code of steps 3 to 7 of the bulletin board: a conversation with a user, line by line.

use kamea::{Closed, Pipe};

/// The two ends of a conversation: lines in, text out.
pub(crate) type User = Pipe<String, String>;

/// Sends a line.
pub(crate) async fn say(user: &User, line: &str) -> Result<(), Closed<String>> {
    user.outbox.send(format!("{line}\r\n")).await
}

/// Asks for a line; `None` if the user has disconnected. Control characters are removed, to protect
/// the terminals of other users.
pub(crate) async fn ask(user: &mut User, question: &str) -> Option<String> {
    user.outbox.send(question.to_owned()).await.ok()?;
    let line = user.inbox.next().await?;
    let line: String = line.chars().filter(|c| !c.is_control()).collect();
    Some(line.trim().to_owned())
}

/// Asks for a nickname until it is valid; `None` if the user has disconnected.
pub(crate) async fn login(user: &mut User) -> Option<String> {
    loop {
        let nick = ask(user, "Your nick name: ").await?;
        if (1..=16).contains(&nick.chars().count()) && nick.chars().all(char::is_alphanumeric) {
            return Some(nick);
        }
        say(user, "One word of 1 to 16 letters and digits, please.")
            .await
            .ok()?;
    }
}
