//! A run as a self-contained page.

use askama::Template;

use super::{Figure, Panel, Summary, Time, panel};

#[derive(Template)]
#[template(path = "report/page.html")]
struct Page<'a> {
    run: &'a Summary,
    /// The most important figures, each with a label.
    heads: Vec<(String, &'static str)>,
    /// The largest delay of the load generator.
    lateness: Time,
    /// A name, with the raw and the corrected value.
    latencies: Vec<(&'static str, String, String)>,
    /// Classes of errors, the count of each, and the first error of each.
    errors: Vec<(&'static str, u64, Option<&'a String>)>,
    /// Charts, which are markup already.
    charts: Vec<String>,
}

/// Returns a run as a page: figures and charts, light or dark as the reader prefers. It loads
/// nothing and runs no script.
///
/// # Examples
///
/// ```
/// use kamea_tools::report::{Summary, page};
///
/// let mut run = Summary::default();
/// run.settings.urls = vec!["http://example.com/?a=<b>".to_owned()];
/// let html = page(&run);
/// assert!(html.contains("a=&#60;b&#62;") && html.contains("<svg ") && !html.contains("<script"));
/// ```
#[must_use]
pub fn page(run: &Summary) -> String {
    let corrected = |figure: Figure| figure.show(figure.of(run, false));
    let heads = vec![
        (corrected(Figure::Rate), "responses per second"),
        (corrected(Figure::P50), "median latency"),
        (corrected(Figure::P99), "99th percentile"),
        (run.errors.failed().to_string(), "failed requests"),
    ];
    let (raw, corrected) = (run.latency_us.raw, run.latency_us.corrected);
    let latencies = [
        ("least", raw.min, corrected.min),
        ("mean", raw.mean, corrected.mean),
        ("standard deviation", raw.stdev, corrected.stdev),
        ("p50", raw.p50, corrected.p50),
        ("p75", raw.p75, corrected.p75),
        ("p90", raw.p90, corrected.p90),
        ("p99", raw.p99, corrected.p99),
        ("p99.9", raw.p99_9, corrected.p99_9),
        ("most", raw.max, corrected.max),
    ];
    let shown = |(name, raw, corrected)| (name, Time(raw).to_string(), Time(corrected).to_string());
    let page = Page {
        run,
        heads,
        lateness: Time(run.missed_schedule.largest_us),
        latencies: latencies.map(shown).into(),
        errors: run
            .errors
            .classes()
            .map(|(class, count)| (class, count, run.error_examples.get(class)))
            .into(),
        charts: Panel::ALL.map(|kind| panel(run, kind)).into(),
    };
    page.render().expect("a text takes what is written")
}

/// Filters of the template.
#[allow(
    unreachable_pub,
    reason = "what the attribute makes of a filter is public"
)]
mod filters {
    /// A number with commas between thousands.
    #[askama::filter_fn]
    pub(super) fn grouped(number: &u64, _: &dyn askama::Values) -> askama::Result<String> {
        let digits = number.to_string();
        let threes: Vec<_> = digits
            .as_bytes()
            .rchunks(3)
            .rev()
            .map(String::from_utf8_lossy)
            .collect();
        Ok(threes.join(","))
    }
}
