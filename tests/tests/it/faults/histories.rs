//! Linearizability: what concurrent processes were answered could have been answered one by one,
//! in an order that never puts an answer before its question.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use dos_tests::storm::Random;
use dos_tests::{TestEnv, stopwatch};

use super::THREE_LANES;
use crate::configured;

/// One command about one lane.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ask {
    Acquire,
    Release,
    Heartbeat,
}

/// A command, when it was asked and over, and how it was answered.
#[derive(Clone, Debug)]
struct Event {
    lane: &'static str,
    owner: String,
    ask: Ask,
    asked: Duration,
    over: Duration,
    /// `None`: killed before it answered, so that it may have happened until then, or never.
    answer: Option<bool>,
    token: Option<u64>,
}

/// Who holds one lane.
type Holder = Option<String>;

/// The sequential lane: what it would answer, and who holds it then.
fn step(holder: &Holder, event: &Event) -> (bool, Holder) {
    let theirs = holder.as_ref() == Some(&event.owner);
    match event.ask {
        Ask::Acquire if holder.is_none() => (true, Some(event.owner.clone())),
        Ask::Acquire => (false, holder.clone()),
        Ask::Release if theirs => (true, None),
        Ask::Release | Ask::Heartbeat => (theirs, holder.clone()),
    }
}

/// Can the events of one lane be put in an order that the sequential lane could have answered, and
/// that keeps every event that was over before another began before that other one? The search of
/// Wing and Gong, with the states that were seen already left out.
fn linearizable(events: &[Event]) -> bool {
    let mut seen: BTreeSet<(BTreeSet<usize>, Holder)> = BTreeSet::new();
    let mut pending = vec![(BTreeSet::new(), None)];
    while let Some((mut done, holder)) = pending.pop() {
        // What changes nothing and was answered rightly is best put as early as it may be.
        while let Some(index) = possible(events, &done).into_iter().find(|index| {
            let (says, next) = step(&holder, &events[*index]);
            next == holder && events[*index].answer == Some(says)
        }) {
            done.insert(index);
        }
        if !seen.insert((done.clone(), holder.clone())) {
            continue;
        }
        // All that were answered have their place; those that were not need none.
        if (0..events.len()).all(|index| done.contains(&index) || events[index].answer.is_none()) {
            return true;
        }
        for index in possible(events, &done) {
            let event = &events[index];
            let with_it: BTreeSet<usize> = done.iter().copied().chain([index]).collect();
            let (says, next) = step(&holder, event);
            if next != holder && event.answer.is_none_or(|answer| answer == says) {
                pending.push((with_it.clone(), next));
            }
            if event.answer.is_none() {
                pending.push((with_it, holder.clone()));
            }
        }
    }
    false
}

/// The events that may come next: those that were asked before any other that is left was over.
fn possible(events: &[Event], done: &BTreeSet<usize>) -> Vec<usize> {
    let open: Vec<usize> = (0..events.len()).filter(|index| !done.contains(index)).collect();
    let first_over = open.iter().map(|index| events[*index].over).min();
    let may = |index: &usize| first_over.is_none_or(|first| events[*index].asked <= first);
    open.into_iter().filter(may).collect()
}

/// What is wrong with a history. It is looked at in ever longer parts, so that a fault is found
/// where it is: what comes later cannot make an earlier part right.
fn first_fault(mut events: Vec<Event>) -> Option<String> {
    events.sort_by_key(|event| event.asked);
    for end in (20..events.len()).step_by(20).chain([events.len()]) {
        let mut part = events[..end].to_vec();
        if let Some(next) = events.get(end) {
            // Over only after the part: for the part it may have happened or not.
            for event in part.iter_mut().filter(|event| event.over >= next.asked) {
                event.answer = None;
            }
        }
        if !linearizable(&part) {
            let shown = &part[end.saturating_sub(25)..];
            return Some(format!("among the first {end} of {}: {shown:#?}", events.len()));
        }
    }
    None
}

/// One process after the other asks about some lane; some are killed.
fn client(env: &TestEnv, number: u64, start: Instant, count: u64) -> Vec<Event> {
    let mut random = Random(number * 77 + 5);
    let (mut events, mut mine) = (Vec::new(), None);
    for serial in 0..count {
        // Whoever believes to hold a lane mostly asks about that one.
        let other = ["api", "web"][random.below(2) as usize];
        let lane = mine.filter(|_| random.below(5) > 0).unwrap_or(other);
        // Of a killed acquire nobody knows whether it was granted: the same owner goes on.
        let owner = format!("o{number}");
        let (ask, verb) = match random.below(5) {
            0..2 => (Ask::Acquire, format!("acquire --loop-ts {number}-{serial}")),
            2..4 => (Ask::Release, "release".to_string()),
            _ => (Ask::Heartbeat, "heartbeat".to_string()),
        };
        let asked = start.elapsed();
        let running = env.start(&format!("lease-lane {verb} --lane {lane} --owner {owner}"));
        let answer = match random.below(6) {
            0 => {
                std::thread::sleep(Duration::from_micros(random.below(6000)));
                running.kill_unless_done()
            }
            _ => Some(running.finish()),
        };
        let over = start.elapsed();
        let token = answer.as_ref().filter(|_| ask == Ask::Acquire);
        let token = token.and_then(|answer| answer.json()["token"].as_u64());
        let answer = answer.map(|answer| {
            let yes = answer.no_panic().code == Some(0);
            assert!(yes || answer.code == Some(1), "{answer:#?}");
            yes
        });
        match (&ask, answer) {
            (Ask::Acquire, None | Some(true)) => mine = Some(lane),
            (Ask::Release, _) | (Ask::Heartbeat, Some(false)) => mine = None,
            _ => {}
        }
        events.push(Event { lane, owner, ask, asked, over, answer, token });
    }
    events
}

