//! What a region owns and where two meet: by hand, and against enumeration.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::lane::pattern::tests::{naive, paths_over, patterns};

fn region(lines: &[&str]) -> Region {
    let region = Region::read(lines, Case::Insensitive);
    assert_eq!(region.errors().next(), None);
    region
}

fn owns(region: &Region, path: &str) -> bool {
    region.matches(path)
}

#[track_caller]
fn check(lines: &[&str], owned: &[&str], others: &[&str]) {
    let region = region(lines);
    for path in owned {
        assert!(owns(&region, path), "{lines:?} should own {path}");
    }
    for path in others {
        assert!(!owns(&region, path), "{lines:?} should not own {path}");
    }
}

/// They meet in `witness`, through these patterns.
#[track_caller]
fn meet(a: &[&str], b: &[&str], patterns: (&str, &str), witness: &str) {
    let (left, right) = (region(a), region(b));
    let contact = left.meets(&right).unwrap();
    assert_eq!((contact.ours, contact.theirs), patterns);
    assert_eq!(contact.witness.as_deref(), Ok(witness), "{a:?} and {b:?}");
    let back = right.meets(&left).unwrap().witness.unwrap();
    assert_eq!(back.chars().count(), witness.chars().count(), "{back}");
    for path in [witness, &back] {
        assert!(owns(&left, path) && owns(&right, path), "{path}");
    }
}

#[track_caller]
fn disjoint(a: &[&str], b: &[&str]) {
    assert_eq!(region(a).meets(&region(b)), None);
    assert_eq!(region(b).meets(&region(a)), None);
}

#[test]
fn the_last_pattern_that_names_a_path_decides() {
    check(&["src/**", "!src/gen/**"], &["src/a", "src/generate"], &["src/gen/a", "b"]);
    check(&["src/**", "!src/gen/", "src/gen/keep.rs"], &["src/gen/keep.rs"], &["src/gen/a"]);
    check(&["src/**", "!**/*.lock", "**/a.lock"], &["a.lock", "src/x"], &["src/b.lock", "x"]);
    check(&["a", "!a", "a"], &["a"], &["b"]);
    check(&["a", "!a"], &[], &["a"]);
}

#[test]
fn comments_are_left_out() {
    let region = region(&["# the API", "src", "  # and more", "\\#x", "\\!y"]);
    let texts: Vec<&str> = region.clauses().iter().map(Clause::text).collect();
    assert_eq!(texts, ["src", "\\#x", "\\!y"]);
    assert!(owns(&region, "#x") && owns(&region, "!y") && !owns(&region, "y"));
}

#[test]
fn what_cannot_be_read_may_name_any_path() {
    let lenient = |lines: &[&str]| Region::read(lines, Case::Insensitive);
    let other = region(&["docs"]);
    for lines in [&["src/["][..], &["# nothing"], &[""], &["src", "["]] {
        let unknown = lenient(lines);
        assert_eq!(unknown.errors().count(), 1, "{lines:?}");
        assert!(owns(&unknown, "docs/x"), "{lines:?}");
        let contact = other.meets(&unknown).unwrap();
        assert_eq!(contact.witness, Err(Doubt::Unreadable), "{lines:?}");
    }
    assert!(other.meets(&lenient(&["!src"])).is_some());
    // An unreadable `!` takes nothing away, and a proven meeting is told rather than a doubt.
    let known = lenient(&["[", "docs/**", "!docs/["]);
    assert_eq!(other.meets(&known).unwrap().witness.as_deref(), Ok("docs/a"));
    assert!(!owns(&lenient(&["src", "!docs["]), "docs"));
    assert!(lenient(&[]).is_empty() && other.meets(&lenient(&[])).is_none());
}

#[test]
fn an_error_says_where_in_the_line() {
    let problem = |lines: &[&str]| {
        let region = Region::read(lines, Case::Insensitive);
        let error = region.errors().next().unwrap();
        (error.pattern.clone(), error.column, error.problem)
    };
    use PatternProblem::*;
    assert_eq!(problem(&["a", " ! x/[b"]), (" ! x/[b".into(), 6, UnclosedClass));
    assert_eq!(problem(&["# c", "!a", "b"]), ("!a".into(), 1, NothingBefore));
    assert_eq!(problem(&["a", "!"]), ("!".into(), 2, Empty));
    assert_eq!(problem(&["a", "!/etc"]), ("!/etc".into(), 2, Absolute));
}

