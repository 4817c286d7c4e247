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
    std::os::unix::fs::symlink("/dev/full", env.path("full")).unwrap();
    env.dos("export --to file --path full --since auto").exits(1).prints("full");
    env.dos(EXPORT).exits(0).prints("3 rows");
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
