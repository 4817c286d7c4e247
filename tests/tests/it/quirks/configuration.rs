//! C1 to C3: a `dos.toml` with something else in it than what belongs there.

use std::fs;

use crate::{configured, empty};

#[test]
fn c01_a_value_of_the_wrong_type_is_told_and_ends_nothing() {
    for (table, key, value) in [
        ("marker", "max_streak", "[1]"),
        ("marker", "max_streak", "inf"),
        ("tool_stream", "ignore_tools", "5"),
        ("tool_stream", "repeat_n", "[]"),
        ("supervise", "spin_halt_after_ms", "inf"),
        ("retention", "runs_keep_last", "inf"),
    ] {
        let env = configured(&format!("[{table}]\n{key} = {value}\n"));
        let output = env.dos("journal seq");
        output.exits(0).says("dos.toml:2:").says(&format!("ignoring [{table}]: {key} must be"));
        assert_eq!(output.stdout.trim(), "0", "{table}");
    }
    configured("[cooldown]\nwindow_ms = inf\n").dos("journal seq").exits(0);
}

#[test]
fn c02_a_folder_in_the_place_of_the_configuration_is_told() {
    let env = empty();
    fs::create_dir(env.path("dos.toml")).unwrap();
    env.dos("journal seq").exits(2).says("dos.toml should be a file").says("move away");
}

#[test]
fn c03_one_mistake_is_told_once() {
    let output = configured("[lanes\n").dos("journal seq");
    output.exits(0);
    assert_eq!(output.stderr.matches("no valid TOML").count(), 1, "{}", output.stderr);
}
