//! The home registry, work trees that share a state, and whose `.dos` it is.

mod doctor;
mod links;
mod names;
mod reaping;
mod trees;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use dos_tests::{Running, TestEnv, snapshot};
use serde_json::{Value, json};

use crate::{API_WEB, configured, empty, field, live_lanes};

pub const SHARED: &str = "[workspace]\nscope = \"repository\"\n";

fn projects(env: &TestEnv) -> Vec<Value> {
    env.dos("projects --json").exits(0).json().as_array().unwrap().clone()
}

/// git, in that folder of the workspace.
#[track_caller]
pub fn git(env: &TestEnv, folder: &str, arguments: &str) {
    let mut command = Command::new("git");
    command.args(["-c", "user.name=a", "-c", "user.email=a@b", "-C"]);
    command.arg(env.path(folder)).args(arguments.split_whitespace());
    env.furnish(&mut command);
    Running::start(command).finish().exits(0);
}

/// A repository `main` with that `dos.toml`, and work trees of it.
pub fn repository(config: &str, trees: &[&str]) -> TestEnv {
    let env = empty();
    env.write("main/dos.toml", config);
    git(&env, "main", "init -q");
    git(&env, "main", "add .");
    git(&env, "main", "commit -q -m x");
    for tree in trees {
        git(&env, "main", &format!("worktree add -q ../{tree}"));
    }
    env
}

pub fn take(tree: &str, lane: &str, owner: &str) -> String {
    format!("lease-lane acquire --workspace {tree} --lane {lane} --owner {owner}")
}

#[test]
fn a_hundred_processes_make_one_workspace() {
    let env = configured(API_WEB);
    let running: Vec<Running> = (0..100)
        .map(|number| env.start(&format!("lease-lane spawn --lane api --owner o{number}")))
        .collect();
    let said: Vec<String> =
        running.into_iter().map(|one| one.finish().exits(0).stderr.clone()).collect();
    let courtesies = said.iter().filter(|said| said.contains("created")).count();
    assert_eq!(courtesies, 1, "{said:?}");
    assert_eq!(said.iter().filter(|said| !said.is_empty()).count(), 1, "{said:?}");
    let rows = fs::read_to_string(env.outer().join("home/.dos/projects/index.jsonl")).unwrap();
    assert_eq!(rows.lines().count(), 1, "{rows}");
    let roots = fs::read_to_string(env.outer().join("home/.dos/projects/roots.log")).unwrap();
    assert_eq!(roots.lines().count(), 1, "{roots}");
    assert_eq!(env.operations().len(), 100);
    assert_eq!(env.leftovers(), [""; 0]);
}

#[test]
fn work_trees_are_a_row_each_and_stand_together() {
    let env = repository(API_WEB, &["one", "two"]);
    for tree in ["two", "main", "one"] {
        env.dos(&take(tree, "api", "a")).exits(0);
    }
    let listed = projects(&env);
    assert_eq!(field(&Value::Array(listed.clone()), "label"), ["main", "one", "two"]);
    let family = &listed[0]["family"];
    assert!(family.as_str().unwrap().ends_with("main/.git"), "{family}");
    assert!(listed.iter().all(|row| row["family"] == *family));
    let text = env.dos("projects").exits(0).stdout.clone();
    assert!(text.contains("+ one") && text.contains("+ two") && !text.contains("+ main"), "{text}");
}

#[test]
fn a_clone_is_another_project() {
    let env = repository(API_WEB, &[]);
    git(&env, "main", "clone -q . ../clone");
    env.dos(&take("main", "api", "a")).exits(0);
    env.dos(&take("clone", "api", "b")).exits(0);
    let listed = projects(&env);
    assert_eq!(listed.len(), 2);
    assert_ne!(listed[0]["project_id"], listed[1]["project_id"]);
    assert_ne!(listed[0]["family"], listed[1]["family"]);
}

#[test]
fn by_default_each_work_tree_has_its_own_lanes() {
    let env = repository(API_WEB, &["one"]);
    env.dos(&take("main", "api", "a")).exits(0);
    let grant = env.dos(&take("one", "api", "b")).exits(0).json();
    assert_eq!(grant["outcome"], "acquire");
    assert!(env.path("one/.dos").exists());
}

#[test]
fn a_repository_can_have_one_set_of_lanes() {
    let env = repository(&format!("{API_WEB}{SHARED}"), &["one", "two"]);
    env.dos(&take("one", "api", "a")).exits(0);
    let refused = env.dos(&take("two", "api", "b")).exits(1).json();
    assert_eq!(refused["blocked_by"][0]["holder"], "a");
    env.dos(&take("main", "web", "c")).exits(0);
    assert!(!env.path("one/.dos").exists() && !env.path("two/.dos").exists());
    let live = env.dos("lease-lane live --workspace two").exits(0).json();
    assert_eq!(field(&live, "holder"), ["a", "c"]);
    let tree = |name: &str| env.path(name).canonicalize().unwrap();
    assert_eq!(live[0]["worktree"], tree("one").to_str().unwrap());
    assert_eq!(live[1]["worktree"], tree("main").to_str().unwrap());
    assert_eq!(live[0]["tree"], json!(["api/**"]), "paths stay relative to the repository");
    let listed = projects(&env);
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["label"], "main");
}

