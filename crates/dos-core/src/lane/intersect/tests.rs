//! Which patterns meet, and where: by hand, against enumeration, and within the bound.

use alloc::string::String;

use proptest::prelude::*;

use super::*;
use crate::lane::pattern::PATTERN_BYTES_MAX;
use crate::lane::pattern::tests::{naive, paths_over, patterns};

fn shared(a: &str, b: &str) -> Option<String> {
    shared_path(&Pattern::parse(a).unwrap(), &Pattern::parse(b).unwrap())
}

/// They meet in `witness`, and in a path of the same length the other way round.
#[track_caller]
fn meet(a: &str, b: &str, witness: &str) {
    assert_eq!(shared(a, b).as_deref(), Some(witness), "{a} and {b}");
    let other = shared(b, a).unwrap();
    assert_eq!(other.chars().count(), witness.chars().count(), "{b} and {a}: {other}");
    for pattern in [a, b] {
        for path in [witness, &other] {
            assert!(Pattern::parse(pattern).unwrap().matches(path), "{pattern} owns {path}");
        }
    }
}

#[track_caller]
fn disjoint(a: &str, b: &str) {
    assert_eq!(shared(a, b), None, "{a} and {b}");
    assert_eq!(shared(b, a), None, "{b} and {a}");
}

#[test]
fn plain_paths() {
    meet("src/api", "src", "src/api");
    meet("src/", "src/x", "src/x");
    meet("src", "src", "src");
    meet(".", "src/x", "src/x");
    meet(".", "**", "a");
    meet("README.md", "readme.MD", "README.md");
    meet("src\\api", "./src//api/x", "src/api/x");
    disjoint("src/api", "src/apix");
    disjoint("src/api", "src/web");
    disjoint("a", "b");
}

#[test]
fn wildcards() {
    meet("a?.ts", "ab.ts", "ab.ts");
    meet("a/*/c", "a/b/*", "a/b/c");
    meet("foo*", "*bar", "foobar");
    meet("foo*", "*oops", "foops");
    meet("*", "?", "a");
    meet("src/*", "src/x/", "src/x");
    meet("src/*/", "src/x/y", "src/x/y");
    meet("*.md", "r*", "r.md");
    disjoint("src/*", "src/x/y");
    disjoint("src/*", "src/*/y");
    disjoint("*.md", "docs/**");
    disjoint("*.md", "docs/");
    disjoint("???", "??");
    disjoint("a*b", "*c");
    disjoint("x*y*", "xz");
}

#[test]
fn double_stars() {
    disjoint("src/**/*.rs", "src/**/*.md");
    disjoint("a/**", "[a]");
    disjoint("a/**/b", "a/?x");
    meet("a", "a/**", "a/a");
    meet("*.md", "**/*.md", ".md");
    meet("docs/**", "**/*.md", "docs/.md");
    meet("**/x/**", "y", "y/x/a");
    meet("**/a/**/b", "**/c/**/d/", "a/c/d/b");
    meet("a/**/b", "a/**/c/**/b", "a/c/b");
    meet("**/test/*", "src/**", "src/test/a");
    meet("**/*.rs", "src", "src/.rs");
}

#[test]
fn classes_braces_and_case() {
    meet("[a-m]x", "[k-z]X", "kx");
    meet("[!a]", "[!b]", "c");
    meet("[!a-z0-9]", "?", "!");
    meet("[А-Г]", "[б-я]", "б");
    meet("[@-[]", "[`-{]", "a");
    meet("[Ё-Б]", "[ё]", "ё");
    meet("{src,docs}/x", "docs/**", "docs/x");
    meet("{aaaa,bb,c}", "*", "c");
    meet("SRC/{A,B}.rs", "src/[b]*", "SRC/B.rs");
    meet("École/*", "éCOLE/Ω", "École/Ω");
    disjoint("[a-c]", "[d-f]");
    disjoint("[А-Г]", "[д-я]");
    disjoint("{a,b}/x", "{c,d}/x");
    disjoint("straße", "strasse");
}

