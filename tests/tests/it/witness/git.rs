//! States that git knows: revisions, across a rebase, and the work tree.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use dos_tests::{TestEnv, poll_until, snapshot};
use serde_json::json;

use super::{ask, read};
use crate::empty;

fn git(env: &TestEnv, arguments: &[&str]) {
    let mut command = std::process::Command::new("git");
    command.args(["-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main"]);
    command.args(arguments);
    env.furnish(&mut command);
    let output = command.output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {output:?}");
}

fn commit(env: &TestEnv, files: &[(&str, &str)], message: &str) {
    for (name, content) in files {
        env.write(name, content);
    }
    git(env, &["add", "-A"]);
    git(env, &["commit", "-q", "-m", message]);
}

#[test]
fn a_rebase_brings_in_what_the_other_branch_did_and_keeps_what_was_done() {
    let env = empty();
    git(&env, &["init", "-q"]);
    commit(&env, &[("a", "1"), ("b", "1")], "start");
    git(&env, &["checkout", "-q", "-b", "topic"]);
    commit(&env, &[("topic", "done")], "topic");
    env.dos("snapshot take before --from git:HEAD").exits(0);
    git(&env, &["checkout", "-q", "main"]);
    commit(&env, &[("b", "2"), ("dir/new file", "x")], "main goes on");
    git(&env, &["checkout", "-q", "topic"]);
    git(&env, &["rebase", "-q", "main"]);
    let delta = json!({"inserted": ["dir/new file"], "updated": ["b"], "deleted": []});
    for before in ["before", "git:ORIG_HEAD", "git:topic@{1}"] {
        let answer = ask(&env, "b", before, "git:HEAD").exits(0).json();
        assert_eq!(answer["delta"], delta, "{before}");
    }
    // The work of the branch is still there, under new commits.
    env.dos("state-diff topic --before git:main --after git:HEAD --expect inserted").exits(0);
    // Rebased again, it is the same tree.
    env.dos("snapshot take again --from git:HEAD").exits(0);
    git(&env, &["rebase", "-q", "--force-rebase", "main"]);
    let same = env.dos("state-diff --before again --after git:HEAD");
    assert!(same.exits(0).stdout.ends_with("AFTER     git:HEAD\nnothing changed\n"), "{same:?}");
}

#[test]
fn the_work_tree_is_what_a_commit_would_hold_and_stays_untouched() {
    let env = empty();
    git(&env, &["init", "-q"]);
    assert!(read(&env, "git:").is_empty());
    commit(&env, &[(".gitignore", "*.log\n"), ("a", "1"), ("b", "1"), ("c", "1")], "start");
    assert_eq!(read(&env, "git:"), read(&env, "git:HEAD"));
    env.write("a", "2");
    env.write("b", "staged");
    git(&env, &["add", "b"]);
    env.write("new/é", "x");
    env.write("x.log", "ignored");
    fs::remove_file(env.path("c")).unwrap();
    // But for when objects were last seen, which git renews.
    let contents =
        || snapshot(&env.root()).into_iter().map(|(name, seen)| (name, seen.content, seen.inode));
    let before: Vec<_> = contents().collect();
    let found = read(&env, "git:");
    assert!(contents().eq(before), "something was written");
    assert_eq!(found.keys().collect::<Vec<_>>(), [".gitignore", "a", "b", "new/é"]);
    let answer = ask(&env, "a", "git:HEAD", "git:").exits(0).json();
    let delta = json!({"inserted": ["new/é"], "updated": ["a", "b"], "deleted": ["c"]});
    assert_eq!(answer["delta"], delta);
    git(&env, &["add", "-A"]);
    git(&env, &["commit", "-q", "-m", "all"]);
    assert_eq!(read(&env, "git:HEAD"), found);
}

