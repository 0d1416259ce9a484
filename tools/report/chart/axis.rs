//! Axes with labelled ticks.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

/// How values are mapped to distances.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Scale {
    Linear,
    /// Equal factors are equal distances.
    Logarithmic,
    /// For shares from 0 to 1: each nine is an equal distance, as HdrHistogram draws percentiles.
    Nines,
}

/// An axis, with ticks at chosen positions.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    scale: Scale,
    from: f64,
    to: f64,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// From zero to slightly more than a value.
    pub(super) fn from_zero(most: f64, show: impl Fn(f64) -> String) -> Self {
        Self::linear(0.0, if most > 0.0 { 1.05 * most } else { 1.0 }, show)
    }

    /// From one value to another, with about five ticks at round values.
    pub(super) fn linear(from: f64, to: f64, show: impl Fn(f64) -> String) -> Self {
        let step = round_step((to - from) / 5.0);
        let first = (from / step).ceil() as i64;
        let ticks = (first..).map(|k| k as f64 * step);
        let ticks = ticks.take_while(|tick| *tick <= to + step / 1e6);
        Self {
            scale: Scale::Linear,
            from,
            to,
            ticks: ticks.map(|tick| (tick, show(tick))).collect(),
        }
    }

    /// Around positive values, with ticks at powers of ten, and between them if there are few.
    pub(super) fn logarithmic(least: f64, most: f64, show: impl Fn(f64) -> String) -> Self {
        let (from, to) = (least / 1.15, most.max(least * 1.5) * 1.15);
        let decades = (to / from).log10();
        let digits: &[f64] = match decades {
            decades if decades < 0.8 => &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0],
            decades if decades < 3.0 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let powers = from.log10().floor() as i32..=to.log10().ceil() as i32;
        let ticks =
            powers.flat_map(|power| digits.iter().map(move |digit| digit * 10_f64.powi(power)));
        let ticks = ticks.filter(|tick| (from..=to).contains(tick));
        Self {
            scale: Scale::Logarithmic,
            from,
            to,
            ticks: ticks.map(|tick| (tick, show(tick))).collect(),
        }
    }

    /// Percentiles, with as many nines as this number of values can distinguish.
    pub(super) fn percentiles(count: u64) -> Self {
        let nines = (count.max(1) as f64).log10().ceil().clamp(2.0, 9.0) as i32;
        let half = [(0.5, "50 %".to_owned())];
        let more = (1..=nines).map(|nine| {
            let digits = usize::try_from(nine - 2).unwrap_or(0);
            let share = 1.0 - 10_f64.powi(-nine);
            (share, format!("{:.digits$} %", 100.0 * share))
        });
        Self {
            scale: Scale::Nines,
            from: 0.0,
            to: 1.0 - 10_f64.powi(-nines),
            ticks: half.into_iter().chain(more).collect(),
        }
    }

    /// A position for each name, from the top down. The first is at the number of names minus one.
    pub(super) fn names<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> Self {
        let count = names.len();
        let place = |(index, name): (usize, &str)| ((count - 1 - index) as f64, name.to_owned());
        Self {
            scale: Scale::Linear,
            from: -0.6,
            to: count as f64 - 0.4,
            ticks: names.enumerate().map(place).collect(),
        }
    }

    /// The position of a value on the axis, from 0 at its beginning to 1.
    fn position(&self, value: f64) -> f64 {
        let distance = |value: f64| match self.scale {
            Scale::Linear => value,
            Scale::Logarithmic => value.max(f64::MIN_POSITIVE).ln(),
            Scale::Nines => -(1.0 - value).ln(),
        };
        let value = value.clamp(self.from, self.to);
        (distance(value) - distance(self.from)) / (distance(self.to) - distance(self.from))
    }
}

/// The smallest of 1, 2, 5, 10, ... that is not less.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.max(f64::MIN_POSITIVE).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power);
    steps
        .into_iter()
        .find(|step| *step >= least * 0.999)
        .unwrap_or(10.0 * power)
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        from + (self.position(*value) * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.iter().map(|(tick, _)| *tick).collect()
    }

    fn range(&self) -> Range<f64> {
        self.from..self.to
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        let tick = self.ticks.iter().find(|(tick, _)| tick == value);
        tick.map(|(_, label)| label.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_and_few() {
        let show = |value: f64| format!("{value}");
        for (axis, expected) in [
            (Axis::from_zero(10.0, show), vec!["0", "5", "10"]),
            (
                Axis::from_zero(0.0, show),
                vec!["0", "0.2", "0.4", "0.6000000000000001", "0.8", "1"],
            ),
            (Axis::linear(0.0, 60.0, show), vec!["0", "20", "40", "60"]),
            (Axis::logarithmic(100.0, 100.0, show), vec!["100", "150"]),
            (
                Axis::logarithmic(40.0, 900.0, show),
                vec!["50", "100", "200", "500", "1000"],
            ),
            (
                Axis::logarithmic(1.0, 1e6, show),
                vec!["1", "10", "100", "1000", "10000", "100000", "1000000"],
            ),
            (Axis::percentiles(0), vec!["50 %", "90 %", "99 %"]),
            (
                Axis::percentiles(5000),
                vec!["50 %", "90 %", "99 %", "99.9 %", "99.99 %"],
            ),
            (Axis::names(["a", "b"].into_iter()), vec!["a", "b"]),
        ] {
            assert_eq!(labels(&axis), expected);
        }
    }

    #[test]
    fn values_have_their_places() {
        let show = |_| String::new();
        for (axis, value, place) in [
            (Axis::linear(0.0, 10.0, show), 2.5, 0.25),
            (Axis::linear(0.0, 10.0, show), 99.0, 1.0),
            (Axis::logarithmic(1.15, 1e4 / 1.15, show), 100.0, 0.5),
            (Axis::percentiles(10_000), 0.9, 0.25),
            (Axis::percentiles(10_000), 0.99, 0.5),
            (Axis::percentiles(10_000), 1.0, 1.0),
            (Axis::names(["a", "b"].into_iter()), 1.0, 1.6 / 2.2),
        ] {
            assert!(
                (axis.position(value) - place).abs() < 1e-9,
                "{axis:?} {value}: {}",
                axis.position(value)
            );
        }
    }
}
