//! Characters: when two of them count as one, and sets of them.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use unicode_normalization::char::canonical_combining_class;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

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

    /// The one spelling of all texts that count as this one: accents composed, before letters are
    /// folded and after, for a capital with an accent is not always one character where the small
    /// letter is (`ǰ`).
    pub fn spelling(self, text: &str) -> Cow<'_, str> {
        let text = composed(text);
        if self == Self::Sensitive || !text.chars().any(|character| fold(character) != character) {
            return text;
        }
        let mut folded = String::with_capacity(text.len());
        for character in text.chars() {
            match character {
                DOTTED => folded.push_str("i\u{307}"),
                other => folded.push(fold(other)),
            }
        }
        match composed(&folded) {
            Cow::Borrowed(_) => Cow::Owned(folded),
            Cow::Owned(composed) => Cow::Owned(composed),
        }
    }

    /// Can a path hold the character, as it is compared?
    fn is_spelled(self, character: char) -> bool {
        let alone = || is_nfc_quick(core::iter::once(character)) != IsNormalized::No;
        self.fold(character) == character && (character.is_ascii() || alone())
    }
}

/// `İ`: its small letter is two characters, an `i` and the dot.
const DOTTED: char = '\u{130}';

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
    is_nfc_quick(text.chars()) == IsNormalized::Yes
}

/// The one spelling that all cases of a character share.
///
/// One character stays one character, so that `?` means the same before and after: `ß` is not `SS`.
fn fold(character: char) -> char {
    if character.is_ascii() {
        return character.to_ascii_lowercase();
    }
    if character == DOTTED {
        return 'i';
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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// The class of the ranges with what they fold to; `None` if it can match no character.
    pub(crate) fn new(ranges: Vec<(char, char)>, negated: bool, case: Case) -> Option<Class> {
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
        let plain = |low, high| plain_within(low, high, case);
        READABLE
            .iter()
            .find_map(|within| self.common_within(other, *within, plain))
            .or_else(|| (self.contains('.') && other.contains('.')).then_some('.'))
            .or_else(|| {
                // An accent by itself.
                let spelled = |low, high| spelled_within(low, high, case);
                self.common_within(other, ('\0', char::MAX), spelled)
            })
    }

    /// What finding a character in common costs.
    pub(crate) fn cost(&self, other: &Class) -> usize {
        self.ranges.len() + other.ranges.len()
    }

    /// Is every member one of the other, too?
    pub(crate) fn is_within(&self, other: &Class) -> bool {
        self.ranges.iter().all(|(low, high)| {
            let after = other.ranges.partition_point(|(from, _)| from <= low);
            let range = after.checked_sub(1).and_then(|last| other.ranges.get(last));
            range.is_some_and(|(_, to)| high <= to)
        })
    }

    /// The first wanted character of the range that both classes contain.
    fn common_within(
        &self,
        other: &Class,
        within: (char, char),
        wanted: impl Fn(char, char) -> Option<char>,
    ) -> Option<char> {
        let (low, high) = within;
        let mut left = self.ranges.iter().copied().peekable();
        let mut right = other.ranges.iter().copied().peekable();
        loop {
            let (left_low, left_high) = *left.peek()?;
            let (right_low, right_high) = *right.peek()?;
            let from = left_low.max(right_low).max(low);
            let found = wanted(from, left_high.min(right_high).min(high));
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

/// The same characters in sorted ranges that do not touch.
pub(crate) fn merged(ranges: Vec<(char, char)>) -> Vec<(char, char)> {
    if ranges.len() > 1 { complement(complement(ranges)) } else { ranges }
}

/// The parts of the ranges that hold characters which folding may change.
fn cased(ranges: &[(char, char)], case: Case) -> impl Iterator<Item = (char, char)> {
    let ranges = if case == Case::Insensitive { ranges } else { &[] };
    ranges.iter().flat_map(|(low, high)| {
        let parts = CASED.iter().map(|(from, to)| (*low.max(from), *high.min(to)));
        parts.filter(|(low, high)| low <= high)
    })
}

/// How many characters of the ranges [`folds_within`] looks at.
pub(crate) fn cased_within(ranges: &[(char, char)], case: Case) -> usize {
    cased(ranges, case).map(|(low, high)| (high as usize - low as usize) + 1).sum()
}

/// What the characters of the ranges fold to, as far as that is another character.
pub(crate) fn folds_within(ranges: &[(char, char)], case: Case) -> Vec<char> {
    let characters = cased(ranges, case).flat_map(|(low, high)| low..=high);
    characters.filter(|c| fold(*c) != *c && *c != DOTTED).map(fold).collect()
}

/// Where a character for a witness is looked for, the most readable first.
const READABLE: [(char, char); 5] =
    [('a', 'z'), ('0', '9'), ('!', '~'), ('\u{a1}', char::MAX), ('\0', char::MAX)];

/// The most readable character of a range, and how readable it is: less is better. Not the dot.
pub(crate) fn most_readable(low: char, high: char, case: Case) -> Option<(usize, char)> {
    let plain = READABLE.iter().enumerate().find_map(|(rank, (from, to))| {
        let found = plain_within(low.max(*from), high.min(*to), case);
        found.map(|character| (rank, character))
    });
    plain.or_else(|| Some((READABLE.len(), spelled_within(low, high, case)?)))
}

/// The first character of a range that a path can hold, an accent if need be, and not the dot.
fn spelled_within(low: char, high: char, case: Case) -> Option<char> {
    (low..=high).find(|character| *character != '.' && case.is_spelled(*character))
}

/// The first character of a range that is spelled so and stands alone. Not the dot, which could make
/// a component that is no name, and no accent, which could join what is before it.
fn plain_within(low: char, high: char, case: Case) -> Option<char> {
    let accent = |character: char| {
        !character.is_ascii()
            && (canonical_combining_class(character) != 0
                || is_nfc_quick(core::iter::once(character)) != IsNormalized::Yes)
    };
    (low..=high)
        .find(|character| *character != '.' && case.is_spelled(*character) && !accent(*character))
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
