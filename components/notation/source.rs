//! Finds the comment on a function, for `kamea show`: rustdoc shows the same text.

/// A function and its file.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) function: &'static str,
    /// The path below `components/`.
    pub(super) file: &'static str,
    /// The text of the file.
    pub(super) text: &'static str,
}

impl Source {
    /// Returns the comment on the function, up to its first section.
    pub(super) fn doc(&self) -> String {
        let lines: Vec<_> = self.text.lines().collect();
        let is_it = |line: &&str| is_function(line, self.function);
        let Some(at) = lines.iter().position(is_it) else {
            return String::new();
        };
        // Attributes stand between the comment and the function.
        let above = lines[..at].iter().rev();
        let above = above.skip_while(|line| !line.starts_with("///") && !line.is_empty());
        let mut comment: Vec<_> = above
            .map_while(|line| line.strip_prefix("///"))
            .map(str::trim_start)
            .collect();
        comment.reverse();
        let summary = comment.iter().take_while(|line| !line.starts_with("# "));
        plain(&summary.copied().collect::<Vec<_>>().join("\n"))
    }
}

/// Whether a line declares a function.
fn is_function(line: &str, name: &str) -> bool {
    let public = ["pub ", "pub(super) ", "pub(crate) "];
    let rest = public.iter().find_map(|public| line.strip_prefix(public));
    let rest = rest.unwrap_or(line);
    let rest = rest.strip_prefix("async ").unwrap_or(rest);
    let rest = rest
        .strip_prefix("fn ")
        .and_then(|rest| rest.strip_prefix(name));
    rest.is_some_and(|rest| rest.starts_with(['(', '<']))
}

/// Removes links from a comment: ``[`Graph`](kamea::Graph)`` becomes `` `Graph` ``, `[a
/// graph](kamea::Graph)` becomes `a graph`.
pub(super) fn plain(comment: &str) -> String {
    let (mut text, mut rest) = (String::new(), comment);
    while let Some((before, link)) = rest.split_once('[') {
        text.push_str(before);
        let linked = link.split_once(']').and_then(|(name, behind)| {
            let target = behind.strip_prefix('(');
            let behind_target = target.and_then(|target| Some(target.split_once(')')?.1));
            let is_link = behind_target.is_some() || name.starts_with('`');
            is_link.then_some((name, behind_target.unwrap_or(behind)))
        });
        let (shown, behind) = linked.unwrap_or(("[", link));
        text.push_str(shown);
        rest = behind;
    }
    text.push_str(rest);
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_found_and_its_links_are_not_shown() {
        let text = "\
/// Another one.
pub fn reads() {}

/// Reads [`Lines`](super::Lines) of [`Bytes`], as
/// [they come](super::come).
///
/// Fast: a[0].
///
/// # Examples
#[expect(
    clippy::all,
)]
pub fn read<T>() {}
";
        let source = |function| Source {
            function,
            file: "",
            text,
        };
        assert_eq!(source("reads").doc(), "Another one.");
        assert_eq!(
            source("read").doc(),
            "Reads `Lines` of `Bytes`, as\nthey come.\n\nFast: a[0]."
        );
        assert_eq!(source("rea").doc(), "");
    }
}
