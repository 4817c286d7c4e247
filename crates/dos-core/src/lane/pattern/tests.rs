//! What a pattern owns, what it refuses, and both against a naive matcher.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::lane::intersect::Common;
use crate::lane::pattern::class::CASED;

fn parse(text: &str) -> Result<Pattern, PatternError> {
    Pattern::parse(text, Case::Insensitive)
}

fn fold(character: char) -> char {
    Case::Insensitive.fold(character)
}

#[track_caller]
fn check(pattern: &str, owned: &[&str], others: &[&str]) {
    let parsed = parse(pattern).unwrap();
    assert_eq!(parsed.text(), pattern);
    for path in owned {
        assert!(parsed.matches(path), "{pattern:?} should own {path:?}");
    }
    for path in others {
        assert!(!parsed.matches(path), "{pattern:?} should not own {path:?}");
    }
}

#[test]
fn a_plain_path_owns_itself_and_what_is_below() {
    check(
        "src/api",
        &["src/api", "src/api/x", "src/api/x/y.rs"],
        &["src", "src/apix", "x/src/api"],
    );
    check("./src//api/.", &["src/api", "src/api/x"], &["src/ap", "api"]);
    check("src/", &["src", "src/x"], &["srcx"]);
    check("  src\t", &["src"], &[" src"]);
    check("src\\api", &["src/api/x", "src\\api\\x"], &[]);
    check("Makefile", &["makefile", "MAKEFILE"], &["Makefile2"]);
}

#[test]
fn the_root_owns_everything() {
    for pattern in [".", "./", "**", "**/**", "./**/", "{.,x}"] {
        check(pattern, &["a", "a/b", ".git/x", "é"], &["", ".", "..", "/a", "../a", "a/../b"]);
    }
}

#[test]
fn a_path_is_read_like_a_pattern() {
    check("a/b", &["a//b", "./a/b/", "a/./b", "a\\b"], &["/a/b", "\\a\\b", "a/x/../b"]);
}

#[test]
fn wildcards_stay_in_their_component() {
    check("*.md", &["a.md", ".md", "README.MD"], &["a.md/x", "docs/a.md", "amd"]);
    check("src/*", &["src/a", "src/.hidden"], &["src", "src/a/b", "a"]);
    check("src/*/", &["src/a", "src/a/b/c"], &["src", "srca"]);
    check("a?c", &["abc", "aéc"], &["ac", "abbc", "a/c"]);
    check("a**b", &["ab", "axb"], &["a/b", "ax/b"]);
    check("***", &["a", "abc"], &["a/b"]);
}

#[test]
fn double_stars_cross_components() {
    check("**/x", &["x", "a/x", "a/b/x"], &["ax", "x/a"]);
    check("a/**/b", &["a/b", "a/x/b", "a/x/y/b"], &["ab", "a/xb", "a", "b"]);
    check("a/**", &["a/b", "a/b/c"], &["a", "ab"]);
    check("a/**/**", &["a/b", "a/b/c"], &["a"]);
    check("a/**/", &["a/b", "a/b/c"], &["a"]);
    check("**/a/**/*.rs", &["a/x.rs", "x/a/y/z/x.rs"], &["x.rs", "b/x.rs"]);
    check("**/x/", &["x", "x/y", "a/x/y"], &["y"]);
}

#[test]
fn classes() {
    check("[abc]", &["a", "B"], &["d", "ab"]);
    check("[!a]", &["b", "é"], &["a", "A", "ab"]);
    check("[^a-z]", &["0"], &["a", "Q"]);
    check("[]a]", &["]", "a"], &["b"]);
    check("[!]a]", &["b"], &["]", "a"]);
    check("[a-]", &["a", "-"], &["b"]);
    check("[*]", &["*"], &["a"]);
    check("[{]x,y}", &["{x,y}"], &["x", "y"]);
    check("a[!b]c", &["axc"], &["a/c", "abc"]);
    check("a[./]c", &["a.c"], &["a/c"]);
    check("[А-Я]", &["я", "Ж"], &["a"]);
    check("[ℊ-ℳ]", &["k", "K", "\u{212a}"], &["l"]);
}

