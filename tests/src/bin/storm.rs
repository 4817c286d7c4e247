//! Kills writers by the thousand: `storm BINARY [--kills N] [--writers N] [--seed S] [--compacting]`.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use dos_tests::stopwatch;
use dos_tests::storm::{Plan, alone, recovery, storm};

/// What the next writer may wait after a lock holder died.
const WANTED: Duration = Duration::from_millis(50);
/// So many lock holders die to measure it.
const HOLDERS: usize = 300;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(binary) = arguments.next().map(PathBuf::from) else {
        return usage("which binary?");
    };
    let mut plan = Plan { kills: 10_000, writers: 8, seed: 1, compacting: false };
    while let Some(argument) = arguments.next() {
        if argument == "--compacting" {
            plan.compacting = true;
            continue;
        }
        let Some(number) = arguments.next().and_then(|text| text.parse().ok()) else {
            return usage(&format!("{argument} needs a number"));
        };
        match argument.as_str() {
            "--kills" => plan.kills = number,
            "--writers" => plan.writers = number,
            "--seed" => plan.seed = number,
            _ => return usage(&format!("there is no {argument}")),
        }
    }
    run(&binary, plan)
}

fn usage(problem: &str) -> ExitCode {
    eprintln!("error: {problem}; usage: kill [--kills N] [--writers N] [--seed S] [--compacting]");
    ExitCode::from(2)
}

fn run(binary: &std::path::Path, plan: Plan) -> ExitCode {
    let watch = stopwatch();
    let shown = std::io::stderr().is_terminal();
    let report = storm(binary, plan, |kills| {
        if shown {
            eprint!("\r{kills} of {} kills ", plan.kills);
            let _ = std::io::stderr().flush();
        }
    });
    if shown {
        eprintln!();
    }
    println!("seed {}, {} writers, in {:.0?}", plan.seed, plan.writers, watch.elapsed());
    println!("  killed          {:>8}", report.kills);
    println!("  holding the lock{:>8}", report.holders_killed);
    println!("  torn lines      {:>8}", report.torn);
    println!("  answered        {:>8}", report.answered);
    println!("  acknowledged    {:>8}", report.acknowledged);
    println!("  missing         {:>8}", report.missing.len());
    println!("  double grants   {:>8}", report.double_grants.len());
    println!("  other faults    {:>8}", report.other_faults.len());
    let holder = std::env::current_exe().unwrap_or_default().with_file_name("dos-slow-writer");
    let took = recovery(binary, &holder, HOLDERS);
    let share = |percent: usize| {
        let last = took.len().saturating_sub(1);
        took.get((took.len() * percent / 100).min(last)).copied().unwrap_or(Duration::MAX)
    };
    let (median, p99, most) = (share(50), share(99), share(100));
    println!(
        "next writer after the death of {} lock holders (wanted: below {WANTED:?})",
        took.len()
    );
    println!("  median {median:.1?}, 99 in 100 {p99:.1?}, most {most:.1?}");
    println!("  a writer that nobody delays takes {:.1?} here and now", alone(binary, HOLDERS));
    for fault in report.faults().iter().take(20) {
        println!("FAULT: {fault}");
    }
    match report.faults().is_empty() && median < WANTED {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
