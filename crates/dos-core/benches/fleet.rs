//! How long a plan takes. Run by `cargo xtask bench --only fleet`.

#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use dos_core::fleet::Liveness;
use dos_core::fleet::supervise::{LaneState, Roster, SupervisePolicy, supervise};
use dos_core::lane::Tree;
use dos_core::lane::overlap::{Exact, OverlapPolicy, Prefix, RATIO_MAX};

fn fastest(mut call: impl FnMut()) -> Duration {
    let round = || {
        let started = Instant::now();
        call();
        started.elapsed()
    };
    std::iter::repeat_with(round).take(9).min().unwrap_or_default()
}

fn roster(lanes: usize, tree: impl Fn(usize) -> String) -> Roster {
    let lane = |number: usize| LaneState {
        lane: format!("lane{number}"),
        liveness: number.is_multiple_of(3).then_some(Liveness::Advancing),
        tree: Tree::new([tree(number)]),
        ..LaneState::default()
    };
    Roster { lanes: (0..lanes).map(lane).collect(), held_elsewhere: Vec::new() }
}

fn main() {
    println!("a plan for a roster, fastest of 9 (wanted: 5,000 lanes under 50 ms):");
    for (name, tree) in [
        (
            "lanes apart",
            (|number| format!("packages/group{:02}/pkg{number:05}/**", number % 40))
                as fn(usize) -> String,
        ),
        ("one in another", |number| {
            format!(
                "packages/pkg{:05}/{}",
                number / 2,
                if number.is_multiple_of(2) { "**" } else { "src/**" }
            )
        }),
        ("all alike", |_| "**/*".to_string()),
        ("all meet at a wildcard", |number| format!("*/pkg{number:05}/**")),
    ] {
        for (policy, overlap) in [
            ("exact", &Exact::default() as &dyn OverlapPolicy),
            ("prefix", &Prefix { ratio_max: RATIO_MAX }),
        ] {
            let mut times = Vec::new();
            // Nothing tells these apart but comparing each with each.
            let sizes = if name.contains("wildcard") { [100, 300] } else { [1000, 5000] };
            for lanes in sizes {
                let roster = roster(lanes, tree);
                let policy = SupervisePolicy::default();
                let plan = || drop(black_box(supervise(&roster, lanes as u64, &policy, overlap)));
                times.push(format!("{lanes} lanes {:.1} ms", fastest(plan).as_secs_f64() * 1e3));
            }
            println!("  {name}, {policy}: {}", times.join(", "));
        }
    }
}