#[test]
fn what_is_taken_away_is_not_shared() {
    disjoint(&["src/**", "!src/gen/**"], &["src/gen/a.rs"]);
    disjoint(&["src/**", "!src/gen/**"], &["src/gen/?*/"]);
    disjoint(&["**", "!docs/**", "!*.md"], &["docs/a", "*.md"]);
    disjoint(&["**", "!src"], &["src/**", "!src/x"]);
    disjoint(&["*.rs", "!?*.rs", "!.rs"], &["**"]);
    meet(&["src/**", "!src/gen/**"], &["src/**"], ("src/**", "src/**"), "src/a");
    meet(
        &["src/**", "!src/gen/**", "src/gen/keep.rs"],
        &["src/gen/*"],
        ("src/gen/keep.rs", "src/gen/*"),
        "src/gen/keep.rs",
    );
    meet(&["*", "!?", "!??"], &["*", "![!b]*"], ("*", "*"), "baa");
    meet(&["**", "![a-y]"], &["?"], ("**", "?"), "z");
    meet(&["*", "![a-z]*", "![0-9]*"], &["[!!-~]*", "é", "!?é"], ("*", "[!!-~]*"), "¡");
    meet(&["x/?", "!x/A"], &["X/[ab]"], ("x/?", "X/[ab]"), "x/b");
}

#[test]
fn the_shortest_of_all_witnesses_is_told() {
    let (a, b) = (&["long/name/**", "s/**"], &["long/name/x", "**/y"]);
    meet(a, b, ("s/**", "**/y"), "s/y");
}

#[test]
fn one_region_can_contain_another() {
    let beyond = |a: &[&str], b: &[&str]| region(a).beyond(&region(b));
    assert_eq!(beyond(&["src/api/**"], &["src/**"]), Common::Nothing);
    assert_eq!(beyond(&["src/**"], &["src/api/**"]), Common::Path("src/a".into()));
    assert_eq!(beyond(&["src/**", "!src/gen"], &["src/**", "!src/gen/**"]), Common::Nothing);
    assert_eq!(beyond(&["src/**"], &["src/**", "!src/x"]), Common::Path("src/x".into()));
    assert_eq!(beyond(&["src/x"], &["src/**", "!src/x", "src/x/**"]), Common::Path("src/x".into()));
    assert_eq!(beyond(&["{a,b}"], &["a", "b"]), Common::Nothing);
    assert_eq!(region(&["a/**", "!a/*/**", "!a/*"]).example(), Common::Nothing);
    assert_eq!(region(&["a/**", "!a/?"]).example(), Common::Path("a/aa".into()));
}

/// Sets of states of what takes away can be exponentially many.
#[test]
fn hostile_regions_end_in_doubt() {
    let away = format!("!*a{}", "?".repeat(40));
    // What is left after both has fewer than 42 characters, which only the walk finds out.
    let hidden = region(&["*", &away, &format!("!*b{}", "?".repeat(40)), "!*[!ab]*"]);
    let contact = region(&[&("?".repeat(60) + "*")]);
    let contact = contact.meets(&hidden).unwrap();
    assert_eq!(contact.witness, Err(Doubt::TooCostly));
}

/// Regions of up to four patterns, of which the first adds.
fn regions() -> impl Strategy<Value = Vec<String>> {
    let clause = (patterns(), any::<bool>());
    (patterns(), prop::collection::vec(clause, 0..4)).prop_map(|(first, rest)| {
        let sign = |away| if away { "!" } else { "" };
        let more = rest.into_iter().map(|(text, away)| format!("{}{text}", sign(away)));
        core::iter::once(first).chain(more).collect()
    })
}

fn naive_region(lines: &[String], path: &str) -> bool {
    let names = |line: &&String| naive(line.strip_prefix('!').unwrap_or(line), path);
    lines.iter().rev().find(names).is_some_and(|line| !line.starts_with('!'))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn agrees_with_enumeration(a in regions(), b in regions()) {
        let (left, right) =
            (Region::read(&a, Case::Insensitive), Region::read(&b, Case::Insensitive));
        let both = |path: &&String| naive_region(&a, path) && naive_region(&b, path);
        let paths = paths_over(&['a', 'b', 'c', '/'], 5);
        for path in &paths {
            prop_assert_eq!(owns(&left, path), naive_region(&a, path), "{:?} {}", a, path);
        }
        let found = left.meets(&right).map(|contact| contact.witness.unwrap());
        if let Some(shortest) = paths.iter().find(both) {
            let length = found.as_ref().map(|path| path.chars().count());
            let close = length.is_some_and(|length| length <= shortest.len());
            prop_assert!(close, "missed {}", shortest);
        }
        if let Some(path) = found {
            prop_assert!(both(&&path), "not owned: {}", path);
        }
        let beyond = |path: &&String| naive_region(&a, path) && !naive_region(&b, path);
        match left.beyond(&right) {
            Common::Path(path) => prop_assert!(beyond(&&path), "not beyond: {}", path),
            Common::Nothing => prop_assert_eq!(paths.iter().find(beyond), None),
            Common::Unknown => prop_assert!(false, "not decided"),
        }
    }
}
