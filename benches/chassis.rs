//! The rows of the chassis: a stage spread over the cores, and the backplane.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use kamea::{Graph, Pipe, Placement, Scheduler, Sink, Source, pipeline};
use kamea_components::chassis::{Backplane, parallel, publish_to, subscribe_to};
use kamea_components::file::{FileSlice, slice_file};
use tokio::sync::broadcast;

use crate::links::{Measure, measure};
use crate::table::{Row, Target};
use crate::{Error, Setting};

/// The size of the file whose words are counted, in bytes.
const TEXT: u64 = 1 << 30;

/// The text that it repeats.
const LINE: &str = "a component is an async function over its ports; it knows nothing of who is at the other end\n";

/// How much of the file is counted at a time, in bytes.
const BLOCK: usize = 128 * 1024;

/// The number of subscribers.
const SUBSCRIBERS: usize = 1000;
const PUBLISHED: u64 = 2000;
/// How many messages may wait for the slowest subscriber.
const PLANE: usize = 64;

/// The time to count the words of a file of 1 GiB in memory, on all cores.
pub(crate) fn words(setting: &Setting) -> Result<Vec<Row>, Error> {
    let path = text(&setting.data)?;
    let expected = TEXT.div_ceil(LINE.len() as u64) * LINE.split_whitespace().count() as u64;
    let run = |count: fn(&Path) -> Result<u64, Error>| {
        let path = path.clone();
        move || {
            let start = Instant::now();
            let words = count(&path)?;
            let elapsed = start.elapsed();
            if words != expected {
                return Err(format!("{words} words were counted, there are {expected}").into());
            }
            Ok(elapsed.as_secs_f64() * 1e3)
        }
    };
    Ok(vec![Row {
        what: "the words of 1 GiB, counted",
        unit: "ms",
        figures: measure(
            setting,
            &[("Kamea", run(by_graph)), ("threads", run(by_threads))],
        )?,
        targets: vec![Target::MostOf(1.2, "threads")],
    }])
}

/// The cost of a message for each of a thousand subscribers.
pub(crate) fn backplane(setting: &Setting) -> Result<Vec<Row>, Error> {
    let contenders: [(_, Measure); 2] =
        [("Kamea", by_backplane), ("tokio broadcast", by_broadcast)];
    Ok(vec![Row {
        what: "a published message, each of 1,000 subscribers",
        unit: "ns",
        figures: measure(setting, &contenders)?,
        targets: vec![Target::MostOf(1.0, "tokio broadcast")],
    }])
}

/// The number of words in a part of a text, and whether it begins and ends in the middle of a word.
#[derive(Debug, Clone, Copy, Default)]
struct Words {
    count: u64,
    first: bool,
    last: bool,
}

impl Words {
    fn of(text: &[u8]) -> Self {
        let mut words = Self::default();
        let mut inside = false;
        for byte in text {
            let letter = !byte.is_ascii_whitespace();
            words.count += u64::from(letter && !inside);
            inside = letter;
        }
        words.first = text.first().is_some_and(|byte| !byte.is_ascii_whitespace());
        words.last = inside;
        words
    }

