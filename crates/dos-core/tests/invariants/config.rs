//! `dos.toml`: what is wrong is reported with its place, and the rest applies.

use dos_core::config::{Config, Finding};
use dos_core::lane::overlap::RATIO_MAX;
use dos_core::lane::{Command, Lanes};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::values::{acquire, after, cases, granted, refused, run, texts, tree};

/// A whole and sound file, to which faults are added. It has 14 lines.
const SOUND: &str = "\
[lanes]
concurrent = [\"src\"]
autopick = [\"src\"]
[lanes.trees]
src = [\"src/**\"]
[lanes.aliases]
s = \"src\"
[overlap]
policy = \"prefix\"
[paths]
lane_journal = \"j.jsonl\"
[[concurrency_class]]
name = \"cluster\"
max_concurrent = 2
";

/// What of [`SOUND`] is in force: `l`anes, `o`verlap, `p`aths, `c`lasses.
fn in_force(config: &Config) -> String {
    let parts = [
        ('l', config.lanes_declared && config.policy.lanes.concurrent == ["src"]),
        ('o', config.policy.conditions.overlap.name() == "prefix"),
        ('p', config.paths.get("lane_journal").is_some_and(|path| path == "j.jsonl")),
        ('c', config.policy.class_budgets.get("cluster") == Some(&2)),
    ];
    parts.iter().filter(|(_, holds)| *holds).map(|(part, _)| *part).collect()
}

#[test]
fn a_sound_file_has_no_findings() {
    for text in [SOUND.to_string(), format!("\u{feff}{SOUND}"), SOUND.replace('\n', "\r\n")] {
        let config = Config::parse(&text);
        assert_eq!(config.findings, []);
        assert_eq!(in_force(&config), "lopc");
        assert_eq!(config.ratio_max, RATIO_MAX);
        assert_eq!(config.policy.lanes.resolve("S"), "src");
    }
}

#[test]
fn a_missing_file_is_the_whole_repository() {
    let config = Config::undeclared();
    assert_eq!((config.findings, config.lanes_declared), (vec![], false));
    assert_eq!(config.policy.lanes, Lanes::undeclared());
    assert_eq!(config.policy.conditions.overlap.name(), "exact");
}

/// The sound file with one text replaced; then where the one finding is, whether it leaves
/// something out, what it suggests, and what stays in force.
type Row = (&'static str, &'static str, (usize, usize), bool, &'static str, &'static str);

const FAULTS: [Row; 29] = [
    // The whole file.
    ("[lanes]", "[lanes", (1, 7), true, "mend this line; until then the defaults apply", ""),
    ("[paths]", "paths", (10, 6), true, "mend this line; until then the defaults apply", ""),
    ("[overlap]", "[lanes]", (8, 2), true, "mend this line; until then the defaults apply", ""),
    ("\"prefix\"", "\"prefix", (9, 17), true, "mend this line; until then the defaults apply", ""),
    // Names that nobody reads.
    ("[lanes]", "é = 1", (1, 1), true, "mend this line; until then the defaults apply", ""),
    ("[lanes]", "lane = 1\n[lanes]", (1, 1), false, "did you mean \"lanes\"?", "lopc"),
    ("[paths]", "[pahts]", (10, 2), false, "did you mean \"paths\"?", "loc"),
    ("autopick", "autopik", (3, 1), false, "did you mean \"autopick\"?", "lopc"),
    (
        "autopick",
        "# ü\n  \"über\"",
        (4, 3),
        false,
        "known: concurrent, exclusive, shared, autopick, trees, aliases",
        "lopc",
    ),
    ("policy", "polcy", (9, 1), false, "did you mean \"policy\"?", "lpc"),
    ("name =", "nam = 1\nname =", (13, 1), false, "did you mean \"name\"?", "lopc"),
    // Wrong types, table by table.
    (
        "[\"src\"]\na",
        "\"src\"\na",
        (2, 14),
        true,
        "write it like this: concurrent = [\"...\"]",
        "opc",
    ),
    (
        "[\"src\"]\na",
        "[\"ü\", 5]\na",
        (2, 20),
        true,
        "write it like this: concurrent = [\"...\"]",
        "opc",
    ),
    ("[\"src\"]\n[", "true\n[", (3, 12), true, "write it like this: autopick = [\"...\"]", "opc"),
    ("[\"src/**\"]", "\"src/**\"", (5, 7), true, "write it like this: src = [\"...\"]", "opc"),
    ("[\"src/**\"]", "[1.5]", (5, 8), true, "write it like this: src = [\"...\"]", "opc"),
    ("\"src\"\n[o", "5\n[o", (7, 5), true, "write it like this: s = \"...\"", "opc"),
    (
        "[lanes.aliases]\ns = \"src\"",
        "[[lanes.aliases]]",
        (6, 1),
        true,
        "write it like this: name = \"value\"",
        "opc",
    ),
    (
        "[lanes.trees]\nsrc = [\"src/**\"]",
        "[[lanes.trees]]",
        (4, 1),
        true,
        "write it like this: [lanes.trees]",
        "opc",
    ),
    ("\"prefix\"", "\"prefx\"", (9, 10), true, "did you mean \"prefix\"?", "lpc"),
    ("\"prefix\"", "\"jaccard\"", (9, 10), true, "known: exact, prefix", "lpc"),
    (
        "[overlap]",
        "[overlap]\nratio_max = 2",
        (9, 13),
        true,
        "write it like this: ratio_max = 0.33",
        "lpc",
    ),
    (
        "[overlap]",
        "[overlap]\nratio_max = nan",
        (9, 13),
        true,
        "write it like this: ratio_max = 0.33",
        "lpc",
    ),
    (
        "[overlap]",
        "[overlap]\nratio_max = \"1\"",
        (9, 13),
        true,
        "write it like this: ratio_max = 0.33",
        "lpc",
    ),
    ("[overlap]", "[[overlap]]", (8, 1), true, "write it like this: [overlap]", "lpc"),
    (
        "\"j.jsonl\"",
        "1979-05-27",
        (11, 16),
        true,
        "write it like this: lane_journal = \"...\"",
        "loc",
    ),
    (
        "[[concurrency_class]]",
        "[concurrency_class]",
        (12, 1),
        true,
        "write it like this: [[concurrency_class]]",
        "lop",
    ),
    (
        "\"cluster\"",
        "\"\"",
        (12, 1),
        true,
        "write name = \"cluster\" and max_concurrent = 4",
        "lop",
    ),
    ("= 2", "= 1.5", (12, 1), true, "write name = \"cluster\" and max_concurrent = 4", "lop"),
];

#[test]
fn a_fault_is_reported_once_with_its_place_and_the_rest_applies() {
    for (old, new, place, severe, suggestion, still) in FAULTS {
        assert!(SOUND.contains(old), "{old}");
        let text = SOUND.replacen(old, new, 1);
        // A mark at the start of the file moves nothing.
        for text in [text.clone(), format!("\u{feff}{text}")] {
            let config = Config::parse(&text);
            let [Finding { line, column, suggestion: found, severe: leaves_out, .. }] =
                &config.findings[..]
            else {
                panic!("{text}\n{:?}", config.findings)
            };
            assert_eq!((*line, *column), place, "{text}\n{}", config.findings[0]);
            assert_eq!(found, suggestion, "{text}");
            assert_eq!(*leaves_out, severe, "{text}");
            assert_eq!(in_force(&config), still, "{text}");
        }
    }
}

#[test]
fn each_fault_of_several_tables_is_reported() {
    let text = SOUND
        .replace("[\"src\"]\na", "5\na")
        .replace("\"prefix\"", "\"x\"")
        .replace("\"j.jsonl\"", "1")
        .replace("= 2", "= -1")
        + "[zebra]\n";
    let config = Config::parse(&text);
    let lines: Vec<usize> = config.findings.iter().map(|finding| finding.line).collect();
    assert_eq!(lines, [2, 9, 11, 12, 15]);
    assert_eq!(in_force(&config), "");
    assert_eq!(config.policy.lanes, Lanes::undeclared());
}

#[test]
fn a_bad_pattern_is_reported_and_stays_in_the_way_of_everybody() {
    let text =
        SOUND.replace("policy = \"prefix\"", "").replace("[\"src/**\"]", "[\"a/\", \"src/[\"]");
    let config = Config::parse(&(text + "[tools]\n"));
    let [finding] = &config.findings[..] else { panic!("{:?}", config.findings) };
    assert_eq!((finding.line, finding.column, finding.severe), (5, 14, true));
    assert!(finding.problem.contains("lane src: bad pattern `src/[` at column 5"), "{finding}");
    assert_eq!(finding.suggestion, "until it is mended it counts as the whole repository");
    let lanes = &config.policy.lanes;
    assert_eq!(lanes.tree("src"), tree(&["a/", "src/["]));
    assert_eq!(lanes.concurrent, texts(&["src"]));
    let mut live = dos_core::journal::LiveSet::default();
    let src = Command::Acquire(acquire("src", "p"));
    granted(run(&mut live, &src, &after(0), &config.policy));
    let mut elsewhere = acquire("hot", "q");
    elsewhere.request.tree = tree(&["docs/x"]);
    refused(run(&mut live, &Command::Acquire(elsewhere), &after(0), &config.policy));
}

#[test]
fn a_whole_number_counts_in_every_spelling() {
    for (spelling, most) in [
        ("16", 16),
        ("+1_6", 16),
        ("16.0", 16),
        ("1.6e1", 16),
        ("0x10", 16),
        ("0o20", 16),
        ("0b10000", 16),
        ("0", 0),
    ] {
        let config = Config::parse(&SOUND.replace("= 2", &format!("= {spelling}")));
        assert_eq!(config.findings, [], "{spelling}");
        assert_eq!(config.policy.class_budgets["cluster"], most, "{spelling}");
    }
}

#[test]
fn a_value_of_the_wrong_type_is_called_that() {
    for (old, new, table) in [
        ("policy = \"prefix\"", "policy = 5", "[overlap]"),
        ("\"j.jsonl\"", "5", "[paths]"),
        ("s = \"src\"", "s = 5", "[lanes]"),
        ("[\"src/**\"]", "5", "[lanes]"),
    ] {
        let config = Config::parse(&SOUND.replacen(old, new, 1));
        let problem = &config.findings[0].problem;
        assert!(problem.starts_with(&format!("ignoring {table}: ")), "{problem}");
        assert!(problem.ends_with("not an integer"), "{problem}");
    }
}

#[test]
fn case_counts_only_where_it_is_asked_to() {
    let meet = |overlap: &str| {
        let text = SOUND.replace("policy = \"prefix\"", overlap);
        let config = Config::parse(&text);
        let meeting = config.policy.conditions.overlap.meeting(&tree(&["SRC/x"]), &tree(&["src"]));
        (config.findings.len(), config.case.name(), meeting.is_some())
    };
    assert_eq!(meet(""), (0, "insensitive", true));
    assert_eq!(meet("case = \"insensitive\""), (0, "insensitive", true));
    assert_eq!(meet("case = \"sensitive\""), (0, "sensitive", false));
    assert_eq!(meet("case = \"sensitiv\""), (1, "insensitive", true));
    assert_eq!(meet("case = false"), (1, "insensitive", true));
    assert_eq!(meet("case = \"sensitive\"\npolicy = \"prefix\""), (0, "sensitive", true));
}

#[test]
fn comments_leave_a_tree_and_an_unreadable_exception_takes_nothing_away() {
    let text = SOUND.replace("[\"src/**\"]", "[\"# ours\", \"src/**\", \"!src/gen/**\"]");
    let config = Config::parse(&text);
    assert_eq!(config.findings, []);
    assert_eq!(config.policy.lanes.tree("src"), tree(&["src/**", "!src/gen/**"]));
    let config = Config::parse(&text.replace("gen/**", "["));
    let [finding] = &config.findings[..] else { panic!("{:?}", config.findings) };
    assert_eq!((finding.line, finding.column), (5, 28));
    assert_eq!(finding.suggestion, "the policy `prefix` compares its text, whatever it means");
    let config = Config::parse(&text.replace("gen/**", "[").replace("\"prefix\"", "\"exact\""));
    assert_eq!(config.findings[0].suggestion, "until it is mended it takes nothing away");
}

/// The text of some TOML value.
fn toml_value() -> impl Strategy<Value = String> {
    let leaf = select(vec![
        "1",
        "-1",
        "0x10",
        "9223372036854775807",
        "99999999999999999999",
        "1.5",
        "inf",
        "nan",
        "1e400",
        "true",
        "\"\"",
        "\"x\"",
        "'src/['",
        "\"\\u2028\"",
        "1979-05-27T07:32:00Z",
        "07:32:00",
    ])
    .prop_map(str::to_string);
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
            vec((select(vec!["a", "name", "\"ü\"", "trees"]), inner), 0..2).prop_map(|fields| {
                let field = |(index, (key, value)): (usize, &(&str, String))| match index {
                    0 => format!("{key} = {value}"),
                    _ => format!("other = {value}"),
                };
                let fields: Vec<String> = fields.iter().enumerate().map(field).collect();
                format!("{{ {} }}", fields.join(", "))
            }),
        ]
    })
}

