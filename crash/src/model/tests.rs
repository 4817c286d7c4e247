//! The model must object to what it is there to object to.

use dos_core::journal::live_set::replay;
use serde_json::json;

use super::*;

fn acquire(lane: &str, tree: &str, seq: u64) -> Record {
    let record = json!({
        "op": "ACQUIRE", "lane": lane, "loop_ts": "L", "seq": seq, "ts": "2026-01-10T12:00:00Z",
        "lease": {"lane": lane, "loop_ts": "L", "holder": "h", "tree": [tree]},
    });
    Record::from_object(record.as_object().unwrap().clone())
}

/// A model in which `docs` was acknowledged and `tests` was not, and the journal with both.
fn model() -> (Model, String) {
    let (docs, tests) = (acquire("docs", "docs/**", 1), acquire("tests", "tests/**", 2));
    let mut model = Model::new(b"");
    let first = model.decide(&LiveSet::default(), std::slice::from_ref(&docs), b"", false);
    model.acknowledge(first);
    let line = docs.line();
    model.decide(&replay(line.as_bytes()), std::slice::from_ref(&tests), line.as_bytes(), false);
    assert_eq!(model.findings(), [""; 0]);
    (model, line + &tests.line())
}

fn judged(journal: &str) -> Option<String> {
    let (model, _) = model();
    let live = replay(journal.as_bytes());
    let wrong = model.judge(&live, model.floor());
    wrong.or_else(|| model.judge_journal(journal.as_bytes(), &[]))
}

#[track_caller]
fn check(journal: &str, words: &str) {
    let wrong = judged(journal).unwrap_or_default();
    assert!(!wrong.is_empty() && wrong.contains(words), "{wrong:?} does not say {words:?}");
}

#[test]
fn what_is_certain_with_or_without_what_is_not() {
    let (_, both) = model();
    let certain = both.lines().next().unwrap().to_string() + "\n";
    assert_eq!(judged(&both), None);
    assert_eq!(judged(&certain), None);
    // A part of the second record, and zeros in its place.
    assert_eq!(judged(&both[..both.len() - 20]), None);
    assert_eq!(judged(&format!("{certain}{}", "\0".repeat(100))), None);
}

#[test]
fn a_lost_acknowledgement() {
    let (_, both) = model();
    check("", "lost acknowledgement");
    check(both.lines().nth(1).unwrap(), "lost acknowledgement");
}

#[test]
fn an_invented_lease() {
    let (_, both) = model();
    check(&(both + &acquire("e", "e/**", 3).line()), "invented lease");
}

#[test]
fn a_record_that_nobody_wrote_and_that_holds_nothing() {
    let (_, both) = model();
    check(&(both + "{\"op\": \"HALT\", \"seq\": 3}\n"), "nobody wrote");
}

#[test]
fn a_sequence_that_goes_back() {
    let (_, both) = model();
    let certain = both.lines().next().unwrap();
    let checkpoint = json!({"op": "CHECKPOINT", "seq_watermark": 0, "seq": 0, "leases": [
        {"lane": "docs", "loop_ts": "L", "holder": "h", "tree": ["docs/**"]}]});
    check(&format!("{checkpoint}\n"), "went back from 1 to 0");
    check(&format!("{certain}\n{certain}\n"), "sequence number 1 after 1");
}

#[test]
fn history_that_is_gone() {
    let checkpoint = json!({"op": "CHECKPOINT", "seq_watermark": 2, "leases": [
        {"lane": "docs", "loop_ts": "L", "holder": "h", "tree": ["docs/**"]}]});
    let (mut model, both) = model();
    let journal = format!("{checkpoint}\n");
    let lost = model.judge_journal(journal.as_bytes(), &[]).unwrap_or_default();
    assert!(lost.contains("lost history"), "{lost}");
    assert_eq!(model.judge_journal(journal.as_bytes(), &[both.as_bytes()]), None);
    model.note_compaction(true);
    assert_eq!(model.judge_journal(journal.as_bytes(), &[]), None);
}

#[test]
fn two_leases_that_collide() {
    let mut model = Model::new(b"");
    let colliding = [acquire("a", "src/**", 1), acquire("b", "src/api/**", 2)];
    model.decide(&LiveSet::default(), &colliding, b"", false);
    assert!(model.findings()[0].contains("double grant"), "{:?}", model.findings());
}

#[test]
fn a_decision_on_something_else_than_the_journal() {
    let mut model = Model::new(b"");
    model.decide(&LiveSet::default(), &[], acquire("a", "src/**", 1).line().as_bytes(), false);
    assert!(model.findings()[0].contains("something else"), "{:?}", model.findings());
}

#[test]
fn an_override_that_is_gone() {
    let mut model = Model::new(b"");
    model.note_override("one", true);
    model.note_override("two", false);
    let one = b"{\"lane\": \"one\"}\n";
    assert_eq!(model.judge_overrides(one), None);
    assert!(model.judge_overrides(b"").is_some());
    assert!(model.judge_overrides(b"{\"lane\": \"one\"}\n{\"lane\": \"three\"}\n").is_some());
}
