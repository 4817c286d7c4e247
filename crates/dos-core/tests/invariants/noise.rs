//! Invariant 5: what is no record of ours never adds, removes or changes a lease.

use dos_core::journal::compaction::compact;
use dos_core::journal::decode::{Effect, Line, decode_line, object_of, split_line};
use dos_core::journal::live_set::replay;
use dos_core::json::Object;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use crate::journals::{STATE_OPS, foreign, garbage, journal, odd, record, spelled, whole_lines};
use crate::values::{bytes_of, cases};

/// What a line may be counted as, when it means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Blank,
    Foreign,
    Corrupt,
    Inert,
}

fn kind_of(line: &[u8]) -> Option<Kind> {
    match decode_line(line, true) {
        Line::Blank => Some(Kind::Blank),
        Line::Foreign => Some(Kind::Foreign),
        Line::Corrupt => Some(Kind::Corrupt),
        Line::Entry(entry) if matches!(entry.effect, Effect::None) => Some(Kind::Inert),
        Line::Entry(_) | Line::Torn => None,
    }
}

fn with_op(mut object: Object, op: Value) -> Vec<u8> {
    object.insert("op".to_string(), op);
    Value::Object(object).to_string().into_bytes()
}

/// Spellings of an operation that are not the operation.
fn misspelled() -> impl Strategy<Value = Value> {
    (select(&STATE_OPS[..]), 0..9_u8).prop_map(|(op, how)| match how {
        0 => json!(op.to_lowercase()),
        1 => json!(format!("{op} ")),
        2 => json!(format!("\u{feff}{op}")),
        3 => json!(format!("{}{}", &op[..1], op[1..].to_lowercase())),
        4 => json!([op]),
        5 => json!({ op: true }),
        6 => json!(op.replace(['A', 'E'], "\u{410}")),
        7 => json!(null),
        _ => json!(format!("{op}D")),
    })
}

/// A line that must mean nothing, with what it is to be counted as where that is certain.
fn noise() -> impl Strategy<Value = (Vec<u8>, Option<Kind>)> {
    let stateful = || record(&STATE_OPS);
    let unknown = (stateful(), misspelled())
        .prop_filter("no letter was replaced", |(_, op)| {
            op.as_str().is_none_or(|op| !STATE_OPS.contains(&op))
        })
        .prop_map(|(object, op)| (with_op(object, op), Some(Kind::Inert)));
    let opless = stateful().prop_map(|mut object| {
        let op = object.remove("op").unwrap();
        object.insert("type".to_string(), op);
        (Value::Object(object).to_string().into_bytes(), Some(Kind::Inert))
    });
    let nameless = (stateful(), select(vec![json!(null), json!(""), json!(0), json!([])]))
        .prop_filter("a checkpoint needs no name", |(object, _)| object["op"] != "CHECKPOINT")
        .prop_map(|(mut object, nothing)| {
            object.insert("lane".to_string(), nothing.clone());
            object.insert("loop_ts".to_string(), nothing);
            (Value::Object(object).to_string().into_bytes(), Some(Kind::Inert))
        });
    let no_utf8 =
        (stateful().prop_flat_map(spelled), any::<Index>(), select(vec![0xff, 0xc0, 0x80]))
            .prop_map(|(mut line, at, byte)| {
                line.insert(at.index(line.len()), byte);
                (line, Some(Kind::Corrupt))
            })
            .prop_filter("a continuation may fit", |(line, _)| std::str::from_utf8(line).is_err());
    let cut = (stateful().prop_flat_map(spelled), any::<Index>()).prop_map(|(line, at)| {
        let end = line.iter().rposition(|byte| *byte == b'}').unwrap();
        (line[..at.index(end)].to_vec(), None)
    });
    let doubled = stateful()
        .prop_flat_map(spelled)
        .prop_map(|line| ([line.clone(), line].concat(), Some(Kind::Corrupt)));
    let surrogate = stateful().prop_map(|object| {
        let mut text = Value::Object(object).to_string();
        text.insert_str(1, "\"note\": \"\\ud800\", ");
        (text.into_bytes(), Some(Kind::Corrupt))
    });
    prop_oneof![
        garbage().prop_map(|line| (line, None)),
        foreign().prop_map(|line| (line, Some(Kind::Foreign))),
        unknown,
        opless,
        nameless,
        no_utf8,
        cut,
        doubled,
        surrogate,
    ]
}

/// The lines with others put in at these places.
fn insert(lines: &[Vec<u8>], others: impl IntoIterator<Item = (Vec<u8>, Index)>) -> Vec<u8> {
    let mut lines = lines.to_vec();
    for (mut line, at) in others {
        line.push(b'\n');
        lines.insert(at.index(lines.len() + 1), line);
    }
    lines.concat()
}

