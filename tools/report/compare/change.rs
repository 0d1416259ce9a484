//! Estimates the difference of two series, and its confidence.
//!
//! - The test is Yuen's for trimmed means (K. K. Yuen, The two-sample trimmed t for unequal
//!   population variances, Biometrika 61, 1974): it leaves out a fifth of the seconds at either
//!   end. So a pause of one second neither causes a difference nor hides one, and the two runs may
//!   vary by different amounts.
//! - Seconds resemble their neighbours, so that they carry less information than independent ones.
//!   The reduction follows from the autocorrelation of both series at a distance of one second, as
//!   if it decayed from there in the same proportion (F. W. Zwiers and H. von Storch, Taking Serial
//!   Correlation into Account in Tests of the Mean, Journal of Climate 8, 1995). Short series
//!   underestimate it (F. H. C. Marriott and J. A. Pope, Biometrika 41, 1954). This is corrected,
//!   and half of its standard error is added on the careful side.
//!
//! Nothing is drawn at random: the same series always result in the same interval.

use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::report::Interval;

/// The confidence of the range of a change.
const CONFIDENCE: f64 = 0.99;

/// The share of the seconds that is left out at either end.
const TRIMMED: f64 = 0.2;

/// How two series differ.
pub(super) struct Change {
    /// The value of a typical second of the old run.
    pub(super) old: f64,
    /// The value of a typical second of the new run.
    pub(super) new: f64,
    /// The new value divided by the old one, with its range.
    pub(super) ratio: Interval,
}

/// By how much the trimmed means of two series of logarithms differ, as a ratio.
pub(super) fn change(was: &[f64], is: &[f64]) -> Change {
    let (old, new) = (Trimmed::of(was), Trimmed::of(is));
    let length = (was.len() + is.len()) as f64;
    let persistence = persistence(old.deviations(was), new.deviations(is), length / 2.0);
    // This many seconds carry as much information as one independent second.
    let inflation = (1.0 + persistence) / (1.0 - persistence);
    let variance = old.variance + new.variance;
    let freedom = variance.powi(2)
        / (old.variance.powi(2) / (old.kept - 1.0) + new.variance.powi(2) / (new.kept - 1.0));
    // Two constant series have no degrees of freedom, and need none.
    let freedom = if freedom.is_finite() {
        (freedom / inflation).max(1.0)
    } else {
        1.0
    };
    let student = StudentsT::new(0.0, 1.0, freedom).expect("the degrees of freedom are positive");
    let margin = student.inverse_cdf(0.5 + CONFIDENCE / 2.0) * (variance * inflation).sqrt();
    let middle = new.mean - old.mean;
    Change {
        old: old.mean.exp(),
        new: new.mean.exp(),
        ratio: Interval {
            low: (middle - margin).exp(),
            high: (middle + margin).exp(),
            confidence: CONFIDENCE,
        },
    }
}

/// The common autocorrelation of two series at a distance of one second, estimated with care, from
/// 0 to less than 1.
fn persistence(one: Vec<f64>, other: Vec<f64>, length: f64) -> f64 {
    let (mut products, mut squares) = (0.0, 0.0);
    for series in [one, other] {
        products += series.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>();
        squares += series.iter().map(|x| x * x).sum::<f64>();
    }
    let found = if squares > 0.0 {
        products / squares
    } else {
        0.0
    };
    let unbiased = found + (1.0 + 4.0 * found) / length;
    (unbiased + 0.5 / (2.0 * length).sqrt()).clamp(0.0, 0.95)
}

/// A trimmed mean, and its companions.
struct Trimmed {
    mean: f64,
    /// The variance of the mean, from the winsorized sum of squares.
    variance: f64,
    /// How many values were kept.
    kept: f64,
    /// The smallest and the largest kept value.
    kept_from: f64,
    kept_to: f64,
    /// The winsorized mean.
    centre: f64,
}

impl Trimmed {
    fn of(series: &[f64]) -> Self {
        let mut sorted = series.to_vec();
        sorted.sort_by(f64::total_cmp);
        let left_out = (TRIMMED * sorted.len() as f64) as usize;
        let kept = &sorted[left_out..sorted.len() - left_out];
        let count = kept.len() as f64;
        let mut trimmed = Self {
            mean: kept.iter().sum::<f64>() / count,
            variance: 0.0,
            kept: count,
            kept_from: kept[0],
            kept_to: kept[kept.len() - 1],
            centre: 0.0,
        };
        trimmed.centre = trimmed.deviations(series).iter().sum::<f64>() / series.len() as f64;
        let squares: f64 = trimmed.deviations(series).iter().map(|x| x * x).sum();
        trimmed.variance = squares / (count * (count - 1.0));
        trimmed
    }

    /// The distance of each value from the centre, limited to the kept values.
    fn deviations(&self, series: &[f64]) -> Vec<f64> {
        let winsorized = series.iter().map(|x| x.clamp(self.kept_from, self.kept_to));
        winsorized.map(|x| x - self.centre).collect()
    }
}