#[test]
fn forgetting_a_work_tree_names_its_project() {
    let env = repository(&format!("{API_WEB}{SHARED}"), &["one"]);
    env.dos("forget one").exits(1).says("no project one is known");
    env.dos(&take("one", "api", "a")).exits(0);
    let main = env.path("main").canonicalize().unwrap();
    let said = format!("one is a work tree of the project {}", main.display());
    env.dos("forget one").exits(1).says(&said);
    assert_eq!(projects(&env).len(), 1);
    env.dos("forget main").exits(0);
    env.dos("forget one").exits(1).says("no project one is known");
}

#[test]
fn a_card_that_cannot_be_read_is_not_passed_over_in_silence() {
    let env = empty();
    const TORN: [&str; 7] = ["a", "torn", "m", "z", "f", "b", "p"];
    for folder in ["good", "odd"].into_iter().chain(TORN) {
        env.write(format!("{folder}/dos.toml"), API_WEB);
        env.dos(&take(folder, "api", "a")).exits(0);
    }
    fs::remove_dir_all(env.outer().join("home/.dos")).unwrap();
    for folder in TORN {
        env.write(format!("{folder}/.dos/project.json"), "{\"project_id\": ");
    }
    fs::remove_file(env.path("odd/.dos/project.json")).unwrap();
    fs::create_dir(env.path("odd/.dos/project.json")).unwrap();
    let done = env.dos("reindex --under . --json");
    let bad = ["a", "b", "f", "m", "odd", "p", "torn", "z"]
        .map(|name| env.path(name).canonicalize().unwrap());
    let bad = bad.map(|path| path.into_os_string().into_string().unwrap());
    for path in &bad {
        done.says(&format!("warning: {path} cannot be read"));
    }
    let answer = done.exits(0).json();
    assert_eq!(answer["unreadable"], json!(bad), "in the order of their names");
    assert_eq!(field(&Value::Array(projects(&env)), "label"), ["good"]);
}

#[test]
fn a_removed_work_tree_frees_its_lanes() {
    let env = repository(&format!("{API_WEB}{SHARED}"), &["one", "two", "disk"]);
    env.dos(&take("one", "api", "a")).exits(0);
    env.dos(&take("disk", "web", "d")).exits(0);
    git(&env, "main", "worktree lock ../disk");
    fs::rename(env.path("disk"), env.path("unmounted")).unwrap();
    git(&env, "main", "worktree remove ../one");
    let live = env.dos("lease-lane live --workspace two").exits(0).json();
    assert_eq!(field(&live, "holder"), ["d"], "a locked work tree may come back");
    let grant = env.dos(&take("two", "api", "b")).exits(0).json();
    assert!(grant["scavenged"][0]["reason"].as_str().unwrap().contains("was removed"), "{grant}");
    env.dos("lease-lane heartbeat --workspace two --lane api --owner a").exits(1);
    env.dos("lease-lane heartbeat --workspace two --lane web --owner d").exits(0);
}

#[test]
fn an_adopted_lease_goes_with_its_new_work_tree() {
    let env = repository(&format!("{API_WEB}{SHARED}"), &["one", "two"]);
    env.dos(&take("one", "api", "a")).exits(0);
    env.dos("lease-lane adopt --workspace two --lane api --owner b --from a").exits(0);
    git(&env, "main", "worktree remove ../one");
    let live = env.dos("lease-lane live --workspace main").exits(0).json();
    assert_eq!(field(&live, "holder"), ["b"]);
}

#[test]
fn a_forged_git_file_sends_nobody_elsewhere() {
    let env = repository(&format!("{API_WEB}{SHARED}"), &["one"]);
    // It names a real work tree's folder, which is not this one.
    let git_file = fs::read_to_string(env.path("one/.git")).unwrap();
    env.write("forged/.git", git_file);
    env.write("forged/dos.toml", SHARED);
    env.dos(&take("forged", "main", "x")).exits(0);
    assert!(env.path("forged/.dos").exists());
    assert!(!env.path("main/.dos").exists());
}

