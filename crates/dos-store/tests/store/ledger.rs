//! One decision at a time, all of it or nothing.

use std::time::Duration;

use dos_core::journal::entry::Record;
use dos_core::timestamp::Timestamp;
use dos_store::disk::RealDisk;
use dos_store::journal::History;
use dos_store::{Ledger, StoreError};
use serde_json::json;

use crate::{Folder, NOON, TestClock, text};

fn ledger(folder: &Folder) -> Ledger<RealDisk, TestClock> {
    let clock = TestClock::at_noon();
    Ledger::new(
        RealDisk,
        clock,
        folder.join("journal.jsonl"),
        folder.join(".lane-lease.lock"),
        "host",
    )
}

fn record(op: &str, lane: &str, seq: u64) -> Record {
    let value =
        json!({"op": op, "lane": lane, "loop_ts": "t", "lease": {"lane": lane, "loop_ts": "t"}});
    let now = Timestamp::from_millis(NOON).unwrap();
    Record::from_object(value.as_object().unwrap().clone()).stamped(seq, now)
}

const WAIT: Duration = Duration::from_secs(1);

#[test]
fn the_next_decision_sees_what_was_appended() {
    let folder = Folder::new();
    let ledger = ledger(&folder);
    for seq in 1..=3 {
        let seen: Result<u64, StoreError> = ledger.transact(WAIT, |live| {
            Ok((vec![record("ACQUIRE", &format!("lane{seq}"), live.next_seq())], live.next_seq()))
        });
        assert_eq!(seen.unwrap(), seq);
    }
    let lanes: Vec<String> =
        ledger.read().unwrap().leases().map(|lease| lease.lane().into_owned()).collect();
    assert_eq!(lanes, ["lane1", "lane2", "lane3"]);
    let names = [
        ".lane-lease.lock.crew",
        ".lane-lease.lock.guard",
        "journal.jsonl",
        "journal.jsonl.snapshot",
    ];
    assert_eq!(folder.names(), names);
}

#[test]
fn a_decision_that_fails_or_writes_nothing_leaves_nothing() {
    let folder = Folder::new();
    let ledger = ledger(&folder);
    let nothing: Result<(), StoreError> = ledger.transact(WAIT, |_| Ok((vec![], ())));
    nothing.unwrap();
    let failed: Result<(), StoreError> = ledger.transact(WAIT, |_| Err(StoreError::NoEntropy));
    assert!(matches!(failed, Err(StoreError::NoEntropy)));
    assert_eq!(folder.names(), [".lane-lease.lock.crew", ".lane-lease.lock.guard"]);
}

#[test]
fn nothing_is_written_when_the_journal_has_grown_since_it_was_read() {
    let folder = Folder::new();
    let ledger = ledger(&folder);
    let journal = folder.join("journal.jsonl");
    let lost: Result<(), StoreError> = ledger.transact(WAIT, |live| {
        // Another program took our lock away, wrote, and the lock was put back.
        std::fs::write(&journal, record("ACQUIRE", "theirs", 1).line()).unwrap();
        Ok((vec![record("ACQUIRE", "ours", live.next_seq())], ()))
    });
    assert!(matches!(lost, Err(StoreError::Changed { .. })));
    assert_eq!(text(&journal), record("ACQUIRE", "theirs", 1).line());
    assert_eq!(
        folder.names(),
        [".lane-lease.lock.crew", ".lane-lease.lock.guard", "journal.jsonl"]
    );
}

#[test]
fn nothing_is_written_without_the_lock() {
    let folder = Folder::new();
    let ledger = ledger(&folder);
    let lost: Result<(), StoreError> = ledger.transact(WAIT, |_| {
        // Another program takes the lock away while we decide.
        std::fs::remove_file(folder.join(".lane-lease.lock")).unwrap();
        Ok((vec![record("ACQUIRE", "a", 1)], ()))
    });
    assert!(matches!(lost, Err(StoreError::LockLost { .. })));
    assert!(!folder.join("journal.jsonl").exists());
}

