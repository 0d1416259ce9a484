//! Statistics of few repetitions: medians, quartiles, and intervals that assume no distribution.
//!
//! Measurements of programs have long tails, so that means and standard deviations say little about
//! them. These methods are valid for any distribution: order statistics and the binomial
//! distribution, as in W. J. Conover, Practical Nonparametric Statistics, section 3.2 (1999).

use std::fmt;

use serde::Serialize;
use statrs::distribution::{Binomial, DiscreteCDF};

/// The minimum confidence of an [`Interval`], if there are enough samples for it.
pub const CONFIDENCE: f64 = 0.95;

/// Samples in a few figures, in their unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// The number of samples.
    pub count: usize,
    /// The minimum.
    pub min: f64,
    /// A quarter of the samples is below.
    pub lower_quartile: f64,
    /// Half of the samples is below.
    pub median: f64,
    /// A quarter of the samples is above.
    pub upper_quartile: f64,
    /// The maximum.
    pub max: f64,
    /// The interval of the median of the distribution.
    pub interval: Interval,
}

/// A range that contains the true value with some confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// The lower end of the range.
    pub low: f64,
    /// The upper end of the range.
    pub high: f64,
    /// How often such a range contains the true value, from 0 to 1.
    pub confidence: f64,
}

impl Spread {
    /// Computes the figures of some samples, in any order. Returns `None` without samples. Values
    /// that are not finite are left out.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_tools::report::Spread;
    ///
    /// let spread = Spread::of(&[3.0, 1.0, 2.0, 5.0, 4.0, 90.0]).unwrap();
    /// assert_eq!((spread.lower_quartile, spread.median, spread.upper_quartile), (2.25, 3.5, 4.75));
    /// assert_eq!((spread.interval.low, spread.interval.high), (1.0, 90.0));
    /// assert!((spread.interval.confidence - 0.96875).abs() < 1e-9);
    /// ```
    #[must_use]
    pub fn of(samples: &[f64]) -> Option<Self> {
        let mut sorted: Vec<f64> = samples.iter().copied().filter(|x| x.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        Some(Self {
            count: sorted.len(),
            min,
            lower_quartile: quantile(&sorted, 0.25),
            median: quantile(&sorted, 0.5),
            upper_quartile: quantile(&sorted, 0.75),
            max,
            interval: Interval::of_median(&sorted),
        })
    }

    /// The ratio of ours to theirs, in pairs of samples that were taken one after the other, so
    /// that common disturbances cancel out. `None` without pairs.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_tools::report::Spread;
    ///
    /// let ratio = Spread::of_ratios(&[2.0, 20.0, 6.0], &[1.0, 10.0, 2.0]).unwrap();
    /// assert_eq!((ratio.median, ratio.max), (2.0, 3.0));
    /// ```
    #[must_use]
    pub fn of_ratios(ours: &[f64], theirs: &[f64]) -> Option<Self> {
        let ratios = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs);
        Self::of(&ratios.collect::<Vec<_>>())
    }
}

impl Interval {
    /// Whether every value of this range is less than every value of the other.
    #[must_use]
    pub fn is_below(&self, other: &Self) -> bool {
        self.high < other.low
    }

    /// The interval between two samples, the same number of samples from either end. The number is
    /// chosen so that the median is rarely outside: a sample is below the median with probability
    /// one half. Fewer than six samples cannot reach [`CONFIDENCE`]. Then the interval is from the
    /// minimum to the maximum, with the confidence of that.
    fn of_median(sorted: &[f64]) -> Self {
        let count = sorted.len();
        let coins = Binomial::new(0.5, count as u64).expect("a half is a probability");
        // With this many samples left out at either end.
        let confidence = |left_out: usize| 1.0 - 2.0 * coins.cdf(left_out as u64);
        let enough = |left_out: &usize| confidence(*left_out) >= CONFIDENCE;
        let left_out = (0..count / 2).take_while(enough).last().unwrap_or(0);
        Self {
            low: sorted[left_out],
            high: sorted[count - 1 - left_out],
            confidence: confidence(left_out).max(0.0),
        }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} to {:.2}", self.low, self.high)
    }
}

/// The value below which a share of sorted samples lies, interpolated between two samples (type 7
/// of Hyndman and Fan, Sample Quantiles in Statistical Packages, 1996). There must be a sample.
pub(super) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (low, high) = (
        sorted[place.floor() as usize],
        sorted[place.ceil() as usize],
    );
    low + (high - low) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_leaves_out_as_many_samples_as_the_tables_say() {
        // Conover, table A3: the sample (from 1) at which the interval of at least 95 % begins.
        for (count, first, confidence) in [
            (1, 1, 0.0),
            (2, 1, 0.5),
            (5, 1, 0.9375),
            (6, 1, 0.96875),
            (8, 1, 0.9921875),
            (9, 2, 0.9609375),
            (10, 2, 0.978515625),
            (20, 6, 0.958610534667),
            (100, 40, 0.964799799782),
        ] {
            let samples: Vec<f64> = (1..=count).map(f64::from).collect();
            let interval = Spread::of(&samples).unwrap().interval;
            let expected = (f64::from(first), f64::from(count + 1 - first));
            assert_eq!((interval.low, interval.high), expected, "{count}");
            assert!(
                (interval.confidence - confidence).abs() < 1e-9,
                "{count}: {interval:?}"
            );
        }
    }

    #[test]
    fn the_interval_holds_the_median_as_often_as_it_says() {
        let mut random = fastrand::Rng::with_seed(1);
        let held = (0..2000).filter(|_| {
            // Skewed, like latencies. Its median is ln 2.
            let samples: Vec<f64> = (0..10).map(|_| -(1.0 - random.f64()).ln()).collect();
            let interval = Spread::of(&samples).unwrap().interval;
            (interval.low..=interval.high).contains(&std::f64::consts::LN_2)
        });
        let share = held.count() as f64 / 2000.0;
        assert!((0.965..0.99).contains(&share), "{share}");
    }

    #[test]
    fn what_is_not_finite_is_left_out() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[f64::NAN, f64::INFINITY]), None);
        assert_eq!(Spread::of(&[f64::NAN, 2.0]).unwrap().median, 2.0);
        assert_eq!(Spread::of_ratios(&[1.0], &[0.0]), None);
    }

    #[test]
    fn intervals_that_touch_are_not_apart() {
        let interval = |low, high| Interval {
            low,
            high,
            confidence: 0.95,
        };
        for (ours, theirs, below) in [
            ((1.0, 2.0), (3.0, 4.0), true),
            ((1.0, 3.0), (3.0, 4.0), false),
            ((3.0, 4.0), (1.0, 2.0), false),
        ] {
            let (ours, theirs) = (interval(ours.0, ours.1), interval(theirs.0, theirs.1));
            assert_eq!(ours.is_below(&theirs), below, "{ours} {theirs}");
        }
    }
}
