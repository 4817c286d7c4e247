//! What a region owns and where two meet: by hand, and against enumeration.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::lane::pattern::tests::{naive, paths_over, patterns};
use crate::limits::SYMBOLS_MAX;

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
    let effort = Effort::new(EFFORT_MAX);
    let beyond = |a: &[&str], b: &[&str]| region(a).beyond(&region(b), &effort);
    assert_eq!(beyond(&["src/api/**"], &["src/**"]), Common::Nothing);
    assert_eq!(beyond(&["src/**"], &["src/api/**"]), Common::Path("src/a".into()));
    assert_eq!(beyond(&["src/**", "!src/gen"], &["src/**", "!src/gen/**"]), Common::Nothing);
    assert_eq!(beyond(&["src/**"], &["src/**", "!src/x"]), Common::Path("src/x".into()));
    assert_eq!(beyond(&["src/x"], &["src/**", "!src/x", "src/x/**"]), Common::Path("src/x".into()));
    assert_eq!(beyond(&["{a,b}"], &["a", "b"]), Common::Nothing);
    assert_eq!(region(&["a/**", "!a/*/**", "!a/*"]).example(&effort), Common::Nothing);
    assert_eq!(region(&["a/**", "!a/?"]).example(&effort), Common::Path("a/aa".into()));
}

