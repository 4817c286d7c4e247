//! What `doctor` says of the registry and of the other projects of the machine.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::Duration;

use dos_tests::{Running, TestEnv, stopwatch};
use serde_json::{Value, json};

use super::{SHARED, projects, repository, take};
use crate::{API_WEB, configured, empty, field};

const ACQUIRE: &str = "lease-lane acquire --lane api --owner a";

fn codes(env: &TestEnv) -> Vec<String> {
    field(&env.dos("doctor --json").exits(0).json()["findings"], "code")
}

fn index(env: &TestEnv, rows: &[Value]) {
    let rows: String = rows.iter().map(|row| format!("{row}\n")).collect();
    fs::create_dir_all(env.outer().join("home/.dos/projects")).unwrap();
    fs::write(env.outer().join("home/.dos/projects/index.jsonl"), rows).unwrap();
}

#[test]
fn a_lost_row_is_noticed_and_brought_back() {
    let env = configured(API_WEB);
    env.dos(ACQUIRE).exits(0);
    let mut rows = projects(&env);
    let known = rows[0].clone();
    // By another name it is the same folder.
    symlink(env.root(), env.outer().join("link")).unwrap();
    rows[0]["root"] = json!(env.outer().join("link"));
    index(&env, &rows);
    assert!(!codes(&env).contains(&"REGISTRY_BEHIND".to_string()));
    // Another one with its id is not this one.
    rows[0]["root"] = json!("/nowhere");
    for rows in [&[][..], &rows] {
        index(&env, rows);
        assert!(codes(&env).contains(&"REGISTRY_BEHIND".to_string()), "{rows:?}");
        env.dos("doctor --fix").exits(0).says("was told of this workspace");
        assert!(!codes(&env).contains(&"REGISTRY_BEHIND".to_string()));
        assert_eq!(projects(&env)[0]["root"], known["root"]);
        assert_eq!(projects(&env)[0]["project_id"], known["project_id"]);
    }
}

#[test]
fn a_project_is_counted_once_whatever_its_names() {
    let env = configured(API_WEB);
    let outer = env.outer().canonicalize().unwrap();
    fs::create_dir_all(outer.join("other/.dos")).unwrap();
    symlink(outer.join("other"), outer.join("link")).unwrap();
    symlink(env.root(), outer.join("here")).unwrap();
    let row = |id: &str, root: &str| json!({"project_id": id, "root": root});
    let roots = ["other", "link", "here", "workspace/", "other/../other"];
    let mut rows: Vec<Value> =
        roots.iter().map(|name| row(name, outer.join(name).to_str().unwrap())).collect();
    rows.push(row("relative", "."));
    rows.push(row("relative too", "tests"));
    index(&env, &rows);
    let seen = env.dos("doctor --all --json").exits(0).json()["elsewhere"].clone();
    assert_eq!(seen["looked_at"], 1, "{seen}");
}

#[test]
fn a_shared_state_is_one_project() {
    let env = repository(&format!("{API_WEB}{SHARED}"), &["one", "two"]);
    env.dos(&take("one", "api", "a")).exits(0);
    let row = |name: &str| json!({"project_id": name, "root": env.path(name)});
    index(&env, &[row("main"), row("one"), row("two")]);
    let seen = |from: &str| {
        let report = env.dos(&format!("doctor --all --json --workspace {from}")).exits(0).json();
        report["elsewhere"]["looked_at"].clone()
    };
    assert_eq!((seen("one"), seen("main")), (json!(0), json!(0)));
    env.write("apart/dos.toml", API_WEB);
    assert_eq!(seen("apart"), 1);
}

#[test]
fn something_else_in_the_cards_place_is_named_and_holds_nobody_up() {
    let env = configured(API_WEB);
    env.write(".dos/x", "");
    let card = env.path(".dos/project.json");
    let made = Command::new("mkfifo").arg(&card).status().unwrap();
    assert!(made.success());
    let watch = stopwatch();
    // The lane is granted all the same.
    env.dos(ACQUIRE).exits(0);
    let findings = env.dos("doctor --json").exits(0).json()["findings"].clone();
    let of_card = |finding: &&Value| finding["code"] == "CARD_UNREADABLE";
    let found = findings.as_array().unwrap().iter().find(of_card).cloned().unwrap_or_default();
    let what = found["what"].as_str().unwrap_or_default();
    assert!(what.contains("project.json") && what.contains("no regular file"), "{findings}");
    env.dos("doctor --fix").exits(2).says("project.json").says("no regular file");
    let leases = "[{\"lane\":\"api\",\"tree\":[\"api/**\"]}]";
    env.run(["arbitrate", "--lane", "api", "--force", "--leases", leases]).says("project.json");
    let under = env.root();
    env.run(["reindex", "--under", under.to_str().unwrap()]).exits(0);
    for command in ["projects", "reap --apply", "top --once", "lease-lane live"] {
        env.dos(command).exits(0);
    }
    assert!(watch.elapsed() < Duration::from_secs(30), "{:?}", watch.elapsed());
    fs::remove_file(card).unwrap();
    env.dos("doctor --fix").exits(0);
    assert_eq!(projects(&env).len(), 1);
}

#[test]
fn a_path_that_is_no_utf8_is_refused_by_name() {
    let mut env = empty();
    let odd = env.root().join(OsStr::from_bytes(b"bad-\xff"));
    fs::create_dir(&odd).unwrap();
    symlink(&odd, env.path("link")).unwrap();
    let refused = |said: &str| {
        assert!(said.contains("UTF-8"), "{said}");
        assert!(said.contains("bad-") || said.contains("link"), "it is not named: {said}");
    };
    let flag = [OsStr::new("lease-lane"), OsStr::new("live"), OsStr::new("--workspace")];
    refused(&env.run(flag.into_iter().chain([odd.as_os_str()])).exits(2).stderr);
    refused(&env.dos("lease-lane live --workspace link").exits(2).stderr);
    let mut inside = env.command(["lease-lane", "live"]);
    inside.current_dir(&odd);
    refused(&Running::start(inside).finish().exits(2).stderr);
    env.set("DISPATCH_WORKSPACE", &odd);
    let said = env.dos("lease-lane live").exits(2).stderr.clone();
    assert!(said.contains("DISPATCH_WORKSPACE") && said.contains("UTF-8"), "{said}");
    assert_eq!(fs::read_dir(&odd).unwrap().count(), 0);
}
