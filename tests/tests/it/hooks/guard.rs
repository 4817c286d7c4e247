//! Who may write what.

use std::os::unix::fs::symlink;
use std::process::Command;

use dos_tests::Running;
use serde_json::json;

use super::{Verdict, alice_holds_api, call, enforced, pretool, verdict};
use crate::{API_WEB, configured, empty};

#[track_caller]
fn denied(verdict: Verdict, words: &[&str]) {
    let Verdict::Deny(text) = &verdict else { panic!("{verdict:?} is no denial") };
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text:?}");
    }
}

#[track_caller]
fn warned(verdict: Verdict, words: &[&str]) {
    let Verdict::Warn(text) = &verdict else { panic!("{verdict:?} is no advice") };
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text:?}");
    }
}

#[test]
fn a_write_into_somebody_elses_lane_is_denied_with_the_way_forward() {
    let env = alice_holds_api();
    let output = pretool(&env, &call("bob", "Write", json!({"file_path": "api/x.py"})));
    let words = ["alice holds api", "lapses in", "`api/**`", "api/x.py", "--lane api --owner bob"];
    denied(verdict(&output), &words);
    let record = env.records().pop().unwrap();
    assert_eq!(record["op"], "ENFORCE");
    assert_eq!(record["reason_class"], "TREE_OVERLAP");
    assert_eq!(record["lane"], "api");
    assert_eq!(record["holder"], "bob");
    assert_eq!(record["tool"], "Write");
    assert_eq!(record["withheld"], true);
    assert_eq!(record["seq"], 2);
    // The record grants and takes nothing.
    env.dos("lease-lane heartbeat --lane api --owner alice").exits(0);
}

#[test]
fn a_silent_pass_writes_nothing_and_creates_nothing() {
    let env = alice_holds_api();
    let before = env.snapshot();
    for event in [
        call("bob", "Write", json!({"file_path": "web/x.ts"})),
        call("bob", "Read", json!({"file_path": "api/x.py"})),
        call("bob", "Write", json!({"file_path": "/etc/elsewhere"})),
        call("alice", "Write", json!({"file_path": "api/x.py"})),
        call("bob", "Task", json!({"prompt": "write api/x.py"})),
        json!({"tool_name": "Write"}),
        json!({}),
    ] {
        assert_eq!(verdict(&pretool(&env, &event)), Verdict::Pass, "{event}");
    }
    assert_eq!(env.snapshot(), before);
    let bare = empty();
    for file in ["x.py", "dos.toml", ".dos/x"] {
        let event = call("s", "Write", json!({"file_path": file}));
        assert_eq!(verdict(&pretool(&bare, &event)), Verdict::Pass);
    }
    assert_eq!(bare.tree(), [""; 0], "a folder that nobody referees stays as it is");
}

#[test]
fn a_holder_is_known_by_its_session_its_run_its_owner_or_its_process() {
    let write = |session: &str| call(session, "Write", json!({"file_path": "api/x.py"}));
    let env = alice_holds_api();
    assert_eq!(verdict(&pretool(&env, &write("alice"))), Verdict::Pass);
    denied(verdict(&pretool(&env, &write("Alice"))), &["alice"]);
    let mut env = alice_holds_api();
    env.set("DISPATCH_OWNER", "alice");
    assert_eq!(verdict(&pretool(&env, &write("whoever"))), Verdict::Pass);
    let mut env = configured(API_WEB);
    env.dos("lease-lane acquire --lane api --owner worker --run-id R-1").exits(0);
    denied(verdict(&pretool(&env, &write("s"))), &["worker"]);
    env.set("CID_RUN_ID", "R-1");
    assert_eq!(verdict(&pretool(&env, &write("s"))), Verdict::Pass);
    // This test is an ancestor of the hook; a process beside it is not.
    let env = configured(API_WEB);
    let pid = std::process::id();
    env.dos(&format!("lease-lane acquire --lane api --owner worker --pid {pid}")).exits(0);
    assert_eq!(verdict(&pretool(&env, &write("s"))), Verdict::Pass);
    let env = configured(API_WEB);
    let mut sleeper = Command::new("sleep");
    sleeper.arg("300");
    let other = Running::start(sleeper);
    let pid = other.pid();
    env.dos(&format!("lease-lane acquire --lane api --owner worker --pid {pid}")).exits(0);
    denied(verdict(&pretool(&env, &write("s"))), &["worker"]);
    other.kill();
    assert_eq!(verdict(&pretool(&env, &write("s"))), Verdict::Pass, "a dead holder holds nothing");
}

