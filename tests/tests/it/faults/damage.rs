//! Bytes that changed on the disk, and journals that end anywhere: exhaustive, on a small journal.

use std::collections::BTreeMap;

use dos_core::journal::decode::{Line, decode_line};
use dos_core::journal::live_set::replay;
use dos_tests::raw::{Identity, Raw, text};
use serde_json::{Map, Value};

use super::{THREE_LANES, held, with_a_history};
use crate::{configured, field};

/// What counts of a lease.
type Leases = BTreeMap<Identity, Vec<Value>>;

const COUNTS: [&str; 5] = ["lane", "loop_ts", "holder", "tree", "heartbeat_at"];

fn what_counts(lease: &Map<String, Value>) -> Vec<Value> {
    COUNTS.iter().map(|name| lease.get(*name).cloned().unwrap_or_default()).collect()
}

/// The leases as the product folds them.
fn folded(journal: &[u8]) -> Leases {
    let live = replay(journal);
    let lease = |lease: &dos_core::lane::Lease| {
        let object: Map<String, Value> =
            lease.object().iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        ((lease.lane().into_owned(), lease.loop_ts().into_owned()), what_counts(&object))
    };
    live.leases().map(lease).collect()
}

/// The numbers, from 0, of the lines that the product counts as corrupt, and whether the last one
/// counts as torn.
fn broken(journal: &[u8]) -> (Vec<usize>, bool) {
    let (mut corrupt, mut torn) = (Vec::new(), false);
    for (number, line) in journal.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        match decode_line(text, text.len() < line.len()) {
            Line::Corrupt => corrupt.push(number),
            Line::Torn => torn = true,
            Line::Blank | Line::Foreign | Line::Entry(_) => {}
        }
    }
    (corrupt, torn)
}

/// A journal with every operation that changes the live set but a checkpoint.
fn small_journal() -> Vec<u8> {
    let env = configured(THREE_LANES);
    for command in [
        "lease-lane acquire --lane docs --owner a --loop-ts D",
        "lease-lane acquire --lane api --owner b --loop-ts A",
        "lease-lane heartbeat --lane api --owner b",
        "lease-lane release --lane docs --owner a",
        "lease-lane acquire --lane web --owner c --loop-ts W",
    ] {
        env.dos(command).exits(0);
    }
    env.journal()
}

/// The lines that a byte belongs to: a newline belongs to the line after it as well.
fn lines_of(journal: &[u8], position: usize) -> Vec<usize> {
    let before = journal[..position].iter().filter(|byte| **byte == b'\n').count();
    match journal[position] {
        b'\n' => vec![before, before + 1],
        _ => vec![before],
    }
}

/// The leases of which no record is in these lines, as they should be afterwards.
fn untouched(raw: &Raw, whole: &Leases, lines: &[usize]) -> Leases {
    let identity = |record| (text(record, "lane"), text(record, "loop_ts"));
    let touched: Vec<Identity> =
        lines.iter().filter_map(|line| raw.records.get(*line)).map(identity).collect();
    let mut rest = whole.clone();
    rest.retain(|identity, _| !touched.contains(identity));
    rest
}

/// Looks at a damaged journal with the product and without it.
#[track_caller]
fn agree(journal: &[u8], what: &str) -> Leases {
    let (leases, raw) = (folded(journal), Raw::of(journal));
    let expected: Leases = raw
        .held()
        .iter()
        .map(|(identity, lease)| (identity.clone(), named(identity, lease)))
        .collect();
    assert_eq!(leases, expected, "{what}");
    assert_eq!(broken(journal), (raw.bad_lines.clone(), raw.torn), "{what}");
    leases
}

/// A lease goes by the name that its record has.
fn named((lane, loop_ts): &Identity, lease: &Map<String, Value>) -> Vec<Value> {
    let mut counts = what_counts(lease);
    (counts[0], counts[1]) = (lane.as_str().into(), loop_ts.as_str().into());
    counts
}

/// What a byte becomes: one bit of it flips, or it becomes one that means something in JSON or
/// between lines. With `FAULTS_EVERY_VALUE` set, every other value.
fn values(byte: u8, all: bool) -> Vec<u8> {
    let flipped = (0..8).map(|bit| byte ^ (1 << bit));
    let telling = *b"\0\t\n\r \"\\{}[],:0e-\x7f\x80\xc3\xed\xff";
    let mut values: Vec<u8> = match all {
        true => (0..=255).collect(),
        false => flipped.chain(telling).collect(),
    };
    values.sort_unstable();
    values.dedup();
    values.retain(|value| *value != byte);
    values
}