#[test]
fn escapes() {
    check("[\\]]", &["]"], &["\\", "a"]);
    check("[a\\-c]", &["a", "-", "c"], &["b"]);
    check("[\\!a]", &["!", "a"], &["b"]);
    check("[\\a-\\c]", &["a", "b", "c"], &["-"]);
    check("\\!x", &["!x", "!x/y"], &["x"]);
    check("\\#x*", &["#x", "#xy"], &["x"]);
    check("a\\!x", &["a/!x"], &["a!x"]);
    // What could be a separator is one: that is how patterns are written on Windows.
    check("src\\*.rs", &["src/a.rs"], &["src*.rs"]);
    check("src\\**", &["src/a/b"], &["src*"]);
    check("src\\\\**", &["src/a/b"], &["src*"]);
}

#[test]
fn case_can_count() {
    let owns =
        |pattern: &str, path: &str| Pattern::parse(pattern, Case::Sensitive).unwrap().matches(path);
    assert!(owns("Src/[A-C]*", "Src/Bx") && owns("É", "É"));
    assert!(!owns("Src/x", "src/x") && !owns("[A-C]", "b") && !owns("[!a]", "a"));
    assert!(owns("[!a]", "A") && !owns("é", "É"));
}

#[test]
fn accents_are_one_however_they_are_stored() {
    check(
        "caf\u{e9}/[\u{e9}]?",
        &["cafe\u{301}/e\u{301}\u{fc}", "CAFE\u{301}/\u{c9}x"],
        &["cafe/ex"],
    );
    check("cafe\u{301}", &["caf\u{e9}"], &["cafe"]);
    check("\u{212b}", &["\u{e5}", "a\u{30a}"], &["a"]);
}

#[test]
fn what_counts_as_one_for_a_file_system_does_here() {
    // Each accented letter whose capital is not one character: capital and accent are two.
    let mut two = 0;
    for small in '\u{80}'..=char::MAX {
        let upper: String = small.to_uppercase().collect();
        let lower: String = upper.to_lowercase();
        if upper.chars().count() > 1 && composed(&lower) == small.to_string().as_str() {
            two += 1;
            check(&small.to_string(), &[&upper, &lower], &[]);
            check(&upper, &[&small.to_string()], &[]);
            check("?", &[&upper], &[]);
        }
    }
    assert!(two >= 20, "{two}");
    check("J\u{30c}x", &["\u{1f0}X", "j\u{30c}x"], &["jx"]);
    check("x\u{130}", &["Xi\u{307}", "xI\u{307}"], &["xi", "xI"]);
    check("[\u{130}a]", &["a"], &["i", "\u{130}"]);
    check("[!a]", &["i"], &["a", "\u{130}"]);
    check("??", &["\u{130}"], &[]);
    // What braces put behind a letter.
    check("e{\u{301},x}", &["\u{e9}", "ex"], &["e"]);
    check("{e,o}\u{301}", &["\u{e9}", "\u{f3}"], &["e"]);
}

#[test]
fn spelling_is_stable() {
    let stable = |text: &str| {
        let once = Case::Insensitive.spelling(text).into_owned();
        assert_eq!(Case::Insensitive.spelling(&once), once, "{text:?}");
        assert_eq!(composed(&once), once, "{text:?}");
    };
    let accents = ['\u{301}', '\u{307}', '\u{308}', '\u{30c}', '\u{316}', '\u{323}', '\u{345}'];
    for character in '\0'..=char::MAX {
        stable(&character.to_string());
        if !character.is_ascii() && character > '\u{2fff}' {
            continue;
        }
        for accent in accents {
            stable(&format!("{character}{accent}"));
        }
    }
}

#[test]
fn braces() {
    check("{a,b}/x", &["a/x", "b/x/y"], &["a", "c/x"]);
    check("src{,/api/*}", &["src", "src/q", "src/api/q"], &["srcx"]);
    check("{src,*.md}", &["src/x", "a.md"], &["a.md/x"]);
    check("{a,{b,c{d,}}}", &["a", "b", "cd", "c"], &["d", "ca"]);
    check("{a/b,c}*", &["a/bx", "c"], &["a", "c/x"]);
    check("{[,],x}y", &[",y", "xy"], &["y"]);
    check("a,b}", &["a,b}"], &["a", "b"]);
    check("a{}b{c}", &["abc"], &["a"]);
}

