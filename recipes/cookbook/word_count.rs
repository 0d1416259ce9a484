//! Counts the lines, words and bytes of a file on all cores.

use std::io;
use std::thread::available_parallelism;

use kamea::{Done, Pipe, pipeline};
use kamea_components::chassis::parallel;
use kamea_components::console::console_echoer;
use kamea_components::file::{FileSlice, slice_file};
use kamea_recipes::{Outcome, arguments, run};

/// The counts of a piece of text. Its first and its last word may be part of a longer one.
#[derive(Debug, Default)]
struct Count {
    lines: usize,
    words: usize,
    bytes: usize,
    begins_in_word: bool,
    ends_in_word: bool,
}

fn is_space(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn count(piece: &[u8]) -> Count {
    let is_in_word = |byte: Option<&u8>| byte.is_some_and(|byte| !is_space(byte));
    let is_beginning = |pair: &&[u8]| is_space(&pair[0]) && !is_space(&pair[1]);
    Count {
        lines: piece.iter().filter(|byte| **byte == b'\n').count(),
        words: piece.windows(2).filter(is_beginning).count()
            + usize::from(is_in_word(piece.first())),
        bytes: piece.len(),
        begins_in_word: is_in_word(piece.first()),
        ends_in_word: is_in_word(piece.last()),
    }
}

async fn add_up(io: &mut Pipe<io::Result<Count>, String>) -> Done {
    let mut all = Count::default();
    while let Some(next) = io.inbox.next().await.transpose()? {
        all.words += next.words - usize::from(all.ends_in_word && next.begins_in_word);
        all.lines += next.lines;
        all.bytes += next.bytes;
        all.ends_in_word = next.ends_in_word;
    }
    let total = format!("{} {} {}\n", all.lines, all.words, all.bytes);
    Ok(io.outbox.send(total).await?)
}

fn main() -> Outcome {
    let [file] = &arguments()[..] else {
        return Err("usage: word_count FILE".into());
    };
    let mut buffer = Vec::new();
    let count = move |slice: FileSlice| slice.read_into(&mut buffer).map(|()| count(&buffer));
    let count = parallel(available_parallelism()?.get(), count).ordered();
    run(pipeline!(slice_file(file, 1 << 18) => count => add_up => console_echoer()))
}
