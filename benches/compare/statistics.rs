//! Medians, and how sure one can be of them.

/// A median with its confidence interval.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Median {
    pub(crate) value: f64,
    /// The interval that holds the true median with a probability of `confidence`, whatever the
    /// distribution: from one order statistic to another.
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// 0.95, or less when there are too few numbers for that.
    pub(crate) confidence: f64,
}

/// The confidence that is aimed at.
const CONFIDENCE: f64 = 0.95;

/// The median of the numbers; all of it NaN when there are none.
pub(crate) fn median(numbers: &[f64]) -> Median {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len();
    let Some(last) = count.checked_sub(1) else {
        return Median {
            value: f64::NAN,
            low: f64::NAN,
            high: f64::NAN,
            confidence: f64::NAN,
        };
    };
    let value = f64::midpoint(sorted[last / 2], sorted[count / 2]);
    // Leave out one number more at each end while the interval still holds the median surely
    // enough. How many numbers lie below the median is binomial.
    let outside =
        |left_out: usize| 2.0 * (0..=left_out).map(|k| half_binomial(count, k)).sum::<f64>();
    let mut cut = 0;
    while 2 * (cut + 1) < last && 1.0 - outside(cut + 1) >= CONFIDENCE {
        cut += 1;
    }
    Median {
        value,
        low: sorted[cut],
        high: sorted[last - cut],
        confidence: (1.0 - outside(cut)).clamp(0.0, CONFIDENCE),
    }
}

/// The probability that `chosen` of `count` fair coins show heads.
fn half_binomial(count: usize, chosen: usize) -> f64 {
    (0..chosen).fold(
        0.5_f64.powi(i32::try_from(count).unwrap_or(i32::MAX)),
        |sum, k| sum * (count - k) as f64 / (k + 1) as f64,
    )
}