#[test]
fn compaction_keeps_the_leases_the_watermark_and_the_evidence() {
    let folder = Folder::new();
    let ledger = ledger(&folder);
    let lines = [
        record("ACQUIRE", "a", 1).line(),
        record("ACQUIRE", "b", 2).line(),
        "not json\n".to_string(),
        record("RELEASE", "a", 3).line(),
        "{\"op\":\"torn".to_string(),
    ];
    std::fs::write(folder.join("journal.jsonl"), lines.concat()).unwrap();
    let before = ledger.read().unwrap();
    let compacted = ledger.compact(WAIT, History::Discard).unwrap();
    assert_eq!((compacted.entries_before, compacted.entries_after), (4, 2));
    let after = ledger.read().unwrap();
    assert_eq!(before, after);
    assert_eq!(after.next_seq(), 4);
    assert!(text(&folder.join("journal.jsonl")).contains("\"_raw\": \"not json\""));
    assert_eq!(
        folder.names(),
        [".lane-lease.lock.crew", ".lane-lease.lock.guard", "journal.jsonl"]
    );
}

#[test]
fn an_empty_journal_is_not_compacted_into_something() {
    let folder = Folder::new();
    let ledger = ledger(&folder);
    let compacted = ledger.compact(WAIT, History::Discard).unwrap();
    assert_eq!((compacted.entries_before, compacted.entries_after), (0, 0));
    assert!(!folder.join("journal.jsonl").exists());
}

#[test]
fn reading_takes_no_lock_and_leaves_no_trace() {
    let folder = Folder::new();
    let ledger = ledger(&folder);
    assert!(ledger.read().unwrap().is_empty());
    assert_eq!(folder.names(), Vec::<String>::new());
}

#[test]
fn a_compaction_that_would_lose_a_lease_changes_nothing() {
    let folder = Folder::new();
    let ledger = ledger(&folder);
    // A snapshot of another program may hold a lease that fits into no line of its own.
    let lane = "x".repeat(9 * 1024 * 1024);
    let line = json!({"op": "CHECKPOINT", "leases": [{"lane": lane, "loop_ts": "t"}]}).to_string();
    std::fs::write(folder.join("journal.jsonl"), line + "\n").unwrap();
    assert_eq!(ledger.read().unwrap().len(), 1);
    let refused = ledger.compact(WAIT, History::Discard);
    assert!(matches!(refused, Err(StoreError::CannotCompact { .. })), "{refused:?}");
    assert_eq!(ledger.read().unwrap().len(), 1);
    assert_eq!(
        folder.names(),
        [".lane-lease.lock.crew", ".lane-lease.lock.guard", "journal.jsonl"]
    );
}

#[test]
fn a_wait_without_end_is_no_overflow() {
    let folder = Folder::new();
    let done: Result<(), StoreError> =
        ledger(&folder).transact(Duration::MAX, |_| Ok((vec![], ())));
    done.unwrap();
}

#[test]
fn a_writer_that_slept_before_its_write_writes_nothing() {
    for (slept, writes) in [(149, true), (151, false)] {
        let folder = Folder::new();
        let ledger = ledger(&folder);
        let result: Result<(), StoreError> = ledger.transact(WAIT, |live| {
            ledger.clock().advance(Duration::from_secs(slept));
            Ok((vec![record("ACQUIRE", "lane", live.next_seq())], ()))
        });
        assert_eq!(result.is_ok(), writes, "{slept} s: {result:?}");
        assert!(writes || matches!(result, Err(StoreError::LockLost { .. })), "{result:?}");
        assert_eq!(ledger.read().unwrap().len(), usize::from(writes));
        // What it left is known to be dead, whatever its age.
        let next: Result<(), StoreError> = ledger.transact(WAIT, |_| Ok((vec![], ())));
        next.unwrap();
    }
}
