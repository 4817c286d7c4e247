//! Real faults on a real kernel: what was acknowledged is there, whatever breaks.

mod crash_points;
mod damage;
mod disk;
mod failing_calls;
mod histories;
mod kills;
mod lazy;
mod power;
mod stopped;
mod strace;

use std::time::Duration;

use dos_tests::raw::Raw;
use dos_tests::{TestEnv, stopwatch};

use crate::configured;

const THREE_LANES: &str = "[lanes]\nconcurrent = [\"api\", \"web\", \"docs\"]\n[lanes.trees]\n\
    api = [\"api/**\"]\nweb = [\"web/**\"]\ndocs = [\"docs/**\"]\n";

/// A workspace with a history: `a` holds `api`, and gave `docs` back.
fn with_a_history() -> TestEnv {
    let env = configured(THREE_LANES);
    env.dos("lease-lane acquire --lane docs --owner a --loop-ts D").exits(0);
    env.dos("lease-lane acquire --lane api --owner a --loop-ts A").exits(0);
    env.dos("lease-lane release --lane docs --owner a").exits(0);
    env
}

/// The lanes that are held and their loop stamps, by the bytes of the journal.
fn held(env: &TestEnv) -> Vec<(String, String)> {
    Raw::of(&env.journal()).held().into_keys().collect()
}

/// The next writer goes on at once, and nothing of a dead one is left.
#[track_caller]
fn goes_on(env: &TestEnv, what: &str) {
    let watch = stopwatch();
    let mut next = env.dos("lease-lane acquire --lane docs --owner next --retries 0 --loop-ts N");
    if next.code == Some(2) && next.stderr.contains("dos journal repair") {
        env.dos("journal repair").exits(0);
        next = env.dos("lease-lane acquire --lane docs --owner next --retries 0 --loop-ts N");
    }
    assert_eq!(next.no_panic().code, Some(0), "{what}: {next:#?}");
    assert!(watch.elapsed() < Duration::from_secs(1), "{what}: took {:?}", watch.elapsed());
    assert!(held(env).contains(&("docs".into(), "N".into())), "{what}: {:?}", held(env));
    assert_eq!(env.leftovers(), [""; 0], "{what}");
    assert!(!env.lock_path().exists(), "{what}: the lock is still there");
}
