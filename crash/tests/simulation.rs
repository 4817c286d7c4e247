//! The crash simulation, as much of it as fits into every run of the tests: nothing is wrong with
//! the store, and every planted bug is found.

use dos_crash::exhaustive::{Tally, alone, crashes, pairs, schedules};
use dos_crash::find;
use dos_crash::plant::Plant;
use dos_crash::random::{Mishaps, case};

const SEED: u64 = 20_261_121;

#[test]
fn random_cases_keep_every_promise() {
    for number in 0..400 {
        let case = case(SEED, number, None, Mishaps::default(), false);
        assert_eq!(case.finding, None, "case {number} of seed {SEED}");
        assert!(case.steps > 0 && case.starts >= 3);
    }
}

#[test]
fn a_case_can_be_replayed() {
    // A name that the system's randomness made is the only thing that differs.
    let trace = |number| {
        let case = case(SEED, number, None, Mishaps::default(), true);
        let shown = |line: &String| line.split(".lock.").next().unwrap_or_default().to_string();
        case.trace.iter().map(shown).collect::<Vec<_>>()
    };
    for number in 0..40 {
        assert_eq!(trace(number), trace(number), "case {number}");
    }
}

#[test]
fn every_schedule_with_one_switch_keeps_every_promise() {
    for scene in pairs() {
        let mut tally = Tally::default();
        let found = schedules(&scene, 1, None, &mut tally);
        let found = found.map(|found| (found.finding, found.trace));
        assert_eq!(found, None, "{}", scene.name);
        assert!(tally.runs > 50 && tally.images > tally.runs, "{}: {tally:?}", scene.name);
    }
}

#[test]
fn every_crash_of_a_compaction_keeps_every_promise() {
    let scene = scene("compact-discard");
    let mut tally = Tally::default();
    let found = crashes(&scene, None, &mut tally).map(|found| (found.finding, found.trace));
    assert_eq!(found, None);
    assert!(tally.images > 5000, "{tally:?}");
}

#[test]
fn every_planted_bug_is_found() {
    for (plant, name, _) in Plant::ALL {
        // Few random cases have the reader look at the very moment when the name is gone.
        let found = match plant {
            Plant::RemoveThenRename => {
                crashes(&scene("compact"), Some(*plant), &mut Tally::default())
                    .map(|found| found.finding)
                    .filter(|finding| plant.shows_in(finding))
            }
            _ => find(*plant, SEED, 1000).map(|(_, finding)| finding),
        };
        assert!(found.is_some(), "{name} was not found");
    }
}

fn scene(name: &str) -> dos_crash::exhaustive::Scene {
    alone().into_iter().find(|scene| scene.name == name).expect("a scene of that name")
}
