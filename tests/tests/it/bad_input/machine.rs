//! A clock that shows a time which cannot be written down.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use dos_tests::{Output, Running, TestEnv, now_millis};

use super::{WRITERS, fails, nothing_half_written};
use crate::{empty, field, live_lanes, skipped};

/// Puts another wall clock in front of the C library's.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = syscall(SYS_clock_gettime, clock, now);
    const char *seconds = getenv("TEST_CLOCK_SECONDS");
    if (result == 0 && clock == CLOCK_REALTIME && seconds) now->tv_sec = atoll(seconds);
    return result;
}
"#;

/// Builds the shim; `None`, said loudly, where there is no C compiler or it has no effect.
fn shim(env: &TestEnv) -> Option<PathBuf> {
    let (source, library) = (env.outer().join("clock.c"), env.outer().join("clock.so"));
    fs::write(&source, SHIM).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source);
    let built = compiler.output().is_ok_and(|output| output.status.success());
    let works = built && {
        let minted = at(env, &library, 86_400, "run-id mint p");
        minted.code == Some(0) && minted.json()["ts_ms"].as_i64().is_some_and(|ms| ms < 86_401_000)
    };
    if !works {
        skipped("clocks out of range, for lack of a C compiler or of a preloaded library");
    }
    works.then_some(library)
}

/// Runs the binary while the clock shows this many seconds since 1970.
fn at(env: &TestEnv, library: &PathBuf, seconds: i64, arguments: &str) -> Output {
    let mut command = env.command(arguments.split_whitespace());
    command.env("LD_PRELOAD", library).env("TEST_CLOCK_SECONDS", seconds.to_string());
    Running::start(command).finish()
}

const YEAR_10000: i64 = 253_402_300_800;

#[test]
fn a_clock_outside_1970_to_9999_grants_nothing() {
    let env = empty();
    let Some(library) = shim(&env) else { return };
    for seconds in [-5, -86_400 * 365, YEAR_10000, YEAR_10000 * 100] {
        for command in WRITERS.iter().filter(|command| **command != "journal compact") {
            fails(&at(&env, &library, seconds, command), &["clock", "1970", "9999"]);
        }
        fails(&at(&env, &library, seconds, "lease-lane live"), &["clock"]);
        fails(&at(&env, &library, seconds, "arbitrate --lane main"), &["clock"]);
        fails(&at(&env, &library, seconds, "run-id mint p"), &["clock"]);
        fails(&at(&env, &library, seconds, "lease acquire a"), &["clock"]);
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
        let Some(library) = shim(&env) else { return };
        at(&env, &library, seconds, "lease-lane acquire --lane main --owner a").exits(0);
        at(&env, &library, seconds, "lease-lane acquire --lane main --owner b").exits(1);
        at(&env, &library, seconds, "lease-lane heartbeat --lane main --owner a").exits(0);
        at(&env, &library, seconds, "lease-lane release --lane main --owner a").exits(0);
    }
}

#[test]
fn a_clock_that_goes_back_frees_nobodys_lane() {
    let env = empty();
    let Some(library) = shim(&env) else { return };
    env.dos("lease-lane acquire --lane main --owner a").exits(0);
    let hour_ago = now_millis() / 1000 - 3600;
    let live = at(&env, &library, hour_ago, "lease-lane live");
    assert_eq!(field(&live.exits(0).json(), "holder"), ["a"]);
    let refused = at(&env, &library, hour_ago, "lease-lane acquire --lane main --owner b");
    assert!(refused.exits(1).json()["reason"].as_str().unwrap().contains("a holds main"));
    at(&env, &library, hour_ago, "lease-lane heartbeat --lane main --owner a").exits(0);
    assert_eq!(live_lanes(&env), ["main"], "a beat in the past takes no life away");
    at(&env, &library, hour_ago, "lease-lane release --lane main --owner a").exits(0);
    at(&env, &library, hour_ago, "lease-lane acquire --lane main --owner b").exits(0);
}