const PLACES: [&str; 14] = [
    "lanes",
    "lanes.concurrent",
    "lanes.exclusive",
    "lanes.autopick",
    "lanes.trees",
    "lanes.trees.src",
    "lanes.aliases",
    "lanes.aliases.s",
    "overlap",
    "overlap.policy",
    "overlap.ratio_max",
    "paths",
    "paths.lane_journal",
    "concurrency_class",
];

fn check(text: &str) {
    let config = Config::parse(text);
    let text = text.trim_start_matches('\u{feff}');
    let lines: Vec<&str> = text.split('\n').collect();
    for finding in &config.findings {
        assert!((1..=lines.len()).contains(&finding.line), "{finding}");
        let width = lines[finding.line - 1].chars().count();
        assert!((1..=width + 1).contains(&finding.column), "{finding}");
        assert!(!finding.problem.is_empty() && !finding.suggestion.is_empty());
    }
    let broken = |finding: &&Finding| finding.problem.starts_with("dos.toml is no valid TOML");
    if config.findings.iter().any(|finding| broken(&finding)) {
        assert_eq!(config.findings.len(), 1, "a syntax error is reported once, and alone");
        assert_eq!(config.policy.lanes, Lanes::undeclared());
    }
    assert!(config.ratio_max > 0.0 && config.ratio_max <= 1.0);
    assert!(config.lanes_declared || config.policy.lanes == Lanes::undeclared());
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn any_text_is_read_without_a_panic(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn a_damaged_file_is_read_without_a_panic(
        damage in vec((any::<Index>(), any::<char>(), 0..4_u8), 1..6),
    ) {
        let mut text: Vec<char> = SOUND.chars().collect();
        for (at, character, how) in damage {
            let at = at.index(text.len());
            match how {
                0 => text.insert(at, character),
                1 => text[at] = character,
                2 => text.truncate(at + 1),
                _ => text[at] = '\n',
            }
        }
        check(&text.into_iter().collect::<String>());
    }

    #[test]
    fn any_value_in_any_place_is_read_without_a_panic(
        fields in vec((select(&PLACES[..]), toml_value()), 1..4),
    ) {
        let text: String = fields.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        check(&text);
        for (_, value) in &fields {
            check(&format!("[[concurrency_class]]\nname = {value}\nmax_concurrent = 1\n"));
            check(&format!("[[concurrency_class]]\nname = \"a\"\nmax_concurrent = {value}\n"));
        }
    }
}
