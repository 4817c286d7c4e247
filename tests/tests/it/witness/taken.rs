//! Snapshots that are taken now and compared later: a change of them shows.

use std::fs;

use dos_tests::{Running, TestEnv};
use serde_json::json;

use super::ask;
use crate::{empty, field};

fn sha256(text: &str) -> String {
    let env = empty();
    env.write("text", text);
    let sum = std::process::Command::new("sha256sum").arg(env.path("text")).output().unwrap();
    String::from_utf8(sum.stdout).unwrap()[..64].to_string()
}

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
    let first = honest.split_inclusive('\n').next().unwrap();
    env.write("b", "{\"k\": 1}");
    let (head, content) =
        (env.path(".dos/snapshots/names.head"), env.path(format!(".dos/snapshots/{b}.jsonl")));
    let (head_before, content_before) = (fs::read(&head).unwrap(), fs::read(&content).unwrap());
    for (cut, said) in [(first, "it has 1 lines, and had 2"), ("", "it has 0 lines, and had 2")] {
        fs::write(&names, cut).unwrap();
        for name in ["a", "b", "snapshot:b"] {
            ask(&env, "k", name, "json:s.json").exits(3).prints(said);
        }
        env.dos("snapshot list").exits(1).prints(said);
        ask(&env, "k", "json:b", "json:s.json").exits(0);
    }
    fs::write(&names, first).unwrap();
    assert_eq!(env.dos("snapshot list --json").exits(1).json()["unnamed"], json!([b]));
    assert_eq!(env.dos("snapshot list --json").exits(1).json()["names_broken_at"], 2);
    env.dos("snapshot list").exits(1).prints(&format!("{b} has no name"));
    // Also when the file goes with the line, and when a line is made up in its place.
    fs::remove_file(&content).unwrap();
    ask(&env, "k", "b", "json:s.json").exits(3).prints("was cut");
    let forged = honest.replace(&b, &a);
    fs::write(&names, forged).unwrap();
    ask(&env, "k", "b", "json:s.json").exits(3).prints("line 2 of names.jsonl was changed");
    fs::write(&content, content_before).unwrap();
    for damaged in ["", "{}", "null"] {
        fs::write(&head, damaged).unwrap();
        fs::write(&names, &honest).unwrap();
        ask(&env, "k", "b", "json:s.json").exits(3).prints("names.head");
    }
    // Whoever writes a shorter head as well leaves the snapshot without a name.
    fs::write(&names, first).unwrap();
    let shorter = sha256(first.trim_end());
    fs::write(&head, format!("{{\"last\": \"{shorter}\", \"lines\": 1}}\n")).unwrap();
    ask(&env, "k", "b", "json:s.json").exits(3).prints("lost its name");
    fs::remove_file(&head).unwrap();
    ask(&env, "k", "b", "json:s.json").exits(3).prints("names.head");
    // One that is behind was not brought up to date by somebody who was killed.
    fs::write(&names, &honest).unwrap();
    fs::write(&head, format!("{{\"last\": \"{shorter}\", \"lines\": 1}}\n")).unwrap();
    ask(&env, "k", "snapshot:b", "json:s.json").exits(1);
    fs::write(&head, head_before).unwrap();
    // A name that was given anew says so.
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
fn who_takes_is_told_when_no_name_counts() {
    let env = empty();
    env.write("s.json", "{\"k\": 1}");
    let a = seal(&env, "a", "s.json");
    // The row is there, though how long the log is cannot be said.
    let draft = env.path(".dos/snapshots/head.tmp");
    fs::create_dir(&draft).unwrap();
    env.dos("snapshot take b --from json:s.json").exits(0).is_quiet();
    fs::remove_dir(draft).unwrap();
    env.dos("snapshot list").exits(0).prints("b  ");
    let taken = env.dos("snapshot take c --from json:s.json --json").exits(0).json();
    assert_eq!(taken["names_broken"], json!(null));
    fs::remove_file(env.path(".dos/snapshots/names.head")).unwrap();
    env.dos("snapshot take d --from json:s.json").exits(0).says("this name does not count");
    let taken = env.dos("snapshot take e --from json:s.json --json").exits(0).json();
    assert!(taken["names_broken"].as_str().unwrap().contains("names.head"), "{taken}");
    ask(&env, "k", "d", "json:s.json").exits(3);
    ask(&env, "k", &a, "json:s.json").exits(1);
    env.dos("snapshot list").exits(1).prints("move .dos/snapshots away");
    fs::rename(env.path(".dos/snapshots"), env.path("away")).unwrap();
    env.dos("snapshot take d --from json:s.json").exits(0).is_quiet();
    ask(&env, "k", "d", "json:s.json").exits(1);
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

#[test]
fn states_that_were_read_in_different_ways_are_not_compared() {
    let env = empty();
    env.write("s.jsonl", "{\"id\": 1, \"name\": \"x\"}\n");
    env.write("o.json", "{}");
    fs::create_dir(env.path("t")).unwrap();
    env.dos("snapshot take id --from s.jsonl --key id").exits(0);
    env.dos("snapshot take name --from s.jsonl --key name").exits(0);
    env.dos("snapshot take tree --from tree:t").exits(0);
    for (before, after) in [
        ("id", "snapshot:name"),
        ("id", "o.json"),
        ("tree", "o.json"),
        ("o.json", "tree:t"),
        ("command:echo {}", "tree:t"),
    ] {
        let answer = ask(&env, "x", before, after).exits(3).json();
        let reason = answer["reason"].as_str().unwrap();
        assert!(reason.starts_with("UNWITNESSED: cannot compare"), "{reason}");
        assert!(reason.contains("read both in the same way"), "{reason}");
        let shown = env.run(["state-diff", "--before", before, "--after", after]);
        shown.exits(3).prints("cannot compare");
        env.write("secret", "secret");
        let sides = ["--before", before, "--after", after, "--key-file", "secret"];
        let attested = env.run([&["attest", "--claim", "x", "--json"][..], &sides].concat());
        assert_eq!(attested.exits(3).json()["verdict"], "UNWITNESSED");
    }
    env.dos("state-diff 1 --before id --after s.jsonl --key id").exits(1);
    env.dos("state-diff 1 --before id --after s.jsonl --key name").exits(3).prints("by /name");
    ask(&env, "x", "tree", "tree:t").exits(1);
    ask(&env, "x", "o.json", "command:echo {}").exits(1);
}

#[test]
fn a_name_that_is_dropped_stays_on_record() {
    let env = empty();
    env.write("s.json", "{\"k\": 1}");
    let a = seal(&env, "a", "s.json");
    let file = |seal: &str| env.path(format!(".dos/snapshots/{seal}.jsonl"));
    env.write("s.json", "{\"k\": 2}");
    let b = env.dos("snapshot take a --from s.json --replace --json").exits(0).json();
    let b = b["sha256"].as_str().unwrap().to_string();
    // Another name of the same content.
    let names = env.path(".dos/snapshots/names.jsonl");
    let dropped = env.dos("snapshot drop a --json").exits(0).json();
    assert_eq!((&dropped["sha256"], &dropped["outcome"]), (&json!(b), &json!("dropped")));
    let mut both = [a.as_str(), b.as_str()];
    both.sort_unstable();
    assert_eq!(dropped["removed"], json!(both));
    assert!(!file(&a).exists() && !file(&b).exists());
    let text = fs::read_to_string(&names).unwrap();
    let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!((&last["dropped"], &last["sha256"]), (&json!(true), &json!(b)));
    let listed = env.dos("snapshot list --json").exits(0).json();
    assert_eq!(field(&listed["snapshots"], "state"), ["dropped"]);
    // A file of this name is not meant.
    env.write("a", "{}");
    ask(&env, "k", "a", "json:s.json").exits(3).prints("was dropped at");
    env.dos("snapshot drop a").exits(1).says("no snapshot has the name a");
    env.dos("snapshot drop ../a").exits(2);
    fs::remove_file(env.path("a")).unwrap();
    // The name is free again, and what the new one is stays when another goes.
    seal(&env, "a", "s.json");
    env.write("s.json", "{\"k\": 3}");
    let c = seal(&env, "c", "s.json");
    env.dos("snapshot drop c").exits(0).prints("and removed it");
    assert!(!file(&c).exists());
    ask(&env, "k", "a", "s.json").exits(0);
    // That it was dropped cannot be taken back unseen.
    let text = fs::read_to_string(&names).unwrap();
    let kept: Vec<&str> = text.split_inclusive('\n').collect();
    fs::write(&names, kept[..kept.len() - 1].concat()).unwrap();
    env.dos("snapshot list").exits(1).prints("was cut");
    env.dos("snapshot drop a").exits(1).says("was cut");
}

#[test]
fn what_two_names_have_stays_with_the_other() {
    let env = empty();
    env.write("s.json", "{\"k\": 1}");
    // Of one second and one content, both are the same file; else of another second, try again.
    let same = (0..20).any(|_| {
        let seals = ["a", "b"].map(|name| {
            let taken = env.dos(&format!("snapshot take {name} --from s.json --replace --json"));
            taken.exits(0).json()["sha256"].clone()
        });
        seals[0] == seals[1]
    });
    assert!(same);
    env.dos("snapshot drop a").exits(0).prints("which another name has as well");
    ask(&env, "k", "b", "s.json").exits(1);
    env.dos("snapshot drop b").exits(0).prints("and removed it");
    assert!(env.dos("snapshot list --json").exits(0).json()["unnamed"] == json!([]));
}

#[test]
fn a_state_is_shown_as_json_with_every_digit() {
    let env = empty();
    let deep = format!("{}1{}", "[".repeat(128), "]".repeat(128));
    let number = "123456789012345678901234567890.000000000000000000001";
    env.write(
        "s.json",
        format!("{{\"big\": 1e400, \"n\": {number}, \"deep\": {deep}, \"b\": {{\"y\": 1, \"x\": \"\\u2028\"}}}}"),
    );
    let shown = env.dos("snapshot show s.json --json").exits(0).stdout.clone();
    let said: std::collections::BTreeMap<String, Box<serde_json::value::RawValue>> =
        serde_json::from_str(&shown).unwrap();
    assert_eq!(said["keys"].get(), "4");
    let state: std::collections::BTreeMap<String, Box<serde_json::value::RawValue>> =
        serde_json::from_str(said["state"].get()).unwrap();
    assert_eq!((state["big"].get(), state["n"].get()), ("1e400", number));
    assert_eq!(
        (state["deep"].get(), state["b"].get()),
        (deep.as_str(), r#"{"x": "\u2028", "y": 1}"#)
    );
    // What is shown can be read again.
    env.write("again.json", said["state"].get());
    ask(&env, "big", "s.json", "again.json").exits(1).prints("0 inserted, 0 updated, 0 deleted");
    env.write("s.json", "{}");
    assert_eq!(env.dos("snapshot show s.json --json").exits(0).json()["state"], json!({}));
}
