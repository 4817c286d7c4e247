//! A call counts where it writes, wherever the agent is.

use std::fs;
use std::os::unix::fs::symlink;

use dos_tests::TestEnv;
use serde_json::{Value, json};

use super::{Verdict, call, pretool, verdict};
use crate::registry::{SHARED, git, repository, take};
use crate::{API_WEB, empty, field};

/// What the guard says to an agent in that folder.
fn asked(env: &TestEnv, cwd: &str, session: &str, tool: &str, input: Value) -> Verdict {
    let mut event = call(session, tool, input);
    event["cwd"] = json!(env.path(cwd));
    verdict(&pretool(env, &event))
}

fn writes(env: &TestEnv, cwd: &str, session: &str, path: &str) -> Verdict {
    asked(env, cwd, session, "Write", json!({"file_path": path}))
}

fn runs(env: &TestEnv, cwd: &str, session: &str, command: &str) -> Verdict {
    asked(env, cwd, session, "Bash", json!({"command": command}))
}

#[track_caller]
fn denied(verdict: Verdict) -> String {
    let Verdict::Deny(text) = verdict else { panic!("{verdict:?} is no denial") };
    text
}

#[track_caller]
fn warned(verdict: Verdict) -> String {
    let Verdict::Warn(text) = verdict else { panic!("{verdict:?} is no advice") };
    text
}

/// The reason classes that the journal of a workspace has.
fn enforced(env: &TestEnv, tree: &str) -> Vec<String> {
    let journal = env.path(tree).join(".dos/lane-journal.jsonl");
    let journal = std::fs::read_to_string(journal).unwrap_or_default();
    let records = journal.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let records = records.filter(|record| record["op"] == "ENFORCE");
    records.map(|record| record["reason_class"].as_str().unwrap().to_string()).collect()
}

#[test]
fn the_lanes_of_the_work_tree_that_is_written_count() {
    let env = repository(API_WEB, &["one", "two"]);
    env.write("elsewhere/x", "");
    env.dos(&take("one", "api", "alice")).exits(0);
    let absolute = env.path("one/api/x.py").into_os_string().into_string().unwrap();
    for cwd in ["main", "one", "two", "elsewhere", "."] {
        let text = denied(writes(&env, cwd, "bob", &absolute));
        assert!(text.contains("alice holds api"), "{text}");
        assert_eq!(writes(&env, cwd, "alice", &absolute), Verdict::Pass, "{cwd}");
        // No lane of these is held.
        for free in ["one/web/x.ts", "main/api/x.py", "two/api/x.py"] {
            let free = env.path(free).into_os_string().into_string().unwrap();
            assert_eq!(writes(&env, cwd, "bob", &free), Verdict::Pass, "{cwd}: {free}");
        }
    }
    assert_eq!(enforced(&env, "one").len(), 5);
    assert!(!env.path("main/.dos").exists() && !env.path("two/.dos").exists());
    let text = denied(writes(&env, "main", "bob", "../one/api/x.py"));
    let named = format!("--workspace {} --lane api", env.path("one").display());
    assert!(text.contains(&named), "{text}");
    // Longer than any name that the kernel opens, unless one is near.
    let deep = format!("../one/api/{}x.py", "d/".repeat(3000));
    denied(writes(&env, "main", "bob", &deep));
    denied(writes(&env, "one", "bob", &deep));
    let text = denied(writes(&env, "one", "bob", "api/x.py"));
    assert!(!text.contains("--workspace"), "{text}");
    for command in [
        "echo x > ../one/api/x.py",
        "cd ../one && touch api/x.py",
        "git -C ../one rm -f api/x.py",
        "rm -rf ../one",
    ] {
        denied(runs(&env, "main", "bob", command));
    }
    assert!(warned(runs(&env, "main", "bob", "git -C ../one stash")).contains("alice"));
    assert_eq!(runs(&env, "main", "bob", "git stash"), Verdict::Pass);
    assert_eq!(runs(&env, "one", "bob", "git -C ../main stash"), Verdict::Pass);
    let text = warned(runs(&env, "main", "bob", "./generate ../one/api/x.py"));
    assert!(text.contains("cannot be told"), "{text}");
}

