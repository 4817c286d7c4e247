//! The fleet: verdicts, plans, the freeing of dead leases, and workers that run.

mod run;
mod supervise;
mod top;
mod verdicts;
mod watch;

use dos_tests::TestEnv;
use serde_json::Value;

use crate::configured;

/// Three lanes side by side and one that runs alone; two workers are wanted.
const ROSTER: &str = r#"
[lanes]
concurrent = ["a", "b", "c"]
exclusive = ["global"]
autopick = ["a", "b", "c"]
[lanes.trees]
a = ["a/**"]
b = ["b/**"]
c = ["c/**"]
global = ["**"]
[supervise]
target = 2
"#;

fn roster() -> TestEnv {
    configured(ROSTER)
}

/// The lanes of one part of a plan.
#[track_caller]
fn lanes(plan: &Value, part: &str) -> Vec<String> {
    crate::field(&plan[part], "lane")
}

/// Runs git in the workspace.
fn git(env: &TestEnv, arguments: &[&str]) -> String {
    let mut git = std::process::Command::new("git");
    git.args(["-c", "user.name=t", "-c", "user.email=t@example.invalid"]).args(arguments);
    env.furnish(&mut git);
    let output = git.output().expect("git");
    assert!(output.status.success(), "git {arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_string()
}
