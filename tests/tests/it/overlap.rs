//! Regions end to end: what meets, who may read, what the lane map shows and the linter finds.

use dos_tests::TestEnv;
use serde_json::{Value, json};

use crate::{configured, empty, live_lanes};

/// Two lanes of which one takes away from its own tree, and two that are only read.
const READERS: &str = r##"
[lanes]
concurrent = ["api", "gen"]
shared = ["audit", "docs"]
autopick = ["api", "gen"]
[lanes.trees]
api = ["# the API, without what is generated", "src/**", "!src/gen/**"]
gen = ["src/gen/**"]
audit = ["src/**"]
docs = ["**/*.md"]
"##;

fn git(env: &TestEnv, arguments: &str) {
    let mut command = std::process::Command::new("git");
    command.args(arguments.split_whitespace());
    env.furnish(&mut command);
    let output = command.output().unwrap();
    assert!(output.status.success(), "git {arguments}: {output:?}");
}

/// A git repository with these files and this `dos.toml`.
fn repository(config: &str, files: &[&str]) -> TestEnv {
    let env = configured(config);
    for file in files {
        env.write(file, "");
    }
    git(&env, "init -q");
    git(&env, "add -A");
    env
}

#[test]
fn a_pair_is_explained() {
    let env = empty();
    let pair = |first: &[&str], second: &[&str], code: i32| {
        let answer = env.run([&["overlap"], first, &["--with"], second, &["--json"]].concat());
        answer.exits(code).is_quiet();
        let answer = answer.json();
        (answer["verdict"].clone(), answer["witness"].clone())
    };
    let disjoint = (json!("disjoint"), json!(null));
    assert_eq!(pair(&["src/**/*.rs"], &["src/**/*.md"], 0), disjoint);
    assert_eq!(pair(&["src/api"], &["src/apix/"], 0), disjoint);
    assert_eq!(pair(&["src/**", "!src/gen/**"], &["src/gen/**"], 0), disjoint);
    assert_eq!(pair(&["a?.ts"], &["ab.ts"], 1), (json!("meet"), json!("ab.ts")));
    assert_eq!(pair(&["x", "d/[a-c]*"], &["{d,e}/[!a]"], 1), (json!("meet"), json!("d/b")));
    assert_eq!(pair(&["SRC"], &["src/x"], 1), (json!("meet"), json!("SRC/x")));
    let text = env.run(["overlap", "SRC/**", "--with", "docs", "src/?"]);
    let said = "meet: pattern `SRC/**` meets `src/?` at SRC/a\n";
    assert_eq!(text.exits(1).stdout, said);
    assert_eq!(env.dos("overlap a --with b").exits(0).stdout, "disjoint: no path is in both\n");
    let hostile = ["*a".repeat(2000) + "*b?", "*a".repeat(2000) + "*c?"];
    let answer = env.run(["overlap", &hostile[0], "--with", &hostile[1], "--json"]).exits(1).json();
    assert_eq!((&answer["verdict"], &answer["doubt"]), (&json!("may_meet"), &json!("too_costly")));
    assert_eq!(answer["witness"], json!(null));
    assert_eq!(env.tree(), [""; 0]);
}

#[test]
fn a_pattern_that_cannot_be_read_is_shown_with_its_place() {
    let env = empty();
    let both = env.run(["overlap", "漢[a", "ok", "--with", "b/../c"]).exits(2).stderr.clone();
    let expected = "error: bad pattern in the first tree, column 2:\n  漢[a\n    ^ this `[` is never \
                    closed; add a `]`, or write `[[]` for a bracket in a name\nbad pattern in the \
                    tree behind --with, column 3:\n  b/../c\n    ^ `..` is not followed; write the \
                    path from the root of the repository\n";
    assert_eq!(both, expected);
    for (pattern, said) in [
        ("src/[a", "column 5"),
        ("src/{a,b", "column 5"),
        ("a/../b", "column 3"),
        ("!src", "column 1"),
        ("# x", "there are only comments"),
        ("", "it names nothing"),
    ] {
        env.run(["overlap", pattern, "--with", "b"]).exits(2).says(said);
        env.run(["arbitrate", "--tree", pattern]).exits(2).says(said);
    }
}

