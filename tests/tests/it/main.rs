//! End-to-end tests over the shipped `main`: each runs the real binary in a workspace of its own.

#![expect(
    clippy::disallowed_methods,
    reason = "tests start processes, read the clock and hold locks"
)]

mod bad_input;
mod contract;
mod export;
mod faults;
mod fleet;
mod history;
mod hooks;
mod observe;
mod overlap;
mod quirks;
mod races;
mod read_only;
mod registry;
mod witness;

use std::io::Write;

use dos_tests::TestEnv;
use serde_json::Value;

/// Three lanes, of which one runs alone.
const API_WEB: &str = r#"
[lanes]
concurrent = ["api", "web"]
exclusive = ["global"]
autopick = ["api", "web"]
[lanes.trees]
api = ["api/**"]
web = ["web/**"]
global = ["**/*"]
"#;

/// A record of a lease of the whole repository, without its newline.
const HELD: &str = concat!(
    r#"{"op":"ACQUIRE","lane":"main","loop_ts":"t","#,
    r#""lease":{"lane":"main","loop_ts":"t","tree":["**/*"]}}"#
);

/// An empty workspace.
fn empty() -> TestEnv {
    TestEnv::new(env!("CARGO_BIN_EXE_dos-under-test"))
}

/// A workspace with this `dos.toml`.
fn configured(config: &str) -> TestEnv {
    TestEnv::with_config(env!("CARGO_BIN_EXE_dos-under-test"), config)
}

/// The values of one field, of each object of a list.
fn field(list: &Value, name: &str) -> Vec<String> {
    let items = list.as_array().expect("a JSON list");
    items.iter().map(|item| item[name].as_str().unwrap_or_default().to_string()).collect()
}

/// The lanes that are live.
#[track_caller]
fn live_lanes(env: &TestEnv) -> Vec<String> {
    field(&env.dos("lease-lane live").exits(0).json(), "lane")
}

/// Says that something could not be tested here, past the harness, which would keep it to itself
/// when all else is fine. Where `CI_FAULTS=required` is set, that is a failure.
fn skipped(what: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED, nothing was proved: {what}");
    let required = std::env::var("CI_FAULTS").is_ok_and(|value| value == "required");
    assert!(!required, "CI_FAULTS=required, and this was skipped: {what}");
}
