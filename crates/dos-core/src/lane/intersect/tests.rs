//! Which patterns meet, and where: by hand, against enumeration, and within the bound.

use alloc::string::String;

use proptest::prelude::*;

use super::*;
use crate::lane::pattern::tests::{naive, paths_over, patterns};
use crate::limits::PATTERN_BYTES_MAX;

fn parse(text: &str) -> Pattern {
    Pattern::parse(text, Case::Insensitive).unwrap()
}

/// A path that both own; `None` when there is none.
#[track_caller]
fn shared(a: &str, b: &str) -> Option<String> {
    path_of(shared_path(&parse(a), &parse(b)))
}

#[track_caller]
fn path_of(common: Common) -> Option<String> {
    match common {
        Common::Nothing => None,
        Common::Path(path) => Some(path),
        Common::Unknown(doubt) => panic!("not decided: {doubt:?}"),
    }
}

/// They meet in `witness`, and in a path of the same length the other way round.
#[track_caller]
fn meet(a: &str, b: &str, witness: &str) {
    assert_eq!(shared(a, b).as_deref(), Some(witness), "{a} and {b}");
    let other = shared(b, a).unwrap();
    assert_eq!(other.chars().count(), witness.chars().count(), "{b} and {a}: {other}");
    for pattern in [a, b] {
        for path in [witness, &other] {
            assert!(parse(pattern).matches(path), "{pattern} owns {path}");
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
    parse(&text)
}

#[test]
fn hostile_patterns_are_answered_within_the_bound() {
    let braces = |end: &str| parse(&("{*a*,*b*}".repeat(8) + end));
    let costly = Err(Doubt::TooCostly);
    let pairs = [
        (longest("*a", "*b"), longest("*a", "*c*"), costly),
        (longest("*?", "x?"), longest("?*", "y?"), costly),
        (longest("**/a/", "b?"), longest("**/?/", "c?"), costly),
        (longest("*[!a-z]", "b?"), longest("*[!0-9]", "c?"), costly),
        (longest("*[А-Я]", "b?"), longest("*[д-ѝ]", "c?"), costly),
        (braces("x?"), braces("y?"), costly),
        (longest("a?", ""), longest("?b", ""), Ok(true)),
        (longest("a?", ""), longest("?b?", ""), Ok(false)),
    ];
    for (a, b, expected) in pairs {
        let effort = Effort::new(PAIR_EFFORT_MAX);
        let found = common_path(&a, &b, &Taken::default(), usize::MAX, &effort);
        assert_eq!(found.as_ref().map(Option::is_some), expected.as_ref().copied(), "{}", a.text());
        // Each state that both have not got in common by their literals is paid for.
        assert_eq!(effort.is_used_up(), expected.is_err(), "{}", a.text());
        if let Ok(Some(path)) = found {
            let path = String::from_iter(path);
            assert!(a.matches(&path) && b.matches(&path), "{} owns {path}", a.text());
        }
    }
}

/// Half the effort for a tenth of the states: what is counted is what is walked.
#[test]
fn what_is_counted_grows_with_the_product_of_the_patterns() {
    let used = |count: usize| {
        let pattern = |end: &str| parse(&("*a".repeat(count) + end));
        let effort = Effort::new(PAIR_EFFORT_MAX);
        let found =
            common_path(&pattern("*b?"), &pattern("*c?"), &Taken::default(), usize::MAX, &effort);
        assert_eq!(found, Ok(None));
        effort.used()
    };
    for count in [20, 40, 80] {
        let (few, many) = (used(count), used(2 * count));
        assert!(few >= count * count && many > 3 * few && many < 5 * few, "{count}: {few} {many}");
    }
}

/// These two are disjoint, but showing it takes more than the bound.
#[test]
fn beyond_the_bound_nothing_is_claimed() {
    let (a, b) = (longest("*a", "*b?"), longest("*a", "*c?"));
    assert_eq!(shared_path(&a, &b), Common::Unknown(Doubt::TooCostly));
}

#[test]
fn case_counts_when_it_is_asked_to() {
    let shared = |a: &str, b: &str| {
        let parse = |text| Pattern::parse(text, Case::Sensitive).unwrap();
        path_of(shared_path(&parse(a), &parse(b)))
    };
    assert_eq!(shared("SRC/*", "src/*"), None);
    assert_eq!(shared("SRC/*", "?RC/[A-C]").as_deref(), Some("SRC/A"));
    assert_eq!(shared("[A-Z]", "?").as_deref(), Some("A"));
    assert_eq!(shared("[A-Z]", "[a-z]"), None);
}

#[test]
fn a_path_that_nobody_looks_up_is_no_witness() {
    let (a, b) = (parse("e*"), parse("*\u{301}x"));
    assert_eq!(shared_path(&a, &b), Common::Unknown(Doubt::BareAccent));
    // An accent that no letter can be before is a name by itself.
    assert_eq!(shared("*", "*\u{301}x").as_deref(), Some("\u{301}x"));
    assert_eq!(shared("q*", "*q\u{301}x").as_deref(), Some("q\u{301}x"));
}

/// Below the bound the answer is exact, also for patterns that are all wildcards.
#[test]
fn ambiguous_patterns_within_the_bound_are_decided() {
    let a = "*a".repeat(120);
    disjoint(&(a.clone() + "*b?"), &(a.clone() + "*c?"));
    let (a, b) = (a.clone() + "*b", a + "*c*");
    let path = shared(&a, &b).unwrap();
    assert!(parse(&a).matches(&path));
    assert!(parse(&b).matches(&path));
    assert_eq!(path.len(), 122);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn agrees_with_enumeration(a in patterns(), b in patterns()) {
        let (left, right) = (parse(&a), parse(&b));
        let found = path_of(shared_path(&left, &right));
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
