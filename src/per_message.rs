//! Components that run an async closure for each message.

use crate::component::{Component, Done};
use crate::port::Message;
use crate::ports::{Pipe, Sink};

/// Calls an async closure with each message, one after another.
///
/// # Faults
///
/// If the closure returns an error.
///
/// # Examples
///
/// ```
/// use kamea::{Source, for_each, pipeline};
///
/// fn main() -> Result<(), kamea::ProgramError> {
///     let greet = async |io: &mut Source<&'static str>| Ok(io.outbox.send("hello").await?);
///     let print = for_each(async |text: &str| {
///         println!("{text}");
///         Ok(())
///     });
///     kamea::run(pipeline!(greet => print))
/// }
/// ```
pub fn for_each<T: Message>(
    mut function: impl AsyncFnMut(T) -> Done + Send + 'static,
) -> impl Component<Sink<T>> + Send {
    async move |io: &mut Sink<T>| {
        while let Some(message) = io.inbox.next().await {
            function(message).await?;
        }
        Ok(())
    }
}

/// Passes on the result of an async closure for each message, one after another and in order. For a
/// function that does not wait, use [`map`](crate::map).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea::testing::collect;
/// use kamea::{map_async, time};
///
/// let slowly = map_async(async |number: u64| {
///     time::sleep(Duration::from_millis(number)).await;
///     2 * number
/// });
/// assert_eq!(collect(slowly, [3, 1, 2]), [6, 2, 4]);
/// ```
pub fn map_async<A: Message, B: Message>(
    mut function: impl AsyncFnMut(A) -> B + Send + 'static,
) -> impl Component<Pipe<A, B>> + Send {
    async move |io: &mut Pipe<A, B>| {
        while let Some(message) = io.inbox.next().await {
            io.outbox.send(function(message).await).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::{End, Handle, Scheduler};

    #[test]
    fn each_message_is_seen_once_and_in_order_and_an_error_is_a_fault() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let scheduler = Scheduler::with_workers(1);
        let mut graph = crate::Graph::new("each");
        let keep = seen.clone();
        let part = graph.add(
            "see",
            for_each(async move |number: u32| {
                keep.lock().unwrap().push(number);
                match number {
                    3 => Err(End::fault("three")),
                    _ => Ok(()),
                }
            }),
        );
        let numbers = graph.feed(part.inbox);
        (1..=3).for_each(|number| numbers.send_blocking(number).unwrap());
        let error = scheduler.run(graph).unwrap().wait().unwrap_err();
        assert_eq!(
            error.to_string(),
            "component `see` of graph `each` failed: three"
        );
        assert_eq!(*seen.lock().unwrap(), [1, 2, 3]);
    }

    #[test]
    fn what_is_made_comes_in_order() {
        let scheduler = Scheduler::with_workers(1);
        let add = map_async(async |number: u32| crate::unblock(move || number + 1).await);
        let mut adding = Handle::run(&scheduler, add).unwrap();
        (0..10).for_each(|number| adding.send_blocking(number).unwrap());
        adding.close();
        let (_, sums, _) = adding.split();
        assert!(sums.into_iter().eq(1..=10));
    }
}
