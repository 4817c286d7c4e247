//! Where choices come from: a seed, or a list that is counted through to its end.

use dos_store::sim::Choose;

/// A splitmix64 generator. Each case has its own, so that one case can be run alone.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The generator of one case.
    pub fn new(seed: u64, case: u64) -> Self {
        let mut mixed = Self(seed);
        Self(mixed.bits() ^ case.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// True in `percent` of a hundred.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.choose(100) < percent
    }

    /// One of several.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.choose(items.len())]
    }
}

impl Choose for Rng {
    fn choose(&mut self, options: usize) -> usize {
        // Scaled, not reduced: a text that is a byte longer in another run moves a choice among its
        // bytes by at most one.
        ((u128::from(self.bits()) * options as u128) >> 64) as usize
    }
}

/// Every list of choices, one after the other. A run asks for its choices in turn; `advance` sets
/// the last one that has another option to that option, and the run is done again.
#[derive(Clone, Debug, Default)]
pub struct Odometer {
    digits: Vec<(usize, usize)>,
    at: usize,
}

impl Odometer {
    /// Sets the next list; false when there is none.
    pub fn advance(&mut self) -> bool {
        self.at = 0;
        while let Some((digit, options)) = self.digits.pop() {
            if digit + 1 < options {
                self.digits.push((digit + 1, options));
                return true;
            }
        }
        false
    }

    /// The list, for people: what was chosen, in order.
    pub fn shown(&self) -> String {
        let digits: Vec<String> = self.digits.iter().map(|(digit, _)| digit.to_string()).collect();
        digits.join(".")
    }
}

impl Choose for Odometer {
    fn choose(&mut self, options: usize) -> usize {
        if self.at == self.digits.len() {
            self.digits.push((0, options));
        }
        let digit = &mut self.digits[self.at];
        digit.1 = options;
        self.at += 1;
        digit.0.min(options - 1)
    }
}

/// Either.
#[derive(Clone, Debug)]
pub enum Choices {
    /// From a seed.
    Random(Rng),
    /// From a list.
    Listed(Odometer),
}

impl Choose for Choices {
    fn choose(&mut self, options: usize) -> usize {
        match self {
            Self::Random(rng) => rng.choose(options),
            Self::Listed(odometer) => odometer.choose(options),
        }
    }
}