#[test]
fn case_is_ignored_one_character_at_a_time() {
    check("ÉCOLE/Σ", &["école/σ", "École/ς"], &["ecole/σ"]);
    check("stra?e", &["straße", "STRAẞE"], &["strasse"]);
    check("straße", &["STRAẞE"], &["strasse"]);
}

#[test]
fn folding_is_stable_and_agrees_for_all_cases_of_a_character() {
    for character in '\0'..=char::MAX {
        let folded = fold(character);
        assert_eq!(fold(folded), folded, "{character:?}");
        if folded != character {
            let known = CASED.iter().any(|(low, high)| (*low..=*high).contains(&character));
            assert!(known, "{character:?} is missing from CASED");
        }
        let upper: Vec<char> = character.to_uppercase().collect();
        let lower: Vec<char> = character.to_lowercase().collect();
        for case in [upper, lower] {
            if let [only] = case[..] {
                assert_eq!(fold(only), folded, "{character:?}");
            }
        }
    }
}

#[test]
fn what_is_no_pattern_is_refused_with_its_column() {
    use PatternProblem::*;
    let long = "a".repeat(PATTERN_BYTES_MAX + 1);
    let nested = format!("{}{}", "{a,b}".repeat(7), "{".repeat(1500) + &"}".repeat(1500));
    let cases = [
        ("", 1, Empty),
        (" \n", 1, Empty),
        ("{,a}", 1, Empty),
        ("/a", 1, Absolute),
        ("  \\a", 3, Absolute),
        ("c:\\x", 1, Absolute),
        ("C:", 1, Absolute),
        ("{a,}/b", 5, Absolute),
        ("a/../b", 3, Parent),
        ("..", 1, Parent),
        ("{.,..}/x", 4, Parent),
        ("é/\u{0}", 3, Control),
        ("a\nb", 2, Control),
        ("é[", 2, UnclosedClass),
        ("a[]", 2, UnclosedClass),
        ("a[!]", 2, UnclosedClass),
        ("x/{a,[b}", 6, UnclosedClass),
        ("a{b,{c}", 2, UnclosedBrace),
        ("{a,b}{c", 6, UnclosedBrace),
        ("[xz-a]", 3, ReversedRange { low: 'z', high: 'a' }),
        ("a[/]", 2, EmptyClass),
        ("a[\\]", 2, UnclosedClass),
        ("a[\\\\]", 2, EmptyClass),
        ("a[\\", 2, UnclosedClass),
        ("[\\z-\\a]", 2, ReversedRange { low: 'z', high: 'a' }),
        ("a/[.]/b", 3, EmptyClass),
        (".[.]", 2, EmptyClass),
        (long.as_str(), 1, TooLong),
        ("{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}", 41, TooManyAlternatives),
        (nested.as_str(), 0, TooMuch),
        ("[[:digit:]]*", 2, NamedClass),
        ("x[a[:alpha:]]", 4, NamedClass),
    ];
    for (text, column, problem) in cases {
        let error = parse(text).expect_err(text);
        assert_eq!(error.problem, problem, "{text:?}");
        assert!(column == 0 || error.column == column, "{text:?} at {}", error.column);
        assert!(error.pattern.chars().count() <= 201);
    }
    assert!(parse(&"a".repeat(PATTERN_BYTES_MAX)).is_ok());
    check("[[:]", &["[", ":"], &["a"]);
    check("[[:x]y", &["[y", ":y", "xy"], &["a"]);
    assert!(parse("a:b").is_ok());
    // Control characters remain, which a path may have even if no pattern spells them.
    check("[!\u{20}-\u{10ffff}]", &["\u{1}"], &["a"]);
}

#[test]
fn an_error_says_which_pattern_where_and_what_to_do() {
    assert_eq!(
        parse("src/[a").unwrap_err().to_string(),
        "bad pattern `src/[a` at column 5: this `[` is never closed; add a `]`, or write `[[]` \
         for a bracket in a name",
    );
    assert_eq!(
        parse("{a").unwrap_err().to_string(),
        "bad pattern `{a` at column 1: this `{` is never closed; add a `}`, or write `[{]` for \
         a brace in a name",
    );
}

