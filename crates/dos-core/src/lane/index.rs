//! Which of many regions may meet a given one, without comparing it with each.
//!
//! Every path of a pattern starts with the literal text before its first wildcard. Two patterns can
//! only meet where one of these texts starts with the other, and sorted texts say quickly where.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use crate::lane::pattern::{Case, PATTERN_BYTES_MAX};
use crate::lane::region::Region;

/// Regions by the literal texts that their paths start with.
#[derive(Debug, Default)]
pub struct RegionIndex<'a> {
    /// Sorted once it is complete.
    keys: Vec<(Cow<'a, str>, u32)>,
}

impl<'a> RegionIndex<'a> {
    /// The index of these trees, each a list of patterns; a tree is known by its place. A tree
    /// without patterns is never found.
    pub fn of<T: Iterator<Item = &'a str> + Clone>(
        trees: impl IntoIterator<Item = T>,
        case: Case,
    ) -> Self {
        let mut keys = Vec::new();
        for (number, tree) in (0..).zip(trees) {
            let first = keys.len();
            for text in tree.clone() {
                match plain_prefix(text) {
                    Some(prefix) => keys.push((Cow::Borrowed(prefix), number)),
                    None => {
                        keys.truncate(first);
                        let prefixes = Region::read(tree, case).prefixes();
                        keys.extend(prefixes.into_iter().map(|prefix| (prefix.into(), number)));
                        break;
                    }
                }
            }
        }
        keys.sort_unstable();
        Self { keys }
    }

    /// The trees that may meet the region, in order. All others do not.
    pub fn candidates(&self, region: &Region) -> Vec<u32> {
        let mut found = Vec::new();
        for prefix in region.prefixes() {
            let start = self.keys.partition_point(|(key, _)| key.as_ref() < prefix.as_str());
            let longer = self.keys.get(start..).unwrap_or_default().iter();
            found.extend(
                longer.take_while(|(key, _)| key.starts_with(&prefix)).map(|(_, number)| *number),
            );
            // What is a part of the prefix stands before it, in order of length.
            for (end, _) in prefix.char_indices() {
                let part = prefix.get(..end).unwrap_or_default();
                let at = self.keys.partition_point(|(key, _)| key.as_ref() < part);
                let same = self.keys.get(at..).unwrap_or_default().iter();
                found.extend(
                    same.take_while(|(key, _)| key.as_ref() == part).map(|(_, number)| *number),
                );
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

impl Region {
    /// For each alternative of each pattern that adds, the folded text that its paths start with.
    pub fn prefixes(&self) -> Vec<String> {
        let mut prefixes = Vec::new();
        for clause in self.clauses().iter().filter(|clause| !clause.takes_away()) {
            match clause.pattern() {
                Err(_) => prefixes.push(String::new()),
                Ok(pattern) => prefixes.extend(pattern.branches().iter().map(|branch| {
                    branch.prefix().map(|literal| literal.folded).collect::<String>()
                })),
            }
        }
        prefixes
    }
}

/// The text before the first wildcard of a pattern that can be read without parsing it: small
/// letters, digits and the like, in plain components.
fn plain_prefix(text: &str) -> Option<&str> {
    if text.is_empty() || text.len() > PATTERN_BYTES_MAX {
        return None;
    }
    let mut end = None;
    let mut starts_component = true;
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => starts_component = false,
            b'.' if !starts_component => {}
            b'*' | b'?' => {
                end = end.or(Some(index));
                starts_component = false;
            }
            b'/' if !starts_component => starts_component = true,
            _ => return None,
        }
    }
    let prefix = text.get(..end.unwrap_or(text.len()))?;
    Some(if end.is_none() { prefix.trim_end_matches('/') } else { prefix })
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use proptest::prelude::*;

    use super::*;
    use crate::lane::pattern::tests::patterns;

    fn index<'a>(trees: &'a [Vec<String>]) -> RegionIndex<'a> {
        RegionIndex::of(trees.iter().map(|tree| tree.iter().map(String::as_str)), Case::Insensitive)
    }

    fn region(tree: &[String]) -> Region {
        Region::read(tree, Case::Insensitive)
    }

    #[test]
    fn a_plain_prefix_is_what_the_parsed_pattern_starts_with() {
        for text in
            ["a", "a/", "src/**", "src/*.rs", "src/a.b/c?d", "*", "**/x", "a-1_/b", "a*/", "a/*/"]
        {
            let parsed = region(&[text.to_string()]).prefixes();
            assert_eq!(
                plain_prefix(text).map(|prefix| [prefix.to_string()].to_vec()),
                Some(parsed)
            );
        }
        for text in
            ["", "A", "/a", "a//b", "./a", "a/.b", "..", "[a]", "{a}", "!a", "#", "a b", "é"]
        {
            assert_eq!(plain_prefix(text), None, "{text}");
        }
    }

    #[test]
    fn only_what_may_meet_is_found() {
        let trees = ["src/api/**", "src/web/**", "docs/**", "*.md", "SRC/", "[", "{src,x}/api"]
            .map(|text| [text.to_string()].to_vec());
        let index = index(&trees);
        let found = |text: &str| index.candidates(&region(&[text.to_string()]));
        assert_eq!(found("src/api/x.rs"), [0, 3, 4, 5, 6]);
        assert_eq!(found("docs"), [2, 3, 5]);
        assert_eq!(found("s*"), [0, 1, 3, 4, 5, 6]);
        assert_eq!(found("**"), [0, 1, 2, 3, 4, 5, 6]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn whatever_meets_is_found(
            trees in prop::collection::vec(prop::collection::vec(patterns(), 0..3), 0..8),
            asked in prop::collection::vec(patterns(), 1..3),
        ) {
            let asked = region(&asked);
            let found = index(&trees).candidates(&asked);
            for (number, tree) in (0..).zip(&trees) {
                if asked.meets(&region(tree)).is_some() {
                    prop_assert!(found.contains(&number), "{:?}", tree);
                }
            }
        }
    }
}
