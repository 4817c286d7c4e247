//! Invariant 2: the live set is a fold, wherever the journal is cut.

use dos_core::journal::LiveSet;
use dos_core::journal::decode::{Line, decode_line, split_line};
use dos_core::journal::entry::Record;
use dos_core::journal::live_set::{Fold, replay};
use dos_core::json::{Object, canonical_object};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::journals::{STATE_OPS, journal, record, record_line, tail, whole_lines};
use crate::values::cases;

/// Folds more lines into a live set, all of them in one go.
fn fold(live: LiveSet, mut journal: &[u8]) -> LiveSet {
    let mut fold = Fold::on(live);
    while let Some((line, rest)) = split_line(journal) {
        fold.line(line, true);
        journal = rest;
    }
    fold.line(journal, false);
    fold.finish()
}

/// Folds one line, which had a newline.
fn one(live: &mut LiveSet, line: &[u8]) {
    if let Line::Entry(entry) = decode_line(line, true) {
        live.apply(entry);
    }
}

#[track_caller]
fn same(left: &LiveSet, right: &LiveSet) {
    assert_eq!(left, right);
    assert_eq!(left.last_seq(), right.last_seq());
    for lease in left.leases() {
        let key = lease.key();
        assert_eq!(right.get(&key.lane, &key.loop_ts), Some(lease), "each is found by its key");
    }
    assert_eq!(left.len(), right.leases().count());
}

fn append(journal: &[u8], line: &[u8]) -> Vec<u8> {
    [journal, line, b"\n"].concat()
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn invariant_2_the_live_set_is_a_fold(lines in whole_lines(), tail in tail()) {
        let whole = replay(&[lines.concat(), tail.clone()].concat());
        for split in 0..=lines.len() {
            let (first, rest) = lines.split_at(split);
            let rest = [rest.concat(), tail.clone()].concat();
            same(&fold(replay(&first.concat()), &rest), &whole);
        }
    }

    /// A field that nobody reads, with an escape in it, takes a record from the quick reader to the
    /// slow one.
    #[test]
    fn invariant_2_a_journal_means_the_same_to_the_quick_reader_and_the_slow_one(
        records in vec(record(&STATE_OPS), 0..16),
    ) {
        let spell = |start: &str| {
            let spelled = |object: &Object| canonical_object(object).replacen('{', start, 1) + "\n";
            records.iter().map(spelled).collect::<String>()
        };
        let quick = replay(spell("{").as_bytes());
        same(&replay(spell("{\"\\n\": 0, ").as_bytes()), &quick);
    }

    #[test]
    fn invariant_2_entry_by_entry_is_the_same_as_in_one_go(lines in whole_lines()) {
        let mut live = LiveSet::default();
        for (index, line) in lines.iter().enumerate() {
            one(&mut live, line.strip_suffix(b"\n").unwrap());
            same(&live, &replay(&lines[..=index].concat()));
        }
    }

    #[test]
    fn invariant_2_holds_through_a_checkpoint(lines in whole_lines(), later in journal()) {
        let whole = replay(&[lines.concat(), later.clone()].concat());
        for split in 0..=lines.len() {
            let (first, rest) = lines.split_at(split);
            let checkpoint = replay(&first.concat()).snapshot().iter().map(Record::line).collect::<String>().into_bytes();
            same(&replay(&[checkpoint, rest.concat(), later.clone()].concat()), &whole);
        }
    }

    #[test]
    fn invariant_2_a_tail_reads_the_same_before_and_after_it_is_closed(
        lines in whole_lines(),
        tail in tail(),
        next in record_line(),
    ) {
        let journal = [lines.concat(), tail.clone()].concat();
        let open = replay(&journal);
        let closed = append(&journal, b"");
        same(&open, &replay(&closed));
        // What the next writer appends behind its "\n" is folded into just that state.
        let mut expected = open;
        one(&mut expected, &next);
        same(&replay(&append(&closed, &next)), &expected);
        match (decode_line(&tail, false), decode_line(&tail, true)) {
            (Line::Torn, Line::Corrupt | Line::Foreign) | (Line::Blank, Line::Blank) => {}
            (Line::Entry(open), Line::Entry(closed)) => prop_assert_eq!(open.seq, closed.seq),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn invariant_2_a_torn_record_changes_nothing_and_a_whole_one_counts(
        lines in whole_lines(),
        last in record_line(),
        cut in any::<prop::sample::Index>(),
    ) {
        let journal = lines.concat();
        let before = replay(&journal);
        let whole = [journal.clone(), last.clone()].concat();
        same(&replay(&whole), &fold(before.clone(), &append(&last, b"")));
        // A record ends with its bracket: every shorter part of it never happened.
        let end = last.iter().rposition(|byte| *byte == b'}').unwrap();
        let torn = &last[..cut.index(end)];
        same(&replay(&[journal.clone(), torn.to_vec()].concat()), &before);
        same(&replay(&append(&[journal, torn.to_vec()].concat(), b"")), &before);
        prop_assert!(matches!(decode_line(torn, true), Line::Corrupt | Line::Blank));
    }
}

#[test]
fn invariant_2_a_lease_keeps_the_place_of_its_first_grant_until_it_is_given_back() {
    let line = |op: &str, lane: &str, holder: &str| {
        format!(
            "{{\"op\": \"{op}\", \"lane\": \"{lane}\", \"loop_ts\": \"t\", \"holder\": \"{holder}\"}}\n"
        )
    };
    let order = |lines: &[String]| {
        let live = replay(lines.concat().as_bytes());
        let shown =
            live.leases().map(|lease| format!("{} {}", lease.lane(), lease.holder().unwrap()));
        shown.collect::<Vec<_>>()
    };
    let mut lines = vec![line("ACQUIRE", "a", "p"), line("ACQUIRE", "b", "q")];
    lines.push(line("ACQUIRE", "a", "r"));
    assert_eq!(order(&lines), ["a r", "b q"]);
    lines.extend([line("RELEASE", "a", "r"), line("RECONCILE", "a", "s")]);
    assert_eq!(order(&lines), ["b q", "a s"]);
}
