//! Work trees whose repository is in an odd place, and those that are moved while somebody works in them.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use dos_tests::{TestEnv, poll_until};

use super::{SHARED, git, repository, take};
use crate::{API_WEB, empty, field};

fn shared() -> String {
    format!("{API_WEB}{SHARED}")
}

/// A lane that one work tree holds is refused in the other, both ways.
#[track_caller]
fn meet(env: &TestEnv, one: &str, other: &str) {
    env.dos(&take(one, "api", "a")).exits(0);
    let refused = env.dos(&take(other, "api", "b")).exits(1).json();
    assert_eq!(refused["blocked_by"][0]["holder"], "a");
    env.dos(&take(other, "web", "b")).exits(0);
    let refused = env.dos(&take(one, "web", "a")).exits(1).json();
    assert_eq!(refused["blocked_by"][0]["holder"], "b");
    for (owner, lane) in [("a", "api"), ("b", "web")] {
        env.dos(&format!("lease-lane release --workspace {one} --lane {lane} --owner {owner}"))
            .exits(0);
    }
}

#[test]
fn a_git_folder_elsewhere_is_where_the_work_trees_meet() {
    for folder in ["apart", "apart/.git"] {
        let env = empty();
        env.write("main/dos.toml", shared());
        fs::create_dir_all(env.path("apart")).unwrap();
        git(&env, "main", &format!("init -q --separate-git-dir ../{folder}"));
        git(&env, "main", "add .");
        git(&env, "main", "commit -q -m x");
        git(&env, "main", "worktree add -q ../one");
        git(&env, "main", "worktree add -q ../two");
        meet(&env, "one", "two");
        // Nothing in the repository says where its main work tree is: anybody could say so.
        env.dos(&take("main", "api", "a")).exits(2).says("dos doctor --trust");
        assert!(!env.path("main/.dos").exists());
        env.dos("doctor --trust --workspace main").exits(0);
        meet(&env, "main", "one");
        // It can say so.
        let env_top = env.path("main").canonicalize().unwrap();
        let home = env.outer().join("home/.dos/trusted.jsonl");
        fs::remove_file(home).unwrap();
        git(&env, "main", &format!("config core.worktree {}", env_top.display()));
        meet(&env, "two", "main");
        assert!(env.path("main/.dos/lane-journal.jsonl").exists());
    }
}

#[test]
fn a_git_folder_that_is_a_link_is_where_the_work_trees_meet() {
    let env = repository(&shared(), &[]);
    fs::rename(env.path("main/.git"), env.path("apart")).unwrap();
    symlink("../apart", env.path("main/.git")).unwrap();
    git(&env, "main", "worktree add -q ../one");
    env.dos("doctor --trust --workspace main").exits(0);
    meet(&env, "main", "one");
}

#[test]
fn the_work_trees_of_a_submodule_meet_in_it() {
    let env = repository(&shared(), &[]);
    env.write("outer/dos.toml", shared());
    git(&env, "outer", "init -q");
    git(&env, "outer", "-c protocol.file.allow=always submodule --quiet add ../main sub");
    git(&env, "outer", "add .");
    git(&env, "outer", "commit -q -m x");
    git(&env, "outer/sub", "worktree add -q ../../one");
    meet(&env, "outer/sub", "one");
    assert!(env.path("outer/sub/.dos/lane-journal.jsonl").exists());
    // The repository around it is another one, and so is the one that it was cloned from.
    env.dos(&take("one", "api", "a")).exits(0);
    env.dos(&take("outer", "api", "b")).exits(0);
    env.dos(&take("main", "api", "c")).exits(0);
    let listed = env.dos("projects --json").exits(0).json();
    assert_eq!(field(&listed, "label"), ["main", "outer", "sub"]);
}

