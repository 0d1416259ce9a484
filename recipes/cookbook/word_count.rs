//! Counts the lines, words and bytes of a file on all cores.

use std::error::Error;
use std::thread::available_parallelism;

use bytes::Bytes;
use kamea::{Done, Pipe, pipeline};
use kamea_components::chassis::parallel;
use kamea_components::console::console_echoer;
use kamea_components::file::read_file;
use kamea_recipes::{arguments, run};

/// What is in a piece of text. Its first and its last word may be part of a longer one.
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

fn count(piece: Bytes) -> Count {
    let is_in_word = |byte: Option<&u8>| byte.is_some_and(|byte| !is_space(byte));
    let begins_in_word = is_in_word(piece.first());
    let is_beginning = |pair: &&[u8]| is_space(&pair[0]) && !is_space(&pair[1]);
    Count {
        lines: piece.iter().filter(|byte| **byte == b'\n').count(),
        words: piece.windows(2).filter(is_beginning).count() + usize::from(begins_in_word),
        bytes: piece.len(),
        begins_in_word,
        ends_in_word: is_in_word(piece.last()),
    }
}

async fn add_up(io: &mut Pipe<Count, String>) -> Done {
    let mut all = Count::default();
    while let Some(next) = io.inbox.next().await {
        let is_cut = all.ends_in_word && next.begins_in_word;
        all.words += next.words - usize::from(is_cut);
        all.lines += next.lines;
        all.bytes += next.bytes;
        all.ends_in_word = next.ends_in_word;
    }
    let total = format!("{} {} {}\n", all.lines, all.words, all.bytes);
    Ok(io.outbox.send(total).await?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let [file] = &arguments()[..] else {
        return Err("usage: word_count FILE".into());
    };
    let count = parallel(available_parallelism()?.get(), count).ordered();
    run(pipeline!(read_file(file) => count => add_up => console_echoer()))
}
