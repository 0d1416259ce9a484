//! Passes messages on request.
//!
//! ```text
//! messages ──▶ ┌────────────────────┐ ──▶ passed    one for each prompt
//!  prompts ──▶ │ prompted_turnstile │
//!              └────────────────────┘
//! ```

use kamea::{Done, Inbox, Message, Outbox, Ports};

/// The ports of [`prompted_turnstile`].
#[derive(Debug, Ports)]
pub struct TurnstilePorts<T: Message, P: Message> {
    /// The waiting messages.
    pub messages: Inbox<T>,
    /// Each lets one message pass, whatever it contains.
    pub prompts: Inbox<P>,
    /// The passed messages, in order.
    pub passed: Outbox<T>,
}

/// Passes on one message per prompt; ends with the messages or with the prompts.
///
/// A [`ticker`](super::ticker) can set the pace. So can the receiver: it sends the first prompt
/// too, and its prompts are linked by [`feedback`](kamea::Graph::feedback).
///
/// # Examples
///
/// ```
/// use kamea::Graph;
/// use kamea_components::stream::{data_source, prompted_turnstile};
///
/// let mut graph = Graph::new("pages");
/// let pages = graph.add("pages", data_source(["first", "second", "third"]));
/// let turnstile = graph.add("turnstile", prompted_turnstile);
/// graph.link(pages.outbox, turnstile.messages);
/// let (prompts, passed) = (graph.feed(turnstile.prompts), graph.take(turnstile.passed));
/// # let scheduler = kamea::Scheduler::with_workers(1);
/// # let running = scheduler.run(graph)?;
/// prompts.send_blocking("next, please").unwrap();
/// prompts.send_blocking("and the next").unwrap();
/// drop(prompts);
/// assert_eq!(passed.into_iter().collect::<Vec<_>>(), ["first", "second"]);
/// # running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn prompted_turnstile<T: Message, P: Message>(io: &mut TurnstilePorts<T, P>) -> Done {
    // The message comes first, so that the end of the messages is noticed without a prompt.
    while let Some(message) = io.messages.next().await {
        if io.prompts.next().await.is_none() {
            break;
        }
        io.passed.send(message).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use kamea::Graph;
    use kamea::testing::block_on;

    use super::*;

    #[test]
    fn as_many_pass_as_are_asked_for() {
        for (messages, prompts, passed) in [(3, 2, 2), (2, 3, 2), (0, 2, 0), (2, 0, 0)] {
            let mut graph = Graph::new("turnstile");
            let part = graph.add("turnstile", prompted_turnstile);
            let (sender, prompter) = (graph.feed(part.messages), graph.feed(part.prompts));
            let received = graph.take(part.passed);
            (0..messages).for_each(|number| sender.try_send(number).unwrap());
            (0..prompts).for_each(|_| prompter.try_send(()).unwrap());
            if messages < prompts {
                // The end of either is enough.
                drop(sender);
                block_on(graph.start().unwrap()).unwrap();
            } else {
                drop(prompter);
                block_on(graph.start().unwrap()).unwrap();
            }
            assert!(received.into_iter().eq(0..passed));
        }
    }
}