#[test]
fn neither_options_nor_the_environment_nor_replacements_decide_what_is_read() {
    let mut env = empty();
    git(&env, &["init", "-q"]);
    commit(&env, &[("a", "1")], "one");
    let honest = read(&env, "git:HEAD");
    commit(&env, &[("a", "forged")], "two");
    git(&env, &["replace", "HEAD~1", "HEAD"]);
    assert_eq!(read(&env, "git:HEAD~1"), honest);
    for (revision, said) in [
        ("nosuch", "no revision"),
        ("--output=x", "begins with a dash"),
        ("HEAD:a", "git:HEAD:a"),
        ("HEAD --not", "no revision"),
    ] {
        let source = format!("git:{revision}");
        let answer = ask(&env, "a", &source, "git:HEAD").exits(3).json();
        assert!(answer["reason"].as_str().unwrap().contains(said), "{answer}");
    }
    fs::create_dir(env.outer().join("elsewhere")).unwrap();
    env.set("GIT_DIR", env.outer().join("elsewhere"));
    env.set("GIT_INDEX_FILE", "/nowhere");
    env.set("GIT_CONFIG_COUNT", "no number");
    env.set("GIT_CEILING_DIRECTORIES", env.root());
    assert_eq!(read(&env, "git:HEAD~1"), honest);
}

#[test]
fn what_git_is_told_to_pass_over_is_told() {
    let env = empty();
    git(&env, &["init", "-q"]);
    commit(&env, &[("a", "1"), ("b", "1")], "start");
    env.write("b", "2");
    for flag in ["assume-unchanged", "skip-worktree"] {
        git(&env, &["update-index", &format!("--{flag}"), "b"]);
        let answer = ask(&env, "b", "git:HEAD", "git:").exits(3).json();
        assert!(answer["reason"].as_str().unwrap().contains("\"b\""), "{answer}");
        git(&env, &["update-index", &format!("--no-{flag}"), "b"]);
        ask(&env, "b", "git:HEAD", "git:").exits(0);
    }
    // What a sparse checkout leaves out is no change.
    fs::remove_file(env.path("b")).unwrap();
    git(&env, &["update-index", "--skip-worktree", "b"]);
    assert_eq!(read(&env, "git:"), read(&env, "git:HEAD"));
}

#[test]
fn a_change_in_the_second_in_which_git_looked_is_seen_later() {
    let env = empty();
    git(&env, &["init", "-q"]);
    commit(&env, &[("a", "1")], "start");
    let second = || fs::metadata(env.path("a")).unwrap().ctime();
    poll_until("both in one second", Duration::from_secs(20), || {
        env.write("a", "1");
        git(&env, &["add", "a"]);
        let looked = second();
        env.write("a", "2");
        (second() == looked).then_some(())
    });
    let changed = second();
    poll_until("the second is over", Duration::from_secs(10), || {
        env.write("later", "x");
        (fs::metadata(env.path("later")).unwrap().ctime() != changed).then_some(())
    });
    ask(&env, "a", "git:HEAD", "git:").exits(0);
}

#[test]
fn what_a_filter_leaves_running_is_ended() {
    let env = empty();
    git(&env, &["init", "-q"]);
    commit(&env, &[("a", "1"), (".gitattributes", "a filter=odd\n")], "start");
    let left = env.path("left");
    env.write(".git/odd.sh", format!("sleep 600 2>&- >&- & echo $! > {}; cat", left.display()));
    git(&env, &["config", "filter.odd.clean", "sh .git/odd.sh"]);
    env.write("a", "2");
    ask(&env, "a", "git:HEAD", "git:").exits(0);
    let pid = fs::read_to_string(left).unwrap();
    super::is_ended(pid.trim());
}

#[test]
fn outside_of_a_repository_nothing_can_be_told() {
    let env = empty();
    for source in ["git:", "git:HEAD"] {
        let answer = ask(&env, "a", source, source).exits(3).json();
        assert_eq!(answer["verdict"], "UNWITNESSED");
    }
}

