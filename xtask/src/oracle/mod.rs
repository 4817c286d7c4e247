//! `cargo xtask oracle`: the original and we, asked the same random questions.
//!
//! A difference is either one of [`tally::Explanation`], and then the original gives exactly our
//! answer to a question rewritten by that rule, or it ends the run.

mod journals;
mod lanes;
mod requests;
pub mod rng;
mod scripts;
mod tally;
pub mod world;

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};

use rng::Rng;
use tally::{Mismatch, Tally};
use world::World;

/// How many cases a run has that asks for no number.
const CASES_DEFAULT: u64 = 1000;
/// From this many cases on every explanation must have been needed.
const CASES_FOR_ALL: u64 = 5000;
/// Every such case also asks the original's command line.
const SAMPLE_EVERY: u64 = 100;

/// One case: where its files are and what time it believes it is.
pub struct Case<'a> {
    /// An empty folder of its own.
    pub folder: &'a Path,
    /// Ask the original's command line too.
    pub sample: bool,
    /// Seconds since 1970 at the start of the run.
    pub now: i64,
}

impl Case<'_> {
    /// The time that many minutes ago, as the journal writes it.
    pub fn stamp(&self, minutes_ago: usize) -> String {
        let seconds = self.now - 60 * minutes_ago as i64;
        let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        // Days to a date, by eras of 400 years that begin in March.
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

struct Options {
    cases: u64,
    seed: u64,
    only: Option<u64>,
    keep: bool,
    keep_going: bool,
}

impl Options {
    fn parse(arguments: &[String]) -> anyhow::Result<Self> {
        let mut options =
            Self { cases: CASES_DEFAULT, seed: 1, only: None, keep: false, keep_going: false };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let mut number = || -> anyhow::Result<u64> {
                let text = rest.next().with_context(|| format!("{argument} needs a number"))?;
                text.parse().with_context(|| format!("{argument} {text}: that is no number"))
            };
            match argument.as_str() {
                "--cases" => options.cases = number()?,
                "--seed" => options.seed = number()?,
                "--only" => options.only = Some(number()?),
                "--keep" => options.keep = true,
                "--keep-going" => options.keep_going = true,
                other => bail!(
                    "oracle has no {other}; usage: cargo xtask oracle [--cases N] [--seed S] \
                     [--only CASE] [--keep] [--keep-going]"
                ),
            }
        }
        Ok(options)
    }

    fn numbers(&self) -> std::ops::Range<u64> {
        match self.only {
            Some(only) => only..only + 1,
            None => 0..self.cases,
        }
    }
}

/// Runs the command.
pub fn run(arguments: &[String]) -> anyhow::Result<()> {
    let options = Options::parse(arguments)?;
    let mut scratch = tempfile::Builder::new().prefix("dos-oracle-").tempdir()?;
    scratch.disable_cleanup(options.keep);
    let mut world = World::new(scratch.path())?;
    let mut tally = Tally::default();
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    let started = Instant::now();
    for number in options.numbers() {
        progress(number, &options, &found);
        let folder = scratch.path().join(format!("case-{number}"));
        std::fs::create_dir(&folder)?;
        let outcome = one(&mut world, &mut tally, &options, number, &folder)
            .with_context(|| format!("in case {number} of seed {}", options.seed))?;
        match outcome {
            Ok(()) if options.keep => {}
            Ok(()) => std::fs::remove_dir_all(&folder)?,
            Err(mismatch) => {
                scratch.disable_cleanup(true);
                let count = found.entry(mismatch.what.clone()).or_insert(0);
                *count += 1;
                // One of a kind is enough to see what it is.
                if *count <= 3 {
                    describe(&mismatch, &options, number, &folder);
                }
                if !options.keep_going {
                    bail!("unexplained difference in case {number}: {}", mismatch.what);
                }
            }
        }
    }
    report(&tally, &options, &found, started, scratch.path())
}

fn one(
    world: &mut World,
    tally: &mut Tally,
    options: &Options,
    number: u64,
    folder: &Path,
) -> anyhow::Result<Result<(), Box<Mismatch>>> {
    let mut rng = Rng::new(options.seed, number);
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() as i64;
    let kind = number % 5;
    // One case in each hundred, of each kind in turn.
    let sample = number % SAMPLE_EVERY == number / SAMPLE_EVERY % 5;
    let case = Case { folder, sample, now };
    let name = ["journals", "arbitrations", "lease scripts"][[0, 1, 0, 1, 2][kind as usize]];
    *tally.cases.entry(name).or_insert(0) += 1;
    match name {
        "journals" => journals::run(world, tally, &mut rng, &case),
        "arbitrations" => requests::run(world, tally, &mut rng, &case),
        _ => scripts::run(world, tally, &mut rng, &case),
    }
}

fn progress(number: u64, options: &Options, found: &BTreeMap<String, u64>) {
    if number.is_multiple_of(20) && std::io::stderr().is_terminal() {
        let found: u64 = found.values().sum();
        eprint!("\r{number} of {} cases, {found} unexplained ", options.cases);
    }
}

fn describe(mismatch: &Mismatch, options: &Options, number: u64, folder: &Path) {
    println!("UNEXPLAINED: {}", mismatch.what);
    println!("  seed {}, case {number}, files in {}", options.seed, folder.display());
    println!("  input    {}", mismatch.input);
    println!("  ours     {}", mismatch.ours);
    println!("  expected {}", mismatch.expected);
    let seed = options.seed;
    println!("  again    cargo xtask oracle --cases 1 --seed {seed} --only {number}");
}

fn report(
    tally: &Tally,
    options: &Options,
    found: &BTreeMap<String, u64>,
    started: Instant,
    scratch: &Path,
) -> anyhow::Result<()> {
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
    let cases: u64 = tally.cases.values().sum();
    println!("seed {}, {cases} cases in {:.0?}", options.seed, started.elapsed());
    tally.print();
    if cases >= CASES_FOR_ALL {
        for name in tally.unused() {
            println!("warning: nothing needed the explanation {name}");
        }
    }
    if options.keep || !found.is_empty() {
        println!("files in {}", scratch.display());
    }
    for (what, count) in found {
        println!("  {count:>7} unexplained: {what}");
    }
    match found.is_empty() {
        true => Ok(()),
        false => bail!("{} unexplained differences", found.values().sum::<u64>()),
    }
}