#[test]
fn work_trees_with_one_set_of_lanes_have_it_from_everywhere() {
    let env = repository(&format!("{API_WEB}{SHARED}"), &["one", "two"]);
    env.dos(&take("two", "api", "alice")).exits(0);
    for cwd in ["main", "one", "two", "."] {
        for tree in ["main", "one", "two"] {
            let file = |name: &str| env.path(tree).join(name).into_os_string().into_string();
            denied(writes(&env, cwd, "bob", &file("api/x.py").unwrap()));
            assert_eq!(writes(&env, cwd, "bob", &file("web/x.ts").unwrap()), Verdict::Pass);
            assert_eq!(writes(&env, cwd, "alice", &file("api/x.py").unwrap()), Verdict::Pass);
        }
    }
    assert_eq!(enforced(&env, "main").len(), 12);
    assert!(!env.path("one/.dos").exists() && !env.path("two/.dos").exists());
    // An operation on a checkout hits those who work in that checkout.
    assert_eq!(runs(&env, "two", "bob", "git -C ../one stash"), Verdict::Pass);
    assert!(warned(runs(&env, "one", "bob", "git -C ../two stash")).contains("alice"));
    // They work in it wherever it is moved.
    git(&env, "main", "worktree move ../two ../three");
    assert!(warned(runs(&env, "one", "bob", "git -C ../three stash")).contains("alice"));
    git(&env, "main", "worktree add -q ../two -b other");
    assert_eq!(runs(&env, "one", "bob", "git -C ../two stash"), Verdict::Pass);
}

/// What cannot be marked goes by its place, also when it is marked later.
#[test]
fn who_works_in_a_work_tree_is_known_also_when_its_mark_comes_later() {
    let env = repository(&format!("{API_WEB}{SHARED}"), &["one"]);
    let mark = env.path("main/.git/worktrees/one/dos-id");
    fs::create_dir(&mark).unwrap();
    env.dos(&take("one", "api", "alice")).exits(0);
    let live = || env.dos("lease-lane live --workspace main").exits(0).json();
    assert!(live()[0].get("worktree").is_some() && live()[0].get("worktree_id").is_none());
    assert!(warned(runs(&env, "one", "bob", "git reset --hard")).contains("alice"));
    fs::remove_dir(&mark).unwrap();
    env.dos(&take("one", "web", "carol")).exits(0);
    assert!(mark.is_file() && live()[1]["worktree_id"].as_str().unwrap().len() == 20);
    let said = warned(runs(&env, "one", "bob", "git reset --hard"));
    assert!(said.contains("alice") && said.contains("carol"), "{said}");
    assert_eq!(field(&live(), "holder"), ["alice", "carol"]);
    // It is still free when its work tree is removed.
    git(&env, "main", "worktree remove --force ../one");
    assert_eq!(live(), json!([]));
}

#[test]
fn no_agent_writes_what_tells_work_trees_apart() {
    let env = repository(&format!("{API_WEB}{SHARED}"), &["one", "two"]);
    env.dos(&take("one", "api", "alice")).exits(0);
    let own = env.path("main/.git/worktrees/one").into_os_string().into_string().unwrap();
    for cwd in ["main", "one", "two", "."] {
        for command in [
            format!("rm {own}/dos-id"),
            format!("rm -f {own}/../*/dos-id"),
            format!("echo 0123456789abcdef > {own}/../two/dos-id"),
            format!("rm -rf {own}"),
        ] {
            let text = denied(runs(&env, cwd, "bob", &command));
            assert!(text.contains("part of the referee itself"), "{cwd}: {text}");
        }
        let other = format!("touch {own}/locked");
        assert_eq!(runs(&env, cwd, "bob", &other), Verdict::Pass, "{cwd}");
    }
    // Where each work tree has lanes of its own there is no mark.
    let env = repository(API_WEB, &["one"]);
    assert_eq!(runs(&env, "main", "bob", "rm .git/worktrees/one/dos-id"), Verdict::Pass);
}

#[test]
fn links_lead_to_the_work_tree_that_they_lead_to() {
    let env = repository(API_WEB, &["one"]);
    symlink(env.path("one"), env.path("link")).unwrap();
    symlink("../one/api", env.path("main/inside")).unwrap();
    git(&env, "main", "worktree add -q ../link/../linked");
    env.dos(&take("link", "api", "alice")).exits(0);
    for path in ["../link/api/x.py", "inside/x.py", "../one/web/../api/x.py"] {
        denied(writes(&env, "main", "bob", path));
    }
    denied(writes(&env, "link", "bob", "api/x.py"));
    denied(writes(&env, "linked", "bob", "../link/api/x.py"));
    assert_eq!(writes(&env, "main", "bob", "../link/web/x.ts"), Verdict::Pass);
    // The link is a file of the main work tree.
    assert_eq!(runs(&env, "main", "bob", "rm inside"), Verdict::Pass);
}

