//! Pictures of one run: the distribution of latencies, and the events second by second.

use plotters::prelude::{AreaSeries, Circle, Color, LineSeries, Rectangle};
use plotters::style::text_anchor::HPos;

use super::{
    Area, Axis, Drawn, FIRST, Paint, QUIET, SECOND, WRONG, chart, legend, line, picture, write,
};
use crate::report::{Latency, Second, Summary};

/// A view of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Panel {
    /// Latency by percentile, as HdrHistogram plots it: the same distance for each nine.
    Percentiles,
    /// The number of responses for each latency.
    Histogram,
    /// Responses and failed requests per second.
    Rate,
    /// Percentiles of each second.
    LatencyOverTime,
}

impl Panel {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Percentiles,
        Self::Histogram,
        Self::Rate,
        Self::LatencyOverTime,
    ];

    /// The title above it.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Percentiles => "Latency by percentile",
            Self::Histogram => "How long responses took",
            Self::Rate => "Per second",
            Self::LatencyOverTime => "Latency over time (corrected)",
        }
    }

    fn draw(self, area: &Area<'_>, run: &Summary) -> Drawn {
        let (title, seconds) = (self.title(), seconds(run));
        match self {
            Self::Rate if !seconds.is_empty() => rate(area, title, &seconds),
            Self::Percentiles if run.requests > 0 => percentiles(area, title, run),
            Self::Histogram if run.requests > 0 => histogram(area, title, run),
            Self::LatencyOverTime if seconds.iter().any(|second| second.requests > 0) => {
                over_time(area, title, &seconds)
            }
            _ => {
                write(area, title, 18, &super::INK, (14, 12), HPos::Left)?;
                write(area, "No response came.", 14, &QUIET, (14, 48), HPos::Left)
            }
        }
    }
}

/// Draws one picture of a run, as SVG.
///
/// # Examples
///
/// ```
/// use kamea_tools::report::{Panel, Summary, panel};
///
/// let svg = panel(&Summary::default(), Panel::Rate);
/// assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
/// ```
#[must_use]
pub fn panel(run: &Summary, panel: Panel) -> String {
    picture(panel.title(), (620, 360), |area| panel.draw(area, run))
}

/// Draws all pictures of a run in one, as SVG.
#[must_use]
pub fn panels(run: &Summary) -> String {
    let title = "Latency distribution, and rate and latency over time";
    picture(title, (1240, 720), |area| {
        let places = area.split_evenly((2, 2));
        places
            .iter()
            .zip(Panel::ALL)
            .try_for_each(|(area, panel)| panel.draw(area, run))
    })
}

/// The completely measured seconds. For a run of less than a second, the incomplete one.
fn seconds(run: &Summary) -> Vec<Second> {
    let whole: Vec<_> = run.whole_seconds().copied().collect();
    if whole.is_empty() {
        run.series.clone()
    } else {
        whole
    }
}

fn time(us: f64) -> String {
    let (value, unit) = match us {
        us if us < 1e3 => (us, "µs"),
        us if us < 1e6 => (us / 1e3, "ms"),
        us => (us / 1e6, "s"),
    };
    format!("{} {unit}", (value * 1000.0).round() / 1000.0)
}

fn count(number: f64) -> String {
    match number {
        number if number >= 1e6 => format!("{} M", (number / 1e4).round() / 100.0),
        number if number >= 1e3 => format!("{} k", (number / 10.0).round() / 100.0),
        number => format!("{}", (number * 100.0).round() / 100.0),
    }
}

/// The axis for all latencies in a picture.
fn latencies(latencies: impl Iterator<Item = f64> + Clone) -> Axis {
    let least = latencies
        .clone()
        .filter(|us| *us > 0.0)
        .fold(f64::INFINITY, f64::min);
    let most = latencies.fold(1.0, f64::max);
    Axis::logarithmic(least.min(most), most, time)
}

fn percentiles(area: &Area<'_>, title: &str, run: &Summary) -> Drawn {
    let (raw, corrected) = (run.latency_us.raw, run.latency_us.corrected);
    let y = latencies([raw.min, corrected.min, raw.max, corrected.max].into_iter());
    let mut chart = chart(area, title, (Axis::percentiles(run.requests), y), (74, 36))?;
    // The two are the same if no request waited for an earlier response. So the lower line is
    // wider.
    let lines = [
        (&SECOND, 4, &run.histogram_us.raw, raw),
        (&FIRST, 2, &run.histogram_us.corrected, corrected),
    ];
    for (paint, width, bins, latency) in lines {
        chart.draw_series(LineSeries::new(curve(bins, latency), line(paint, width)))?;
    }
    legend(area, &[(&SECOND, "raw"), (&FIRST, "corrected")])
}