#[test]
fn every_byte_changed() {
    let all = std::env::var_os("FAULTS_EVERY_VALUE").is_some();
    let journal = small_journal();
    let (raw, whole) = (Raw::of(&journal), folded(&journal));
    assert_eq!(whole.len(), 2, "{whole:?}");
    let (mut damaged, mut still_json, mut detected) = (journal.clone(), 0, 0);
    for position in 0..journal.len() {
        let lines = lines_of(&journal, position);
        let rest = untouched(&raw, &whole, &lines);
        for value in values(journal[position], all) {
            damaged[position] = value;
            let what = format!("byte {position} is {value:#04x}");
            let leases = agree(&damaged, &what);
            for (identity, lease) in &rest {
                assert_eq!(leases.get(identity), Some(lease), "{what}");
            }
            // Nothing new but what the changed line itself says, where it is still a record.
            for identity in leases.keys().filter(|identity| !whole.contains_key(*identity)) {
                let said_by = |record: &&Map<String, Value>| {
                    (&text(record, "lane"), &text(record, "loop_ts")) == (&identity.0, &identity.1)
                };
                let original = raw.records.iter().filter(said_by).count();
                let now = Raw::of(&damaged).of_op("ACQUIRE").filter(said_by).count();
                assert!(original > 0 || now == 1, "{what}: {identity:?} is invented");
            }
            let is_detected = broken(&damaged) != (Vec::new(), false);
            detected += u64::from(is_detected);
            still_json += u64::from(!is_detected);
        }
        damaged[position] = journal[position];
    }
    eprintln!("{detected} changes detected, {still_json} left every line a JSON object");
    assert!(detected > still_json / 2, "{detected} of {still_json}");
}

#[test]
fn every_byte_gone_or_doubled() {
    let journal = small_journal();
    let (raw, whole) = (Raw::of(&journal), folded(&journal));
    for position in 0..journal.len() {
        let rest = untouched(&raw, &whole, &lines_of(&journal, position));
        let (before, after) = journal.split_at(position);
        let gone = [before, &after[1..]].concat();
        let doubled = [before, &after[..1], after].concat();
        for (damaged, how) in [(gone, "gone"), (doubled, "doubled")] {
            let leases = agree(&damaged, &format!("byte {position} {how}"));
            let kept = |(identity, lease)| leases.get(identity) == Some(lease);
            assert!(rest.iter().all(kept), "byte {position} {how}: {leases:?}");
        }
    }
}

#[test]
fn every_sector_lost() {
    // What a crash of the machine leaves of data that was never written: zeroes.
    let journal = small_journal();
    for start in 0..journal.len() {
        for length in [16, 64, 512] {
            let mut damaged = journal.clone();
            let end = (start + length).min(damaged.len());
            damaged[start..end].fill(0);
            agree(&damaged, &format!("zeroes from {start} to {end}"));
        }
    }
}

/// The journal cut at every byte of its last three records; then the binary goes on with it.
#[test]
fn a_journal_cut_at_every_byte_goes_on() {
    let journal = small_journal();
    let ends: Vec<usize> =
        (0..journal.len()).filter(|at| journal[*at] == b'\n').map(|at| at + 1).collect();
    let from = ends[ends.len() - 4];
    let env = configured(THREE_LANES);
    let mut torn_tails = 0;
    for cut in from..=journal.len() {
        let what = format!("cut at {cut}");
        let left = &journal[..cut];
        let leases = agree(left, &what);
        // Whole records count, also one that lacks its newline alone; a part of one never does.
        let whole = ends.iter().rev().find(|end| **end <= cut || **end == cut + 1).unwrap();
        assert_eq!(leases, folded(&journal[..*whole]), "{what}");
        let torn = broken(left).1;
        torn_tails += u64::from(torn);
        assert_eq!(torn, !ends.contains(&cut) && !ends.contains(&(cut + 1)), "{what}");
        env.write_journal(left);
        env.dos("lease-lane spawn --lane api --owner next --loop-ts N").exits(0);
        let (after, now) = (env.journal(), Raw::of(&env.journal()));
        assert!(after.starts_with(left), "{what}: what was there was changed");
        assert_eq!(now.bad_lines.len(), usize::from(torn), "{what}: {now:?}");
        assert_eq!(now.of_op("SPAWN").count(), 1, "{what}: the next record was swallowed");
        assert_eq!(folded(&after), leases, "{what}");
        assert_eq!(now.faults(), [""; 0], "{what}");
    }
    assert!(torn_tails > 300, "{torn_tails}");
}

#[test]
fn the_binary_says_which_line_is_damaged_and_goes_on() {
    let journal = small_journal();
    let env = configured(THREE_LANES);
    for position in (0..journal.len()).step_by(53) {
        let mut damaged = journal.clone();
        damaged[position] = 0;
        let what = format!("byte {position} is zero");
        env.write_journal(&damaged);
        let lines: Vec<usize> = broken(&damaged).0.iter().map(|line| line + 1).collect();
        let shown = env.dos("journal verify --json");
        assert_eq!(shown.exits(1).json()["corrupt_lines"], serde_json::json!(lines), "{what}");
        let live = env.dos("lease-lane live").exits(0).json();
        let mut lanes = field(&live, "lane");
        lanes.sort();
        let expected: Vec<String> = folded(&damaged).into_keys().map(|(lane, _)| lane).collect();
        assert_eq!(lanes, expected, "{what}");
        let acquire = "lease-lane acquire --lane web --owner next --loop-ts N";
        let is_held = expected.contains(&"web".to_string());
        env.dos(acquire).exits(if is_held { 1 } else { 0 });
        assert!(env.journal().starts_with(&damaged), "{what}: evidence was changed");
        env.dos("journal compact").exits(0);
        let after: Vec<String> = held(&env).into_iter().map(|(lane, _)| lane).collect();
        assert!(expected.iter().all(|lane| after.contains(lane)), "{what}: {after:?}");
    }
    let whole = with_a_history();
    whole.dos("journal verify").exits(0);
}
