//! The lane mutex under every interleaving of its processes.
//!
//! Ours run the real code, see `ours`; those of the original follow its protocol, see `original`.
//! Every file operation of each is one step, and so are the death of a process, the passing of its
//! deadline and the passing of time. `explore` visits every world that can come of this, and checks
//! in each:
//!
//! 1. Two of ours never hold the mutex at once, and none writes what another has outdated.
//! 2. One of ours and an original hold it at once only after an original has moved a lock aside.
//! 3. One of ours writes beside an original that is at work, or has been since it read, only in the
//!    two cases of `Residue`.
//! 4. None of ours takes the last name from the lock file of an original that holds.
//! 5. Whatever the originals do or stop doing, every waiter of ours gets through: at once, unless a
//!    lock of an original is there that is younger than its time to live (see `alone`).
//! 6. Then nothing of ours is left in the folder.
//! 7. Of processes of ours alone, of which none died or overslept, the last leaves no lock file behind.
//! 8. None of ours fails with anything but "busy" and "lost".

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]

mod alone;
mod explore;
mod original;
mod ours;
mod world;

use explore::{Bounds, Report, explore};
use original::Original;
use ours::{Fault, Ours, Rules};
use world::{Body, Name, Process, Residue, START, World};

/// What is in the folder at the start.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Found {
    Nothing,
    /// A lock of an original that died long ago.
    Stale,
    /// One of an original that has died just now.
    Live,
    /// One of which nobody knows whose it is.
    Empty,
    /// One of ours that died so many spans of time ago.
    Leftover(u8),
    /// One of ours died between swapping out a live lock and looking at it.
    Swap,
}

/// The owner and the nonce of what was there before.
const GONE: u8 = 9;

fn world(ours: usize, originals: u8, found: Found) -> World {
    let ours = (0..ours).map(|_| Process::Ours(Ours::default()));
    let originals = (0..originals).map(|owner| Process::Original(Original::new(owner)));
    let mut world = World::new(ours.chain(originals).collect());
    let original = |stamp| Body::Original { owner: GONE, stamp };
    let of_ours = |stamp| Body::Ours { nonce: GONE, stamp };
    let long_ago = START - 2;
    match found {
        Found::Nothing => {}
        Found::Stale => world.plant(Name::Visible, original(long_ago), long_ago),
        Found::Live => world.plant(Name::Visible, original(START), START),
        Found::Empty => world.plant(Name::Visible, Body::Empty, START),
        Found::Leftover(age) => world.plant(Name::Visible, of_ours(START - age), START - age),
        Found::Swap => {
            world.plant(Name::Visible, of_ours(START), START);
            world.plant(Name::Swap(GONE), original(START), START);
        }
    }
    world
}

fn report(start: World, found: Found, bounds: Bounds) -> Report {
    let is_ours = |process: &&Process| matches!(process, Process::Ours(_));
    let ours = start.processes.iter().filter(is_ours).count();
    let originals = start.processes.len() - ours;
    let report = explore(start, bounds);
    println!(
        "{ours} + {originals}, {found:?}, deaths {}, spans {}, deadlines {}: {} states, {} steps, \
         {} grants, residue {:?}",
        bounds.deaths,
        bounds.spans,
        bounds.rules.deadlines,
        report.states,
        report.steps,
        report.entered,
        report.residue.iter().map(|(residue, (count, _))| (*residue, *count)).collect::<Vec<_>>(),
    );
    report
}

/// Everything holds; which residue there is.
#[track_caller]
fn holds(ours: usize, originals: u8, found: Found, bounds: Bounds) -> Vec<Residue> {
    holds_from(world(ours, originals, found), found, bounds)
}

#[track_caller]
fn holds_from(start: World, found: Found, bounds: Bounds) -> Vec<Residue> {
    let report = report(start, found, bounds);
    if let Some((broken, way)) = report.broken.first_key_value() {
        panic!("{broken}:\n  {}", way.join("\n  "));
    }
    let waits_for_time = matches!(found, Found::Live | Found::Empty | Found::Swap);
    assert!(report.entered > 0 || waits_for_time && bounds.spans < 2);
    report.residue.into_keys().collect()
}

fn deaths(deaths: u8) -> Bounds {
    Bounds { deaths, ..Bounds::default() }
}

fn spans(spans: u8) -> Bounds {
    Bounds { spans, ..Bounds::default() }
}

fn deadlines(deaths: u8) -> Bounds {
    let rules = Rules { deadlines: true, ..Rules::default() };
    Bounds { rules, deaths, ..Bounds::default() }
}

const EVERYTHING: [Found; 8] = [
    Found::Nothing,
    Found::Stale,
    Found::Live,
    Found::Empty,
    Found::Leftover(0),
    Found::Leftover(1),
    Found::Leftover(2),
    Found::Swap,
];

const NONE: [Residue; 0] = [];
const LATE: [Residue; 1] = [Residue::AfterTheLastLook];
const BOTH: [Residue; 2] = [Residue::AfterTheLastLook, Residue::NoNameLeft];

#[test]
fn ours_exclude_each_other_whoever_dies_when() {
    for found in EVERYTHING {
        assert_eq!(holds(3, 0, found, deaths(1)), NONE);
        assert_eq!(holds(2, 0, found, deadlines(1)), NONE);
    }
    for found in [Found::Stale, Found::Live, Found::Empty, Found::Leftover(1)] {
        assert_eq!(holds(2, 0, found, spans(2)), NONE);
    }
}

