//! Steps through a list of choices on request.

use std::fmt;
use std::str::FromStr;

use kamea::{Component, Message, Pipe};

/// A step of a [`chooser`].
///
/// # Examples
///
/// ```
/// use kamea_components::chassis::Choice;
///
/// assert_eq!("NEXT".parse(), Ok(Choice::Next));
/// assert_eq!("UP".parse::<Choice>().unwrap_err().to_string(),
///     "`UP` is no choice: it is one of SAME, NEXT, PREV, FIRST, LAST");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The current one, once more.
    Same,
    /// The one after it.
    Next,
    /// The one before it.
    Previous,
    /// The first of all.
    First,
    /// The last of all.
    Last,
}

const NAMES: [(&str, Choice); 5] = [
    ("SAME", Choice::Same),
    ("NEXT", Choice::Next),
    ("PREV", Choice::Previous),
    ("FIRST", Choice::First),
    ("LAST", Choice::Last),
];

/// The text is not a [`Choice`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no choice: it is one of SAME, NEXT, PREV, FIRST, LAST")]
pub struct ChoiceError(String);

impl FromStr for Choice {
    type Err = ChoiceError;

    fn from_str(text: &str) -> Result<Self, ChoiceError> {
        let known = NAMES.iter().find(|(name, _)| *name == text.trim());
        known
            .map(|(_, choice)| *choice)
            .ok_or_else(|| ChoiceError(text.to_owned()))
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(_, choice)| choice == self);
        f.write_str(name.map_or("", |(name, _)| name))
    }
}

/// Sends the first of its choices when it starts, and then, for each message, the choice that the
/// step leads to. A step beyond the ends sends nothing.
///
/// # Examples
///
/// ```
/// use kamea::{Handle, Scheduler};
/// use kamea_components::chassis::{Choice, chooser};
///
/// let scheduler = Scheduler::with_workers(1);
/// let mut slides = Handle::run(&scheduler, chooser(["title", "content", "end"]))?;
/// assert_eq!(slides.next_blocking(), Some("title"));
/// slides.send_blocking(Choice::Next).unwrap();
/// assert_eq!(slides.next_blocking(), Some("content"));
/// slides.send_blocking(Choice::Last).unwrap();
/// assert_eq!(slides.next_blocking(), Some("end"));
/// slides.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn chooser<T: Message + Clone + Sync>(
    choices: impl IntoIterator<Item = T>,
) -> impl Component<Pipe<Choice, T>> + Clone + Send + Sync {
    let choices: Vec<T> = choices.into_iter().collect();
    async move |io: &mut Pipe<Choice, T>| {
        let mut at = 0;
        if let Some(first) = choices.first() {
            io.outbox.send(first.clone()).await?;
        }
        while let Some(choice) = io.inbox.next().await {
            let Some(to) = step(at, choice, choices.len()) else {
                continue;
            };
            at = to;
            io.outbox.send(choices[at].clone()).await?;
        }
        Ok(())
    }
}

/// Returns the index that a step leads to, of `count` choices; `None` beyond the ends.
fn step(at: usize, choice: Choice, count: usize) -> Option<usize> {
    let to = match choice {
        Choice::Same => Some(at),
        Choice::Next => at.checked_add(1),
        Choice::Previous => at.checked_sub(1),
        Choice::First => Some(0),
        Choice::Last => count.checked_sub(1),
    };
    to.filter(|to| *to < count)
}

/// Sends the first of its choices when it starts. It sends the next one for each [`Choice::Next`],
/// and the same one again for each [`Choice::Same`]; it ignores other steps. It ends when there are
/// no more choices. The choices may be endless: each is computed on request.
///
/// # Examples
///
/// ```
/// use kamea::{Handle, Scheduler};
/// use kamea_components::chassis::{Choice, forward_chooser};
///
/// let scheduler = Scheduler::with_workers(1);
/// let mut numbers = Handle::run(&scheduler, forward_chooser(1..=2))?;
/// assert_eq!(numbers.next_blocking(), Some(1));
/// numbers.send_blocking(Choice::Next).unwrap();
/// assert_eq!(numbers.next_blocking(), Some(2));
/// numbers.send_blocking(Choice::Next).unwrap();
/// assert_eq!(numbers.next_blocking(), None);
/// numbers.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn forward_chooser<T: Message + Clone, I>(choices: I) -> impl Component<Pipe<Choice, T>> + Send
where
    I: IntoIterator<Item = T>,
    I::IntoIter: Send + 'static,
{
    let mut choices = choices.into_iter();
    async move |io: &mut Pipe<Choice, T>| {
        let mut asked = Some(Choice::Next);
        let mut at = None;
        while let Some(choice) = asked {
            if choice == Choice::Next {
                at = choices.next();
                if at.is_none() {
                    break;
                }
            }
            if let (Choice::Next | Choice::Same, Some(at)) = (choice, &at) {
                io.outbox.send(at.clone()).await?;
            }
            asked = io.inbox.next().await;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use kamea::{Graph, testing::block_on};

    use super::Choice::{First, Last, Next, Previous, Same};
    use super::*;

    fn run<T: Message>(part: impl Component<Pipe<Choice, T>> + Send, choices: &[Choice]) -> Vec<T> {
        let mut graph = Graph::new("g");
        let ports = graph.add("chooser", part);
        let (to, from) = (graph.feed(ports.inbox), graph.take(ports.outbox));
        choices
            .iter()
            .for_each(|choice| to.try_send(*choice).unwrap());
        drop(to);
        block_on(graph.start().unwrap()).unwrap();
        from.into_iter().collect()
    }

    #[test]
    fn each_step_leads_to_its_choice_and_none_beyond_the_ends() {
        let rows: [(&[Choice], &str); 7] = [
            (&[], "a"),
            (&[Next, Next, Next, Same], "abcc"),
            (&[Previous, Next, Previous, Previous], "aba"),
            (&[Last, Previous], "acb"),
            (&[Last, First, Next], "acab"),
            (&[First, Same], "aaa"),
            (&[Last, Next, Last], "acc"),
        ];
        for (choices, expected) in rows {
            let chosen: String = run(chooser("abc".chars()), choices).into_iter().collect();
            assert_eq!(chosen, expected, "{choices:?}");
        }
        assert!(run(chooser::<char>([]), &[Next, Last, Same]).is_empty());
    }

    #[test]
    fn forward_it_goes_until_there_are_no_more() {
        let rows: [(&[Choice], &[u32]); 4] = [
            (&[], &[1]),
            (&[Same, Next, Previous, Last, Same], &[1, 1, 2, 2]),
            (&[Next, Next], &[1, 2, 3]),
            (&[Next, Next, Next, Same], &[1, 2, 3]),
        ];
        for (choices, expected) in rows {
            assert_eq!(
                run(forward_chooser(1..=3), choices),
                expected,
                "{choices:?}"
            );
        }
        assert_eq!(run(forward_chooser(1_u64..), &[Next, Next]), [1, 2, 3]);
    }

    #[test]
    fn every_choice_can_be_said() {
        for (name, choice) in NAMES {
            assert_eq!(
                (choice.to_string(), name.parse()),
                (name.to_owned(), Ok(choice))
            );
        }
    }
}