#[test]
fn init_can_share() {
    let env = repository("", &["one"]);
    env.write("main/src/lib.rs", "x");
    env.dos("init main --force --shared").exits(0);
    let written = fs::read_to_string(env.path("main/dos.toml")).unwrap();
    assert!(written.contains("scope = \"repository\""), "{written}");
    fs::copy(env.path("main/dos.toml"), env.path("one/dos.toml")).unwrap();
    env.dos("doctor --check --workspace one").no_panic();
    env.dos(&take("one", "src", "a")).exits(0);
    assert!(env.path("main/.dos/lane-journal.jsonl").exists());
}

#[test]
fn a_link_out_of_the_workspace_is_not_written_through() {
    let victim = |env: &TestEnv| {
        let victim = env.outer().join("victim");
        fs::create_dir_all(&victim).unwrap();
        fs::write(victim.join("file"), "precious\n").unwrap();
        victim
    };
    let writes = [
        "lease-lane acquire --lane main --owner a",
        "lease acquire a",
        "arbitrate --lane main --force --leases [{\"lane\":\"main\",\"tree\":[\"**\"]}]",
    ];
    type Plant = fn(&TestEnv, &Path);
    let plants: [(&str, Plant); 6] = [
        (".dos", |env, victim| symlink(victim, env.path(".dos")).unwrap()),
        ("journal", |env, victim| {
            env.write(".dos/x", "");
            symlink(victim.join("file"), env.journal_path()).unwrap();
        }),
        ("guard", |env, victim| {
            env.write(".dos/x", "");
            symlink(victim.join("new"), env.path(".dos/.lane-lease.lock.guard")).unwrap();
        }),
        ("leases", |env, victim| {
            env.write(".dos/x", "");
            symlink(victim, env.path(".dos/leases")).unwrap();
        }),
        ("decisions", |env, victim| {
            env.write(".dos/x", "");
            symlink(victim, env.path(".dos/decisions")).unwrap();
        }),
        ("card", |env, victim| {
            env.write(".dos/x", "");
            symlink(victim.join("file"), env.path(".dos/project.json")).unwrap();
        }),
    ];
    for (what, plant) in plants {
        let env = empty();
        let victim = victim(&env);
        plant(&env, &victim);
        let before = snapshot(&victim);
        for command in writes {
            env.dos(command).no_panic();
        }
        assert_eq!(snapshot(&victim), before, "{what}");
    }
    let env = configured("[paths]\nlane_journal = \"../victim/file\"\n");
    let victim = victim(&env);
    let before = snapshot(&victim);
    env.dos(writes[0]).exits(2).says("dos doctor --trust");
    assert_eq!(snapshot(&victim), before, "a path in dos.toml");
    let findings = env.dos("doctor --json").exits(0).json()["findings"].clone();
    assert!(field(&findings, "code").contains(&"STATE_UNTRUSTED".to_string()), "{findings}");
    env.dos("doctor --trust").exits(0);
    env.dos(writes[0]).exits(0);
    assert_ne!(snapshot(&victim), before);
}

#[test]
fn reaping_does_not_follow_links() {
    let env = configured("[retention]\nruns_keep_last = 0\naudits_keep_last = 0\n");
    let victim = env.outer().join("victim");
    fs::create_dir_all(victim.join("deep")).unwrap();
    fs::write(victim.join("trajectory-audit-1"), "precious").unwrap();
    env.write(".dos/runs/mine/log", "x");
    symlink(&victim, env.path(".dos/runs/link")).unwrap();
    symlink(&victim, env.path(".dos/runs/mine/inside")).unwrap();
    symlink(&victim, env.path(".dos/audits")).unwrap();
    env.dos("reap --apply").exits(2).says("leads out of the workspace");
    fs::remove_file(env.path(".dos/audits")).unwrap();
    env.dos("reap --apply").exits(0);
    assert!(!env.path(".dos/runs/mine").exists());
    assert!(victim.join("deep").exists() && victim.join("trajectory-audit-1").exists());
}

#[test]
fn somebody_elses_state_is_not_used_unasked() {
    let env = empty();
    fs::create_dir(env.path(".dos")).unwrap();
    if chown(env.path(".dos"), Some(65_534), None).is_err() {
        crate::skipped("a folder of another user, for lack of the right to give one away");
        return;
    }
    env.dos("lease-lane acquire --lane main --owner a").exits(2).says("another user");
    env.dos("lease-lane live").exits(2).says("dos doctor --trust");
    env.dos("doctor --trust").exits(0);
    env.dos("lease-lane acquire --lane main --owner a").exits(0);
    assert_eq!(live_lanes(&env), ["main"]);
}

