//! States of folders.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::json;

use super::{ask, read};
use crate::empty;

#[test]
fn a_folder_is_its_files_folders_and_links() {
    let env = empty();
    env.write("d/a.txt", "abc");
    env.write("d/sub/.hidden", "");
    env.write("d/.git/config", "not looked at");
    env.write("d/back\\slash", "");
    symlink("a.txt", env.path("d/link")).unwrap();
    symlink("/nowhere", env.path("d/dangling")).unwrap();
    fs::write(env.path("d").join(std::ffi::OsStr::from_bytes(b"\xff")), "").unwrap();
    fs::set_permissions(env.path("d/a.txt"), fs::Permissions::from_mode(0o640)).unwrap();
    super::make_pipe(&env.path("d/pipe"));
    let found = read(&env, "tree:d");
    let keys: Vec<&str> = found.keys().map(String::as_str).collect();
    let wanted =
        ["\\xff", "a.txt", "back\\\\slash", "dangling", "link", "pipe", "sub", "sub/.hidden"];
    assert_eq!(keys, wanted);
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let file = json!({"type": "file", "mode": "640", "size": 3, "sha256": abc});
    assert_eq!(found["a.txt"], file);
    assert_eq!(found["link"], json!({"type": "link", "target": "a.txt"}));
    assert_eq!(found["sub"]["type"], "folder");
    assert_eq!(found["pipe"]["type"], "other");
}

#[test]
fn ignore_rules_are_honoured_unless_told_otherwise() {
    let env = empty();
    fs::create_dir(env.path(".git")).unwrap();
    env.write(".gitignore", "*.log\n");
    env.write("d/.gitignore", "target/\n!keep.log\n");
    env.write("d/.ignore", "*\n");
    for name in ["a.log", "keep.log", "target/x", "b"] {
        env.write(format!("d/{name}"), name);
    }
    let keys = |source: &str, flags: &str| {
        let output = env.dos(&format!("snapshot show {source} {flags}"));
        output.exits(0).stdout.lines().map(super::key_of).collect::<Vec<String>>()
    };
    assert_eq!(keys("tree:d", ""), [".gitignore", ".ignore", "b", "keep.log"]);
    let all = [".gitignore", ".ignore", "a.log", "b", "keep.log", "target", "target/x"];
    assert_eq!(keys("tree:d", "--no-ignore"), all);
    // Rules above the root of a repository are none of it, and without a repository none is above.
    env.write(".gitignore", "*\n");
    fs::create_dir(env.path("d/.git")).unwrap();
    let own = [".gitignore", ".ignore", "a.log", "b", "keep.log"];
    assert_eq!(keys("tree:d", ""), own);
    fs::remove_dir(env.path(".git")).unwrap();
    fs::remove_dir(env.path("d/.git")).unwrap();
    assert_eq!(keys("tree:d", ""), own);
}

#[test]
fn a_change_of_the_ignore_rules_deletes_and_inserts_nothing() {
    for rules in [".gitignore", "d/.gitignore", "d/sub/.gitignore", ".git/info/exclude"] {
        let env = empty();
        fs::create_dir_all(env.path(".git/info")).unwrap();
        for name in ["a", "sub/a"] {
            env.write(format!("d/{name}"), "1");
        }
        env.write("d/stays", "1");
        env.dos("snapshot take before --from tree:d").exits(0);
        env.dos("snapshot take all --from tree:d --no-ignore").exits(0);
        // The last of these leaves itself out as well.
        env.write(rules, "a\n.gitignore\n");
        env.write("d/stays", "2");
        let asked = |before: &str, after: &str, flags: &str| {
            let sides = format!("--before {before} --after {after}");
            env.dos(&format!("state-diff sub/a --expect deleted {sides} {flags}"))
        };
        asked("before", "tree:d", "").exits(3).prints("--no-ignore");
        asked("all", "tree:d", "").exits(3).prints("--no-ignore");
        asked("all", "tree:d", "--no-ignore").exits(1);
        env.dos("snapshot take after --from tree:d").exits(0);
        asked("before", "after", "").exits(3).prints(".gitignore");
        asked("after", "before", "").exits(3);
        // What is on both sides is in sight.
        ask(&env, "stays", "before", "after").exits(0);
        fs::remove_file(env.path("d/sub/a")).unwrap();
        asked("all", "tree:d", "--no-ignore").exits(0);
    }
}

#[test]
fn what_was_claimed_of_a_file_is_seen() {
    let env = empty();
    for number in 0..300 {
        env.write(format!("d/{}/{number}", number % 7), format!("{number}"));
    }
    env.dos("snapshot take before --from tree:d").exits(0);
    env.write("d/1/1", "another");
    fs::remove_file(env.path("d/2/2")).unwrap();
    fs::rename(env.path("d/3/3"), env.path("d/3/moved")).unwrap();
    let after = "tree:d";
    let answer = ask(&env, "1/1", "before", after).exits(0).json();
    assert_eq!(answer["delta"]["deleted"], json!(["2/2", "3/3"]));
    assert_eq!(answer["delta"]["inserted"], json!(["3/moved"]));
    assert_eq!(answer["delta"]["updated"], json!(["1/1"]));
    ask(&env, "4/4", "before", after).exits(1);
    env.dos("state-diff 2/2 --before before --after tree:d --expect deleted").exits(0);
    env.dos("state-diff 1/1 --before before --after tree:d --expect size=7").exits(0);
    let none = ask(&env, "1/1", "before", "tree:nosuch").exits(3).json();
    assert!(none["reason"].as_str().unwrap().contains("No such file"), "{none}");
    let file = ask(&env, "1/1", "before", "tree:d/1/1").exits(3).json();
    assert!(file["reason"].as_str().unwrap().contains("no folder"), "{file}");
}

#[test]
fn a_folder_that_can_be_read_in_part_is_not_read() {
    let env = empty();
    env.write("d/sub/a", "");
    env.write("d/b", "");
    fs::set_permissions(env.path("d/sub"), fs::Permissions::from_mode(0o000)).unwrap();
    let readable = fs::read_dir(env.path("d/sub")).is_ok();
    let output = ask(&env, "b", "tree:d", "tree:d");
    fs::set_permissions(env.path("d/sub"), fs::Permissions::from_mode(0o755)).unwrap();
    if readable {
        return crate::skipped("this user may read everything");
    }
    let answer = output.exits(3).json();
    assert!(answer["reason"].as_str().unwrap().contains("d/sub"), "{answer}");
}

#[test]
fn the_first_snapshot_of_a_workspace_can_be_compared() {
    let env = empty();
    env.write("a", "1");
    env.dos("snapshot take before --from tree:.").exits(0);
    env.write("b", "1");
    env.dos("state-diff b --expect inserted --before before --after tree:.").exits(0);
}
