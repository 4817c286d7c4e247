//! Characters: when two of them count as one, and sets of them.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use unicode_normalization::{UnicodeNormalization, is_nfc_quick};

/// Do letters that differ in case only name one file?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Case {
    /// Yes, as macOS and Windows have it. Safe everywhere: at worst a lane waits in vain.
    #[default]
    Insensitive,
    /// No. Safe only where no checkout is on such a system.
    Sensitive,
}

impl Case {
    /// The names that `[overlap] case` can have.
    pub const NAMES: [&'static str; 2] = ["insensitive", "sensitive"];

    /// The rule of that name.
    pub fn named(name: &str) -> Option<Case> {
        match name {
            "insensitive" => Some(Self::Insensitive),
            "sensitive" => Some(Self::Sensitive),
            _ => None,
        }
    }

    /// The name of the rule.
    pub fn name(self) -> &'static str {
        match self {
            Self::Insensitive => "insensitive",
            Self::Sensitive => "sensitive",
        }
    }

    /// The one spelling of all characters that count as this one.
    pub fn fold(self, character: char) -> char {
        match self {
            Self::Insensitive => fold(character),
            Self::Sensitive => character,
        }
    }
}

/// The text with accents composed (normalization form C): some systems store `é` as one character,
/// others as two, and mean one file.
pub fn composed(text: &str) -> Cow<'_, str> {
    match text.is_ascii() || is_composed(text) {
        true => Cow::Borrowed(text),
        false => Cow::Owned(text.nfc().collect::<String>()),
    }
}

/// Is the text certainly in composed form?
pub fn is_composed(text: &str) -> bool {
    is_nfc_quick(text.chars()) == unicode_normalization::IsNormalized::Yes
}

/// The one spelling that all cases of a character share.
///
/// One character stays one character, so that `?` means the same before and after: `ß` is not `SS`.
fn fold(character: char) -> char {
    if character.is_ascii() {
        return character.to_ascii_lowercase();
    }
    single(character.to_uppercase())
        .and_then(|upper| single(upper.to_lowercase()))
        .or_else(|| single(character.to_lowercase()))
        .unwrap_or(character)
}

fn single(mut characters: impl Iterator<Item = char>) -> Option<char> {
    let first = characters.next()?;
    characters.next().is_none().then_some(first)
}

/// A set of folded characters: sorted ranges that do not touch. Members that are not folded are
/// harmless, since only folded characters are looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Class {
    ranges: Vec<(char, char)>,
}

/// Where the characters are that folding changes. The tests check that none is elsewhere.
pub(super) const CASED: [(char, char); 14] = [
    ('A', 'Z'),
    ('\u{b5}', '\u{556}'),
    ('\u{10a0}', '\u{10cd}'),
    ('\u{13a0}', '\u{13f5}'),
    ('\u{1c80}', '\u{1cbf}'),
    ('\u{1e00}', '\u{24cf}'),
    ('\u{2c00}', '\u{2cf2}'),
    ('\u{a640}', '\u{a7f5}'),
    ('\u{ff21}', '\u{ff3a}'),
    ('\u{10400}', '\u{10595}'),
    ('\u{10c80}', '\u{10d65}'),
    ('\u{118a0}', '\u{118bf}'),
    ('\u{16e40}', '\u{16eb8}'),
    ('\u{1e900}', '\u{1e921}'),
];

/// What no name contains.
pub(crate) const NOT_IN_NAMES: [char; 3] = ['\0', '/', '\\'];

impl Class {
    /// The class of the ranges as written; `None` if it can match no character.
    pub(crate) fn new(mut ranges: Vec<(char, char)>, negated: bool, case: Case) -> Option<Class> {
        if case == Case::Insensitive {
            let mut folded = Vec::new();
            for (low, high) in &ranges {
                for (cased_low, cased_high) in &CASED {
                    let cased = *low.max(cased_low)..=*high.min(cased_high);
                    folded.extend(cased.filter(|c| fold(*c) != *c).map(|c| (fold(c), fold(c))));
                }
            }
            ranges.append(&mut folded);
        }
        let mut excluded = if negated { ranges } else { complement(ranges) };
        excluded.extend(NOT_IN_NAMES.map(|character| (character, character)));
        let class = Class { ranges: complement(excluded) };
        class.common(&class, case).is_some().then_some(class)
    }

    /// Is the folded character a member?
    pub(crate) fn contains(&self, folded: char) -> bool {
        let after = self.ranges.partition_point(|(low, _)| *low <= folded);
        let range = after.checked_sub(1).and_then(|last| self.ranges.get(last));
        range.is_some_and(|(_, high)| folded <= *high)
    }

    /// The members as sorted ranges, ends included.
    pub(crate) fn ranges(&self) -> &[(char, char)] {
        &self.ranges
    }

    /// A character that both classes contain, readable if possible and a dot only if there is no
    /// other.
    pub(crate) fn common(&self, other: &Class, case: Case) -> Option<char> {
        READABLE
            .iter()
            .find_map(|within| self.common_within(other, *within, case))
            .or_else(|| (self.contains('.') && other.contains('.')).then_some('.'))
    }

    /// The first plain character of the range that both classes contain.
    fn common_within(&self, other: &Class, within: (char, char), case: Case) -> Option<char> {
        let (low, high) = within;
        let mut left = self.ranges.iter().copied().peekable();
        let mut right = other.ranges.iter().copied().peekable();
        loop {
            let (left_low, left_high) = *left.peek()?;
            let (right_low, right_high) = *right.peek()?;
            let from = left_low.max(right_low).max(low);
            let found = plain_within(from, left_high.min(right_high).min(high), case);
            if found.is_some() {
                return found;
            }
            if left_high < right_high {
                left.next()
            } else {
                right.next()
            };
        }
    }
}

/// Where a character for a witness is looked for, the most readable first.
const READABLE: [(char, char); 5] =
    [('a', 'z'), ('0', '9'), ('!', '~'), ('\u{a1}', char::MAX), ('\0', char::MAX)];

/// The most readable plain character of a range, and how readable it is: less is better.
pub(crate) fn most_readable(low: char, high: char, case: Case) -> Option<(usize, char)> {
    READABLE.iter().enumerate().find_map(|(rank, (readable_low, readable_high))| {
        let found = plain_within(low.max(*readable_low), high.min(*readable_high), case);
        found.map(|character| (rank, character))
    })
}

/// The first character of a range that is folded, and not the dot, which could make a component
/// that is no name.
fn plain_within(low: char, high: char, case: Case) -> Option<char> {
    (low..=high).find(|character| *character != '.' && case.fold(*character) == *character)
}

fn complement(mut ranges: Vec<(char, char)>) -> Vec<(char, char)> {
    ranges.sort_unstable();
    let mut gaps = Vec::new();
    let mut start = Some('\0');
    for (low, high) in ranges {
        let Some(from) = start else { break };
        if let Some(before) = ('\0'..low).next_back().filter(|before| from <= *before) {
            gaps.push((from, before));
        }
        start = next(high).map(|after| after.max(from));
    }
    gaps.extend(start.map(|from| (from, char::MAX)));
    gaps
}

/// The character after this one.
pub(crate) fn next(character: char) -> Option<char> {
    (character..=char::MAX).nth(1)
}