/// What is taken away from one tree may be what another one is.
#[test]
fn a_tree_without_something_and_that_very_thing_are_decided() {
    for away in
        ["dist/**/*-??????????.js", "dist/**/*-????????????????????.js", "dist/**/*.[0-9a-f]*"]
    {
        disjoint(&["dist/**", &format!("!{away}")], &[away]);
        disjoint(&["dist/**", &format!("!{}", away.to_uppercase())], &[away, "src"]);
    }
    // A narrower one is gone with it, a wider one is not.
    let away = "!dist/**/*-????????????????????.js";
    disjoint(&["dist/**", away], &["dist/a/[bc]-????????????????????.js"]);
    disjoint(&["**", away], &["dist/{a,b}/**/x*-????????????????????.js"]);
    let wider = "dist/**/*-????????????????????.{js,css}";
    meet(&["dist/**", away], &[wider], ("dist/**", wider), "dist/-aaaaaaaaaaaaaaaaaaaa.css");
    // What gives back counts.
    let keep = "dist/x-????????????????????.js";
    meet(
        &["dist/**", away, keep],
        &["dist/*-????????????????????.js"],
        (keep, "dist/*-????????????????????.js"),
        "dist/x-aaaaaaaaaaaaaaaaaaaa.js",
    );
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

/// The answer, and how much was done for it.
fn counted(a: &Region, b: &Region) -> (Option<Result<String, Doubt>>, usize) {
    let effort = Effort::new(EFFORT_MAX);
    let answer = a.meets_within(b, &effort).map(|contact| contact.witness);
    (answer, effort.used())
}

/// Whatever is done is paid for, so that the bound holds: each of these does far more than its
/// text is long, and is stopped.
#[test]
fn nothing_is_done_for_free() {
    // Every alternative of the one against every one of the other.
    let braces = |letter: &str, count: usize| {
        let text = |number| format!("{letter}{}{number}", "{a,b}".repeat(8));
        Region::read((0..count).map(text), Case::Insensitive)
    };
    let (answer, used) = counted(&braces("x", 2), &braces("y", 2));
    assert!(answer.is_none() && used >= 512 * 512, "{used}");
    let (answer, used) = counted(&braces("x", 32), &braces("y", 32));
    assert_eq!((answer, used), (Some(Err(Doubt::TooCostly)), EFFORT_MAX));
    // Long literals that differ in their middle alone.
    let long = |middle: &str| {
        let (a, b) = ("a".repeat(1900), "b".repeat(1900));
        Region::read((0..200).map(|_| format!("{a}{middle}?{b}")), Case::Insensitive)
    };
    let (_, used) = counted(&long("x"), &long("y"));
    assert!(used >= 200 * 200 * 1900 / 8, "{used}");
    // Classes of a thousand ranges, side by side in all alternatives.
    let class = |from: u32| -> String {
        let members = (0..300).filter_map(|n| char::from_u32(from + 4 * n));
        format!("[{}]", members.collect::<String>())
    };
    let classes = |from: u32| {
        let class = class(from);
        region(&[&format!("{class}{class}{{a,b}}{{a,b}}{{a,b}}{{a,b}}?")])
    };
    let (answer, used) = counted(&classes(0x4e00), &classes(0x4e02));
    assert!(answer.is_none() && used >= 16 * 16 * 600, "{used}");
    // What takes away: many patterns, of which each one takes the next path that is found.
    let away = |letter: &str| -> Vec<String> {
        let first = format!("{letter}*");
        let others = (0..400).map(|number| format!("!*{}{number}*", "?".repeat(number % 20)));
        core::iter::once(first).chain(others).collect()
    };
    let (one, other) = (away("a"), away("?"));
    let read = |lines: &[String]| Region::read(lines, Case::Insensitive);
    let (_, used) = counted(&read(&one), &read(&other));
    assert!(used >= 800, "{used}");
    // Many that add beside as many that take away.
    let mixed = |sign: &str| -> Vec<String> {
        (0..500).flat_map(|n| ["**/*x".to_string(), format!("!{sign}{n}/*x")]).collect()
    };
    let (answer, used) = counted(&read(&mixed("a")), &read(&mixed("b")));
    assert!(matches!(answer, Some(Ok(_))) && used <= EFFORT_MAX, "{used}");
}

/// With too little to decide by the answer is never that they do not meet.
#[test]
fn whatever_is_left_nothing_is_claimed_that_is_not_proved() {
    let apart = [
        (&["a{b,c}", "x*y", "b/**"][..], &["d{b,c}", "*z", "c/**"][..]),
        (&["**", "!*a??", "!*b??"], &["*a??", "xb??"]),
        (&["**", "!docs/**", "!*.md"], &["docs/a", "*.md"]),
    ];
    for (one, other) in apart {
        let (one, other) = (region(one), region(other));
        let (answer, needed) = counted(&one, &other);
        assert_eq!(answer, None);
        for granted in 0..needed {
            let effort = Effort::new(granted);
            let told = one.meets_within(&other, &effort).map(|contact| contact.witness);
            assert_eq!(told, Some(Err(Doubt::TooCostly)), "{granted} of {needed}");
        }
        assert_eq!(one.meets_within(&other, &Effort::new(needed)), None);
    }
}

/// A path that is compared in another spelling than it was walked in must not be walked for ever.
#[test]
fn an_accent_by_itself_ends_in_doubt_at_once() {
    let many: String = (0..1300).filter_map(|n| char::from_u32(0x4e00 + 2 * n)).collect();
    let left = region(&[&format!("e[{many}\u{301}]"), "!\u{e9}"]);
    let (answer, used) = counted(&left, &region(&["?\u{301}"]));
    assert_eq!(answer, Some(Err(Doubt::BareAccent)));
    assert!(used < 20_000, "{used}");
    // A capital that has no composed form has one when letters are folded.
    let answer = counted(&region(&["[Jj]*"]), &region(&["?\u{30c}"])).0;
    assert_eq!(answer, Some(Err(Doubt::BareAccent)));
    // Where another alternative proves it, it is proved.
    let other = region(&["*\u{301}x", "e/x"]);
    assert_eq!(counted(&region(&["e*", "e/*"]), &other).0, Some(Ok("e/x".into())));
}

/// What a tree stands for is bounded, whatever its text.
#[test]
fn a_tree_stands_for_no_more_than_the_bound() {
    let read = |text: &str, count: usize| {
        let lines = (0..count).map(|number| format!("{text}{number}"));
        Region::read(lines, Case::Insensitive)
    };
    let states = |region: &Region| -> usize {
        let patterns = region.clauses().iter().filter_map(|clause| clause.pattern().ok());
        patterns.flat_map(Pattern::branches).map(|branch| branch.states()).sum()
    };
    let braces = "{a,b}".repeat(7) + &"x".repeat(960);
    for text in [
        braces.as_str(),
        "{a,b}{c,d}{a,b}{c,d}{a,b}{c,d}x",
        &format!("[{}]", "\u{b5}-\u{24cf}".repeat(600)),
        &"[\u{b5}-\u{24cf}]".repeat(400),
        &"[\u{2000}-\u{2100}]".repeat(400),
        &"[\u{1e00}-\u{1eff}]{a,b}{a,b}{a,b}".repeat(2),
    ] {
        let region = read(text, 1000);
        assert!(region.cost() <= (text.len() + 4) * 1000 + SYMBOLS_MAX, "{}", region.cost());
        let room = SYMBOLS_MAX + (text.len() + 4) * 1000;
        assert!(states(&region) <= room, "{}", states(&region));
        let bad = region.errors().filter(|error| error.problem == PatternProblem::TooMuch);
        assert!(bad.count() > 100, "{text}");
    }
    assert_eq!(read("src/{api,web}/**/*.{rs,ts,md}", 1000).errors().next(), None);
    assert_eq!(read("src/[a-z]*[!0-9]/[A-Z]?", 1000).errors().next(), None);
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
        match left.beyond(&right, &Effort::new(EFFORT_MAX)) {
            Common::Path(path) => prop_assert!(beyond(&&path), "not beyond: {}", path),
            Common::Nothing => prop_assert_eq!(paths.iter().find(beyond), None),
            Common::Unknown(doubt) => prop_assert!(false, "not decided: {doubt:?}"),
        }
    }
}