#[test]
fn a_witness_is_a_name() {
    meet(".*", "*", ".a");
    meet(".*", "?*.", ".a.");
    meet(".?", "*", ".a");
    meet("[.a]", "?", "a");
    meet("*.", "?.", "a.");
    meet("...", "*.", "...");
    meet("[.]?", "??", ".a");
    disjoint("?", ".*");
    disjoint("[.a]", ".*");
    disjoint("*.", "[.][.b]");
    disjoint("x/[.c][.c]/y", "x/.?/[z]");
}

#[test]
fn everything_meets_whatever_parses() {
    for pattern in ["a", "[!a]?[0-9]", "**/x/**/.?", "{a,b}/*/", "[!!-~]", "?.[.]", "漢字/*"] {
        assert!(shared(pattern, "**").is_some());
        assert!(shared(".", pattern).is_some());
    }
}

/// As much of the repeated piece as a pattern may have.
fn longest(piece: &str, end: &str) -> Pattern {
    let text = piece.repeat((PATTERN_BYTES_MAX - end.len()) / piece.len()) + end;
    Pattern::parse(&text).unwrap()
}

#[test]
fn hostile_patterns_are_answered_within_the_bound() {
    let braces = |end: &str| Pattern::parse(&("{*a*,*b*}".repeat(8) + end)).unwrap();
    let pairs = [
        (longest("*a", "*b"), longest("*a", "*c*")),
        (longest("*?", "x?"), longest("?*", "y?")),
        (longest("**/a/", "b?"), longest("**/?/", "c?")),
        (longest("*[!a-z]", "b?"), longest("*[!0-9]", "c?")),
        (longest("*[А-Я]", "b?"), longest("*[д-ѝ]", "c?")),
        (braces("x?"), braces("y?")),
        (longest("a?", ""), longest("?b", "")),
    ];
    for (a, b) in pairs {
        let path = shared_path(&a, &b).unwrap();
        assert!(a.matches(&path), "{} owns {path}", a.text());
    }
}

/// These two are disjoint, but showing it takes more than the bound: they may meet.
#[test]
fn beyond_the_bound_the_answer_is_a_path_of_the_first() {
    let (a, b) = (longest("*a", "*b?"), longest("*a", "*c?"));
    let path = shared_path(&a, &b).unwrap();
    assert!(a.matches(&path) && !b.matches(&path));
}

/// Below the bound the answer is exact, also for patterns that are all wildcards.
#[test]
fn ambiguous_patterns_within_the_bound_are_decided() {
    let a = "*a".repeat(120);
    disjoint(&(a.clone() + "*b?"), &(a.clone() + "*c?"));
    let (a, b) = (a.clone() + "*b", a + "*c*");
    let path = shared(&a, &b).unwrap();
    assert!(Pattern::parse(&a).unwrap().matches(&path));
    assert!(Pattern::parse(&b).unwrap().matches(&path));
    assert_eq!(path.len(), 122);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn agrees_with_enumeration(a in patterns(), b in patterns()) {
        let (left, right) = (Pattern::parse(&a).unwrap(), Pattern::parse(&b).unwrap());
        let found = shared_path(&left, &right);
        let both = |path: &&String| naive(&a, path) && naive(&b, path);
        for (characters, length_max) in [(&['a', 'b', 'c', '/'], 5), (&['.', 'a', 'c', '/'], 4)] {
            let paths = paths_over(characters, length_max);
            if let Some(shortest) = paths.iter().find(both) {
                let length = found.as_ref().map(|path| path.chars().count());
                prop_assert!(length <= Some(shortest.len()) && found.is_some(), "missed {}", shortest);
            }
        }
        if let Some(path) = found {
            prop_assert!(left.matches(&path) && right.matches(&path), "not owned: {}", path);
            prop_assert!(both(&&path), "not owned by the naive matcher: {}", path);
            prop_assert!(path.split('/').all(|name| !["", ".", ".."].contains(&name)), "{}", path);
        }
    }
}
