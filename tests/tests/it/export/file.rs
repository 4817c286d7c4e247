//! Rows in a file.

use std::fs::{self, File};

use super::{exported, recorded};

const EXPORT: &str = "export --to file --path out/a.jsonl --since auto";

#[test]
fn the_rest_of_a_row_that_a_crash_cut_off_is_removed() {
    let env = recorded(3);
    env.dos(EXPORT).exits(0);
    let whole = fs::read_to_string(env.path("out/a.jsonl")).unwrap();
    let line = whole.lines().next().unwrap();
    for cut in [1, 9, 11, 12, 40, line.len() - 1] {
        let env = recorded(3);
        env.write("out/a.jsonl", format!("{line}\n{}", &line[..cut]));
        env.dos(EXPORT).exits(0);
        assert_eq!(exported(&env, "out/a.jsonl"), [1, 1, 2, 3], "cut at {cut}");
    }
    // Without its newline it is whole.
    let env = recorded(3);
    env.write("out/a.jsonl", line);
    env.dos(EXPORT).exits(0);
    assert_eq!(exported(&env, "out/a.jsonl"), [1, 1, 2, 3]);
}

#[test]
fn what_somebody_else_has_written_is_left_alone() {
    let env = recorded(3);
    env.write("out/a.jsonl", "theirs\nand more");
    env.dos(EXPORT).exits(0);
    let text = fs::read_to_string(env.path("out/a.jsonl")).unwrap();
    assert!(text.starts_with("theirs\nand more\n{\"detail\": "), "{text}");
    assert_eq!(text.lines().count(), 2 + 3);
}

#[test]
fn a_file_that_is_long_enough_is_put_aside() {
    let env = recorded(30);
    env.write("out/a.jsonl.4", "theirs");
    // No number of ours, and none that one could be added to.
    env.write("out/a.jsonl.18446744073709551615", "theirs");
    env.dos(&format!("{EXPORT} --rotate 600 --batch 2")).exits(0);
    let mut all = Vec::new();
    let mut number = 5;
    while env.path(format!("out/a.jsonl.{number}")).exists() {
        all.extend(exported(&env, &format!("out/a.jsonl.{number}")));
        number += 1;
    }
    assert!(number > 7, "{number}");
    all.extend(exported(&env, "out/a.jsonl"));
    assert_eq!(all, (1..=30).collect::<Vec<i64>>());
    assert_eq!(fs::read_to_string(env.path("out/a.jsonl.4")).unwrap(), "theirs");
}

#[test]
fn exports_to_one_file_wait_for_each_other() {
    let env = recorded(3);
    fs::create_dir(env.path("out")).unwrap();
    let file = File::create(env.path("out/a.jsonl")).unwrap();
    file.lock().unwrap();
    let waiting = env.start(EXPORT);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(exported(&env, "out/a.jsonl"), [0; 0]);
    file.unlock().unwrap();
    waiting.finish().exits(0);
    assert_eq!(exported(&env, "out/a.jsonl"), [1, 2, 3]);
}

#[test]
fn a_file_that_cannot_be_written_keeps_the_cursor_where_it_is() {
    let env = recorded(3);
    env.write("out", "a file where a folder should be");
    env.dos(EXPORT).exits(1).prints("3 not").prints("out");
    fs::remove_file(env.path("out")).unwrap();
    std::os::unix::fs::symlink("elsewhere", env.path("link")).unwrap();
    env.dos("export --to file --path link --since auto").exits(1).prints("link");
    env.dos(EXPORT).exits(0).prints("3 rows");
}

#[test]
fn a_disk_that_is_full_keeps_the_cursor_where_it_is() {
    let env = recorded(30);
    // Files of this process may be no longer than a kilobyte, as on a disk that is full.
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", "ulimit -f 1 && exec \"$0\" \"$@\""]).arg(env.binary());
    limited.args(EXPORT.split_whitespace());
    env.furnish(&mut limited);
    dos_tests::Running::start(limited).finish().exits(1).prints("30 not").prints("out/a.jsonl");
    env.dos(EXPORT).exits(0).prints("30 rows delivered");
    let all: Vec<i64> = exported(&env, "out/a.jsonl");
    assert_eq!(all[all.len() - 30..], (1..=30).collect::<Vec<i64>>());
}

#[test]
fn no_file_of_our_own_is_exported_to() {
    let env = recorded(3);
    env.write(".dos/lane-journal.jsonl", "");
    let journal = fs::read(env.path(".dos/verdict-journal.jsonl")).unwrap();
    std::os::unix::fs::symlink(".dos", env.path("link")).unwrap();
    fs::hard_link(env.path(".dos/verdict-journal.jsonl"), env.path("hard.jsonl")).unwrap();
    fs::hard_link(env.path(".dos/lane-journal.jsonl"), env.path("lanes.jsonl")).unwrap();
    fs::create_dir(env.path("deep")).unwrap();
    for path in [
        ".dos/verdict-journal.jsonl",
        ".dos/lane-journal.jsonl",
        ".dos/other.jsonl",
        ".dos/new/other.jsonl",
        "deep/../.dos/other.jsonl",
        "link/other.jsonl",
        "hard.jsonl",
        "lanes.jsonl",
    ] {
        let refused = env.run(["export", "--to", "file", "--path", path]);
        refused.exits(2).says("keeps its own state");
    }
    env.dos("export --to file --path nosuch/../x.jsonl").exits(2).says("without `..`");
    assert!(!env.path(".dos/other.jsonl").exists() && !env.path("nosuch").exists());
    assert_eq!(fs::read(env.path(".dos/verdict-journal.jsonl")).unwrap(), journal);
    assert_eq!(fs::read(env.path(".dos/lane-journal.jsonl")).unwrap(), b"");
}

#[test]
fn a_repository_chooses_no_file_outside_of_it() {
    let mut env = recorded(2);
    let outside = env.outer().join("outside.jsonl");
    for path in [outside.to_str().unwrap(), "../outside.jsonl"] {
        env.write(".env", format!("DOS_EXPORT_FILE={path}\n"));
        env.dos("export --to file").exits(2).says("outside the workspace").says("--path");
    }
    assert!(!outside.exists());
    env.write(".env", "DOS_EXPORT_FILE=.dos/x.jsonl\n");
    env.dos("export --to file").exits(2).says("keeps its own state");
    env.set("DOS_EXPORT_FILE", &outside);
    env.dos("export --to file").exits(0).prints("2 rows");
}

#[test]
fn a_path_is_found_where_the_original_looks() {
    let mut env = recorded(2);
    env.write(".env", "# c\nDOS_EXPORT_FILE = \"from-env-file.jsonl\"\n");
    env.dos("export --to file").exits(0);
    assert_eq!(exported(&env, "from-env-file.jsonl"), [1, 2]);
    env.set("DOS_EXPORT_FILE", "from-variable.jsonl");
    env.dos("export --to file").exits(0);
    assert_eq!(exported(&env, "from-variable.jsonl"), [1, 2]);
}
