//! Names that are similar, for the messages about unknown ones.

/// Returns the known names that are similar to `name`, the nearest first, at most three.
pub(crate) fn near<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    let lower = name.to_ascii_lowercase();
    let rank = |known: &'n str| {
        let similarity = strsim::jaro_winkler(&lower, &known.to_ascii_lowercase());
        (similarity > 0.85).then_some((similarity, known))
    };
    let mut near: Vec<_> = known.into_iter().filter_map(rank).collect();
    near.sort_by(|(a, name), (b, other)| b.total_cmp(a).then(name.cmp(other)));
    // If one is much nearer than the others, only that one is returned.
    let nearest = near.first().map_or(0.0, |(similarity, _)| *similarity);
    near.retain(|(similarity, _)| *similarity > nearest - 0.05);
    near.into_iter().take(3).map(|(_, name)| name).collect()
}
