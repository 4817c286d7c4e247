//! Kills exporters by the hundred: `export-storm BINARY [--kills N] [--seed S]`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use dos_tests::export_storm::{Plan, storm};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(binary) = arguments.next().map(PathBuf::from) else {
        eprintln!("which binary?");
        return ExitCode::from(2);
    };
    let mut plan = Plan { kills: 500, seed: 1, to_agent: false };
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), arguments.next().and_then(|text| text.parse().ok())) {
            ("--kills", Some(kills)) => plan.kills = kills,
            ("--seed", Some(seed)) => plan.seed = u64::from(seed),
            _ => {
                eprintln!("{argument} is none of --kills N and --seed S");
                return ExitCode::from(2);
            }
        }
    }
    let ourselves = std::env::current_exe().expect("the path of this program");
    let recorder = ourselves.parent().unwrap_or(Path::new("")).join("dos-recorder");
    let mut failed = false;
    for to_agent in [false, true] {
        let to = if to_agent { "an OpenTelemetry agent" } else { "a file" };
        match storm(&binary, &recorder, Plan { to_agent, ..plan }) {
            Some(seen) => {
                println!("to {to}: {}", seen.shown);
                seen.faults.iter().for_each(|fault| println!("FAULT: {fault}"));
                failed |= !seen.faults.is_empty();
            }
            None => {
                println!("to {to}: it is not installed; run .ci/receivers");
                failed = true;
            }
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
