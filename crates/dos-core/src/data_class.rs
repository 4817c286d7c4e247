//! What kind of data a path holds: a label for reports. Nothing is deleted because of it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

/// A kind of data, in the order in which patterns are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataClass {
    /// What a run leaves on its way.
    Trajectory,
    /// Reports on runs.
    Audit,
    /// What later runs are compared with.
    Baseline,
    /// What the work is for.
    Product,
}

impl DataClass {
    /// All of them, in the order in which their patterns are tried.
    pub const ALL: [Self; 4] = [Self::Trajectory, Self::Audit, Self::Baseline, Self::Product];

    /// The stable word.
    pub fn token(self) -> &'static str {
        match self {
            Self::Trajectory => "TRAJECTORY",
            Self::Audit => "AUDIT",
            Self::Baseline => "BASELINE",
            Self::Product => "PRODUCT",
        }
    }

    /// The class of that word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.token() == word)
    }

    /// The key of `[data_class]` that lists its patterns.
    pub fn key(self) -> &'static str {
        match self {
            Self::Trajectory => "trajectory_patterns",
            Self::Audit => "audit_patterns",
            Self::Baseline => "baseline_patterns",
            Self::Product => "product_patterns",
        }
    }
}

/// The patterns of each class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataClassPolicy {
    /// In the order of [`DataClass::ALL`].
    pub patterns: [Vec<String>; 4],
    /// The class of a path that no pattern matches.
    pub default: DataClass,
}

impl Default for DataClassPolicy {
    fn default() -> Self {
        let list = |patterns: &[&str]| patterns.iter().map(ToString::to_string).collect();
        let trajectory = [
            ".dos/runs",
            ".dos/fanout_runs",
            ".dos/chained_runs",
            ".dos/dispatch_loops",
            ".dos/verdicts",
        ];
        let audit = [".dos/audits", ".dos/picker_audits", ".dos/**/*.verdict-*.json"];
        let patterns = [list(&trajectory), list(&audit), list(&[".dos/baselines"]), Vec::new()];
        Self { patterns, default: DataClass::Product }
    }
}

impl DataClassPolicy {
    /// The class of a path below the workspace.
    pub fn classify(&self, path: &str) -> DataClass {
        let slashed = path.replace('\\', "/");
        let mut path = slashed.trim();
        while let Some(rest) = path.strip_prefix("./") {
            path = rest;
        }
        let path: Vec<char> = path.trim_start_matches('/').chars().collect();
        let classes = DataClass::ALL.into_iter().zip(&self.patterns);
        let mut matching =
            classes.filter(|(_, patterns)| patterns.iter().any(|pattern| covers(pattern, &path)));
        matching.next().map_or(self.default, |(class, _)| class)
    }
}

/// Does the pattern name the path, or a folder that it is in?
fn covers(pattern: &str, path: &[char]) -> bool {
    let pattern = pattern.replace('\\', "/");
    let pattern = pattern.trim();
    match pattern {
        "" => false,
        folder if folder.ends_with('/') => matches(&format!("{folder}**"), path),
        deep if deep.contains("**") => matches(deep, path),
        _ => matches(pattern, path) || matches(&format!("{pattern}/**"), path),
    }
}

/// One step of a pattern.
#[derive(Clone, Copy, PartialEq)]
enum Step {
    /// This character.
    Literal(char),
    /// Any character but a slash.
    One,
    /// Any number of characters but slashes.
    Segment,
    /// Any number of characters.
    Any,
    /// Nothing, or what the next step takes.
    Optional,
    /// Any number of characters and a slash.
    Folders,
}

/// Does the pattern match the whole path? Every state that the pattern can be in is carried along,
/// so that the cost is at most the product of the two lengths.
fn matches(pattern: &str, path: &[char]) -> bool {
    let steps = steps(pattern);
    let mut states = vec![false; steps.len() + 1];
    mark(&mut states, 0);
    pass_on(&steps, &mut states);
    for character in path {
        let mut next = vec![false; states.len()];
        for (index, step) in steps.iter().enumerate() {
            if states.get(index) != Some(&true) {
                continue;
            }
            let (stays, moves) = match step {
                Step::Literal(literal) => (false, literal == character),
                Step::One => (false, *character != '/'),
                Step::Segment => (*character != '/', false),
                Step::Any => (true, false),
                Step::Optional => (false, false),
                Step::Folders => (true, *character == '/'),
            };
            if stays {
                mark(&mut next, index);
            }
            if moves {
                mark(&mut next, index + 1);
            }
        }
        pass_on(&steps, &mut next);
        states = next;
    }
    states.last() == Some(&true)
}

/// Reaches what needs no further character.
fn pass_on(steps: &[Step], states: &mut [bool]) {
    for (index, step) in steps.iter().enumerate() {
        if states.get(index) != Some(&true) {
            continue;
        }
        match step {
            Step::Segment | Step::Any => mark(states, index + 1),
            Step::Optional => {
                mark(states, index + 1);
                mark(states, index + 2);
            }
            Step::Literal(_) | Step::One | Step::Folders => {}
        }
    }
}

fn mark(states: &mut [bool], index: usize) {
    if let Some(state) = states.get_mut(index) {
        *state = true;
    }
}

fn steps(pattern: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = pattern;
    while let Some(character) = rest.chars().next() {
        let (step, length): (&[Step], usize) = if rest.starts_with("**/") {
            (&[Step::Optional, Step::Folders], 3)
        } else if rest.starts_with("**") {
            (&[Step::Any], 2)
        } else {
            match character {
                '*' => (&[Step::Segment], 1),
                '?' => (&[Step::One], 1),
                _ => (&[], character.len_utf8()),
            }
        };
        match step {
            [] => steps.push(Step::Literal(character)),
            known => steps.extend_from_slice(known),
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn does_match(pattern: &str, path: &str) -> bool {
        matches(pattern, &path.chars().collect::<Vec<char>>())
    }

    #[test]
    fn patterns_match_whole_paths() {
        for (pattern, path) in [
            ("a/**/b", "a/b"),
            ("a/**/b", "a/x/y/b"),
            ("**/*.log", "x.log"),
            ("**/*.log", "a/b/x.log"),
            ("a/**", "a/b/c"),
            ("a*c", "abbc"),
            ("a?c", "a\u{e9}c"),
            ("a[b]", "a[b]"),
            ("***", "a/b"),
        ] {
            assert!(does_match(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("a/**/b", "axb"),
            ("a/**/b", "a/xb"),
            ("**/*.log", "x.logs"),
            ("a/**", "a"),
            ("a*c", "ab/c"),
            ("a?c", "a/c"),
            ("a[b]", "ab"),
        ] {
            assert!(!does_match(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn many_stars_take_no_longer_than_the_two_lengths() {
        let pattern = "*a".repeat(200);
        assert!(!does_match(&pattern, &"a".repeat(199)));
    }
}