#[test]
fn with_an_original_and_nothing_to_steal_nobody_ever_overlaps() {
    for found in [Found::Nothing, Found::Live, Found::Empty, Found::Leftover(0), Found::Leftover(1)]
    {
        assert_eq!(holds(1, 1, found, deaths(2)), NONE);
        assert_eq!(holds(1, 2, found, deaths(1)), NONE);
        assert_eq!(holds(2, 1, found, deaths(1)), NONE);
    }
    assert_eq!(holds(2, 1, Found::Nothing, deadlines(0)), NONE);
}

#[test]
fn one_original_that_steals_does_not_overlap_with_ours() {
    for found in [Found::Stale, Found::Leftover(2), Found::Swap] {
        assert_eq!(holds(1, 1, found, deaths(0)), NONE);
        assert_eq!(holds(2, 1, found, deaths(0)), NONE);
    }
}

#[test]
fn only_a_theft_between_the_last_look_and_the_write_goes_unseen() {
    // The stealer dies, and the original that comes in its place goes in.
    assert_eq!(holds(1, 1, Found::Stale, deaths(1)), LATE);
    // Time enough for an original to outlive what it has judged.
    assert_eq!(holds(1, 1, Found::Nothing, Bounds { deaths: 0, spans: 2, ..deaths(0) }), LATE);
}

#[test]
fn or_a_lock_that_another_original_has_overwritten() {
    assert_eq!(holds(1, 2, Found::Stale, deaths(0)), BOTH);
}

/// A process that comes back goes on from what it has kept open.
#[test]
fn who_comes_back_is_like_a_newcomer() {
    let again = |ours: usize, originals, found, bounds: Bounds| {
        let mut start = world(ours, originals, found);
        let Process::Ours(first) = &mut start.processes[0] else { unreachable!() };
        first.more = 1;
        holds_from(start, found, bounds)
    };
    for found in [Found::Nothing, Found::Leftover(0), Found::Stale] {
        assert_eq!(again(2, 0, found, deaths(1)), NONE);
    }
    assert_eq!(again(2, 0, Found::Nothing, deadlines(0)), NONE);
    assert_eq!(again(2, 0, Found::Nothing, spans(2)), NONE);
    assert_eq!(again(1, 1, Found::Nothing, deaths(1)), NONE);
    assert_eq!(again(2, 1, Found::Leftover(0), deaths(0)), NONE);
    assert_eq!(again(1, 1, Found::Stale, deaths(0)), NONE);
    assert_eq!(again(1, 1, Found::Stale, deaths(1)), LATE);
    // It is stopped between the last look and the write for longer than the time to live.
    assert_eq!(again(1, 1, Found::Nothing, spans(2)), LATE);
}

#[test]
fn steps_that_nobody_sees_need_not_be_interleaved() {
    let every_order = |bounds| Bounds { every_order: true, ..bounds };
    assert_eq!(holds(1, 1, Found::Stale, every_order(deaths(1))), LATE);
    assert_eq!(holds(2, 1, Found::Stale, every_order(deaths(0))), NONE);
    assert_eq!(holds(2, 1, Found::Leftover(0), every_order(deaths(1))), NONE);
    assert_eq!(holds(3, 0, Found::Stale, every_order(deaths(1))), NONE);
}

/// Some minutes: `cargo test --release -p dos-store --test lock_model -- --ignored --nocapture`.
#[test]
#[ignore = "takes minutes"]
fn wider_bounds() {
    for found in EVERYTHING {
        assert_eq!(holds(3, 0, found, deaths(2)), NONE);
        assert_eq!(holds(2, 0, found, deadlines(2)), NONE);
    }
    assert_eq!(holds(2, 1, Found::Leftover(2), deaths(1)), LATE);
    assert_eq!(holds(2, 1, Found::Stale, deaths(2)), LATE);
    assert_eq!(holds(4, 0, Found::Stale, deaths(1)), NONE);
    assert_eq!(holds(3, 0, Found::Stale, deadlines(1)), NONE);
    assert_eq!(holds(3, 0, Found::Leftover(0), Bounds { deaths: 1, ..spans(1) }), NONE);
}

/// Each property can break, and each look of ours is needed.
#[test]
fn a_broken_promise_of_the_disk_and_a_missing_look_are_found() {
    let breaks = |fault, ours, originals, found, dying, properties: &[&str]| {
        let rules = Rules { fault, ..Rules::default() };
        let bounds = Bounds { rules, most: Some(120_000), ..deaths(dying) };
        let report = report(world(ours, originals, found), found, bounds);
        for property in properties {
            assert!(report.broken.contains_key(property), "{fault:?}: {:?}", report.broken.keys());
        }
    };
    let two = "two holders of ours";
    let (overtook, failed) = ("a process of ours overtook another", "a process of ours failed");
    breaks(Fault::LockForAll, 2, 0, Found::Nothing, 0, &[two, overtook, failed]);
    let waits = "ours wait although nobody holds";
    breaks(Fault::LockOutlivesDeath, 2, 0, Found::Nothing, 1, &[waits]);
    breaks(Fault::DraftsUnseen, 1, 0, Found::Nothing, 1, &["ours left a file behind"]);
    let lost = "ours took the last name from the lock file of a holder";
    breaks(Fault::ExchangeLoses, 1, 1, Found::Stale, 0, &[lost]);
    let both = "ours and an original hold, and nobody has stolen anything";
    breaks(Fault::RenameNewReplaces, 1, 1, Found::Nothing, 0, &[lost, both]);
    let seen = "the lock of a holder could be seen, and ours wrote";
    breaks(Fault::AlwaysOurs, 1, 2, Found::Stale, 0, &[seen]);
    breaks(Fault::AsideUnseen, 1, 2, Found::Stale, 0, &[seen]);
    let grown = "an original had written since ours read, and ours wrote";
    breaks(Fault::GrowthUnseen, 1, 2, Found::Stale, 0, &[grown]);
}
