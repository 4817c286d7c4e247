//! Exporters that are killed. `cargo xtask export-kill` kills more of them.

use std::path::Path;

use dos_tests::export_storm::{Plan, storm};

use super::not_installed;

#[track_caller]
fn killed(plan: Plan) {
    let dos = Path::new(env!("CARGO_BIN_EXE_dos-under-test"));
    let recorder = Path::new(env!("CARGO_BIN_EXE_dos-recorder"));
    match storm(dos, recorder, plan) {
        Some(seen) => assert!(seen.faults.is_empty(), "{}\n{:#?}", seen.shown, seen.faults),
        None => not_installed("the OpenTelemetry agent"),
    }
}

#[test]
fn a_file_has_every_row_of_killed_exporters() {
    killed(Plan { kills: 40, seed: 11, to_agent: false });
}

#[test]
fn an_agent_has_every_row_of_killed_exporters() {
    killed(Plan { kills: 40, seed: 12, to_agent: true });
}
