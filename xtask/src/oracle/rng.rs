//! Random choices that depend on nothing but the seed and the number of the case.

/// A splitmix64 generator. Each case has its own, so that one case can be run alone.
pub struct Rng(u64);

impl Rng {
    /// The generator of one case.
    pub fn new(seed: u64, case: u64) -> Self {
        let mut mixed = Self(seed);
        Self(mixed.next() ^ case.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// The next 64 random bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        // The bias of the remainder does not matter for bounds this small.
        (self.next() % bound as u64) as usize
    }

    /// True in `percent` of a hundred.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of several; the first of an empty list is a mistake of the caller.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let index = self.below(items.len());
        &items[index]
    }

    /// One of several texts.
    pub fn text(&mut self, items: &[&str]) -> String {
        (*self.pick(items)).to_string()
    }

    /// Between `low` and `high` of them, repeats possible.
    pub fn some(&mut self, items: &[&str], low: usize, high: usize) -> Vec<String> {
        let count = low + self.below(high - low + 1);
        (0..count).map(|_| self.text(items)).collect()
    }

    /// The index of a weight, each as likely as it weighs.
    pub fn weighted(&mut self, weights: &[usize]) -> usize {
        let mut left = self.below(weights.iter().sum());
        for (index, weight) in weights.iter().enumerate() {
            if left < *weight {
                return index;
            }
            left -= weight;
        }
        0
    }
}
