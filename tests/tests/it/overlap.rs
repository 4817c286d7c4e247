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
    for (pattern, said) in [
        ("src/[a", "column 5"),
        ("src/{a,b", "column 5"),
        ("a/../b", "column 3"),
        ("!src", "column 1"),
        ("# x", "it names nothing"),
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
    for said in ["4 lanes in", "6 files in git", "files that no lane owns: 3", "api × audit", "×"]
    {
        assert!(text.contains(said), "{said:?} is not in\n{text}");
    }
    let graph = env.dos("lanes --dot").exits(0).stdout.clone();
    assert!(graph.starts_with("graph lanes {") && graph.contains("l0 -- l2"), "{graph}");
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
    let clean = env.dos("lint");
    // A reader's lane lies over a writer's: they never run side by side.
    assert!(
        clean.exits(1).stdout.contains("warn LANE_REGION_SHADOWED: lane api lies within audit")
    );
    env.dos("lint --strict").exits(0);
    let config = "[lanes]\nconcurrent=[\"a\",\"b\"]\nexclusive=[\"x\"]\nautopick=[\"x\",\"a\"]\n\
                  [lanes.trees]\na=[\"src/**\",\"scr/\"]\n";
    env.write("dos.toml", config);
    let found = env.dos("lint --json").exits(1).json();
    assert_eq!(found["counts"], json!({"error": 1, "warn": 2, "info": 0}));
    let kinds: Vec<&str> =
        found["findings"].as_array().unwrap().iter().map(|f| f["kind"].as_str().unwrap()).collect();
    let expected = ["LANE_WITHOUT_TREE", "AUTOPICK_EXCLUSIVE", "PATTERN_MATCHES_NOTHING"];
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
}
