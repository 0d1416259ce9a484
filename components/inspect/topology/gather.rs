//! The drawings of all programs, for the pages that show them.

use std::sync::Arc;

use kamea::{Component, Sink};
use tokio::sync::watch;

use super::draw::Sketched;

/// How many programs are shown.
pub(super) const PROGRAMS: usize = 16;

/// The drawing of each program, in the order of their connections.
pub type Sketches = Arc<[Sketched]>;

/// Keeps the drawing of each program, and publishes it to all viewers. A drawing stays after its
/// program has disconnected, until newer programs need the space.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use kamea::Graph;
/// use kamea_components::inspect::{Sketch, Sketched, Sketches, gather_sketches};
///
/// let (shown, seen) = tokio::sync::watch::channel(Sketches::default());
/// let mut graph = Graph::new("sketches");
/// let gather = graph.add("gather", gather_sketches(shown));
/// let sketches = graph.feed(gather.inbox);
/// let mut sketch = Sketch::default();
/// sketch.command("ADD NODE 1 one auto -");
/// let sketched = Sketched { program: 1, name: "a program".into(), sketch: Arc::new(sketch), is_connected: false };
/// sketches.try_send(sketched).unwrap();
/// drop(sketches);
/// kamea::testing::block_on(graph.start()?)?;
/// assert_eq!(seen.borrow()[0].name, "a program");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn gather_sketches(shown: watch::Sender<Sketches>) -> impl Component<Sink<Sketched>> + Send {
    async move |io: &mut Sink<Sketched>| {
        let mut all: Vec<Sketched> = Vec::new();
        while let Some(sketched) = io.inbox.next().await {
            match all
                .iter_mut()
                .find(|known| known.program == sketched.program)
            {
                Some(known) => *known = sketched,
                None => all.push(sketched),
            }
            all.retain(|known| known.is_connected || !known.sketch.is_empty());
            while all.len() > PROGRAMS {
                let gone = all.iter().position(|known| !known.is_connected);
                all.remove(gone.unwrap_or(0));
            }
            shown.send_replace(all.clone().into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use kamea::Graph;
    use kamea::testing::block_on;

    use super::super::Sketch;
    use super::*;

    fn sketched(program: u64, is_connected: bool, line: &str) -> Sketched {
        let mut sketch = Sketch::default();
        sketch.command(line);
        let name = program.to_string();
        Sketched {
            program,
            name,
            sketch: Arc::new(sketch),
            is_connected,
        }
    }

    fn shown(sketches: impl IntoIterator<Item = Sketched>) -> Vec<u64> {
        let (sender, seen) = watch::channel(Sketches::default());
        let mut graph = Graph::new("test");
        let gather = graph.add("gather", gather_sketches(sender));
        let feed = graph.feed(gather.inbox);
        block_on(async {
            let flow = graph.start().unwrap();
            let fed = async {
                for sketched in sketches {
                    feed.send(sketched).await.unwrap();
                }
                drop(feed);
            };
            futures_lite::future::zip(flow, fed).await.0.unwrap();
        });
        seen.borrow().iter().map(|known| known.program).collect()
    }

    const NODE: &str = "ADD NODE 1 a auto -";

    #[test]
    fn what_a_program_has_drawn_stays_when_it_has_gone_if_it_is_anything() {
        let sketches = [
            (1, true, NODE),
            (2, true, ""),
            (1, false, NODE),
            (2, false, ""),
        ];
        assert_eq!(
            shown(sketches.map(|(id, on, line)| sketched(id, on, line))),
            [1]
        );
    }

    #[test]
    fn those_that_have_gone_make_space_first() {
        let ids = 0..PROGRAMS as u64 + 1;
        let left = shown(ids.map(|id| sketched(id, id != 5, NODE)));
        assert!(left.len() == PROGRAMS && left.contains(&0) && !left.contains(&5));
    }
}
