//! The crash simulation as a program; see `USAGE`.

#![expect(clippy::disallowed_methods, reason = "the bans are for the product; this tells its time")]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context as _, bail};
use dos_crash::exhaustive::{Found, Tally, alone, crashes, pairs, schedules};
use dos_crash::find;
use dos_crash::plant::Plant;
use dos_crash::random::{Mishaps, case};

const USAGE: &str = "usage: cargo xtask crash [options]

  --only random|crashes|schedules   one part (default: all three)
  --cases N        so many random cases (default 10000)
  --seed S         another seed (default 1)
  --case K         this random case alone, with its last operations
  --preemptions P  schedules that take the turn away up to P times (default 2)
  --jobs J         threads for the random cases (default 1)
  --plant NAME     with this bug planted: something must be found
  --plants         every bug, one after the other
  --marker-window  also let others go on between a failed sync and its marker
  --holes          also lose un-synced content of which later bytes are there
";

/// A planted bug that does not show in so many random cases is not found.
const PLANT_CASES: u64 = 20_000;

struct Options {
    only: Option<String>,
    cases: u64,
    seed: u64,
    case: Option<u64>,
    preemptions: usize,
    jobs: usize,
    plant: Option<Plant>,
    plants: bool,
    mishaps: Mishaps,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let options = match parse(&arguments) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("error: {error:#}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let clean = match (options.plants, options.case) {
        (true, _) => plants(&options),
        (_, Some(number)) => one_case(&options, number),
        _ => everything(&options),
    };
    if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn parse(arguments: &[String]) -> anyhow::Result<Options> {
    let mut options = Options {
        only: None,
        cases: 10_000,
        seed: 1,
        case: None,
        preemptions: 2,
        jobs: 1,
        plant: None,
        plants: false,
        mishaps: Mishaps::default(),
    };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--only" => {
                let part = value()?;
                if !["random", "crashes", "schedules"].contains(&part.as_str()) {
                    bail!("no part `{part}`");
                }
                options.only = Some(part.clone());
            }
            "--cases" => options.cases = value()?.parse()?,
            "--seed" => options.seed = value()?.parse()?,
            "--case" => options.case = Some(value()?.parse()?),
            "--preemptions" => options.preemptions = value()?.parse()?,
            "--jobs" => options.jobs = value()?.parse()?,
            "--plant" => {
                let name = value()?;
                let names: Vec<&str> = Plant::ALL.iter().map(|(_, name, _)| *name).collect();
                let plant = Plant::named(name);
                options.plant =
                    Some(plant.with_context(|| format!("no bug `{name}`: {}", names.join(", ")))?);
            }
            "--plants" => options.plants = true,
            "--marker-window" => options.mishaps.marker_window = true,
            "--holes" => options.mishaps.holes = true,
            other => bail!("unknown argument `{other}`"),
        }
    }
    Ok(options)
}

/// Every planted bug must be found.
fn plants(options: &Options) -> bool {
    let mut missed = 0;
    for (plant, name, _) in Plant::ALL {
        match find(*plant, options.seed, PLANT_CASES) {
            Some((number, finding)) => println!("{name:<22} found in case {number}: {finding}"),
            None => {
                missed += 1;
                println!("{name:<22} NOT FOUND in {PLANT_CASES} cases");
            }
        }
    }
    missed == 0
}

fn one_case(options: &Options, number: u64) -> bool {
    let case = case(options.seed, number, options.plant, options.mishaps, true);
    for line in &case.trace {
        println!("{line}");
    }
    match &case.finding {
        Some(finding) => println!("\n{finding}"),
        None => println!("\nnothing wrong: {} starts, {} operations", case.starts, case.steps),
    }
    case.finding.is_none()
}

fn everything(options: &Options) -> bool {
    let wanted = |part: &str| options.only.as_deref().is_none_or(|only| only == part);
    let mut clean = true;
    if wanted("crashes") {
        clean &= part("crashes", alone(), |scene, tally| crashes(scene, options.plant, tally));
    }
    if wanted("schedules") {
        clean &= part("schedules", pairs(), |scene, tally| {
            schedules(scene, options.preemptions, options.plant, tally)
        });
    }
    if wanted("random") {
        clean &= random(options);
    }
    clean
}

fn part(
    name: &str,
    scenes: Vec<dos_crash::exhaustive::Scene>,
    look: impl Fn(&dos_crash::exhaustive::Scene, &mut Tally) -> Option<Found>,
) -> bool {
    let started = Instant::now();
    let mut clean = true;
    let mut all = Tally::default();
    for scene in scenes {
        let mut tally = Tally::default();
        let found = look(&scene, &mut tally);
        println!("{name} {}: {} runs, {} disks", scene.name, tally.runs, tally.images);
        all.runs += tally.runs;
        all.images += tally.images;
        if let Some(Found { finding, trace }) = found {
            clean = false;
            println!("{}\n{name} {}: {finding}", trace.join("\n"), scene.name);
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("{name}: {} runs, {} disks, {seconds:.1} s\n", all.runs, all.images);
    clean
}

fn random(options: &Options) -> bool {
    let started = Instant::now();
    let (next, steps, starts) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let first: Mutex<Option<(u64, String)>> = Mutex::new(None);
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let done = first.lock().is_ok_and(|first| first.is_some());
            if number >= options.cases || done {
                return;
            }
            let case = case(options.seed, number, options.plant, options.mishaps, false);
            steps.fetch_add(case.steps, Ordering::Relaxed);
            starts.fetch_add(case.starts, Ordering::Relaxed);
            if let (Some(finding), Ok(mut first)) = (case.finding, first.lock()) {
                *first = Some((number, finding));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(work);
        }
    });
    let seconds = started.elapsed().as_secs_f64();
    let cases = next.into_inner().min(options.cases);
    let (steps, starts) = (steps.into_inner(), starts.into_inner());
    println!("random: {cases} cases, {starts} starts, {steps} operations, {seconds:.1} s");
    let found = first.into_inner().ok().flatten();
    let Some((number, _)) = found else { return true };
    println!("\ncase {number} of seed {} failed; its last operations:", options.seed);
    let _ = one_case(options, number);
    let mut more = options.plant.map(|it| format!(" --plant {}", it.name())).unwrap_or_default();
    if options.mishaps.marker_window {
        more.push_str(" --marker-window");
    }
    if options.mishaps.holes {
        more.push_str(" --holes");
    }
    println!("replay: cargo xtask crash --seed {} --case {number}{more}", options.seed);
    false
}