#[test]
fn a_moved_work_tree_keeps_its_lanes() {
    let env = repository(&shared(), &["one", "two"]);
    env.dos(&take("one", "api", "a")).exits(0);
    fs::create_dir(env.path("deep")).unwrap();
    git(&env, "main", "worktree move ../one ../deep/er");
    let live = env.dos("lease-lane live --workspace two").exits(0).json();
    assert_eq!(field(&live, "holder"), ["a"]);
    env.dos(&take("two", "api", "b")).exits(1);
    env.dos("lease-lane heartbeat --workspace deep/er --lane api --owner a").exits(0);
    let shown = env.dos("top --json --workspace two").exits(0).json();
    let now = env.path("deep/er").canonicalize().unwrap();
    assert_eq!(shown["lanes"][0]["worktree"], now.to_str().unwrap());
    let text = env.dos("top --once --workspace two").exits(0).stdout.clone();
    assert!(text.contains("a in er"), "{text}");
    // Whoever comes to its old place later, by the same name, is another one.
    git(&env, "main", "worktree add -q ../one -b again");
    git(&env, "main", "worktree remove --force ../deep/er");
    fs::remove_dir_all(env.path("one")).unwrap();
    let grant = env.dos(&take("two", "api", "b")).exits(0).json();
    assert!(grant["scavenged"][0]["reason"].as_str().unwrap().contains("was removed"), "{grant}");
}

#[test]
fn a_work_tree_that_was_moved_without_git_keeps_the_lanes_of_who_runs() {
    let env = repository(&shared(), &["one", "two"]);
    let arguments = "run --workspace one --lane api --owner a -- sleep 600";
    let running = env.start(arguments);
    poll_until("the lane is held", Duration::from_secs(60), || {
        let live = env.dos("lease-lane live --workspace two").exits(0).json();
        (field(&live, "holder") == ["a"]).then_some(())
    });
    fs::rename(env.path("one"), env.path("three")).unwrap();
    let refused = env.dos(&take("two", "api", "b")).exits(1).json();
    assert_eq!(refused["blocked_by"][0]["holder"], "a");
    // When git no longer knows it, it was removed.
    git(&env, "main", "worktree prune");
    let grant = env.dos(&take("two", "api", "b")).exits(0).json();
    assert!(grant["scavenged"][0]["reason"].as_str().unwrap().contains("was removed"), "{grant}");
    running.signal("TERM");
    running.finish().no_panic();
}

#[test]
fn a_name_that_git_gives_again_is_not_the_work_tree_that_had_it() {
    let env = repository(&shared(), &["one", "two"]);
    env.dos(&take("one", "api", "a")).exits(0);
    git(&env, "main", "worktree remove ../one");
    git(&env, "main", "worktree add -q ../elsewhere/one -b again");
    assert!(env.path("main/.git/worktrees/one").exists());
    env.dos(&take("two", "api", "b")).exits(0);
}

#[test]
fn another_work_tree_in_its_place_brings_back_no_lease() {
    let env = repository(&shared(), &["one", "two"]);
    let live = || env.dos("lease-lane live --workspace two").exits(0).json();
    env.dos(&take("one", "api", "a")).exits(0);
    git(&env, "main", "worktree remove ../one");
    assert_eq!(live().as_array().unwrap().len(), 0);
    git(&env, "main", "worktree add -q ../one -b again");
    env.dos(&take("one", "web", "b")).exits(0);
    assert_eq!(field(&live(), "holder"), ["b"]);
    let grant = env.dos(&take("two", "api", "c")).exits(0).json();
    assert!(grant["scavenged"][0]["reason"].as_str().unwrap().contains("was removed"), "{grant}");
    // One that git has moved is no less there when another one is in its old place.
    git(&env, "main", "worktree move ../two ../three");
    git(&env, "main", "worktree add -q ../two -b third");
    env.dos("lease-lane release --workspace one --lane web --owner b").exits(0);
    env.dos(&take("two", "web", "d")).exits(0);
    assert_eq!(field(&live(), "holder"), ["c", "d"]);
    let shown = env.dos("top --json --workspace main").exits(0).json();
    let now = env.path("three").canonicalize().unwrap();
    assert_eq!(shown["lanes"][0]["worktree"], now.to_str().unwrap(), "{shown}");
}