#[test]
fn a_filter_that_hangs_is_ended_when_its_time_is_over() {
    let env = empty();
    git(&env, &["init", "-q"]);
    commit(&env, &[("a", "1"), (".gitattributes", "a filter=odd\n")], "start");
    let left = env.path("left");
    env.write(".git/odd.sh", format!("echo $$ > {}; exec sleep 600", left.display()));
    git(&env, &["config", "filter.odd.clean", "sh .git/odd.sh"]);
    env.write("a", "2");
    let output = env.run(["snapshot", "show", "git:", "--within", "3s"]);
    output.exits(3).prints("did not end within 3 s");
    let pid = fs::read_to_string(left).unwrap();
    super::is_ended(pid.trim());
}

#[test]
fn a_repository_without_a_commit_hides_nothing_else() {
    let env = empty();
    git(&env, &["init", "-q"]);
    commit(&env, &[("a", "1"), (".gitignore", "ignored\n")], "start");
    env.dos("snapshot take before --from git:").exits(0);
    for nested in ["new", "deep/*odd [n]", "ignored"] {
        fs::create_dir_all(env.path(nested)).unwrap();
        git(&env, &["init", "-q", nested]);
        env.write(format!("{nested}/inside"), "x");
    }
    env.write("b", "2");
    let answer = ask(&env, "b", "before", "git:").exits(0).json();
    assert_eq!(answer["delta"]["inserted"], json!(["b", "deep/*odd [n]", "new"]));
    assert_eq!(answer["delta"]["deleted"], json!([]));
    let unborn = json!({"mode": "160000", "oid": null, "type": "commit"});
    assert_eq!(read(&env, "git:")["new"], unborn);
    // With a commit it is what git says of it.
    git(&env, &["-C", "new", "add", "."]);
    git(&env, &["-C", "new", "-c", "user.name=x", "-c", "user.email=x", "commit", "-qm", "x"]);
    assert_eq!(read(&env, "git:")["new"]["oid"].as_str().map(str::len), Some(40));
}

#[test]
fn a_change_of_the_ignore_rules_deletes_and_inserts_nothing() {
    let env = empty();
    git(&env, &["init", "-q"]);
    commit(&env, &[("t", "1"), ("dir/kept", "1"), ("dir/gone", "1")], "start");
    env.write("f", "1");
    env.write("sub/f", "1");
    env.write("dir/x.log", "1");
    let expect = |key: &str, kind: &str, before: &str, after: &str| {
        let sides = format!("--before {before} --after {after}");
        env.dos(&format!("state-diff {key} --expect {kind} {sides}"))
    };
    env.dos("snapshot take before --from git:").exits(0);
    env.write(".git/info/exclude", "f\nsub/\n*.log\n");
    expect("f", "deleted", "before", "git:").exits(3).prints("git ignores a file of this name");
    expect("sub/f", "deleted", "before", "git:").exits(3);
    env.dos("state-diff --before before --after git:").prints("git ignores");
    env.dos("snapshot take hidden --from git:").exits(0);
    env.write(".git/info/exclude", "");
    for key in ["f", "sub/f"] {
        expect(key, "inserted", "hidden", "git:").exits(3).prints("git ignores");
    }
    env.write(".git/info/exclude", "*.log\nt\n");
    git(&env, &["rm", "-q", "--cached", "t"]);
    expect("t", "deleted", "git:HEAD", "git:").exits(3).prints("git ignores");
    // What is gone is gone, whatever the rules say, also where only what is ignored is left.
    for name in ["t", "dir/kept", "dir/gone"] {
        fs::remove_file(env.path(name)).unwrap();
        expect(name, "deleted", "git:HEAD", "git:").exits(0);
    }
}

#[test]
fn a_time_that_was_put_back_hides_no_change() {
    let env = empty();
    git(&env, &["init", "-q"]);
    commit(&env, &[("a", "1")], "start");
    let touch = |time: &str| {
        let status =
            std::process::Command::new("touch").args(["-d", time]).arg(env.path("a")).status();
        assert!(status.unwrap().success());
    };
    touch("2026-01-10T12:00:00Z");
    git(&env, &["update-index", "--refresh"]);
    git(&env, &["config", "core.trustctime", "false"]);
    git(&env, &["config", "core.checkStat", "minimal"]);
    let changed_in = || fs::metadata(env.path("a")).unwrap().ctime();
    let second = changed_in();
    env.write("a", "2");
    // Git counts these times in seconds.
    poll_until("the second is over", Duration::from_secs(10), || {
        touch("2026-01-10T12:00:00Z");
        (changed_in() != second).then_some(())
    });
    ask(&env, "a", "git:HEAD", "git:").exits(0);
}