#[test]
fn each_workspace_goes_by_its_own_policy_and_keeps_its_own_record() {
    let env = empty();
    env.write("a/dos.toml", API_WEB);
    env.write("b/dos.toml", format!("{API_WEB}[guard]\nprotected = [\"secrets/**\"]\n"));
    env.dos(&take("a", "api", "alice")).exits(0);
    env.dos(&take("b", "web", "bob")).exits(0);
    for path in ["../b/secrets/key", "../b/dos.toml", "../b/.dos/lane-journal.jsonl"] {
        assert!(denied(writes(&env, "a", "alice", path)).contains("no agent may write"), "{path}");
    }
    assert_eq!(writes(&env, "a", "bob", "secrets/key"), Verdict::Pass);
    assert_eq!((enforced(&env, "a").len(), enforced(&env, "b").len()), (0, 3));
    // Outside of her lane at home, and into his elsewhere: one answer, recorded where it was found.
    denied(runs(&env, "a", "alice", "tee docs/x ../b/web/x.ts"));
    assert_eq!((enforced(&env, "a").len(), enforced(&env, "b").len()), (0, 4));
    let text = warned(runs(&env, "a", "alice", "tee docs/x ../b/docs/x"));
    assert_eq!(text.lines().count(), 1, "{text}");
    env.dos(&take("b", "api", "alice")).exits(0);
    let text = warned(runs(&env, "a", "alice", "tee docs/x ../b/docs/x"));
    assert_eq!(text.lines().count(), 2, "{text}");
    assert_eq!((enforced(&env, "a").len(), enforced(&env, "b").len()), (2, 5));
}

#[test]
fn what_is_in_no_workspace_is_nobodys() {
    let env = repository(API_WEB, &["one"]);
    env.dos(&take("main", "api", "alice")).exits(0);
    env.write("elsewhere/x", "");
    let before = env.snapshot();
    for path in ["../elsewhere/x", "../elsewhere/new/x", "/proc/none", "../none/api/x.py"] {
        assert_eq!(writes(&env, "one", "bob", path), Verdict::Pass, "{path}");
        assert_eq!(writes(&env, "elsewhere", "bob", path), Verdict::Pass, "{path}");
    }
    assert_eq!(runs(&env, "elsewhere", "bob", "git stash; rm -rf x"), Verdict::Pass);
    assert_eq!(env.snapshot(), before);
}

#[test]
fn a_workspace_inside_another_hides_nothing_and_a_work_tree_is_its_own() {
    let env = repository(API_WEB, &[]);
    git(&env, "main", "worktree add -q trees/x");
    env.dos(&take("main", "global", "alice")).exits(0);
    for cwd in ["main", "main/trees/x"] {
        let file = env.path("main/trees/x/api/x.py").into_os_string().into_string().unwrap();
        assert_eq!(writes(&env, cwd, "bob", &file), Verdict::Pass, "{cwd}");
    }
    env.write("main/api/nested/dos.toml", API_WEB);
    for cwd in ["main", "main/api/nested", "main/trees/x"] {
        let file = env.path("main/api/nested/x.py").into_os_string().into_string().unwrap();
        assert!(denied(writes(&env, cwd, "bob", &file)).contains("alice holds global"), "{cwd}");
    }
    // A submodule is a repository of its own, and yet a part of the folder that it is in.
    git(&env, "main", "-c protocol.file.allow=always submodule --quiet add ../main api/sub");
    env.write("main/api/sub/dos.toml", API_WEB);
    let file = env.path("main/api/sub/x.py").into_os_string().into_string().unwrap();
    assert!(denied(writes(&env, "main", "bob", &file)).contains("alice holds global"));
}

#[test]
fn a_journal_that_a_variable_names_is_that_of_the_workspace_it_was_set_for() {
    let mut env = empty();
    env.write("a/dos.toml", API_WEB);
    env.write("b/dos.toml", API_WEB);
    env.dos(&take("b", "api", "alice")).exits(0);
    env.set("DISPATCH_LANE_JOURNAL_PATH", env.path("shared.jsonl"));
    env.set("DISPATCH_LANE_LEASE_LOCK_PATH", env.path("shared.lock"));
    env.dos(&take("a", "web", "carol")).exits(0);
    denied(writes(&env, "a", "bob", "web/x.ts"));
    denied(writes(&env, "a", "bob", "../b/api/x.py"));
    assert_eq!(writes(&env, "a", "bob", "../b/web/x.ts"), Verdict::Pass);
    assert_eq!(enforced(&env, "b"), ["TREE_OVERLAP"]);
    // Work trees that share a state share also the variable's.
    let mut env = repository(&format!("{API_WEB}{SHARED}"), &["one"]);
    env.set("DISPATCH_LANE_JOURNAL_PATH", env.path("shared.jsonl"));
    env.dos(&take("main", "web", "carol")).exits(0);
    denied(writes(&env, "main", "bob", "../one/web/x.ts"));
}
