//! A writer that sleeps with the lock in hand, for as long as a suspended machine does.

use std::fs;
use std::process::Command;
use std::time::Duration;

use dos_tests::raw::Raw;
use dos_tests::{Output, Running, Signals, TestEnv, poll_until};

use crate::{empty, live_lanes};

/// A writer stops while it holds the lock, and wakes up so many seconds later; its answer, and
/// what it found.
fn asleep_for(seconds: u64) -> (TestEnv, Output) {
    let env = empty();
    env.write("hold", "");
    env.write_journal("");
    let awake = env.outer().join("awake");
    let mut command = Command::new(env!("CARGO_BIN_EXE_dos-slow-writer"));
    env.furnish(&mut command);
    command.env("TEST_SLEPT_FROM", &awake).env("TEST_SLEPT_SECONDS", seconds.to_string());
    let holder = Running::start(command);
    poll_until("the holder shows its lock", Duration::from_secs(10), || {
        fs::read(env.lock_path()).is_ok_and(|body| !body.is_empty()).then_some(())
    });
    assert!(Signals::new().stop(holder.pid()), "the holder was done before it could be stopped");
    fs::write(awake, "").unwrap();
    fs::remove_file(env.path("hold")).unwrap();
    holder.signal("CONT");
    (env, holder.finish())
}

#[test]
fn a_writer_that_slept_past_half_the_life_of_its_lock_writes_nothing() {
    let (env, output) = asleep_for(151);
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
    let (env, output) = asleep_for(148);
    output.exits(0);
    assert_eq!(Raw::of(&env.journal()).of_op("HALT").count(), 1);
}