#[test]
fn the_policy_of_the_workspace_judges() {
    let sensitive = configured("[overlap]\ncase = \"sensitive\"\n");
    sensitive.dos("overlap SRC/x --with src/x").exits(0);
    let answer = sensitive.dos("overlap src/x --with src/x --json").exits(1).json();
    assert_eq!((&answer["policy"], &answer["case"]), (&json!("exact"), &json!("sensitive")));
    let prefix = configured("[overlap]\npolicy = \"prefix\"\n");
    prefix.dos("overlap src/**/*.rs --with src/**/*.md").exits(1);
    prefix.dos("overlap a?.ts --with ab.ts").exits(0);
    // A third of the first tree may be in the second.
    let answer = prefix.dos("overlap src/a x y --with src/** --json").exits(0).json();
    assert_eq!((&answer["policy"], &answer["case"]), (&json!("prefix"), &json!(null)));
    configured("[overlap]\ncase = \"no\"\n").dos("overlap a --with A").exits(1).says("2:8");
}

#[test]
fn what_a_lane_takes_away_somebody_else_may_hold() {
    let env = configured(READERS);
    let grant = env.dos("lease-lane acquire --lane api --owner a").exits(0).json();
    assert_eq!(grant["tree"], json!(["src/**", "!src/gen/**"]), "comments stay in dos.toml");
    env.dos("lease-lane acquire --lane gen --owner b").exits(0);
    let refusal = env.dos("lease-lane acquire --lane x --tree src/a --owner c").exits(1).json();
    let blocker = &refusal["blocked_by"][0];
    assert_eq!(blocker["held_pattern"], "src/**");
    assert_eq!((&blocker["witness"], &blocker["doubt"]), (&json!("src/a"), &json!(null)));
    assert!(refusal["reason"].as_str().unwrap().contains("`src/a` meets `src/**` at src/a"));
    assert_eq!(live_lanes(&env), ["api", "gen"]);
}

#[test]
fn readers_share_and_writers_do_not() {
    let env = configured(READERS);
    let first = env.dos("lease-lane acquire --lane audit --owner a").exits(0).json();
    assert_eq!(first["mode"], "shared");
    env.dos("lease-lane acquire --lane audit --owner b").exits(0);
    env.dos("lease-lane acquire --lane api --owner c --shared").exits(0);
    env.dos("arbitrate --lane docs").exits(0);
    let refusal = env.dos("lease-lane acquire --lane gen --owner d").exits(1).json();
    assert_eq!(refusal["blocked_by"][0]["mode"], "shared");
    assert!(refusal["reason"].as_str().unwrap().contains("a reads audit"), "{refusal}");
    // The mode survives compaction, and each reader gives back what is its own.
    env.dos("journal compact").exits(0);
    env.dos("lease-lane acquire --lane gen --owner d").exits(1);
    for owner in ["a", "b"] {
        env.dos(&format!("lease-lane release --lane audit --owner {owner}")).exits(0);
    }
    env.dos("lease-lane release --lane api --owner c").exits(0);
    let grant = env.dos("lease-lane acquire --lane gen --owner d").exits(0).json();
    assert_eq!(grant["mode"], json!(null));
    env.dos("lease-lane acquire --lane audit --owner a").exits(1);
    env.dos("lease-lane acquire --lane x --tree src/gen/x --shared --owner a").exits(1);
}

