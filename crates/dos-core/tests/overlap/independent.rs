//! The meaning of a region said once more, with `globset` for what a wildcard matches.

use dos_core::lane::Case;
use globset::{GlobBuilder, GlobMatcher};

/// A region as globs.
pub struct Independent {
    clauses: Vec<(bool, Vec<GlobMatcher>)>,
}

impl Independent {
    pub fn new(lines: &[String], case: Case) -> Self {
        let clause = |line: &String| {
            let line = line.trim();
            let away = line.starts_with('!');
            let text = plainly(line.trim_start_matches('!').trim());
            let globs = |text: &String| globs(&in_ascii(text), case);
            (away, alternatives(&text).iter().flat_map(globs).collect())
        };
        Self { clauses: lines.iter().map(clause).collect() }
    }

    /// Does the last clause that names the path add?
    pub fn owns(&self, path: &str) -> bool {
        let path = in_ascii(path);
        let mut clauses = self.clauses.iter().rev();
        let last = clauses.find(|(_, globs)| globs.iter().any(|glob| glob.is_match(&path)));
        last.is_some_and(|(away, _)| !away)
    }
}

/// The pattern without escapes: each class as globset reads it, and `/` between names.
fn plainly(text: &str) -> String {
    let classes = [
        ("[\\]b]", "[]b]"),
        ("[^\\]a]", "[!]a]"),
        ("[\\a]", "[a]"),
        ("[\\-a]", "[-a]"),
        ("[^a]", "[!a]"),
        ("[^A-B]", "[!A-B]"),
    ];
    let text =
        classes.iter().fold(text.to_string(), |text, (own, theirs)| text.replace(own, theirs));
    text.replace('\\', "/")
}

/// globset compares bytes: the one letter that is no single byte becomes another that is.
fn in_ascii(text: &str) -> String {
    let small = text.replace("e\u{301}", "k").replace('\u{e9}', "k");
    small.replace("E\u{301}", "K").replace('\u{c9}', "K")
}

/// The text with one alternative of each brace.
fn alternatives(text: &str) -> Vec<String> {
    let Some(open) = text.find('{') else {
        return vec![text.to_string()];
    };
    let (mut depth, mut start, mut inside) = (0, open + 1, Vec::new());
    for (at, character) in text.char_indices().skip_while(|(at, _)| *at < open) {
        depth += i32::from(character == '{') - i32::from(character == '}');
        if depth == 0 || (depth == 1 && character == ',') {
            inside.push(&text[start..at]);
            start = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    let whole = |own: &&str| alternatives(&format!("{}{own}{}", &text[..open], &text[start..]));
    inside.iter().flat_map(whole).collect()
}

/// What globset understands of a pattern without braces.
fn globs(text: &str, case: Case) -> Vec<GlobMatcher> {
    let parts: Vec<String> = text
        .split('/')
        .filter(|part| !["", "."].contains(part))
        // Within a name two stars are one.
        .map(|part| {
            if part == "**" {
                part.to_string()
            } else {
                part.replace("***", "*").replace("**", "*")
            }
        })
        .collect();
    let directory = text.ends_with('/') || text.ends_with("/.") || text == ".";
    let plain = !text.contains(['*', '?', '[']);
    let own = match parts.is_empty() {
        true => "**".to_string(),
        false => parts.join("/"),
    };
    let mut globs = vec![glob(&own, case)];
    if (directory || plain) && parts.last().is_none_or(|last| last != "**") {
        globs.push(glob(&format!("{own}/**"), case));
    }
    globs
}

fn glob(text: &str, case: Case) -> GlobMatcher {
    // A negated class of globset could match a separator.
    let text = text.replace("[!]", "[!]/").replace("[!", "[!/").replace("[!/]/", "[!]/");
    let mut builder = GlobBuilder::new(&text);
    builder.literal_separator(true).backslash_escape(false);
    builder.case_insensitive(case == Case::Insensitive);
    builder.build().unwrap_or_else(|error| panic!("{text}: {error}")).compile_matcher()
}

/// Every short path, the shortest first.
pub struct Paths {
    paths: Vec<String>,
}

impl Paths {
    pub fn new() -> Self {
        let mut paths = Vec::new();
        let names = [
            "a", "b", "ab", ".a", "c", "ba", "aa", "bb", "a.", "b.", "aab", "bab", "]", "\u{e9}",
            "A", "-",
        ];
        // Six components of two names, four of four, three of all.
        for (names, components) in [(&names[..2], 6), (&names[..4], 4), (&names[..], 3)] {
            let mut longest = vec![String::new()];
            for _ in 0..components {
                let with = |path: &String| {
                    let path = path.clone();
                    let slash = if path.is_empty() { "" } else { "/" };
                    names.iter().map(move |name| format!("{path}{slash}{name}"))
                };
                longest = longest.iter().flat_map(with).collect();
                paths.extend(longest.iter().cloned());
            }
        }
        paths.sort_by_key(|path| (path.chars().count(), path.clone()));
        paths.dedup();
        Self { paths }
    }

    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// One bit for each path.
    pub fn owned_by(&self, region: &Independent) -> Vec<u64> {
        let bits = |chunk: &[String]| {
            let owned = chunk.iter().enumerate().filter(|(_, path)| region.owns(path));
            owned.fold(0, |bits, (index, _)| bits | 1 << index)
        };
        self.paths.chunks(64).map(bits).collect()
    }

    /// The shortest path whose bit is set when two sets are combined.
    pub fn first_of(
        &self,
        one: &[u64],
        other: &[u64],
        combine: impl Fn(u64, u64) -> u64,
    ) -> Option<&str> {
        let words = one.iter().zip(other).map(|(one, other)| combine(*one, *other));
        let (index, word) = words.enumerate().find(|(_, word)| *word != 0)?;
        self.paths.get(index * 64 + word.trailing_zeros() as usize).map(String::as_str)
    }

    /// The longest path in both sets.
    pub fn last_of(&self, one: &[u64], other: &[u64]) -> Option<&str> {
        let words: Vec<u64> = one.iter().zip(other).map(|(one, other)| one & other).collect();
        let index = words.iter().rposition(|word| *word != 0)?;
        let bit = 63 - words[index].leading_zeros() as usize;
        self.paths.get(index * 64 + bit).map(String::as_str)
    }
}
