//! Links in `.dos` that lead out of it, and what it takes to trust one.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use dos_tests::{TestEnv, snapshot};

use crate::{API_WEB, configured, empty, field};

const ACQUIRE: &str = "lease-lane acquire --lane main --owner a";

fn victim(env: &TestEnv, name: &str) -> PathBuf {
    let victim = env.outer().join(name);
    fs::create_dir_all(victim.join("deep")).unwrap();
    fs::write(victim.join("file"), "precious\n").unwrap();
    victim
}

/// A workspace that has something to compact and something to reap.
fn piled_up() -> TestEnv {
    let env = configured(
        "[retention]\njournal_max_entries = 1\nruns_keep_last = 0\naudits_keep_last = 0\n\
         verdicts_keep_last = 0\n[journal]\nmax_entries = 1\n",
    );
    for number in 0..3 {
        env.dos(&format!("lease-lane spawn --lane main --owner o{number}")).exits(0);
    }
    env.dos("lease acquire a").exits(0);
    env.dos("lease release a").no_panic();
    env
}

/// What writes to a workspace, in every way there is.
const WRITES: &[&str] = &[
    ACQUIRE,
    "lease-lane heartbeat --lane main --owner a",
    "lease-lane release --lane main --owner a",
    "lease acquire a",
    "arbitrate --lane main --force --leases [{\"lane\":\"main\",\"tree\":[\"**\"]}]",
    "halt --handle h --resumable --run-id RID-1M89PYD52D6YY80",
    "journal compact",
    "journal repair --force",
    "reap --apply --journal",
    "doctor --fix",
    "snapshot take tree:. --name n",
    "--observe liveness --run-id RID-1M89PYD52D6YY80",
    "supervise --once --target 1 -- true",
    "run --lane main --owner a -- true",
];

#[test]
fn no_verb_writes_through_a_link_below_the_state_folder() {
    let names = {
        let env = piled_up();
        WRITES.iter().for_each(|command| drop(env.dos(command)));
        env.write(".dos/runs/x/y", "");
        let all = fs::read_dir(env.path(".dos")).unwrap();
        let names = all.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        let usual = ["lane-journal.archive", "audits", "verdicts", "verdict-journal.archive"];
        names.extend(usual.map(String::from));
        names.sort();
        names.dedup();
        names
    };
    assert!(names.len() > 10, "{names:?}");
    for name in &names {
        let env = piled_up();
        let victim = victim(&env, "victim");
        let planted = env.path(".dos").join(name);
        let is_file = planted.is_file() || name.contains("lock") || name.ends_with("jsonl");
        let _ = fs::remove_file(&planted);
        let _ = fs::remove_dir_all(&planted);
        symlink(if is_file { victim.join("file") } else { victim.clone() }, &planted).unwrap();
        let before = snapshot(&victim);
        for command in WRITES {
            env.dos(command).no_panic();
            assert_eq!(snapshot(&victim), before, "{command} wrote through {name}");
        }
    }
}

#[test]
fn an_archive_that_leads_out_is_refused_and_can_be_trusted() {
    let env = piled_up();
    let victim = victim(&env, "victim");
    symlink(&victim, env.path(".dos/lane-journal.archive")).unwrap();
    env.dos("journal compact").exits(2).says("leads out of the workspace");
    env.dos("doctor --fix").exits(2).says("dos doctor --trust");
    env.dos("doctor --trust").exits(0).says("lane-journal.archive");
    env.dos("journal compact").exits(0);
    let grown = fs::read_dir(&victim).unwrap().count();
    assert_eq!(grown, 3, "the history is where it was sent");
}

#[test]
fn an_archive_lock_outside_is_not_taken_unasked() {
    let env = configured("[paths]\narchive_lock = \"../victim/new\"\n");
    let victim = victim(&env, "victim");
    env.dos("lease acquire a").exits(2).says("leads out of the workspace");
    assert!(!victim.join("new").exists());
}

#[test]
fn what_was_trusted_is_all_that_is_trusted() {
    let env = empty();
    let (disk, victim) = (victim(&env, "disk"), victim(&env, "victim"));
    symlink(&disk, env.path(".dos")).unwrap();
    env.dos(ACQUIRE).exits(2);
    env.dos("doctor --trust").exits(0).says("disk");
    for command in [ACQUIRE, "lease acquire a", "reap --apply", "doctor --fix"] {
        env.dos(command).exits(0);
    }
    // A later change of the repository is another question.
    env.write("dos.toml", "[paths]\nlane_journal = \"../victim/file\"\n");
    let before = snapshot(&victim);
    env.dos(ACQUIRE).exits(2).says("victim/file leads out");
    let findings = env.dos("doctor --json").exits(0).json()["findings"].clone();
    assert!(field(&findings, "code").contains(&"STATE_UNTRUSTED".to_string()), "{findings}");
    env.write("dos.toml", API_WEB);
    env.dos(ACQUIRE).no_panic();
    let decisions = env.path(".dos/decisions");
    symlink(&victim, &decisions).unwrap();
    let force = "arbitrate --lane main --force --leases [{\"lane\":\"main\",\"tree\":[\"**\"]}]";
    env.dos(force).says("decisions leads out");
    assert_eq!(snapshot(&victim), before);
    // The same link to another place is another link.
    fs::remove_file(env.path(".dos")).unwrap();
    symlink(&victim, env.path(".dos")).unwrap();
    env.dos(ACQUIRE).exits(2).says("victim");
    assert_eq!(snapshot(&victim), before);
}

#[test]
fn only_what_is_shown_is_trusted_at_once() {
    let env = configured("[paths]\nlane_journal = \"../victim/file\"\n");
    let (disk, _) = (victim(&env, "disk"), victim(&env, "victim"));
    symlink(&disk, env.path(".dos")).unwrap();
    let said = env.dos("doctor --trust").exits(0).stderr.clone();
    let trusted: Vec<&str> = said.lines().filter(|line| line.starts_with("trusted")).collect();
    assert!(matches!(trusted[..], [one] if one.contains("disk")), "{said}");
    assert!(said.contains("not trusted: ") && said.contains("victim/file"), "{said}");
    env.dos(ACQUIRE).exits(2).says("victim/file");
    env.dos("doctor --trust").exits(0);
    env.dos(ACQUIRE).exits(0);
    assert!(Path::new(&env.outer().join("victim/file")).metadata().unwrap().len() > 9);
}