/// The latency that this share of all responses did not exceed.
fn curve(bins: &[(f64, u64)], latency: Latency) -> Vec<(f64, f64)> {
    let total = bins.iter().map(|(_, count)| count).sum::<u64>().max(1) as f64;
    let mut sum = 0;
    let edges = bins.iter().map(|(edge, count)| {
        sum += count;
        (sum as f64 / total, edge.min(latency.max))
    });
    [(0.0, latency.min)].into_iter().chain(edges).collect()
}

fn histogram(area: &Area<'_>, title: &str, run: &Summary) -> Drawn {
    /// The ratio of a bin's upper edge to its lower edge.
    const WIDTH: f64 = 1.036_632_928_437_698; // 10^(1/64)
    let bins = &run.histogram_us.corrected;
    let edges = bins.iter().flat_map(|(edge, _)| [*edge, edge / WIDTH]);
    let total = bins.iter().map(|(_, count)| count).sum::<u64>().max(1) as f64;
    let share = |count: u64| 100.0 * count as f64 / total;
    let most = bins
        .iter()
        .map(|(_, count)| share(*count))
        .fold(0.0, f64::max);
    let y = Axis::from_zero(most, |percent| {
        format!("{} %", (percent * 100.0).round() / 100.0)
    });
    let mut chart = chart(area, title, (latencies(edges), y), (74, 36))?;
    let bars = bins.iter().map(|(edge, count)| {
        Rectangle::new(
            [(edge / WIDTH, 0.0), (*edge, share(*count))],
            FIRST.light.filled(),
        )
    });
    chart.draw_series(bars)?;
    let latency = run.latency_us.corrected;
    for (name, value) in [("p50", latency.p50), ("p99", latency.p99)] {
        chart.draw_series(LineSeries::new(
            [(value, 0.0), (value, 1.05 * most)],
            line(&SECOND, 1),
        ))?;
        let (x, y) = chart.backend_coord(&(value, 1.05 * most));
        let (left, top) = area.get_base_pixel();
        write(
            area,
            name,
            13,
            &SECOND,
            (x - left + 4, y - top + 2),
            HPos::Left,
        )?;
    }
    legend(area, &[(&FIRST, "corrected, share of the responses")])
}

fn rate(area: &Area<'_>, title: &str, seconds: &[Second]) -> Drawn {
    let most = seconds
        .iter()
        .map(|second| second.requests.max(second.errors))
        .max()
        .unwrap_or(0);
    let axes = (times(seconds), Axis::from_zero(most as f64, count));
    let mut chart = chart(area, title, axes, (74, 36))?;
    let responses = points(seconds, |second| second.requests as f64);
    chart.draw_series(AreaSeries::new(
        responses.clone(),
        0.0,
        FIRST.light.mix(0.15),
    ))?;
    plot(&mut chart, responses, &FIRST)?;
    if seconds.iter().all(|second| second.errors == 0) {
        return legend(area, &[(&FIRST, "responses")]);
    }
    plot(
        &mut chart,
        points(seconds, |second| second.errors as f64),
        &WRONG,
    )?;
    legend(area, &[(&FIRST, "responses"), (&WRONG, "failed requests")])
}

fn over_time(area: &Area<'_>, title: &str, seconds: &[Second]) -> Drawn {
    let seconds: Vec<_> = seconds
        .iter()
        .filter(|second| second.requests > 0)
        .copied()
        .collect();
    let shown = seconds
        .iter()
        .flat_map(|second| [second.p50_us, second.p99_us]);
    let mut chart = chart(area, title, (times(&seconds), latencies(shown)), (74, 36))?;
    plot(
        &mut chart,
        points(&seconds, |second| second.p99_us),
        &SECOND,
    )?;
    plot(&mut chart, points(&seconds, |second| second.p50_us), &FIRST)?;
    legend(area, &[(&FIRST, "p50"), (&SECOND, "p99")])
}

/// The axis of the time. A second is in its middle.
fn times(seconds: &[Second]) -> Axis {
    let end = seconds.last().map_or(1.0, |second| second.t_s + 1.0);
    Axis::linear(0.0, end, |t| format!("{t} s"))
}

fn points(seconds: &[Second], value: impl Fn(&Second) -> f64) -> Vec<(f64, f64)> {
    seconds
        .iter()
        .map(|second| (second.t_s + 0.5, value(second)))
        .collect()
}

fn plot(chart: &mut super::Chart<'_, '_>, points: Vec<(f64, f64)>, paint: &Paint) -> Drawn {
    // The largest number of points that can be seen individually.
    if points.len() <= 60 {
        let dots = points
            .iter()
            .map(|point| Circle::new(*point, 2, paint.light.filled()));
        chart.draw_series(dots)?;
    }
    chart.draw_series(LineSeries::new(points, line(paint, 2)))?;
    Ok(())
}
