//! Which of many trees may meet a given one, without comparing it with each.
//!
//! Every path of a pattern starts with the literal text before its first wildcard and ends with the
//! text behind its last one. Two patterns can only meet where one of the first texts starts with the
//! other and one of the last texts ends with the other. Both are read off the pattern without
//! parsing it, where it is written plainly.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use crate::lane::pattern::automaton::{Branch, Literal};
use crate::lane::pattern::{Case, Pattern};
use crate::limits::PATTERN_BYTES_MAX;

/// What all paths of a pattern start and end with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends<'a> {
    /// The text that they start with; empty when nothing is known.
    pub prefix: Cow<'a, str>,
    /// The text that they end with; empty when nothing is known.
    pub suffix: Cow<'a, str>,
}

impl<'a> Ends<'a> {
    /// The ends of each pattern of a tree that adds to it.
    pub fn of_tree(
        patterns: &mut dyn Iterator<Item = &'a str>,
        case: Case,
        add: &mut dyn FnMut(Ends<'a>),
    ) {
        let (mut any, mut adds) = (false, false);
        for text in patterns {
            any = true;
            let text = text.trim();
            if !text.starts_with(['#', '!']) {
                adds = true;
                add(plain(text, case).unwrap_or_else(|| parsed(text, case)));
            }
        }
        if any && !adds {
            // What it adds is unknown.
            add(Ends::default());
        }
    }

    /// May a path have the ends of both, by what it ends with?
    fn end_alike(&self, other: &Ends<'_>) -> bool {
        let (one, other) = (self.suffix.as_ref(), other.suffix.as_ref());
        one.is_empty() || other.is_empty() || one.ends_with(other) || other.ends_with(one)
    }
}

/// Does the text start with the other? To compare no bytes at all is a hundred times slower than to compare
/// some where that is done with masked loads, as an empty text need not be anywhere: so that is not done.
fn begins(text: &str, with: &str) -> bool {
    with.is_empty() || text.starts_with(with)
}

/// Trees by the ends of their patterns.
#[derive(Debug, Default)]
pub struct EndsIndex<'a> {
    /// Sorted by prefix, each with the number of its tree.
    keys: Vec<(Ends<'a>, u32)>,
    /// For each key the place of the last one before it whose prefix its own prefix starts with.
    parents: Vec<Option<usize>>,
}

impl<'a> EndsIndex<'a> {
    /// The index of these ends, each with the number of its tree.
    pub fn of(keys: Vec<(Ends<'a>, u32)>) -> Self {
        let mut keys = keys;
        keys.sort_unstable_by(|(one, number), (other, second)| {
            (&one.prefix, number).cmp(&(&other.prefix, second))
        });
        let mut parents: Vec<Option<usize>> = Vec::with_capacity(keys.len());
        for (place, (ends, _)) in keys.iter().enumerate() {
            let mut parent = place.checked_sub(1);
            while let Some(before) = parent {
                let part = |(key, _): &(Ends<'_>, u32)| begins(&ends.prefix, &key.prefix);
                if keys.get(before).is_some_and(part) {
                    break;
                }
                parent = parents.get(before).copied().flatten();
            }
            parents.push(parent);
        }
        Self { keys, parents }
    }

    /// The numbers of the trees with a pattern that may meet one with these ends; one may come more
    /// than once.
    pub fn matching(&self, ends: &Ends<'_>) -> impl Iterator<Item = u32> {
        let prefix = ends.prefix.as_ref();
        let start = match prefix.is_empty() {
            true => 0,
            false => self
                .keys
                .partition_point(|(key, _)| key.prefix.is_empty() || key.prefix.as_ref() < prefix),
        };
        let longer = self.keys.get(start..).unwrap_or_default().iter();
        let longer = longer.take_while(move |(key, _)| begins(&key.prefix, prefix));
        // Whatever is a part of the prefix is also a part of the key before it.
        let before = core::iter::successors(start.checked_sub(1), |place| {
            self.parents.get(*place).copied().flatten()
        });
        let parts = before
            .filter_map(|place| self.keys.get(place))
            .filter(move |(key, _)| begins(prefix, &key.prefix));
        let found = longer.chain(parts);
        found.filter(move |(key, _)| key.end_alike(ends)).map(|(_, number)| *number)
    }
}

/// The ends of a pattern that can be read without parsing it: letters, digits and a few other
/// characters in plain components, and wildcards.
fn plain(text: &str, case: Case) -> Option<Ends<'_>> {
    if text.is_empty() || text.len() > PATTERN_BYTES_MAX {
        return None;
    }
    let mut wild = None;
    let mut folds = false;
    let mut starts_component = true;
    let bytes = text.as_bytes();
    for (index, byte) in bytes.iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'+' | b'@' | b'=' | b' ' => {}
            b'A'..=b'Z' => folds |= case == Case::Insensitive,
            b'.' if !starts_component => {}
            b'.' if bytes.get(index + 1).is_some_and(u8::is_ascii_alphanumeric) => {}
            b'*' | b'?' => {
                let (first, _) = wild.unwrap_or((index, index));
                wild = Some((first, index));
            }
            b'/' if !starts_component => {
                starts_component = true;
                continue;
            }
            _ => return None,
        }
        starts_component = false;
    }
    let (prefix, suffix) = match wild {
        // Such a pattern owns what is below it, too.
        None => (text.trim_end_matches('/'), ""),
        Some((first, _)) if starts_component => (text.get(..first)?, ""),
        Some((first, last)) => {
            let suffix = text.get(last + 1..)?;
            // No slash need come before what is behind `**/`.
            (text.get(..first)?, suffix.strip_prefix('/').unwrap_or(suffix))
        }
    };
    Some(match folds {
        true => Ends {
            prefix: prefix.to_ascii_lowercase().into(),
            suffix: suffix.to_ascii_lowercase().into(),
        },
        false => Ends { prefix: prefix.into(), suffix: suffix.into() },
    })
}

