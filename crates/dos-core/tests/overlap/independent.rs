//! The meaning of a region said once more, with `globset` for what a wildcard matches.

use globset::{GlobBuilder, GlobMatcher};

/// A region as globs.
pub struct Independent {
    clauses: Vec<(bool, Vec<GlobMatcher>)>,
}

impl Independent {
    pub fn new(lines: &[String]) -> Self {
        let clause = |line: &String| {
            let line = line.trim();
            let away = line.starts_with('!');
            let text = line.trim_start_matches('!').trim().replace("[\\]", "\u{1}");
            let text = text.replace('\\', "/").replace('\u{1}', "[\\]");
            (away, alternatives(&text).iter().flat_map(|text| globs(text)).collect())
        };
        Self { clauses: lines.iter().map(clause).collect() }
    }

    /// Does the last clause that names the path add?
    pub fn owns(&self, path: &str) -> bool {
        let mut clauses = self.clauses.iter().rev();
        let last = clauses.find(|(_, globs)| globs.iter().any(|glob| glob.is_match(path)));
        last.is_some_and(|(away, _)| !away)
    }
}

/// The text with one alternative of each brace.
fn alternatives(text: &str) -> Vec<String> {
    let Some(open) = text.find('{') else {
        return vec![text.to_string()];
    };
    let close = open + text[open..].find('}').unwrap();
    let inside = text[open + 1..close].split(',');
    inside
        .flat_map(|own| alternatives(&format!("{}{own}{}", &text[..open], &text[close + 1..])))
        .collect()
}

/// What globset understands of a pattern without braces.
fn globs(text: &str) -> Vec<GlobMatcher> {
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
    let mut globs = vec![glob(&own)];
    if (directory || plain) && parts.last().is_none_or(|last| last != "**") {
        globs.push(glob(&format!("{own}/**")));
    }
    globs
}

fn glob(text: &str) -> GlobMatcher {
    // A negated class of globset could match a separator, and it reads `\]` as the end of a class.
    let text = text.replace("[!", "[!/").replace("[\\]b]", "[]b]");
    let mut builder = GlobBuilder::new(&text);
    builder.literal_separator(true).case_insensitive(true).backslash_escape(false);
    builder.build().unwrap_or_else(|error| panic!("{text}: {error}")).compile_matcher()
}

/// Every short path, the shortest first.
pub struct Paths {
    paths: Vec<String>,
}

impl Paths {
    pub fn new() -> Self {
        let mut paths = Vec::new();
        let names = ["a", "b", "ab", ".a", "c", "ba", "aa", "bb", "a.", "b.", "aab", "bab", "]"];
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