#[test]
fn outside_of_ones_own_lane_is_advised_or_denied() {
    let event = call("alice", "Write", json!({"file_path": "docs/x.md"}));
    let env = alice_holds_api();
    warned(verdict(&pretool(&env, &event)), &["outside", "api"]);
    assert_eq!(enforced(&env), ["OUTSIDE_LANE"]);
    for (rule, class) in [("deny", Some("OUTSIDE_LANE")), ("off", None)] {
        let env = configured(&format!("{API_WEB}\n[guard]\noutside_lane = \"{rule}\"\n"));
        env.dos("lease-lane acquire --lane api --owner alice").exits(0);
        match class {
            Some(_) => denied(verdict(&pretool(&env, &event)), &["outside"]),
            None => assert_eq!(verdict(&pretool(&env, &event)), Verdict::Pass),
        }
        assert_eq!(enforced(&env), class.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn the_folder_of_ones_own_lane_is_inside_of_it() {
    let env = alice_holds_api();
    let runs = |holder: &str, command: &str| {
        verdict(&pretool(&env, &call(holder, "Bash", json!({"command": command}))))
    };
    assert_eq!(runs("alice", "mkdir -p api"), Verdict::Pass);
    assert_eq!(runs("alice", "mkdir -p api/v2/deep && chmod 755 api"), Verdict::Pass);
    assert_eq!(runs("bob", "mkdir -p api"), Verdict::Pass);
    warned(runs("alice", "mkdir -p docs"), &["outside"]);
    denied(runs("bob", "chmod 000 api; rmdir api"), &["alice holds api"]);
    env.write("api/x.py", "");
    assert_eq!(runs("bob", "mkdir -p api"), Verdict::Pass);
}

#[test]
fn a_lane_of_somebody_else_is_not_given_away_in_silence() {
    let env = alice_holds_api();
    let runs = |holder: &str, command: &str| {
        verdict(&pretool(&env, &call(holder, "Bash", json!({"command": command}))))
    };
    for command in [
        "dos lease-lane release --lane api --owner alice",
        "dos lease-lane --workspace . release --owner=alice --lane=api",
        "dos lease-lane adopt --lane api --owner bob --from alice",
    ] {
        warned(runs("bob", command), &["gives away", "alice holds api"]);
        assert_eq!(runs("alice", command), Verdict::Pass);
    }
    for command in [
        "dos lease-lane release --lane web --owner bob",
        "dos lease-lane live --json",
        "echo dos lease-lane release --owner alice",
    ] {
        assert_eq!(runs("bob", command), Verdict::Pass, "{command}");
    }
}

#[test]
fn readers_do_not_write() {
    let env = configured(API_WEB);
    env.dos("lease-lane acquire --lane api --owner alice --shared").exits(0);
    let write = |session: &str| call(session, "Edit", json!({"file_path": "api/x.py"}));
    warned(verdict(&pretool(&env, &write("alice"))), &["reading only"]);
    denied(verdict(&pretool(&env, &write("bob"))), &["alice reads api"]);
}

#[test]
fn no_agent_writes_its_referee() {
    let env = alice_holds_api();
    let home = env.outer().join("home");
    let binary = env.binary().display().to_string();
    let of_home = home.join(".claude/settings.json").display().to_string();
    for file in [
        "dos.toml",
        "./web/../dos.toml",
        ".dos/lane-journal.jsonl",
        ".dos/markers/alice.jsonl",
        ".DOS/x",
        ".claude/settings.json",
        ".codex/config.toml",
        ".gemini/settings.json",
        ".cursor/hooks.json",
        ".agents/hooks.json",
        &of_home,
        &binary,
    ] {
        for session in ["alice", "bob"] {
            let output = pretool(&env, &call(session, "Write", json!({"file_path": file})));
            denied(verdict(&output), &["no agent may write"]);
        }
    }
    assert!(enforced(&env).iter().all(|class| class == "SELF_MODIFY"));
}

#[test]
fn what_is_protected_is_policy() {
    let guard = "[guard]\nprotected = [\"!dos.toml\", \"secrets/**\", \"~/.netrc\"]\n";
    let env = configured(&format!("{API_WEB}{guard}"));
    let netrc = env.outer().join("home/.netrc").display().to_string();
    let asked =
        |file: &str| verdict(&pretool(&env, &call("s", "Write", json!({"file_path": file}))));
    assert_eq!(asked("dos.toml"), Verdict::Pass);
    denied(asked("secrets/key"), &["secrets/**"]);
    denied(asked(&netrc), &[".netrc"]);
    denied(asked(".dos/x"), &[".dos/**"]);
}

#[test]
fn a_damaged_workspace_still_protects_itself() {
    let env = alice_holds_api();
    env.write("dos.toml", b"\xff\xfe");
    let asked =
        |file: &str| verdict(&pretool(&env, &call("s", "Write", json!({"file_path": file}))));
    denied(asked("dos.toml"), &["no agent may write"]);
    assert_eq!(asked("api/x.py"), Verdict::Pass, "what cannot be read proves nothing");
    let env = alice_holds_api();
    std::fs::remove_file(env.journal_path()).unwrap();
    std::fs::create_dir(env.journal_path()).unwrap();
    let asked =
        |file: &str| verdict(&pretool(&env, &call("s", "Write", json!({"file_path": file}))));
    denied(asked(".dos/x"), &["no agent may write"]);
    warned(asked("api/x.py"), &["nobody can tell who holds what", "lane-journal.jsonl"]);
}

#[test]
fn the_workspace_is_found_from_below_and_no_link_slips_past() {
    let env = alice_holds_api();
    std::fs::create_dir_all(env.path("api/deep")).unwrap();
    std::fs::create_dir_all(env.path("web")).unwrap();
    symlink("../api", env.path("web/link")).unwrap();
    symlink(env.path("api/new.py"), env.path("web/dangling")).unwrap();
    let outer = env.outer().join("door");
    symlink(env.root(), &outer).unwrap();
    let below = env.path("web").display().to_string();
    let door = outer.join("api/x.py").display().to_string();
    for (cwd, file) in [
        (below.as_str(), "../api/x.py"),
        (&below, "link/x.py"),
        (&below, "link/not/there.py"),
        (&below, "dangling"),
        (&below, &door),
    ] {
        let mut event = call("s", "Write", json!({"file_path": file}));
        event["cwd"] = json!(cwd);
        denied(verdict(&pretool(&env, &event)), &["alice holds api"]);
    }
}