#[test]
fn what_six_processes_at_once_are_answered_is_linearizable() {
    let env = configured(THREE_LANES);
    env.dos("lease-lane spawn --lane docs --owner first").exits(0);
    let start = stopwatch();
    let events: Vec<Event> = std::thread::scope(|scope| {
        let env = &env;
        let clients: Vec<_> =
            (0..6).map(|number| scope.spawn(move || client(env, number, start, 80))).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let mut lanes: BTreeMap<&str, Vec<Event>> = BTreeMap::new();
    let mut tokens = BTreeSet::new();
    let (mut granted, mut refused, mut killed, mut overlapping) = (0, 0, 0, 0);
    for event in &events {
        match event.answer {
            Some(true) => granted += u64::from(event.ask == Ask::Acquire),
            Some(false) => refused += 1,
            None => killed += 1,
        }
        assert!(event.token.is_none_or(|token| tokens.insert(token)), "a token twice: {event:?}");
        let during = |other: &Event| other.asked > event.asked && other.asked < event.over;
        overlapping += u64::from(events.iter().any(during));
        lanes.entry(event.lane).or_default().push(event.clone());
    }
    let count = events.len();
    eprintln!(
        "{count} commands, {overlapping} overlapped, {granted} granted, {refused} refused, {killed} killed"
    );
    assert!(granted > 10 && refused > 20 && killed > 10 && overlapping > 100, "too tame");
    for (lane, events) in lanes {
        if let Some(fault) = first_fault(events) {
            panic!("{lane}: no order explains the answers, {fault}");
        }
    }
}

fn event(owner: &str, ask: Ask, asked: u64, over: u64, answer: Option<bool>) -> Event {
    let (asked, over) = (Duration::from_millis(asked), Duration::from_millis(over));
    Event { lane: "api", owner: owner.into(), ask, asked, over, answer, token: None }
}

/// The checker can say no, and does not say it too soon.
#[test]
fn the_checker_tells_histories_apart() {
    use Ask::{Acquire, Heartbeat, Release};
    let wrong = [
        // Two grants, one after the other.
        vec![event("a", Acquire, 0, 1, Some(true)), event("b", Acquire, 2, 3, Some(true))],
        // Two grants at once.
        vec![event("a", Acquire, 0, 9, Some(true)), event("b", Acquire, 1, 8, Some(true))],
        // A refusal while nobody can have held it.
        vec![event("a", Acquire, 0, 1, Some(false))],
        // Given back, and beaten after that.
        vec![
            event("a", Acquire, 0, 1, Some(true)),
            event("a", Release, 2, 3, Some(true)),
            event("a", Heartbeat, 4, 5, Some(true)),
        ],
        // A lost grant: acknowledged, and then nobody's.
        vec![event("a", Acquire, 0, 1, Some(true)), event("a", Release, 2, 3, Some(false))],
        // An answer before its question: the release that would explain it was asked too late.
        vec![
            event("a", Acquire, 0, 1, Some(true)),
            event("b", Acquire, 2, 3, Some(true)),
            event("a", Release, 4, 5, Some(true)),
        ],
    ];
    for history in wrong {
        assert!(!linearizable(&history), "{history:#?}");
        assert!(first_fault(history).is_some());
    }
    // Killed, and it happened only after it was dead.
    let late = vec![
        event("a", Release, 0, 1, None),
        event("a", Acquire, 2, 3, Some(true)),
        event("b", Acquire, 4, 5, Some(true)),
    ];
    assert!(!linearizable(&late));
    let right = [
        // The release was under way.
        vec![
            event("a", Acquire, 0, 1, Some(true)),
            event("a", Release, 2, 9, Some(true)),
            event("b", Acquire, 3, 4, Some(true)),
        ],
        // Killed, and it happened.
        vec![event("a", Acquire, 0, 1, None), event("b", Acquire, 5, 6, Some(false))],
        // Killed, and it never happened.
        vec![event("a", Acquire, 0, 1, None), event("b", Acquire, 5, 6, Some(true))],
    ];
    for history in right {
        assert!(linearizable(&history), "{history:#?}");
        assert_eq!(first_fault(history), None);
    }
}
