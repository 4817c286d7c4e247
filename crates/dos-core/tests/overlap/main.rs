//! Regions against an independent matcher: random pairs, judged by `globset` over every short path.
//!
//! `cargo xtask overlap-check` runs a million pairs; `DOS_OVERLAP_PAIRS` and `DOS_OVERLAP_SEED` say
//! how many and which.

#![expect(clippy::disallowed_methods, reason = "tests")]
#![expect(clippy::panic, reason = "tests")]
#![expect(clippy::indexing_slicing, reason = "tests")]

mod generate;
mod independent;

use dos_core::lane::effort::Effort;
use dos_core::lane::intersect::Common;
use dos_core::lane::region::Contact;
use dos_core::lane::{Case, Region};
use dos_core::limits::EFFORT_MAX;

use generate::Random;
use independent::{Independent, Paths};

/// How many regions of a round are paired with each other and themselves.
const REGIONS: usize = 100;

/// One region, as the product and as the independent matcher see it.
struct Subject {
    case: Case,
    lines: Vec<String>,
    region: Region,
    independent: Independent,
    /// Which of the short paths it owns.
    owned: Vec<u64>,
}

impl Subject {
    fn new(lines: Vec<String>, paths: &Paths, case: Case) -> Self {
        let region = Region::read(&lines, case);
        let independent = Independent::new(&lines, case);
        let owned = paths.owned_by(&independent);
        Self { case, lines, region, independent, owned }
    }
}

/// What was seen of many pairs.
#[derive(Default)]
struct Tally {
    pairs: u64,
    meeting: u64,
    with_exceptions: u64,
    contained: u64,
    /// How often containment was too costly to decide.
    undecided: u64,
    /// How often a meeting was too costly to rule out.
    doubted: u64,
}

/// Does the answer to a pair agree with the independent matcher?
fn judge(
    one: &Subject,
    other: &Subject,
    answer: Option<&Contact<'_>>,
    paths: &Paths,
) -> Result<(), String> {
    let shortest = paths.first_of(&one.owned, &other.owned, |ours, theirs| ours & theirs);
    let Some(contact) = answer else {
        return match shortest {
            Some(path) => Err(format!("missed {path}")),
            None => Ok(()),
        };
    };
    let Ok(witness) = &contact.witness else {
        // Too costly to rule out: it counts as meeting, and the tally sees that it is rare.
        return Ok(());
    };
    for subject in [one, other] {
        if !subject.independent.owns(witness) {
            return Err(format!("{witness} is not in {:?}", subject.lines));
        }
        if !subject.region.matches(witness) {
            return Err(format!("{witness} is not in the region {:?}", subject.lines));
        }
    }
    for pattern in [contact.ours, contact.theirs] {
        if !Independent::new(&[pattern.to_string()], one.case).owns(witness) {
            return Err(format!("{witness} is not of the pattern {pattern}"));
        }
    }
    match shortest {
        Some(path) if path.chars().count() < witness.chars().count() => {
            Err(format!("{path} is shorter than {witness}"))
        }
        _ => Ok(()),
    }
}

/// Does the answer to "what of the one is outside of the other" agree?
fn judge_beyond(
    one: &Subject,
    other: &Subject,
    answer: &Common,
    paths: &Paths,
) -> Result<(), String> {
    let shortest = paths.first_of(&one.owned, &other.owned, |ours, theirs| ours & !theirs);
    match (answer, shortest) {
        (Common::Unknown(_), _) => Ok(()),
        (Common::Nothing, Some(path)) => Err(format!("{path} is outside")),
        (Common::Nothing, None) => Ok(()),
        (Common::Path(path), shortest) => {
            let outside = one.independent.owns(path) && !other.independent.owns(path);
            let close = shortest.is_none_or(|found| path.chars().count() <= found.chars().count());
            if outside && close {
                Ok(())
            } else {
                Err(format!("{path} is not the nearest outside"))
            }
        }
    }
}