#[test]
fn a_change_of_filters_or_attributes_makes_no_change_of_content_up() {
    let env = empty();
    git(&env, &["init", "-q"]);
    commit(&env, &[("a", "1\n"), ("b", "1\n"), (".gitignore", "sub/.gitattributes\n")], "start");
    let claims = |before: &str| ask(&env, "a", before, "git:");
    env.dos("snapshot take before --from git:").exits(0);
    // Git believes what it knows of a file until its time is another.
    let touch = || env.write("a", "1\n");
    let filter = |command: &str| git(&env, &["config", "filter.odd.clean", command]);
    // Nothing is filtered by it, and yet nobody can tell.
    filter("tr 1 2");
    let answer = claims("before").exits(3).json();
    assert!(answer["reason"].as_str().unwrap().contains("by the filters and attributes"));
    env.dos("snapshot take filtered --from git:").exits(0);
    for attributes in [".git/info/attributes", ".gitattributes", "sub/.gitattributes"] {
        env.write(attributes, "a filter=odd\n");
        touch();
        claims("filtered").exits(3);
        fs::remove_file(env.path(attributes)).unwrap();
        touch();
        claims("filtered").exits(1);
    }
    env.write("elsewhere", "a filter=odd\n");
    env.dos("snapshot take more --from git:").exits(0);
    git(&env, &["config", "core.attributesFile", env.path("elsewhere").to_str().unwrap()]);
    touch();
    claims("more").exits(3);
    // What is there is there, by whatever filters.
    env.write("new", "x");
    fs::remove_file(env.path("b")).unwrap();
    let kinds = "--before more --after git: --expect";
    env.dos(&format!("state-diff new {kinds} inserted")).exits(0);
    env.dos(&format!("state-diff b {kinds} deleted")).exits(0);
    let delta = env.dos("state-diff --before more --after git:");
    delta.exits(0).prints("NOTE      it was read by the filters and attributes");
    // By the same ones a change is one, wherever the repository is.
    env.dos("snapshot take last --from git:").exits(0);
    env.write("a", "3\n");
    claims("last").exits(0);
}

#[test]
fn a_submodule_that_lost_its_commit_is_not_what_it_was() {
    let env = empty();
    let commits = |folder: &str| {
        git(&env, &["-C", folder, "add", "-A"]);
        git(&env, &["-C", folder, "commit", "-q", "-m", "x"]);
    };
    for folder in ["../sub", "."] {
        git(&env, &["init", "-q", folder]);
        env.write(format!("{folder}/a"), "1");
        commits(folder);
    }
    git(&env, &["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "../sub", "s"]);
    commits(".");
    let asked = |expect: &str| {
        env.dos(&format!("state-diff s --before git:HEAD --after git: --expect {expect}"))
    };
    env.write("s/a", "2");
    commits("s");
    asked("updated").exits(0);
    let head = env.path(".git/modules/s/HEAD");
    let held = fs::read(&head).unwrap();
    fs::write(&head, "garbage").unwrap();
    asked("updated").exits(3).prints("not a git repository");
    fs::remove_file(&head).unwrap();
    asked("updated").exits(3).prints("not a git repository");
    fs::write(&head, held).unwrap();
    asked("updated").exits(0);
    // Its files are there, and git goes by what it was.
    fs::remove_file(env.path("s/.git")).unwrap();
    asked("updated").exits(3).prints("has files and no .git");
    // One that is not checked out is as it was committed, and one that is gone is gone.
    fs::remove_file(env.path("s/a")).unwrap();
    asked("updated").exits(1);
    fs::remove_dir(env.path("s")).unwrap();
    asked("deleted").exits(0);
}
