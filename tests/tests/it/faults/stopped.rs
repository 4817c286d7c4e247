//! A writer that sleeps with the lock in hand, for as long as a suspended machine does.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use dos_tests::raw::Raw;
use dos_tests::{Output, Running, Signals, TestEnv, poll_until};

use crate::{empty, live_lanes, skipped};

/// From the moment that a file is there, every clock of the process has gone on by so many seconds.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = syscall(SYS_clock_gettime, clock, now);
    const char *seconds = getenv("TEST_SLEPT_SECONDS"), *from = getenv("TEST_SLEPT_FROM");
    if (result == 0 && seconds && from && access(from, F_OK) == 0) now->tv_sec += atoll(seconds);
    return result;
}
"#;

fn shim(env: &TestEnv) -> Option<PathBuf> {
    let (source, library) = (env.outer().join("slept.c"), env.outer().join("slept.so"));
    fs::write(&source, SHIM).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source);
    let built = compiler.output().is_ok_and(|output| output.status.success());
    if !built {
        skipped("a writer that sleeps for minutes, for lack of a C compiler");
    }
    built.then_some(library)
}

/// A writer stops while it holds the lock, and wakes up so many seconds later; its answer, and
/// what it found.
fn asleep_for(seconds: u64) -> Option<(TestEnv, Output)> {
    let env = empty();
    let library = shim(&env)?;
    env.write("hold", "");
    env.write_journal("");
    let awake = env.outer().join("awake");
    let mut command = Command::new(env!("CARGO_BIN_EXE_dos-slow-writer"));
    env.furnish(&mut command);
    command.env("LD_PRELOAD", library).env("TEST_SLEPT_FROM", &awake);
    command.env("TEST_SLEPT_SECONDS", seconds.to_string());
    let holder = Running::start(command);
    poll_until("the holder shows its lock", Duration::from_secs(10), || {
        fs::read(env.lock_path()).is_ok_and(|body| !body.is_empty()).then_some(())
    });
    assert!(Signals::new().stop(holder.pid()), "the holder was done before it could be stopped");
    fs::write(awake, "").unwrap();
    fs::remove_file(env.path("hold")).unwrap();
    holder.signal("CONT");
    Some((env, holder.finish()))
}

#[test]
fn a_writer_that_slept_past_half_the_life_of_its_lock_writes_nothing() {
    let Some((env, output)) = asleep_for(151) else { return };
    output.exits(4).says("nothing was written");
    assert_eq!(output.stdout, "");
    let raw = Raw::of(&env.journal());
    assert_eq!(raw.of_op("HALT").count(), 0, "it wrote");
    // Nobody waits for it: what it left is known to be dead.
    env.dos("lease-lane acquire --lane main --owner b --retries 0").exits(0);
    assert_eq!(live_lanes(&env), ["main"]);
    assert!(!env.lock_path().exists());
}

#[test]
fn a_writer_that_slept_for_less_goes_on() {
    let Some((env, output)) = asleep_for(148) else { return };
    output.exits(0);
    assert_eq!(Raw::of(&env.journal()).of_op("HALT").count(), 1);
}