/// Neither when git's files were written nor where they are on the disk tells which work tree it is.
#[test]
fn a_work_tree_that_was_touched_or_brought_back_from_a_backup_keeps_its_lanes() {
    let env = repository(&shared(), &["one", "two"]);
    let both = ["api", "web"].map(|lane| env.start(&take("one", lane, "a")));
    for taken in both {
        taken.finish().exits(0);
    }
    let live = env.dos("lease-lane live --workspace two").exits(0).json();
    assert_eq!(live[0]["worktree_id"], live[1]["worktree_id"], "{live}");
    let id = live[0]["worktree_id"].as_str().unwrap();
    assert!(id.starts_with("one@") && id.len() == 20, "{id}");
    let own = env.path("main/.git/worktrees/one");
    let names = || fs::read_dir(&own).unwrap().map(|entry| entry.unwrap().path());
    for file in names().filter(|path| path.is_file()) {
        dos_tests::set_age(&file, Duration::from_secs(3600));
    }
    let backup = env.outer().join("backup");
    for (from, to) in [(&own, &backup), (&backup, &own)] {
        let copied = std::process::Command::new("cp").arg("-R").args([from, to]).status();
        assert!(copied.unwrap().success());
        fs::remove_dir_all(from).unwrap();
    }
    git(&env, "main", "worktree move ../one ../three");
    let refused = env.dos(&take("two", "api", "b")).exits(1).json();
    assert_eq!(refused["blocked_by"][0]["holder"], "a");
    // What git removes is gone with its mark, and what comes in its place is another one.
    git(&env, "main", "worktree remove ../three");
    git(&env, "main", "worktree add -q ../elsewhere/one -b again");
    env.dos(&take("two", "api", "b")).exits(0);
    env.dos(&take("elsewhere/one", "web", "c")).exits(0);
}

#[test]
fn the_main_work_tree_takes_its_lanes_along() {
    let env = repository(&shared(), &["one"]);
    env.dos(&take("main", "api", "a")).exits(0);
    fs::rename(env.path("main"), env.path("moved")).unwrap();
    env.dos(&take("one", "api", "b")).exits(2).says("git worktree repair");
    assert!(!env.path("one/.dos").exists());
    git(&env, "moved", "worktree repair");
    env.dos(&take("one", "api", "b")).exits(1);
    env.dos("lease-lane heartbeat --workspace moved --lane api --owner a").exits(0);
}

#[test]
fn a_work_tree_that_was_moved_without_git_does_not_referee_alone() {
    let env = repository(&shared(), &["one", "two"]);
    env.dos(&take("two", "api", "b")).exits(0);
    fs::rename(env.path("one"), env.path("three")).unwrap();
    let refused = env.dos(&take("three", "api", "a"));
    let now = env.path("three").canonicalize().unwrap();
    refused.exits(2).says(&format!("git -C '{}' worktree repair", now.display()));
    // Trusted, it would still be where git does not know it.
    assert!(!refused.stderr.contains("--trust"), "{refused:?}");
    let findings = env.dos("doctor --json --workspace three").exits(0).json()["findings"].clone();
    assert!(field(&findings, "code").contains(&"STATE_UNTRUSTED".to_string()), "{findings}");
    let text = env.dos("doctor --workspace three").exits(0).stdout.clone();
    assert!(text.contains("worktree repair") && !text.contains("--trust"), "{text}");
    git(&env, "three", "worktree repair");
    env.dos(&take("three", "api", "a")).exits(1);
}

/// Whoever stands in a work tree sees that it is there.
#[test]
fn a_work_tree_that_is_trusted_where_it_was_moved_to_was_not_removed() {
    for is_marked in [true, false] {
        let env = repository(&shared(), &["one"]);
        let mark = env.path("main/.git/worktrees/one/dos-id");
        if !is_marked {
            fs::create_dir(&mark).unwrap();
        }
        env.dos(&take("one", "api", "a")).exits(0);
        assert_eq!(mark.is_file(), is_marked);
        fs::rename(env.path("one"), env.path("three")).unwrap();
        env.dos("doctor --trust --workspace three").exits(0);
        let live = env.dos("lease-lane live --workspace three").exits(0).json();
        assert_eq!(field(&live, "holder"), ["a"]);
        let grant = env.dos(&take("three", "web", "b")).exits(0).json();
        assert!(grant.get("scavenged").is_none_or(|all| all == &serde_json::json!([])), "{grant}");
        env.dos(&take("three", "api", "c")).exits(1);
    }
}

#[test]
fn a_folder_that_is_a_link_in_the_main_work_tree_leads_nobody_away() {
    let env = repository("", &[]);
    let victim = env.outer().join("victim");
    fs::create_dir(&victim).unwrap();
    env.write("main/sub/dos.toml", SHARED);
    git(&env, "main", "add .");
    git(&env, "main", "commit -q -m y");
    git(&env, "main", "worktree add -q ../one");
    fs::remove_dir_all(env.path("main/sub")).unwrap();
    symlink(&victim, env.path("main/sub")).unwrap();
    env.dos(&take("one/sub", "main", "a")).exits(2).says("leads out of the workspace");
    assert_eq!(fs::read_dir(&victim).unwrap().count(), 0);
}