#[test]
fn the_lane_map_counts_files() {
    let files = ["src/a.rs", "src/gen/b.rs", "src/x.md", "Cargo.toml", "ünï/ä.txt"];
    let env = repository(READERS, &files);
    env.write("src/untracked.rs", "");
    let map = env.dos("lanes --json").exits(0).json();
    let counts: Vec<(&Value, &Value)> = map["lanes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|lane| (&lane["lane"], &lane["files"]))
        .collect();
    let expected = [("api", 2), ("gen", 1), ("audit", 3), ("docs", 1)];
    let expected = expected.map(|(lane, count)| (json!(lane), json!(count)));
    assert_eq!(counts, expected.iter().map(|(lane, count)| (lane, count)).collect::<Vec<_>>());
    assert_eq!(map["files_total"], 6);
    assert_eq!(map["unowned"], json!(["Cargo.toml", "dos.toml", "ünï/ä.txt"]));
    let met: Vec<&Value> =
        map["meetings"].as_array().unwrap().iter().map(|meeting| &meeting["lanes"]).collect();
    // Two lanes that are only read are in nobody's way.
    let expected = [
        json!(["api", "audit"]),
        json!(["api", "docs"]),
        json!(["gen", "audit"]),
        json!(["gen", "docs"]),
    ];
    assert_eq!(met, expected.iter().collect::<Vec<_>>());
    let text = env.dos("lanes").exits(0).stdout.clone();
    for said in ["4 lanes in", "6 files in git", "files that no lane owns: 3"] {
        assert!(text.contains(said), "{said:?} is not in\n{text}");
    }
    let expected = "\
  lane   runs         files  part of all files     tree
  api    concurrent       2  ██████░░░░░░░░░░░░░░  src/**  !src/gen/**
  gen    concurrent       1  ███░░░░░░░░░░░░░░░░░  src/gen/**
  audit  shared           3  ██████████░░░░░░░░░░  src/**
  docs   shared           1  ███░░░░░░░░░░░░░░░░░  **/*.md

lanes that meet, so that they never run side by side: 4
  api × audit  2 files, such as src/a.rs: `src/**` meets `src/**`
  api × docs   1 file, src/x.md: `src/**` meets `**/*.md`
  gen × audit  1 file, src/gen/b.rs: `src/gen/**` meets `src/**`
  gen × docs   no file yet: pattern `src/gen/**` meets `**/*.md` at src/gen/.md

  lane by number   1  2  3  4
   1 api           ■  ·  ×  ×
   2 gen           ·  ■  ×  ×
   3 audit         ×  ×  ■  ·
   4 docs          ×  ×  ·  ■
";
    assert!(text.contains(expected), "{text}");
    // In a narrow terminal every line fits; the bars go.
    let narrow = env.command(["lanes"]).env("COLUMNS", "50").output().unwrap();
    let narrow = String::from_utf8(narrow.stdout).unwrap();
    assert!(narrow.lines().all(|line| line.chars().count() <= 50), "{narrow}");
    assert!(narrow.contains("concurrent") && !narrow.contains('█'), "{narrow}");
    assert_eq!(map["meetings"][0]["files"], 2);
    assert_eq!(map["meetings"][0]["file"], "src/a.rs");
    assert_eq!(map["meetings_total"], 4);
    let graph = env.dos("lanes --dot").exits(0).stdout.clone();
    assert!(graph.starts_with("graph lanes {"), "{graph}");
    assert!(graph.contains("l0 -- l2 [label=\"2 files\"]"), "{graph}");
    assert!(graph.contains("l0 -- l3 [label=\"1 file\"]"), "{graph}");
    env.dos("lanes --dot --json").exits(2);
}

#[test]
fn a_workspace_below_the_root_of_the_repository_has_its_own_files() {
    let env = repository("", &["a.rs", "sub/x.rs", "sub/dos.toml"]);
    env.write("sub/dos.toml", "[lanes]\nconcurrent=[\"x\"]\n[lanes.trees]\nx=[\"x.rs\"]\n");
    let map = env.dos("lanes --json --workspace sub").exits(0).json();
    assert_eq!(map["unowned"], json!(["dos.toml"]));
}

#[test]
fn outside_of_git_the_map_shows_the_lanes_alone() {
    let env = configured(READERS);
    let map = env.dos("lanes --json").exits(0).json();
    assert_eq!((&map["files_total"], &map["unowned"]), (&json!(null), &json!(null)));
    assert!(env.dos("lanes").exits(0).stdout.contains("no git repository"));
    assert_eq!(env.tree(), ["dos.toml"]);
}

#[test]
fn dead_policy_is_found() {
    let env = repository(READERS, &["src/a", "src/gen/x", "x.md"]);
    // A reader's lane lies over a writer's: that is what it is for.
    let said = "clean: every lane can be reached, and every pattern matches one of 4 files\n";
    assert_eq!(env.dos("lint").exits(0).stdout, said);
    assert_eq!(env.dos("lint --json").exits(0).json()["files_total"], 4);
    let config = "[lanes]\nconcurrent=[\"a\",\"b\"]\nexclusive=[\"x\"]\nautopick=[\"x\",\"a\"]\n\
                  [lanes.trees]\na=[\"src/**\",\"scr/\"]\n";
    env.write("dos.toml", config);
    let found = env.dos("lint --json").exits(1).json();
    assert_eq!(found["counts"], json!({"error": 1, "warn": 2, "info": 0}));
    let kinds: Vec<&str> =
        found["findings"].as_array().unwrap().iter().map(|f| f["kind"].as_str().unwrap()).collect();
    let expected = ["LANE_WITHOUT_TREE", "PATTERN_MATCHES_NOTHING", "AUTOPICK_EXCLUSIVE"];
    assert_eq!(kinds, expected);
    env.dos("lint --strict").exits(1);
    env.write(
        "dos.toml",
        "[lanes]\nconcurrent=[\"a\"]\n[lanes.trees]\na=[\n\"src\",\n\"src/[\"]\n",
    );
    let text = env.dos("lint").exits(1).stdout.clone();
    assert!(text.starts_with("dos.toml:6:1: error CONFIG_IGNORED: lane a: bad pattern"), "{text}");
    env.write("dos.toml", "[lanes]\nconcurrent=[\"a\"]\n[lanes.trees]\na=[\"src\"]\n");
    assert!(env.dos("lint").exits(0).stdout.starts_with("clean"));
    // What was not looked at is not called clean.
    let outside = configured("[lanes]\nconcurrent=[\"a\"]\n[lanes.trees]\na=[\"nothere/**\"]\n");
    let said = outside.dos("lint").exits(0).stdout.clone();
    assert!(said.contains("no git repository") && !said.contains("every pattern"), "{said}");
    assert_eq!(outside.dos("lint --json").exits(0).json()["files_total"], json!(null));
    assert!(empty().dos("lint").exits(0).stdout.contains("no lanes are declared"));
}

#[test]
fn usual_mistakes_are_told() {
    let files = ["src/a.rs", "x.rs", "~/x/y", "src/.rs"];
    let config =
        |pattern: &str| format!("[lanes]\nconcurrent=[\"a\"]\n[lanes.trees]\na=['{pattern}']\n");
    for (pattern, fix) in [
        ("**.rs", "write `**/*.rs`"),
        ("src/a**", "write one `*`"),
        ("~/x", "from the root of the repository"),
        ("src/\\*.rs", "write `[*]`"),
    ] {
        let env = repository(&config(pattern), &files);
        let text = env.dos("lint").exits(1).stdout.clone();
        assert!(text.contains("PATTERN_MISLEADS") && text.contains(fix), "{text}");
    }
    let env = repository(&config("src/**/*.rs"), &files);
    env.dos("lint").exits(0);
    let text = repository(&config("[[:digit:]]"), &files).dos("lint").exits(1).stdout.clone();
    assert!(text.contains("write the characters out"), "{text}");
}

#[test]
fn a_name_cannot_reach_the_terminal() {
    let lane = "\\u001b[31mred";
    let text = format!(
        "[lanes]\nconcurrent=[\"{lane}\",\"b\"]\n[lanes.trees]\n\"{lane}\"=[\"src\"]\nb=[\"src\"]\n"
    );
    let env = repository(&text, &["src/a"]);
    for verb in ["lint", "lanes", "lanes --dot"] {
        let said = env.dos(verb).stdout.clone();
        assert!(said.contains("red") && !said.contains('\u{1b}'), "{verb}: {said:?}");
    }
}

#[test]
fn a_folder_below_says_where_the_policy_is() {
    let env = repository("[lanes]\nconcurrent=[\"a\"]\n", &["sub/x"]);
    for verb in ["lanes", "lint", "overlap a --with b"] {
        let said = env.dos(&format!("{verb} --workspace sub")).stderr.clone();
        assert!(said.contains("has no dos.toml; for the one above it, use --workspace"), "{said}");
        assert_eq!(env.dos(verb).stderr, "");
    }
}

/// A tree that stands for gigabytes, or for ages, is refused or answered; never worked out.
#[test]
fn hostile_trees_need_little_memory() {
    let env = empty();
    let many = |text: &str, count: usize| -> Vec<String> {
        (0..count).map(|number| format!("{text}{number}")).collect()
    };
    let class: String = (0..1300).filter_map(|n| char::from_u32(0x4e00 + 2 * n)).collect();
    let cases = [
        (many(&("{a,b}".repeat(7) + &"x".repeat(90)), 1000), vec!["y".to_string()], 2),
        (many(&format!("[{}]", "\u{b5}-\u{24cf}".repeat(90)), 100), vec!["y".to_string()], 0),
        (many(&("x".to_string() + &"{a,b}".repeat(8)), 32), many(&"{a,b}".repeat(8), 32), 1),
        (vec![format!("e[{class}\u{301}]"), "!\u{e9}".into()], vec!["?\u{301}".into()], 1),
        (vec!["*a".repeat(2000) + "*b?"], vec!["*a".repeat(2000) + "*c?"], 1),
        (vec![format!("!*a{}", "?".repeat(40)), "x".into()], vec!["**".into()], 2),
        (vec!["*".into(), format!("!*a{}", "?".repeat(40)), "!*[!a]".into()], vec!["**".into()], 1),
    ];
    for (first, second, code) in cases {
        let mut command = std::process::Command::new("sh");
        // A quarter of a gigabyte of addresses, most of which the program's own text takes up.
        command.args(["-c", "ulimit -v 262144; exec \"$@\"", "sh"]).arg(env.binary());
        command.arg("overlap").args(&first).arg("--with").args(&second);
        env.furnish(&mut command);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{:.80}: {said:.300}", first[0]);
    }
}

#[test]
fn the_prefix_rule_is_told_as_what_it_is() {
    let env = configured("[overlap]\npolicy = \"prefix\"\n");
    let said = env.run(["overlap", "a?.ts", "--with", "ab.ts"]).exits(0).stdout.clone();
    let expected = "admitted by the rule `prefix`, which compares no paths: 0 of 1 pattern meet by \
                    their text up to the first `*`, at most 33 % may\n";
    assert_eq!(said, expected);
    let answer = |first: &[&str], second: &str, code: i32| {
        let answer = env.run([&["overlap"], first, &["--with", second, "--json"]].concat());
        let answer = answer.exits(code).json();
        ["verdict", "token", "shared", "requested"].map(|key| answer[key].clone())
    };
    let soft = answer(&["src/a", "x", "y"], "src/**", 0);
    assert_eq!(soft, [json!("admitted"), json!("admit_soft"), json!(1), json!(3)]);
    let refused = answer(&["src/a", "src/b", "y"], "src/**", 1);
    assert_eq!(refused, [json!("refused"), json!("refuse_overlap"), json!(2), json!(3)]);
    let same = answer(&["src/*"], "src/**", 1);
    assert_eq!(same[1], "refuse_exact_glob");
}