proptest! {
    #![proptest_config(cases(3000))]

    #[test]
    fn invariant_5_no_invented_lease(
        lines in whole_lines(),
        noise in vec((noise(), any::<Index>()), 1..8),
    ) {
        for ((line, expected), _) in &noise {
            let kind = kind_of(line);
            prop_assert!(kind.is_some(), "it changes the state: {}", String::from_utf8_lossy(line));
            if expected.is_some() {
                prop_assert_eq!(kind, *expected, "{}", String::from_utf8_lossy(line));
            }
        }
        let noisy = insert(&lines, noise.into_iter().map(|((line, _), at)| (line, at)));
        let (plain, noisy) = (replay(&lines.concat()), replay(&noisy));
        prop_assert_eq!(&plain, &noisy);
        prop_assert!(noisy.next_seq() >= plain.next_seq());
    }

    #[test]
    fn invariant_5_a_record_of_a_newer_format_changes_nothing(
        lines in whole_lines(),
        newer in record(&STATE_OPS),
        version in 2..9_i64,
        at in any::<Index>(),
    ) {
        let mut newer = newer;
        newer.insert("schema".to_string(), json!({"family": "lane-journal", "version": version}));
        let line = Value::Object(newer).to_string().into_bytes();
        let noisy = insert(&lines, [(line, at)]);
        prop_assert_eq!(replay(&lines.concat()), replay(&noisy));
    }

    #[test]
    fn invariant_5_a_record_of_another_family_changes_nothing(
        lines in whole_lines(),
        other in record(&STATE_OPS),
        at in any::<Index>(),
    ) {
        let mut other = other;
        other.insert("schema".to_string(), json!({"family": "verdicts", "version": 1}));
        let line = Value::Object(other).to_string().into_bytes();
        let noisy = insert(&lines, [(line, at)]);
        prop_assert_eq!(replay(&lines.concat()), replay(&noisy));
    }

    #[test]
    fn invariant_5_any_bytes_are_read_without_a_panic(bytes in vec(any::<u8>(), 0..400)) {
        survive(&bytes);
    }

    #[test]
    fn invariant_5_a_damaged_journal_is_read_without_a_panic(
        journal in journal(),
        damage in vec((any::<Index>(), any::<u8>(), 0..4_u8), 1..12),
    ) {
        let mut bytes = journal;
        for (at, byte, how) in damage {
            let at = at.index(bytes.len() + 1);
            match how {
                0 => bytes.insert(at, byte),
                1 => bytes.truncate(at),
                _ if at == bytes.len() => {}
                2 => bytes[at] = byte,
                _ => drop(bytes.remove(at)),
            }
        }
        survive(&bytes);
    }

    #[test]
    fn invariant_5_a_damaged_line_changes_at_most_what_it_still_says(
        lines in whole_lines(),
        damaged in any::<Index>(),
        at in any::<Index>(),
        byte in any::<u8>(),
    ) {
        prop_assume!(!lines.is_empty() && byte != b'\n');
        let damaged = damaged.index(lines.len());
        let mut bytes = lines.clone();
        let line = &mut bytes[damaged];
        let at = at.index(line.len().max(2) - 1);
        prop_assume!(line[at] != b'\n');
        line[at] = byte;
        if kind_of(&line[..line.len() - 1]).is_some() {
            let mut without = lines;
            without.remove(damaged);
            prop_assert_eq!(replay(&bytes.concat()), replay(&without.concat()));
        }
    }

    #[test]
    fn invariant_5_an_object_is_a_record_and_nothing_else_is(value in odd(), spare in garbage()) {
        for line in [value.to_string().into_bytes(), spare] {
            let object = std::str::from_utf8(&line).ok().and_then(|text| {
                serde_json::from_str::<Object>(text).ok()
            });
            prop_assert_eq!(matches!(decode_line(&line, true), Line::Entry(_)), object.is_some());
            prop_assert_eq!(object_of(&line), object);
        }
    }
}

/// Reads the bytes in every way there is, and compacts them.
fn survive(bytes: &[u8]) {
    let live = replay(bytes);
    let compacted = bytes_of(&compact(bytes));
    assert_eq!(replay(&compacted), live);
    let mut rest = bytes;
    while let Some((line, after)) = split_line(rest) {
        let entry = matches!(decode_line(line, true), Line::Entry(_));
        assert_eq!(object_of(line).is_some(), entry, "{}", String::from_utf8_lossy(line));
        rest = after;
    }
    for lease in live.leases() {
        let _ = (lease.key(), lease.tree(), lease.newest_stamp(), lease.ttl_millis());
        let _ = (lease.named_process(), lease.token(), lease.holder(), lease.kind());
    }
}

/// Records of every operation, in which one field makes the record unreadable for others. `after` is
/// what follows that field.
fn unreadable(after: impl Fn(&str) -> String) -> Vec<String> {
    let fields = ["seq", "ts", "heartbeat_at", "lease", "leases", "seq_watermark", "lane", "other"];
    let mut lines = Vec::new();
    for op in STATE_OPS {
        for field in fields {
            for bad in ["\"\\ud800\"", "1e999", &nested(200)] {
                let mut parts = vec![format!("\"op\": \"{op}\""), "\"loop_ts\": \"t\"".to_string()];
                for (other, value) in
                    [("lane", "\"a\""), ("leases", "[]"), ("lease", "{\"holder\": \"x\"}")]
                {
                    if other != field {
                        parts.push(format!("\"{other}\": {value}"));
                    }
                }
                lines.push(format!("{{{}, \"{field}\": {bad}{}}}", parts.join(", "), after(field)));
            }
        }
    }
    lines
}

#[track_caller]
fn all_are_corrupt(lines: &[String]) {
    let read: Vec<_> =
        lines.iter().filter(|line| kind_of(line.as_bytes()) != Some(Kind::Corrupt)).collect();
    assert!(read.is_empty(), "{} of these are read, for example {}", read.len(), read[0]);
    assert!(lines.iter().all(|line| object_of(line.as_bytes()).is_none()));
}

#[test]
fn invariant_5_a_record_that_is_no_json_for_others_changes_nothing() {
    all_are_corrupt(&unreadable(|_| String::new()));
}

#[test]
fn invariant_5_a_field_that_is_repeated_must_be_json_every_time() {
    all_are_corrupt(&unreadable(|field| format!(", \"{field}\": null")));
}

fn nested(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}
