//! How long changes took from their mark to their end: a histogram with fixed bounds, so that any
//! number of them takes the same room and two histograms add up.

/// Upper bounds of the buckets in milliseconds; one more bucket takes what is longer.
const LAG_BOUNDS_MILLIS: [u64; 22] = [
    10,
    20,
    50,
    100,
    200,
    500,
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
];

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    within: [u64; LAG_BOUNDS_MILLIS.len()],
    beyond: u64,
    sum_millis: u64,
    max_millis: u64,
}

impl Lag {
    pub fn note(&mut self, millis: u64) {
        let bucket = LAG_BOUNDS_MILLIS.partition_point(|bound| *bound < millis);
        *self.within.get_mut(bucket).unwrap_or(&mut self.beyond) += 1;
        self.sum_millis = self.sum_millis.saturating_add(millis);
        self.max_millis = self.max_millis.max(millis);
    }

    pub fn add(&mut self, other: &Self) {
        for (to, from) in self.within.iter_mut().zip(&other.within) {
            *to += from;
        }
        self.beyond += other.beyond;
        self.sum_millis = self.sum_millis.saturating_add(other.sum_millis);
        self.max_millis = self.max_millis.max(other.max_millis);
    }

    pub fn count(&self) -> u64 {
        self.within.iter().sum::<u64>() + self.beyond
    }

    pub const fn sum_millis(&self) -> u64 {
        self.sum_millis
    }

    pub const fn max_millis(&self) -> u64 {
        self.max_millis
    }

    /// How many took at most so long, for each bound.
    pub fn up_to(&self) -> impl Iterator<Item = (u64, u64)> {
        let mut sum = 0;
        let bounds = LAG_BOUNDS_MILLIS.iter().zip(&self.within);
        bounds.map(move |(bound, count)| {
            sum += count;
            (*bound, sum)
        })
    }

    /// What so many in a hundred did not exceed, estimated within its bucket as Prometheus does;
    /// 0 where nothing was noted.
    pub fn percentile(&self, percent: u64) -> u64 {
        let rank = self.count().saturating_mul(percent).div_ceil(100);
        let (mut below, mut seen) = (0, 0);
        for (bound, up_to) in self.up_to() {
            if up_to >= rank && up_to > seen {
                let part = (bound - below).saturating_mul(rank - seen) / (up_to - seen);
                return (below + part).min(self.max_millis);
            }
            (below, seen) = (bound, up_to);
        }
        self.max_millis
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_estimated_within_their_bucket_and_never_beyond_the_longest() {
        let mut lag = Lag::default();
        assert_eq!((lag.percentile(50), lag.percentile(99)), (0, 0));
        for millis in 1..=98 {
            lag.note(millis);
        }
        lag.note(4_000);
        lag.note(900_000_000);
        assert_eq!(lag.count(), 100);
        assert_eq!(lag.percentile(50), 50);
        assert_eq!(lag.percentile(99), 5_000);
        assert_eq!(lag.percentile(100), 900_000_000);
        let mut short = Lag::default();
        short.note(3);
        assert_eq!(short.percentile(99), 3, "not the bound of its bucket");
    }

    #[test]
    fn bounds_are_inclusive_and_sums_are_those_of_both() {
        let (mut one, mut two) = (Lag::default(), Lag::default());
        one.note(10);
        two.note(11);
        two.note(u64::MAX);
        one.add(&two);
        let up_to: Vec<(u64, u64)> = one.up_to().take(2).collect();
        assert_eq!(up_to, [(10, 1), (20, 2)]);
        assert_eq!((one.count(), one.sum_millis()), (3, u64::MAX));
    }
}
