//! Snapshots that are taken now and compared later: a change of them shows.

use std::fs;

use dos_tests::{Running, TestEnv};
use serde_json::json;

use super::ask;
use crate::{empty, field};

fn seal(env: &TestEnv, name: &str, source: &str) -> String {
    let taken = env.run(["snapshot", "take", name, "--from", source, "--json"]).exits(0).json();
    assert_eq!((&taken["name"], &taken["state"]), (&json!(name), &json!("intact")));
    taken["sha256"].as_str().unwrap().to_string()
}

#[test]
fn a_snapshot_is_kept_as_it_was_taken() {
    let env = empty();
    env.write("s.json", r#"{"b": [1.0, {"y": 2, "x": "\u0061"}], "a\nb": 1e400, "c": 1}"#);
    let before = seal(&env, "before", "s.json");
    // The name of the file is what any program for SHA-256 says of it.
    let file = env.path(format!(".dos/snapshots/{before}.jsonl"));
    let text = fs::read_to_string(&file).unwrap();
    let (header, entries) = text.split_once('\n').unwrap();
    let header: serde_json::Value = serde_json::from_str(header).unwrap();
    assert_eq!((&header["keys"], &header["source"]), (&json!(3), &json!("s.json")));
    assert_eq!(header["schema"], json!({"family": "state-snapshot", "version": 1}));
    let wanted = "[\"a\\nb\", 1e400]\n[\"b\", [1, {\"x\": \"a\", \"y\": 2}]]\n[\"c\", 1]\n";
    assert_eq!(entries, wanted);
    assert_eq!(env.dos("snapshot show before").exits(0).stdout, wanted);
    let sum = std::process::Command::new("sha256sum").arg(&file).output().unwrap();
    assert!(String::from_utf8(sum.stdout).unwrap().starts_with(&before));
    env.write("s.json", r#"{"c": 2}"#);
    for name in ["before", "snapshot:before", &before, &format!("snapshot:{before}")] {
        let answer = ask(&env, "c", name, "s.json").exits(0).json();
        assert_eq!(answer["before"]["sha256"], json!(before));
        assert_eq!(answer["delta"]["deleted"], json!(["a\nb", "b"]));
    }
    let listed = env.dos("snapshot list --json").exits(0).json();
    assert_eq!(listed["snapshots"][0]["name"], "before");
    assert_eq!(listed["snapshots"][0]["keys"], 3);
    env.dos("snapshot list").exits(0).prints(&before);
}

#[test]
fn what_is_changed_afterwards_shows() {
    let env = empty();
    env.write("s.json", r#"{"k": 1}"#);
    let before = seal(&env, "before", "s.json");
    let file = env.path(format!(".dos/snapshots/{before}.jsonl"));
    let honest = fs::read(&file).unwrap();
    let edited = String::from_utf8(honest.clone()).unwrap().replace("[\"k\", 1]", "[\"k\", 2]");
    assert_ne!(edited.as_bytes(), honest);
    let cut = honest[..honest.len() - 3].to_vec();
    for content in [edited.into_bytes(), cut, Vec::new(), b"{}\n".to_vec()] {
        fs::write(&file, content).unwrap();
        let answer = ask(&env, "k", "before", "s.json").exits(3).json();
        assert_eq!(answer["verdict"], "UNWITNESSED");
        assert!(
            answer["reason"].as_str().unwrap().contains("changed after it was taken"),
            "{answer}"
        );
        env.dos("snapshot list").exits(1).prints("changed");
        env.dos("snapshot show before").exits(3);
    }
    fs::remove_file(&file).unwrap();
    ask(&env, "k", "before", "s.json").exits(3).prints("is gone");
    env.dos("snapshot list").exits(1).prints("gone");
    // Taken again, it is there again.
    fs::write(&file, honest).unwrap();
    env.dos("snapshot list").exits(0);
    ask(&env, "k", "before", "s.json").exits(1);
}

#[test]
fn a_name_that_was_given_to_another_snapshot_shows() {
    let env = empty();
    let mut seals = Vec::new();
    for (name, value) in [("a", 1), ("b", 2), ("c", 3)] {
        env.write("s.json", format!("{{\"k\": {value}}}"));
        seals.push(seal(&env, name, "s.json"));
    }
    let names = env.path(".dos/snapshots/names.jsonl");
    let honest = fs::read_to_string(&names).unwrap();
    fs::write(&names, honest.replacen(&seals[0], &seals[2], 1)).unwrap();
    let listed = env.dos("snapshot list --json").exits(1).json();
    assert_eq!(listed["names_broken_at"], 2);
    assert_eq!(listed["unnamed"], json!([seals[0]]));
    // No name counts any more, neither the one that was changed nor the others, nor one that is gone.
    env.write("d", "{\"k\": 4}");
    for name in ["a", "b", "snapshot:b", "d"] {
        let answer = ask(&env, "k", name, "json:s.json").exits(3).json();
        let reason = answer["reason"].as_str().unwrap();
        assert!(reason.contains("line 2 of names.jsonl was changed"), "{reason}");
    }
    ask(&env, "k", &seals[0], "json:s.json").exits(0);
    // Whoever names it by its SHA-256 is not led astray.
    let told = env.dos(&format!("snapshot show {}", seals[0]));
    assert_eq!(told.exits(0).stdout, "[\"k\", 1]\n");
    fs::write(&names, honest + "bad\n").unwrap();
    env.dos("snapshot list").exits(1).prints("line 4");
}

#[test]
fn a_name_that_is_gone_shows() {
    let env = empty();
    env.write("s.json", "{\"k\": 1}");
    let a = seal(&env, "a", "s.json");
    let told = env.dos("state-diff k --before a --after s.json").exits(1).stdout.clone();
    let wanted = format!("BEFORE    snapshot:a ({}…, taken ", &a[..12]);
    assert!(told.starts_with(&wanted) && told.contains("\nAFTER     json:s.json\n"), "{told}");
    env.write("s.json", "{\"k\": 2}");
    let b = seal(&env, "b", "s.json");
    let names = env.path(".dos/snapshots/names.jsonl");
    let honest = fs::read_to_string(&names).unwrap();
    // The last line is gone, and the agent's own file has the name.
    fs::write(&names, honest.split_inclusive('\n').next().unwrap()).unwrap();
    env.write("b", "{\"k\": 1}");
    let told = env.dos("state-diff k --before b --after s.json").exits(0).stdout.clone();
    assert!(told.starts_with("BEFORE    json:b\n"), "{told}");
    assert_eq!(env.dos("snapshot list --json").exits(1).json()["unnamed"], json!([b]));
    env.dos("snapshot list").exits(1).prints(&format!("{b} has no name"));
    // A name that was given anew says so.
    fs::write(&names, honest).unwrap();
    fs::remove_file(env.path("b")).unwrap();
    env.dos("snapshot list").exits(0);
    let again = env.dos("snapshot take a --from s.json --replace --json").exits(0).json();
    assert_eq!(again["replaces"], json!(a));
    env.dos("snapshot list").exits(0).prints(&format!("replaces {a}"));
    // One that cannot be read hides none of the others.
    let file = env.path(format!(".dos/snapshots/{b}.jsonl"));
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let listed = env.dos("snapshot list --json").exits(1).json();
    // Of one second and one content, both are the same file.
    let states = field(&listed["snapshots"], "state");
    assert!(states.len() == 2 && states.contains(&"unreadable".to_string()), "{states:?}");
}

#[test]
fn a_name_that_is_nothing_is_told_with_what_was_meant() {
    let env = empty();
    env.write("s.json", "{}");
    env.dos("snapshot take n8 --from s.json").exits(0);
    env.write("e.db", "");
    for (name, said) in [
        ("n9", "these were: n8"),
        ("HEAD", "git:HEAD"),
        (".dos", "write tree:.dos"),
        ("e.db", "write sqlite:e.db"),
    ] {
        ask(&env, "k", name, "s.json").exits(3).prints(said);
    }
    // Whoever named the source chose its characters.
    let shown = env.run(["snapshot", "show", "snapshot:\u{1b}[31m"]);
    shown.exits(3).prints("\\u{1b}[31m");
}

#[test]
fn names_are_names_and_are_not_given_twice() {
    let env = empty();
    env.write("s.json", "{}");
    for name in ["", ".hidden", "-x", "a/b", "../x", "a:b", "a b", &"a".repeat(65), &"0".repeat(64)]
    {
        let output = env.run(["snapshot", "take", "--from", "s.json", "--", name]);
        output.exits(2);
    }
    assert!(!env.path(".dos").exists());
    env.dos("snapshot take a --from s.json").exits(0);
    env.dos("snapshot take a --from s.json").exits(1).says("--replace");
    env.dos("snapshot take a --from s.json --json").exits(1).prints("name-taken");
    env.write("s.json", "{\"k\": 1}");
    env.dos("snapshot take a --from s.json --replace").exits(0);
    assert_eq!(env.dos("snapshot show a").exits(0).stdout, "[\"k\", 1]\n");
    assert_eq!(env.dos("snapshot list").exits(0).stdout.lines().count(), 1);
    env.dos("snapshot take b --from a").exits(2).says("already");
    env.dos("snapshot take b --from nofile").exits(3).prints("UNWITNESSED");
    ask(&env, "k", "snapshot:b", "s.json").exits(3).prints("these were: a");
    // Who may write files must not shadow a snapshot.
    env.write("a", "{}");
    ask(&env, "k", "a", "s.json").exits(2).says("json:a or snapshot:a");
    ask(&env, "k", "json:a", "snapshot:a").exits(0);
}

#[test]
fn many_take_at_once_and_none_is_lost() {
    let env = empty();
    let running: Vec<Running> = (0..12)
        .map(|number| {
            env.write(format!("{number}.json"), format!("{{\"k\": {number}}}"));
            env.start(&format!("snapshot take s{number} --from {number}.json"))
        })
        .collect();
    for taken in running {
        taken.finish().exits(0);
    }
    assert_eq!(env.dos("snapshot list").exits(0).stdout.lines().count(), 12);
    for number in 0..12 {
        let shown = env.dos(&format!("snapshot show s{number}"));
        assert_eq!(shown.exits(0).stdout, format!("[\"k\", {number}]\n"));
    }
    assert_eq!(env.leftovers(), [""; 0]);
}

#[test]
fn who_stands_for_a_snapshot_is_kept_with_it() {
    let env = empty();
    env.write("b.json", "{}");
    env.write("a.json", "{\"k\": 1}");
    env.dos("snapshot take own --from b.json").exits(0);
    env.dos("snapshot take theirs --from b.json --third-party").exits(0);
    let rung = |before: &str, flags: &str| {
        let command = format!("state-diff k --before {before} --after a.json --json {flags}");
        env.dos(&command).exits(0).json()["accountability"].clone()
    };
    assert_eq!(rung("own", "--third-party"), "OS_RECORDED");
    assert_eq!(rung("theirs", ""), "OS_RECORDED");
    assert_eq!(rung("theirs", "--third-party"), "THIRD_PARTY");
}
