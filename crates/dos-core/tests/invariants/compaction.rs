//! Invariant 1: a compacted journal means what the journal meant.

use dos_core::journal::compaction::{Compaction, compact};
use dos_core::journal::decode::{Line, decode_line, split_line};
use dos_core::journal::entry::op;
use dos_core::journal::live_set::replay;
use dos_core::limits;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::journals::{garbage, journal, whole_lines};
use crate::values::{bytes_of, cases};

/// Compacts, and checks all that compaction promises.
fn check(journal: &[u8]) {
    let before = replay(journal);
    let records = compact(journal);
    let compacted = bytes_of(&records);
    let after = replay(&compacted);
    assert_eq!(after, before);
    assert!(after.next_seq() >= before.next_seq());
    assert_eq!(compact(&compacted), records, "compacting twice is compacting once");
    assert_eq!(records[0].op(), op::CHECKPOINT);
    assert!(records[1..].iter().all(|record| record.op() == op::CORRUPT));
    assert_eq!(records.len() - 1, evidence(journal), "each corrupt line leaves one record");
}

/// How many lines are corrupt, or stand for one that was.
fn evidence(mut journal: &[u8]) -> usize {
    let mut count = 0;
    while let Some((line, rest)) = split_line(journal) {
        count += usize::from(is_evidence(line, true));
        journal = rest;
    }
    count + usize::from(is_evidence(journal, false))
}

fn is_evidence(line: &[u8], complete: bool) -> bool {
    match decode_line(line, complete) {
        Line::Corrupt => true,
        Line::Entry(entry) => entry.op == op::CORRUPT,
        _ => false,
    }
}

proptest! {
    #![proptest_config(cases(3000))]

    #[test]
    fn invariant_1_compaction_keeps_the_live_set(journal in journal()) {
        check(&journal);
    }

    #[test]
    fn invariant_1_what_comes_later_means_the_same_after_compaction(
        before in whole_lines(),
        later in journal(),
    ) {
        let before = before.concat();
        let compacted = bytes_of(&compact(&before));
        let (plain, short) = (replay(&[before, later.clone()].concat()), replay(&[compacted, later].concat()));
        prop_assert_eq!(&plain, &short);
        prop_assert!(short.next_seq() >= plain.next_seq());
    }

    #[test]
    fn invariant_2_a_fold_goes_on_from_what_stands_for_its_beginning(
        before in whole_lines(),
        later in journal(),
    ) {
        let mut first = Compaction::default();
        for line in &before {
            first.feed(line.strip_suffix(b"\n").unwrap(), true);
        }
        let standing = bytes_of(&first.standing_for());
        let mut resumed = Compaction::resume(&standing, first.lines(), first.records_before());
        let mut whole = first;
        prop_assert_eq!(whole.live(), resumed.live());
        let mut rest = &later[..];
        while let Some((line, after)) = split_line(rest) {
            whole.feed(line, true);
            resumed.feed(line, true);
            rest = after;
        }
        whole.feed(rest, false);
        resumed.feed(rest, false);
        prop_assert_eq!(whole.standing_for(), resumed.standing_for());
        prop_assert_eq!(whole.live().next_seq(), resumed.live().next_seq());
        prop_assert_eq!((whole.lines(), whole.records_before()), (resumed.lines(), resumed.records_before()));
    }

    #[test]
    fn invariant_1_a_corrupt_line_keeps_its_text_and_its_number(
        before in whole_lines(),
        line in garbage(),
    ) {
        prop_assume!(matches!(decode_line(&line, true), Line::Corrupt));
        let journal = [before.concat(), line.clone(), b"\n".to_vec()].concat();
        let records = compact(&journal);
        let kept = records.last().unwrap().object();
        let raw = String::from_utf8_lossy(&line);
        prop_assert_eq!(&kept["_raw"], raw.trim());
        prop_assert_eq!(&kept["_line"], before.len());
    }
}

#[test]
fn invariant_1_holds_line_by_line() {
    let journal =
        b"{\"op\": \"ACQUIRE\", \"lane\": \"a\", \"loop_ts\": \"t\", \"seq\": 3}\n\nx\n5\n{\"op";
    let mut compaction = Compaction::default();
    let mut rest = &journal[..];
    while let Some((line, after)) = split_line(rest) {
        compaction.feed(line, true);
        rest = after;
    }
    compaction.feed(rest, false);
    assert_eq!(compaction.records_before(), 2);
    assert_eq!(compaction.standing_for(), compact(journal));
    check(journal);
}

/// However much of a journal is corrupt: what is kept is bounded, and compacting twice is
/// compacting once.
#[test]
fn invariant_1_holds_beyond_what_evidence_is_kept() {
    let mut journal = "x\n".repeat(150_000).into_bytes();
    journal.extend(acquire("{}").bytes());
    let records = compact(&journal);
    let compacted = bytes_of(&records);
    assert!(compacted.len() < limits::EVIDENCE_BYTES_MAX + 1000);
    assert!(records.len() > 50_000);
    assert_eq!(replay(&compacted), replay(&journal));
    assert_eq!(compact(&compacted), records);
}

fn acquire(lease: &str) -> String {
    format!("{{\"op\": \"ACQUIRE\", \"lane\": \"a\", \"loop_ts\": \"t\", \"lease\": {lease}}}\n")
}

/// Lists inside lists.
fn nested(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

#[test]
fn invariant_1_holds_for_deeply_nested_leases() {
    for depth in 100..140 {
        let deep = nested(depth);
        check(acquire(&format!("{{\"x\": {deep}}}")).as_bytes());
        let inline = format!("{{\"op\": \"RECONCILE\", \"lane\": \"a\", \"tree\": {deep}}}\n");
        check(inline.as_bytes());
        let beat = format!(
            "{{\"op\": \"HEARTBEAT\", \"lane\": \"a\", \"loop_ts\": \"t\", \"heartbeat_at\": {}}}\n",
            nested(depth).replace("[]", "[1]")
        );
        check((acquire("{}") + &beat).as_bytes());
    }
}

#[test]
fn invariant_1_holds_for_deeply_nested_evidence() {
    for depth in 100..140 {
        let line = format!("{{\"op\": \"_CORRUPT\", \"lease\": {}}}\n", nested(depth));
        check(line.as_bytes());
    }
}

#[test]
fn invariant_1_holds_for_leases_that_fill_a_line_together() {
    let half = "x".repeat(limits::LINE_BYTES_MAX / 2);
    let lease = |lane: &str| {
        json!({"op": "ACQUIRE", "lane": lane, "loop_ts": "t", "lease": {"note": half}}).to_string()
    };
    check(format!("{}\n{}\n", lease("a"), lease("b")).as_bytes());
}

#[test]
fn invariant_1_holds_for_a_line_that_grows_when_it_is_escaped() {
    let separators = "\u{2028}".repeat(limits::LINE_BYTES_MAX / 4);
    check(acquire(&json!({"note": separators}).to_string()).as_bytes());
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn invariant_1_holds_for_every_fraction(bits in any::<u64>(), digits in "[0-9]{1,25}\\.[0-9]{1,25}") {
        let fraction = f64::from_bits(bits);
        if let Value::Number(number) = json!(fraction) {
            check(acquire(&format!("{{\"ttl_minutes\": {number}}}")).as_bytes());
        }
        check(acquire(&format!("{{\"ttl_minutes\": 1{digits}}}")).as_bytes());
    }
}
