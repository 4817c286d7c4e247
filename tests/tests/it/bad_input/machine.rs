//! A clock that shows a time which cannot be written down.

use std::fs;
use std::process::Command;

use dos_tests::{Output, Running, TestEnv, now_millis};

use super::{WRITERS, fails, nothing_half_written};
use crate::{empty, field, live_lanes};

/// Runs the binary while the clock shows this many seconds since 1970.
fn at(env: &TestEnv, seconds: i64, arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dos-other-clock"));
    env.furnish(&mut command);
    command.args(arguments.split_whitespace()).env("TEST_CLOCK_SECONDS", seconds.to_string());
    Running::start(command).finish()
}

const YEAR_10000: i64 = 253_402_300_800;

#[test]
fn a_clock_outside_1970_to_9999_grants_nothing() {
    let env = empty();
    for seconds in [-5, -86_400 * 365, YEAR_10000, YEAR_10000 * 100] {
        for command in WRITERS.iter().filter(|command| **command != "journal compact") {
            fails(&at(&env, seconds, command), &["clock", "1970", "9999"]);
        }
        fails(&at(&env, seconds, "lease-lane live"), &["clock"]);
        fails(&at(&env, seconds, "arbitrate --lane main"), &["clock"]);
        fails(&at(&env, seconds, "run-id mint p"), &["clock"]);
        fails(&at(&env, seconds, "lease acquire a"), &["clock"]);
    }
    let mut rest = env.tree();
    rest.retain(|name| !name.starts_with(".dos/leases"));
    assert_eq!(
        rest,
        [".dos", ".dos/.gitignore", ".dos/.lane-lease.lock.crew", ".dos/.lane-lease.lock.guard"]
    );
    fs::remove_dir_all(env.path(".dos/leases")).unwrap();
    nothing_half_written(&env);
}

#[test]
fn a_clock_at_the_ends_of_its_range_is_fine() {
    for seconds in [0, YEAR_10000 - 1] {
        let env = empty();
        at(&env, seconds, "lease-lane acquire --lane main --owner a").exits(0);
        at(&env, seconds, "lease-lane acquire --lane main --owner b").exits(1);
        at(&env, seconds, "lease-lane heartbeat --lane main --owner a").exits(0);
        at(&env, seconds, "lease-lane release --lane main --owner a").exits(0);
    }
}

#[test]
fn a_clock_that_goes_back_frees_nobodys_lane() {
    let env = empty();
    env.dos("lease-lane acquire --lane main --owner a").exits(0);
    let hour_ago = now_millis() / 1000 - 3600;
    let live = at(&env, hour_ago, "lease-lane live");
    assert_eq!(field(&live.exits(0).json(), "holder"), ["a"]);
    let refused = at(&env, hour_ago, "lease-lane acquire --lane main --owner b");
    assert!(refused.exits(1).json()["reason"].as_str().unwrap().contains("a holds main"));
    at(&env, hour_ago, "lease-lane heartbeat --lane main --owner a").exits(0);
    assert_eq!(live_lanes(&env), ["main"], "a beat in the past takes no life away");
    at(&env, hour_ago, "lease-lane release --lane main --owner a").exits(0);
    at(&env, hour_ago, "lease-lane acquire --lane main --owner b").exits(0);
}
