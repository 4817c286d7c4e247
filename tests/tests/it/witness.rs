//! Did it happen? Real states, read before and after: files, databases, folders, repositories.

mod json;

use dos_tests::{Output, TestEnv};

/// Asks about one key between two sources.
fn ask(env: &TestEnv, key: &str, before: &str, after: &str) -> Output {
    env.run(["state-diff", key, "--before", before, "--after", after, "--json"])
}
