//! One seed, drawn from in order, and how trouble comes in bursts.

use fastrand::Rng;

/// How often each kind of trouble comes, in thousandths of the seams it may come at. Drawn once a
/// schedule, so that some schedules are all crashes and others have none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rates {
    pub act: u32,
    pub fault: u32,
    pub crash: u32,
    pub freeze: u32,
    pub clock: u32,
}

pub struct Dice {
    rng: Rng,
    pub rates: Rates,
    /// Seams for which trouble is more likely than usual.
    burst: u32,
}

impl Dice {
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x7A6D);
        let mut of = |often: u32| match rng.u32(..4) {
            0 => 0,
            1 => often / 3,
            _ => often,
        };
        let rates = Rates {
            act: 40 + of(120),
            fault: of(160),
            crash: of(12),
            freeze: of(10),
            clock: of(60),
        };
        Self {
            rng,
            rates,
            burst: 0,
        }
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.rng.usize(..bound.max(1))
    }

    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        self.rng.i64(low..=high)
    }

    pub fn coin(&mut self) -> bool {
        self.rng.bool()
    }

    pub fn one_in(&mut self, many: u32) -> bool {
        self.rng.u32(..many) == 0
    }

    pub fn pick<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        if of.is_empty() {
            return None;
        }
        let at = self.below(of.len());
        of.get(at).cloned()
    }

    /// Whether something that happens at this rate happens here. One that does draws others.
    pub fn happens(&mut self, rate: u32) -> bool {
        let rate = if self.burst > 0 { rate * 3 } else { rate };
        self.burst = self.burst.saturating_sub(1);
        let comes = rate > 0 && self.rng.u32(..1_000) < rate;
        if comes && self.rng.u32(..3) == 0 {
            self.burst = 6;
        }
        comes
    }
}