/// A matcher written from the rules, without the parser or the automaton. It knows no errors.
pub(crate) fn naive(pattern: &str, path: &str) -> bool {
    if let Some(open) = pattern.find('{') {
        let close = open + pattern[open..].find('}').unwrap();
        let alternatives = pattern[open + 1..close].split(',');
        let (before, after) = (&pattern[..open], &pattern[close + 1..]);
        return alternatives.into_iter().any(|own| naive(&format!("{before}{own}{after}"), path));
    }
    let slash_ends = pattern.split('/').next_back().is_some_and(|last| ["", "."].contains(&last));
    let below = slash_ends || !pattern.contains(['*', '?', '[']);
    let parts = pattern.split('/').filter(|part| !["", "."].contains(part));
    let pattern: Vec<String> = parts.map(str::to_lowercase).collect();
    let path: Vec<String> = path.split('/').map(str::to_lowercase).collect();
    let end = if below { 0 } else { path.len() };
    (end..=path.len()).any(|end| naive_components(&pattern, &path[..end]))
}

fn naive_components(pattern: &[String], path: &[String]) -> bool {
    match pattern {
        [] => path.is_empty(),
        [last] if last == "**" => !path.is_empty(),
        [first, rest @ ..] if first == "**" => {
            (0..=path.len()).any(|skipped| naive_components(rest, &path[skipped..]))
        }
        [first, rest @ ..] => {
            let name: Vec<char> =
                path.first().map(|name| name.chars().collect()).unwrap_or_default();
            let first: Vec<char> = first.chars().collect();
            !path.is_empty() && naive_name(&first, &name) && naive_components(rest, &path[1..])
        }
    }
}

fn naive_name(pattern: &[char], name: &[char]) -> bool {
    match (pattern, name) {
        ([], _) => name.is_empty(),
        (['*', rest @ ..], _) => {
            naive_name(rest, name) || !name.is_empty() && naive_name(pattern, &name[1..])
        }
        (_, []) => false,
        (['[', '!', class @ ..], [first, others @ ..]) => {
            let close = class.iter().position(|c| *c == ']').unwrap();
            !class[..close].contains(first) && naive_name(&class[close + 1..], others)
        }
        (['[', class @ ..], [first, others @ ..]) => {
            let close = class.iter().position(|c| *c == ']').unwrap();
            class[..close].contains(first) && naive_name(&class[close + 1..], others)
        }
        ([own, rest @ ..], [first, others @ ..]) => {
            (*own == '?' || own == first) && naive_name(rest, others)
        }
    }
}

/// All strings over the characters up to a length that are paths.
pub(crate) fn paths_over(characters: &[char], length_max: usize) -> Vec<String> {
    let mut all = Vec::new();
    let mut longest = alloc::vec![String::new()];
    for _ in 0..length_max {
        let with_next = |text: &String| {
            let text = text.clone();
            characters.iter().map(move |c| format!("{text}{c}")).collect::<Vec<_>>()
        };
        longest = longest.iter().flat_map(with_next).collect();
        all.extend(longest.iter().filter(|path| is_path(path)).cloned());
    }
    all
}

fn is_path(text: &str) -> bool {
    text.split('/').all(|component| !["", ".", ".."].contains(&component))
}

/// Patterns that parse, over few characters so that they often meet.
pub(crate) fn patterns() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(
        &[
            "a", "a", "b", "b", "A", "?", "*", "*", "[ab]", "[!a]", "[!b]", "{a,b}", "{,a}",
            "{b,a/b}", "{?,b*}", "**", ".", "[.a]",
        ][..],
    );
    let name = prop::collection::vec(piece, 1..4).prop_map(|pieces| pieces.concat());
    let component = prop_oneof![4 => name, 1 => Just("**".to_string())];
    (prop::collection::vec(component, 1..4), prop::sample::select(&["", "", "/", "/."][..]))
        .prop_map(|(components, end)| components.join("/") + end)
        .prop_filter("only patterns", |text| parse(text).is_ok())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn matches_what_the_naive_matcher_matches(pattern in patterns()) {
        let parsed = parse(&pattern).unwrap();
        for path in paths_over(&['a', 'b', '/'], 6) {
            prop_assert_eq!(parsed.matches(&path), naive(&pattern, &path), "{} {}", pattern, path);
        }
    }

    #[test]
    fn any_text_is_a_pattern_or_an_error(text in "[ -~\\n{},*?/\\[\\]!.é]{0,40}") {
        if let Ok(pattern) = parse(&text) {
            prop_assert!(super::super::intersect::shared_path(&pattern, &pattern) != Common::Nothing);
        }
    }
}
