//! Several values, each with a range: as bars from zero, or as dots on a logarithmic axis if the
//! values are far apart.

use plotters::prelude::{Circle, Color, PathElement, Rectangle};
use plotters::style::text_anchor::HPos;

use super::{Area, Axis, Drawn, FIRST, INK, OTHERS, chart, line, picture, write};
use crate::report::Spread;

/// If the largest value is at least this many times the smallest, the axis is logarithmic.
const FAR_APART: f64 = 30.0;

/// One of the values.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// Its name.
    pub name: String,
    /// Its value, the median, and its range, the interval of the median.
    pub spread: Spread,
    /// Whether it is the subject of the chart. The others are there for comparison.
    pub is_ours: bool,
}

/// Draws a chart of some values, as SVG. `show` formats a value with its unit.
///
/// # Examples
///
/// ```
/// use kamea_tools::report::{Bar, Spread, bars};
///
/// let bar = Bar { name: "spidey".to_owned(), spread: Spread::of(&[9.0, 11.0, 10.0]).unwrap(), is_ours: true };
/// let svg = bars("Latency", &[bar], |ms| format!("{ms} ms"));
/// assert!(svg.contains("10 ms") && svg.contains("spidey"));
/// ```
#[must_use]
pub fn bars(title: &str, bars: &[Bar], show: impl Fn(f64) -> String) -> String {
    let height = 90 + 34 * u32::try_from(bars.len()).unwrap_or(u32::MAX >> 8);
    picture(title, (760, height), |area| draw(area, title, bars, show))
}

/// Whether the values are so far apart that small ones would be invisible on an axis from zero.
#[must_use]
pub fn are_far_apart(bars: &[Bar]) -> bool {
    let (least, most) = range(bars);
    least > 0.0 && most / least > FAR_APART
}

fn range(bars: &[Bar]) -> (f64, f64) {
    let lows = bars.iter().map(|bar| bar.spread.interval.low);
    let highs = bars.iter().map(|bar| bar.spread.interval.high);
    (
        lows.fold(f64::INFINITY, f64::min),
        highs.fold(0.0, f64::max),
    )
}

fn draw(area: &Area<'_>, title: &str, bars: &[Bar], show: impl Fn(f64) -> String) -> Drawn {
    let (least, most) = range(bars);
    let is_logarithmic = are_far_apart(bars);
    let x = if is_logarithmic {
        Axis::logarithmic(least, most, |value| shortened(&show(value)))
    } else {
        Axis::from_zero(most, |value| shortened(&show(value)))
    };
    let y = Axis::names(bars.iter().map(|bar| bar.name.as_str()));
    let longest = bars
        .iter()
        .map(|bar| bar.name.chars().count())
        .max()
        .unwrap_or(0);
    let mut chart = chart(area, title, (x, y), (24 + 8 * u32::try_from(longest)?, 90))?;
    for (index, bar) in bars.iter().enumerate() {
        let y = (bars.len() - 1 - index) as f64;
        let paint = if bar.is_ours { &FIRST } else { &OTHERS };
        let Spread {
            median, interval, ..
        } = bar.spread;
        if is_logarithmic {
            chart.draw_series([Circle::new((median, y), 5, paint.light.filled())])?;
        } else {
            chart.draw_series([Rectangle::new(
                [(0.0, y - 0.32), (median, y + 0.32)],
                paint.light.filled(),
            )])?;
        }
        let ends = [interval.low, interval.high];
        let whiskers =
            ends.map(|x| PathElement::new([(x, y - 0.14), (x, y + 0.14)], line(&INK, 1)));
        chart.draw_series(whiskers)?;
        chart.draw_series([PathElement::new(ends.map(|x| (x, y)), line(&INK, 1))])?;
        let (right, middle) = (
            area.dim_in_pixel().0,
            chart.backend_coord(&(median, y)).1 - area.get_base_pixel().1,
        );
        write(
            area,
            &show(median),
            15,
            &INK,
            (i32::try_from(right)? - 12, middle - 7),
            HPos::Right,
        )?;
    }
    Ok(())
}

/// A number with its unit, without superfluous zeros.
fn shortened(shown: &str) -> String {
    let (number, unit) = shown.split_once(' ').unwrap_or((shown, ""));
    let number = if number.contains('.') {
        number.trim_end_matches('0').trim_end_matches('.')
    } else {
        number
    };
    format!("{number} {unit}").trim_end().to_owned()
}
