//! How many commands a second are classified. Run by `cargo xtask bench --only exec`.

#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark")]
#![expect(clippy::unwrap_used, reason = "a benchmark")]

use std::hint::black_box;
use std::time::Instant;

use dos_core::command::{ExecPolicy, Profile, classify_command, footprint};

const ROUNDS: usize = 15;

fn main() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/vectors/exec_corpus.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    let command = |line: &str| {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        entry.get("command").unwrap().as_str().unwrap().to_string()
    };
    let commands: Vec<String> = text.lines().map(command).collect();
    let policy = |profile| ExecPolicy { profile, extra: Vec::new() };
    let (closed, extended) = (policy(Profile::Closed), policy(Profile::Extended));
    println!(
        "the {} commands of the corpus, in process, fastest of {ROUNDS} rounds:",
        commands.len()
    );
    measure("closed", &commands, |command| drop(black_box(classify_command(command, &closed))));
    measure("extended", &commands, |command| drop(black_box(classify_command(command, &extended))));
    measure("footprint", &commands, |command| drop(black_box(footprint(command))));
}

/// A round goes over all commands; the slowest command is told by its own fastest time.
fn measure(name: &str, commands: &[String], judge: impl Fn(&str)) {
    let mut fastest = vec![f64::INFINITY; commands.len()];
    let mut whole = f64::INFINITY;
    for _ in 0..ROUNDS {
        let mut sum = 0.0;
        for (command, fastest) in commands.iter().zip(&mut fastest) {
            let started = Instant::now();
            judge(command);
            let took = started.elapsed().as_secs_f64();
            *fastest = fastest.min(took);
            sum += took;
        }
        whole = whole.min(sum);
    }
    let count = commands.len() as f64;
    let slowest = fastest.iter().copied().fold(0.0, f64::max);
    println!(
        "  {name:9} {:.0} commands a second, {:.1} us each, the slowest {:.0} us",
        count / whole,
        whole / count * 1e6,
        slowest * 1e6
    );
}
