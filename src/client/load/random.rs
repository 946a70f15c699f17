//! Seeded numbers: evenly spread, and as popularity is spread.

/// A small seeded generator (splitmix64): the same seed gives the same run.
#[derive(Clone, Debug)]
pub struct Random(u64);

/// The finalizer of splitmix64: a bijection that leaves no pattern.
pub(super) fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Random {
    /// Begins with this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        let drawn = mix(self.0);
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        drawn
    }

    /// A number below `bound`, which is not zero; how much likelier one is than another is below
    /// `bound` in 2^64.
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.draw()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A number of at least 0 and below 1.
    pub fn fraction(&mut self) -> f64 {
        // 53 bits are what a double holds.
        (self.draw() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Numbers from 0, each likelier than the next: number n comes in proportion to
/// 1 / (n + 1)^exponent.
///
/// Drawn by rejection from the inverse of an integral (W. Hoermann and G. Derflinger, 1996), so
/// that nothing is tabulated and a draw costs the same for any count.
#[derive(Clone, Copy, Debug)]
pub struct Zipf {
    count: f64,
    exponent: f64,
    /// The integral at the least and the greatest that is drawn.
    low: f64,
    high: f64,
    /// Within this of its number, a draw is never rejected.
    accept: f64,
}

impl Zipf {
    /// A distribution over `count` numbers; `exponent` is above zero.
    pub fn new(count: u64, exponent: f64) -> Self {
        let mut zipf = Self {
            count: count as f64,
            exponent,
            low: 0.0,
            high: 0.0,
            accept: 0.0,
        };
        zipf.low = zipf.integral(1.5) - 1.0;
        zipf.high = zipf.integral(zipf.count + 0.5);
        zipf.accept = 2.0 - zipf.inverse(zipf.integral(2.5) - zipf.weight(2.0));
        zipf
    }

    /// Draws a number.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number between 1 and the count"
    )]
    pub fn draw(&self, random: &mut Random) -> u64 {
        loop {
            let area = self.high + random.fraction() * (self.low - self.high);
            let exact = self.inverse(area);
            let rank = exact.round().clamp(1.0, self.count);
            if rank - exact <= self.accept || area >= self.integral(rank + 0.5) - self.weight(rank)
            {
                return rank as u64 - 1;
            }
        }
    }

    fn weight(&self, rank: f64) -> f64 {
        (-self.exponent * rank.ln()).exp()
    }

    /// The integral of the weight: (x^(1-e) - 1) / (1-e), and its limit where e is near 1.
    fn integral(&self, x: f64) -> f64 {
        let log = x.ln();
        let power = (1.0 - self.exponent) * log;
        if power.abs() < 1e-8 {
            log * (1.0 + power / 2.0)
        } else {
            power.exp_m1() / power * log
        }
    }

    fn inverse(&self, area: f64) -> f64 {
        let power = (area * (1.0 - self.exponent)).max(-1.0);
        if power.abs() < 1e-8 {
            (area * (1.0 - power / 2.0)).exp()
        } else {
            (power.ln_1p() / power * area).exp()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_numbers_are_even() {
        let mut random = Random::new(1);
        let mut counts = [0_u32; 10];
        for _ in 0..100_000 {
            counts[usize::try_from(random.below(10)).expect("small")] += 1;
            assert!((0.0..1.0).contains(&random.fraction()));
        }
        assert!(
            counts.iter().all(|count| (9_500..10_500).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn popularity_falls_as_the_exponent_says() {
        for exponent in [0.5, 0.9, 1.0, 1.1, 2.0] {
            let zipf = Zipf::new(1000, exponent);
            let mut random = Random::new(7);
            let mut counts = vec![0_f64; 1000];
            let draws = 400_000;
            for _ in 0..draws {
                counts[usize::try_from(zipf.draw(&mut random)).expect("below the count")] += 1.0;
            }
            let sum: f64 = (1..=1000).map(|rank| f64::from(rank).powf(-exponent)).sum();
            for rank in [1, 2, 3, 10, 100] {
                let expected = f64::from(draws) * f64::from(rank).powf(-exponent) / sum;
                let seen = counts[rank as usize - 1];
                let spread = 6.0 * expected.sqrt() + 1.0;
                assert!(
                    (seen - expected).abs() < spread,
                    "exponent {exponent}, rank {rank}: {seen}, not {expected}"
                );
            }
        }
    }

    #[test]
    fn one_key_is_always_drawn() {
        let zipf = Zipf::new(1, 1.0);
        let mut random = Random::new(3);
        assert!((0..1000).all(|_| zipf.draw(&mut random) == 0));
    }
}