#[test]
fn what_is_written_is_for_this_user_alone() {
    let env = configured(API_WEB);
    env.dos("lease-lane acquire --lane api --owner a").exits(0);
    env.dos("lease acquire a").exits(0);
    env.run(["arbitrate", "--lane", "api", "--force", "--leases", "[{\"lane\":\"api\"}]"]).exits(0);
    env.dos("journal compact").exits(0);
    let roots = [env.path(".dos"), env.outer().join("home/.dos")];
    let mut files = 0;
    for root in roots {
        for name in snapshot(&root).into_keys().map(|name| root.join(name)).chain([root.clone()]) {
            let mode = fs::symlink_metadata(&name).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{} has {mode:o}", name.display());
            files += 1;
        }
    }
    assert!(files > 12, "{files}");
    let config = fs::metadata(env.path("dos.toml")).unwrap().permissions().mode();
    assert_eq!(config & 0o044, 0o044, "dos.toml is no secret");
}

#[test]
fn doctor_looks_at_the_machine_and_mends_what_is_safe() {
    let env = configured(API_WEB);
    let codes =
        |env: &TestEnv| field(&env.dos("doctor --json").exits(0).json()["findings"], "code");
    let old =
        "{\"op\":\"SPAWN\",\"lane\":\"a\",\"loop_ts\":\"t\",\"ts\":\"2001-01-01T00:00:00Z\"}\n";
    let ahead = "{\"op\":\"ACQUIRE\",\"lane\":\"web\",\"loop_ts\":\"u\",\"lease\":{\"lane\":\"web\",\
                 \"loop_ts\":\"u\",\"acquired_at\":\"2999-01-01T00:00:00Z\",\"tree\":[\"web/**\"]}}\n";
    env.write_journal(format!("{old}{ahead}"));
    let home = env.outer().join("home/.dos");
    fs::create_dir_all(home.join("projects")).unwrap();
    let rows = "bad\n{\"project_id\":\"x\",\"root\":\"/nowhere\"}\n";
    fs::write(home.join("projects/index.jsonl"), rows).unwrap();
    let found = codes(&env);
    for code in [
        "REGISTRY_CORRUPT",
        "REGISTRY_STALE",
        "REGISTRY_BEHIND",
        "JOURNAL_PAST_CAPS",
        "CLOCK_BEHIND",
    ] {
        assert!(found.contains(&code.to_string()), "{code} is not in {found:?}");
    }
    env.dos("doctor --fix").exits(0).says("fixed: the home registry was made anew");
    let left = codes(&env);
    for code in ["REGISTRY_CORRUPT", "REGISTRY_BEHIND", "JOURNAL_PAST_CAPS"] {
        assert!(!left.contains(&code.to_string()), "{code} is still in {left:?}");
    }
    assert!(left.contains(&"REGISTRY_STALE".to_string()), "dropping rows is not for --fix");
    assert_eq!(live_lanes(&env), ["web"], "nor is taking leases away");
}

#[test]
fn doctor_looks_at_every_project_of_the_machine_when_asked() {
    let mut env = configured(API_WEB);
    let other = env.outer().join("other \n place");
    fs::create_dir_all(other.join(".dos")).unwrap();
    let ahead = "{\"op\":\"ACQUIRE\",\"lane\":\"web\",\"loop_ts\":\"u\",\"lease\":{\"lane\":\"web\",\
                 \"loop_ts\":\"u\",\"acquired_at\":\"2999-01-01T00:00:00Z\",\"tree\":[\"web/**\"]}}\n";
    fs::write(other.join(".dos/lane-journal.jsonl"), ahead).unwrap();
    let calm = env.outer().join("calm");
    fs::create_dir_all(&calm).unwrap();
    let home = env.outer().join("home/.dos/projects");
    fs::create_dir_all(&home).unwrap();
    let roots = [env.root(), other.clone(), calm, env.outer().join("gone")];
    let row = |(place, root): (usize, &PathBuf)| {
        format!("{}\n", json!({"project_id": place.to_string(), "root": root.to_str()}))
    };
    fs::write(home.join("index.jsonl"), roots.iter().enumerate().map(row).collect::<String>())
        .unwrap();
    let tree = env.tree();
    let report = env.dos("doctor --all --json").exits(0).json();
    let elsewhere = &report["elsewhere"];
    assert_eq!(elsewhere["looked_at"], 2, "{elsewhere}");
    assert_eq!(field(&elsewhere["projects"], "root"), [other.to_str().unwrap()]);
    assert_eq!(field(&elsewhere["projects"][0]["findings"], "code"), ["CLOCK_BEHIND"]);
    let text = env.dos("doctor --all").exits(0).stdout.clone();
    assert!(text.contains("elsewhere (2 other projects on this machine, 1 without"), "{text}");
    assert_eq!(text.lines().filter(|line| line.contains("place")).count(), 1, "{text}");
    env.dos("doctor --check").exits(0);
    env.dos("doctor --all --check").exits(1);
    assert_eq!(env.tree(), tree);
    env.set("DISPATCH_LANE_JOURNAL_PATH", "elsewhere.jsonl");
    env.dos("doctor --all").says("unset it");
}
