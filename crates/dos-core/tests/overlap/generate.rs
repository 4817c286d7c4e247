//! Random regions over few characters, so that they often meet.

use dos_core::lane::{Case, Region};

/// A generator of random numbers (splitmix64).
pub struct Random(u64);

/// What names are made of.
const PIECES: [&str; 38] = [
    "a",
    "a",
    "a",
    "b",
    "b",
    "A",
    "?",
    "*",
    "*",
    "[ab]",
    "[!a]",
    "[!b]",
    "[a-b]",
    "[!a-b]",
    "{a,b}",
    "{,a}",
    "{b,a/b}",
    "{?,b*}",
    ".",
    "[.a]",
    "[\\]b]",
    "c",
    "[^a]",
    "[^A-B]",
    "[^\\]a]",
    "[\\a]",
    "[\\-a]",
    "{a,{b,c}}",
    "{b{,a},{?,c}a}",
    "{{a,b},*}",
    "\u{e9}",
    "\u{c9}",
    "e\u{301}",
    "e{\u{301},b}",
    "[\u{e9}a]",
    "[!\u{e9}]",
    "B",
    "[A]",
];

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn component(&mut self) -> String {
        match self.below(5) {
            0 => "**".to_string(),
            _ => (0..=self.below(3)).map(|_| self.pick(&PIECES)).collect(),
        }
    }

    fn pattern(&mut self) -> String {
        // Few are long: long ones seldom meet.
        let count = 1 + [0, 0, 0, 1, 1, 1, 2, 2, 3, 5][self.below(10)];
        let components: Vec<String> = (0..count).map(|_| self.component()).collect();
        let separator = self.pick(&["/", "/", "/", "/", "//", "/./", "\\"]);
        let start = self.pick(&["", "", "", "./", " "]);
        let end = self.pick(&["", "", "", "/", "/."]);
        format!("{start}{}{end}", components.join(separator))
    }

    /// Up to five lines that can be read.
    pub fn region(&mut self, case: Case) -> Vec<String> {
        loop {
            let mut lines = vec![self.pattern()];
            for _ in 0..[0, 0, 1, 1, 2, 4][self.below(6)] {
                let sign = self.pick(&["", "!", "!", "! "]);
                lines.push(format!("{sign}{}", self.pattern()));
            }
            if Region::read(&lines, case).errors().next().is_none() {
                return lines;
            }
        }
    }
}