    /// Adds the part that follows.
    fn then(self, next: Self) -> Self {
        Self {
            count: self.count + next.count - u64::from(self.last && next.first),
            first: self.first,
            last: next.last,
        }
    }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn by_graph(path: &Path) -> Result<u64, Error> {
    let mut graph = Graph::new("words");
    let mut buffer = Vec::new();
    let count = move |block: FileSlice| block.read_into(&mut buffer).map(|()| Words::of(&buffer));
    let add = async |io: &mut Pipe<io::Result<Words>, u64>| {
        let mut all = Words::default();
        while let Some(words) = io.inbox.next().await {
            all = all.then(words?);
        }
        Ok(io.outbox.send(all.count).await?)
    };
    let (_, sum) = pipeline!(graph, slice_file(path, BLOCK as u64) => parallel(cores(), count).ordered() => add);
    let mut sum = graph.take(sum);
    let scheduler = Scheduler::new();
    let running = scheduler.run(graph)?;
    let words = sum.next_blocking().ok_or("no sum")?;
    running.wait()?;
    Ok(words)
}

/// Each thread counts a run of blocks, in a buffer of its own.
fn by_threads(path: &Path) -> Result<u64, Error> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let share = length.div_ceil(cores() as u64);
    let count = |from: u64| -> io::Result<Words> {
        let mut buffer = vec![0; BLOCK];
        let (mut at, to) = (from, length.min(from + share));
        let mut all = Words::default();
        while at < to {
            let wanted = BLOCK.min((to - at) as usize);
            file.read_exact_at(&mut buffer[..wanted], at)?;
            let words = Words::of(&buffer[..wanted]);
            all = if at == from { words } else { all.then(words) };
            at += wanted as u64;
        }
        Ok(all)
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..cores() as u64)
            .map(|index| scope.spawn(move || count(index * share)))
            .collect();
        let mut all = Words::default();
        for thread in threads {
            all = all.then(thread.join().map_err(|_| "a thread panicked")??);
        }
        Ok(all.count)
    })
}

fn text(data: &Path) -> Result<PathBuf, Error> {
    fs::create_dir_all(data)?;
    let path = data.join("text.txt");
    let lines = TEXT.div_ceil(LINE.len() as u64);
    if fs::metadata(&path).is_ok_and(|known| known.len() == lines * LINE.len() as u64) {
        return Ok(path);
    }
    let mut file = io::BufWriter::with_capacity(1 << 20, File::create(&path)?);
    (0..lines).try_for_each(|_| file.write_all(LINE.as_bytes()))?;
    file.flush()?;
    Ok(path)
}

fn figure(start: Instant, heard: u64) -> Result<f64, Error> {
    let elapsed = start.elapsed();
    if heard != PUBLISHED * SUBSCRIBERS as u64 {
        return Err(format!("{heard} messages were heard").into());
    }
    Ok(elapsed.as_nanos() as f64 / heard as f64)
}

fn by_backplane() -> Result<f64, Error> {
    let scheduler = Scheduler::with_workers(1);
    let plane = Backplane::new().capacity(PLANE);
    let (counted, mut counts) = kamea::link::<u64>(SUBSCRIBERS);
    let start = Instant::now();
    for _ in 0..SUBSCRIBERS {
        let counted = counted.clone();
        let mut graph = Graph::new("subscriber");
        let count = async move |io: &mut Sink<u64>| {
            let mut heard = 0;
            while io.inbox.next().await.is_some() {
                heard += 1;
            }
            counted.send(heard).await?;
            Ok(())
        };
        pipeline!(graph, subscribe_to(&plane, "news") => count);
        scheduler.workers().run(Placement::Worker(0), graph)?;
    }
    let publish = async |io: &mut Source<u64>| {
        for message in 0..PUBLISHED {
            io.outbox.send(message).await?;
        }
        Ok(())
    };
    let mut graph = Graph::new("publisher");
    pipeline!(graph, publish => publish_to(&plane, "news"));
    scheduler.workers().run(Placement::Worker(0), graph)?;
    drop((plane, counted));
    let heard = std::iter::from_fn(|| counts.next_blocking()).sum();
    figure(start, heard)
}

fn by_broadcast() -> Result<f64, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let (sender, _) = broadcast::channel::<u64>(PLANE);
    let start = Instant::now();
    let subscribers: Vec<_> = (0..SUBSCRIBERS)
        .map(|_| {
            let mut receiver = sender.subscribe();
            runtime.spawn(async move {
                let mut heard = 0;
                while receiver.recv().await.is_ok() {
                    heard += 1;
                }
                heard
            })
        })
        .collect();
    runtime.spawn(async move {
        for message in 0..PUBLISHED {
            let _ = sender.send(message);
            // It does not wait: a subscriber that is a whole ring behind would miss messages.
            if message % (PLANE as u64 / 2) == 0 {
                tokio::task::yield_now().await;
            }
        }
    });
    let mut heard = 0;
    for subscriber in subscribers {
        heard += runtime.block_on(subscriber)?;
    }
    figure(start, heard)
}