/// Pairs all regions of one round.
fn round(random: &mut Random, paths: &Paths, case: Case, most: u64, tally: &mut Tally) {
    let subjects: Vec<Subject> =
        (0..REGIONS).map(|_| Subject::new(random.region(case), paths, case)).collect();
    for (index, one) in subjects.iter().enumerate() {
        for other in &subjects[index..] {
            if tally.pairs >= most {
                return;
            }
            tally.pairs += 1;
            let answer = one.region.meets(&other.region);
            let told = judge(one, other, answer.as_ref(), paths);
            let beyond = tally
                .pairs
                .is_multiple_of(4)
                .then(|| one.region.beyond(&other.region, &Effort::new(EFFORT_MAX)));
            let told = told.and_then(|()| match &beyond {
                Some(beyond) => judge_beyond(one, other, beyond, paths),
                None => Ok(()),
            });
            if let Err(problem) = told {
                panic!("{problem}\n  {:?}\n  {:?}", one.lines, other.lines);
            }
            let excepts =
                |subject: &Subject| subject.lines.iter().any(|line| line.starts_with('!'));
            tally.meeting += u64::from(answer.is_some());
            let is_doubt = |contact: &Contact<'_>| contact.witness.is_err();
            tally.doubted += u64::from(answer.as_ref().is_some_and(is_doubt));
            tally.with_exceptions += u64::from(excepts(one) || excepts(other));
            tally.contained += u64::from(beyond == Some(Common::Nothing));
            tally.undecided += u64::from(matches!(beyond, Some(Common::Unknown(_))));
        }
    }
}

fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")),
        Err(_) => default,
    }
}

#[test]
fn regions_meet_exactly_where_an_independent_matcher_says() {
    let (most, seed) = (number("DOS_OVERLAP_PAIRS", 10_000), number("DOS_OVERLAP_SEED", 1));
    let paths = Paths::new();
    let mut random = Random::new(seed);
    let mut tally = Tally::default();
    while tally.pairs < most {
        for case in [Case::Insensitive, Case::Sensitive] {
            round(&mut random, &paths, case, most, &mut tally);
        }
    }
    let Tally { pairs, meeting, with_exceptions, contained, undecided, doubted } = tally;
    println!(
        "{pairs} pairs of regions over {} paths, no difference: {meeting} meet ({doubted} too costly to rule out), {} are disjoint; \
         {with_exceptions} have patterns with `!`; of {} asked, {contained} lie within the other ({undecided} too costly to tell)",
        paths.len(),
        pairs - meeting,
        pairs / 4,
    );
    // The check is worth nothing where one answer is always right.
    for part in [meeting, pairs - meeting, with_exceptions, contained * 4] {
        assert!(part > pairs / 50, "the pairs are too much alike");
    }
    // None among so few as run with the tests.
    assert!(doubted <= pairs / 100_000, "a meeting is decided in all but odd cases");
    assert!(undecided < 1 + pairs / 10_000, "containment is decided in all but odd cases");
}

/// The judge notices a decider that is wrong, in whichever way.
#[test]
fn wrong_answers_are_noticed() {
    let paths = Paths::new();
    let mut random = Random::new(7);
    let (mut missed, mut invented, mut long, mut outside) = (0, 0, 0, 0);
    for _ in 0..300 {
        let case = Case::Insensitive;
        let mut subject = || Subject::new(random.region(case), &paths, case);
        let (one, other) = (subject(), subject());
        missed += u64::from(judge(&one, &other, None, &paths).is_err());
        // Exceptions left out.
        let adding = |subject: &Subject| {
            let lines = subject.lines.iter().filter(|line| !line.starts_with('!'));
            Region::read(lines, Case::Insensitive)
        };
        let (left, right) = (adding(&one), adding(&other));
        let answer = left.meets(&right);
        invented += u64::from(judge(&one, &other, answer.as_ref(), &paths).is_err());
        if let Some(mut contact) = one.region.meets(&other.region) {
            let last = paths.last_of(&one.owned, &other.owned).unwrap_or_default();
            contact.witness = Ok(last.to_string());
            long += u64::from(judge(&one, &other, Some(&contact), &paths).is_err());
        }
        let nothing = Common::Nothing;
        outside += u64::from(judge_beyond(&one, &other, &nothing, &paths).is_err());
    }
    for (what, noticed) in
        [("missed", missed), ("invented", invented), ("long", long), ("outside", outside)]
    {
        assert!(noticed > 10, "{what}: {noticed}");
    }
}