/// What all alternatives of a pattern have at their ends; nothing for one that cannot be read.
fn parsed(text: &str, case: Case) -> Ends<'static> {
    let Ok(pattern) = Pattern::parse(text, case) else {
        return Ends::default();
    };
    let common = |of: &dyn Fn(&Branch) -> String| {
        let mut texts = pattern.branches().iter().map(of);
        let first = texts.next().unwrap_or_default();
        texts.fold(first, |common, text| {
            let alike = common.chars().zip(text.chars()).take_while(|(one, other)| one == other);
            alike.map(|(one, _)| one).collect()
        })
    };
    let folded = |literal: Literal| literal.folded;
    let prefix = common(&|branch| branch.prefix().map(folded).collect());
    let backwards = common(&|branch| branch.suffix().map(folded).collect());
    Ends { prefix: prefix.into(), suffix: backwards.chars().rev().collect::<String>().into() }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use proptest::prelude::*;

    use super::*;
    use crate::lane::pattern::tests::patterns;
    use crate::lane::region::Region;

    fn ends(tree: &[&str]) -> Vec<Ends<'static>> {
        let mut found = Vec::new();
        let tree: Vec<String> = tree.iter().map(ToString::to_string).collect();
        Ends::of_tree(&mut tree.iter().map(String::as_str), Case::Insensitive, &mut |ends| {
            found.push(Ends {
                prefix: ends.prefix.into_owned().into(),
                suffix: ends.suffix.into_owned().into(),
            });
        });
        found
    }

    fn index(trees: &[&[&str]]) -> EndsIndex<'static> {
        let keys = (0..).zip(trees);
        EndsIndex::of(
            keys.flat_map(|(number, tree)| {
                ends(tree).into_iter().map(move |ends| (ends, number)).collect::<Vec<_>>()
            })
            .collect(),
        )
    }

    fn found(index: &EndsIndex<'_>, tree: &[&str]) -> Vec<u32> {
        let mut found: Vec<u32> =
            ends(tree).iter().flat_map(|ends| index.matching(ends).collect::<Vec<_>>()).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    #[test]
    fn ends_are_read_off_the_text() {
        let cases = [
            ("a", "a", ""),
            ("A/", "a", ""),
            ("src/**", "src/", ""),
            ("src/*.RS", "src/", ".rs"),
            ("src/a.b/c?d", "src/a.b/c", "d"),
            ("*", "", ""),
            ("**/x", "", "x"),
            ("a*/x", "a", "x"),
            ("a*/", "a", ""),
            ("a/**/*.tar.gz", "a/", ".tar.gz"),
            (".github/**", ".github/", ""),
        ];
        for (text, prefix, suffix) in cases {
            let ends = plain(text, Case::Insensitive).unwrap();
            assert_eq!((&*ends.prefix, &*ends.suffix), (prefix, suffix), "{text}");
            let slow = parsed(text, Case::Insensitive);
            assert!(slow.prefix.starts_with(prefix) && slow.suffix.ends_with(suffix), "{text}");
        }
        for text in ["", "/a", "a//b", "./a", "a/..", "..", "[a]", "{a}", "\\!a", "é", "a/./b"] {
            assert_eq!(plain(text, Case::Insensitive), None, "{text}");
        }
        assert_eq!(plain("A/*B", Case::Sensitive).unwrap().prefix, "A/");
    }

    #[test]
    fn only_what_may_meet_is_found() {
        let index = index(&[
            &["src/api/**"],
            &["src/web/**"],
            &["docs/**"],
            &["*.md"],
            &["SRC/"],
            &["["],
            &["src/{x,api}/a"],
            &["**/*.rs"],
        ]);
        assert_eq!(found(&index, &["src/api/x.rs"]), [0, 3, 4, 5, 6, 7]);
        assert_eq!(found(&index, &["docs"]), [2, 3, 5, 7]);
        assert_eq!(found(&index, &["s*"]), [0, 1, 3, 4, 5, 6, 7]);
        assert_eq!(found(&index, &["**/*.md"]), [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(found(&index, &["**"]), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(found(&index, &["# nothing"]), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(found(&index, &[]), [0_u32; 0]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn whatever_meets_is_found(
            trees in prop::collection::vec(prop::collection::vec(patterns(), 0..3), 0..8),
            asked in prop::collection::vec(patterns(), 1..3),
        ) {
            let texts = |tree: &[String]| -> Vec<String> { tree.to_vec() };
            let region = |tree: &[String]| Region::read(texts(tree), Case::Insensitive);
            let lists: Vec<Vec<&str>> =
                trees.iter().map(|tree| tree.iter().map(String::as_str).collect()).collect();
            let lists: Vec<&[&str]> = lists.iter().map(Vec::as_slice).collect();
            let list: Vec<&str> = asked.iter().map(String::as_str).collect();
            let found = found(&index(&lists), &list);
            for (number, tree) in (0..).zip(&trees) {
                if region(&asked).meets(&region(tree)).is_some() {
                    prop_assert!(found.contains(&number), "{:?}", tree);
                }
            }
        }
    }
}
