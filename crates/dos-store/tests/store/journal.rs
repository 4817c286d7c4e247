//! The journal's snapshot, archive, chain and marker.

use std::fs;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::journal::compaction::compact;
use dos_core::journal::entry::Record;
use dos_core::journal::live_set::replay;
use dos_core::journal::{JournalPolicy, LiveSet};
use dos_core::limits::LINE_BYTES_MAX;
use dos_core::timestamp::Timestamp;
use dos_store::archive::{archive_dir, segments};
use dos_store::chain::{ChainCheck, Place};
use dos_store::disk::RealDisk;
use dos_store::journal::{History, LaneJournal};
use dos_store::poison::marker_path;
use dos_store::snapshot::snapshot_path;
use dos_store::{Ledger, StoreError};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{Folder, NOON, TestClock, text};

const WAIT: Duration = Duration::from_secs(1);
const PLAIN: JournalPolicy = JournalPolicy { chain: false, max_entries: None };

struct Stage {
    folder: Folder,
    policy: JournalPolicy,
}

impl Stage {
    fn new(policy: JournalPolicy) -> Self {
        Self { folder: Folder::new(), policy }
    }

    fn journal(&self) -> Utf8PathBuf {
        self.folder.join("lane-journal.jsonl")
    }

    fn snapshot(&self) -> Utf8PathBuf {
        snapshot_path(&self.journal())
    }

    fn ledger(&self) -> Ledger<RealDisk, TestClock> {
        let lock = self.folder.join(".lane-lease.lock");
        Ledger::new(RealDisk, TestClock::at_noon(), self.journal(), lock, "host")
            .kept_by(self.policy)
    }

    fn write(&self, op: &str, lane: u8) -> Result<(), StoreError> {
        self.ledger().transact(WAIT, |live| Ok((vec![record(op, lane, live.next_seq())], ())))
    }

    /// A journal long enough for a snapshot. Lane 50 is taken by the second record alone.
    fn fill(&self) {
        for lane in (0..40).map(|number| if number == 1 { 50 } else { number % 7 }) {
            self.write("ACQUIRE", lane).unwrap();
        }
        assert!(self.snapshot().exists());
    }

    fn read(&self) -> LiveSet {
        self.ledger().read().unwrap()
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.journal()).unwrap_or_default()
    }
}

/// A record of about a kilobyte.
pub fn record(op: &str, lane: u8, seq: u64) -> Record {
    let lane = format!("lane{lane}");
    let lease = json!({"lane": lane, "loop_ts": "t", "holder": format!("{seq:01000}")});
    let value = json!({"op": op, "lane": lane, "loop_ts": "t", "lease": lease});
    let Value::Object(object) = value else { unreachable!() };
    Record::from_object(object).stamped(seq, Timestamp::from_millis(NOON).unwrap())
}

fn agrees(live: &LiveSet, journal: &[u8]) -> Result<(), TestCaseError> {
    let whole = replay(journal);
    prop_assert_eq!(live, &whole);
    prop_assert_eq!(live.next_seq(), whole.next_seq());
    Ok(())
}

/// What happens to a journal or its snapshot.
#[derive(Clone, Debug)]
enum Step {
    Write(bool, u8),
    /// Another program appends, and may die in the middle.
    Foreign(u8, Option<u16>),
    Garbage,
    Compact(bool),
    CutJournal(u16),
    /// Another file takes the journal's place.
    Replace,
    CutSnapshot(u16),
    FlipSnapshot(u16, u8),
    DropSnapshot,
    /// An earlier snapshot comes back.
    OldSnapshot,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (any::<bool>(), 0..9_u8).prop_map(|(take, lane)| Step::Write(take, lane)),
        3 => (0..9_u8, prop::option::of(0..1100_u16)).prop_map(|(lane, cut)| Step::Foreign(lane, cut)),
        1 => Just(Step::Garbage),
        1 => any::<bool>().prop_map(Step::Compact),
        1 => any::<u16>().prop_map(Step::CutJournal),
        1 => Just(Step::Replace),
        1 => any::<u16>().prop_map(Step::CutSnapshot),
        2 => (any::<u16>(), 1..=255_u8).prop_map(|(at, flip)| Step::FlipSnapshot(at, flip)),
        1 => Just(Step::DropSnapshot),
        2 => Just(Step::OldSnapshot),
    ]
}

impl Step {
    fn take(&self, stage: &Stage, old: &mut Vec<u8>) {
        let journal = stage.journal();
        let snapshot = stage.snapshot();
        let sealed = fs::read(&snapshot).unwrap_or_default();
        let bytes = stage.bytes();
        match self {
            Self::Write(take, lane) => {
                stage.write(if *take { "ACQUIRE" } else { "RELEASE" }, *lane).unwrap();
            }
            Self::Foreign(lane, cut) => {
                let line = record("ACQUIRE", *lane, replay(&bytes).next_seq()).line();
                let end = cut.map_or(line.len(), |cut| usize::from(cut).min(line.len()));
                append(&journal, &line.as_bytes()[..end]);
            }
            Self::Garbage => append(&journal, b"no record\n"),
            Self::Compact(keep) => {
                let history =
                    if *keep { History::Archive { may_copy: true } } else { History::Discard };
                let compacted = stage.ledger().compact(WAIT, history).unwrap();
                // The evidence that a snapshot carries is that of a full fold.
                let whole: String = compact(&bytes).iter().map(Record::line).collect();
                assert!(compacted.entries_before == 0 || text(&journal) == whole);
            }
            Self::CutJournal(by) => {
                let keep = bytes.len().saturating_sub(usize::from(*by));
                fs::OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(false)
                    .open(&journal)
                    .unwrap()
                    .set_len(keep as u64)
                    .unwrap();
            }
            Self::Replace => {
                // As many bytes, other leases.
                let other: String = (0..40)
                    .map(|lane| record("ACQUIRE", lane, u64::from(lane) + 1).line())
                    .collect();
                let draft = stage.folder.join("draft");
                fs::write(&draft, other).unwrap();
                fs::rename(&draft, &journal).unwrap();
            }
            Self::CutSnapshot(by) if !sealed.is_empty() => {
                fs::write(&snapshot, &sealed[..sealed.len().saturating_sub(usize::from(*by))])
                    .unwrap();
            }
            Self::FlipSnapshot(at, flip) if !sealed.is_empty() => {
                let mut sealed = sealed.clone();
                let at = usize::from(*at) % sealed.len();
                sealed[at] ^= flip;
                fs::write(&snapshot, sealed).unwrap();
            }
            Self::DropSnapshot => {
                let _ = fs::remove_file(&snapshot);
            }
            Self::OldSnapshot if !old.is_empty() => fs::write(&snapshot, &old).unwrap(),
            Self::CutSnapshot(_) | Self::FlipSnapshot(..) | Self::OldSnapshot => {}
        }
        if !sealed.is_empty() && old.is_empty() {
            *old = sealed;
        }
    }
}

fn append(journal: &Utf8Path, bytes: &[u8]) {
    use std::io::Write;
    let mut file = fs::OpenOptions::new().append(true).create(true).open(journal).unwrap();
    file.write_all(bytes).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn invariant_2_a_read_through_the_snapshot_equals_a_full_fold(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let stage = Stage::new(PLAIN);
        stage.fill();
        let mut old = Vec::new();
        for step in &steps {
            step.take(&stage, &mut old);
            agrees(&stage.read(), &stage.bytes())?;
        }
    }

    /// What a writer read before it had the mutex need not stand any more.
    #[test]
    fn invariant_2_going_on_from_an_earlier_read_equals_a_full_fold(
        steps in prop::collection::vec((step(), 0..4_u8), 1..60),
    ) {
        let stage = Stage::new(PLAIN);
        let journal = LaneJournal::new(RealDisk, &stage.journal(), PLAIN);
        let mut old = Vec::new();
        let mut tip = journal.read().unwrap();
        for (step, look) in &steps {
            step.take(&stage, &mut old);
            if *look == 0 {
                tip = journal.catch_up(tip).unwrap();
                agrees(tip.live(), &stage.bytes())?;
            }
        }
    }
}

/// The same, where the snapshot stood for all that was read.
#[test]
fn what_a_snapshot_stood_for_may_be_cut_off_as_well() {
    let stage = Stage::new(PLAIN);
    stage.write("ACQUIRE", 1).unwrap();
    let journal = LaneJournal::new(RealDisk, &stage.journal(), PLAIN);
    let tip = journal.read().unwrap();
    let other = [record("ACQUIRE", 3, 1), record("ACQUIRE", 4, 2)];
    fs::write(stage.journal(), other.map(|record| record.line()).concat()).unwrap();
    let mut now = journal.catch_up(tip).unwrap();
    assert_eq!(*now.live(), replay(&stage.bytes()));
    assert_eq!(now.live().len(), 2);
}

/// A write that was cut off at the end of a line, read by somebody, and taken back.
#[test]
fn a_line_that_was_taken_back_is_forgotten() {
    let stage = Stage::new(PLAIN);
    stage.write("ACQUIRE", 1).unwrap();
    let whole = stage.bytes();
    append(&stage.journal(), record("ACQUIRE", 2, 2).line().as_bytes());
    let journal = LaneJournal::new(RealDisk, &stage.journal(), PLAIN);
    let tip = journal.read().unwrap();
    fs::write(stage.journal(), &whole).unwrap();
    let other = [record("ACQUIRE", 3, 2), record("ACQUIRE", 4, 3)];
    append(&stage.journal(), other.map(|record| record.line()).concat().as_bytes());
    let mut now = journal.catch_up(tip).unwrap();
    assert_eq!(*now.live(), replay(&stage.bytes()));
    assert_eq!(now.live().len(), 3);
}

/// What a writer goes on from ends in a piece without its newline, whether or not all of that is kept.
#[test]
fn a_record_behind_a_torn_line_of_any_length_is_a_record() {
    for bytes in [10, 5000, LINE_BYTES_MAX - 1, LINE_BYTES_MAX, LINE_BYTES_MAX + 3] {
        let stage = Stage::new(PLAIN);
        stage.write("ACQUIRE", 1).unwrap();
        let ledger = stage.ledger();
        let take = |lane| {
            let acquired = |live: &LiveSet| vec![record("ACQUIRE", lane, live.next_seq())];
            ledger.transact(WAIT, |live| Ok::<_, StoreError>((acquired(live), ()))).unwrap();
        };
        take(2);
        append(&stage.journal(), &vec![b'x'; bytes]);
        take(3);
        take(4);
        assert_eq!(replay(&stage.bytes()).len(), 4, "{bytes}");
    }
}

/// A snapshot that is used spares the reader what it stands for.
#[test]
fn a_snapshot_is_used_and_a_broken_one_is_not() {
    let stage = Stage::new(PLAIN);
    stage.fill();
    let before = stage.read();
    let mut bytes = stage.bytes();
    // In the second record: behind the part that is compared, and far before the end.
    bytes[1500..1600].fill(b'!');
    bytes[1500] = b'"';
    assert_ne!(replay(&bytes), before);
    fs::write(stage.journal(), &bytes).unwrap();
    assert_eq!(stage.read(), before, "the snapshot was not used");
    // The same bytes as another file: another history.
    let draft = stage.folder.join("draft");
    fs::write(&draft, &bytes).unwrap();
    fs::hard_link(stage.journal(), stage.folder.join("keeps the inode")).unwrap();
    fs::rename(&draft, stage.journal()).unwrap();
    assert_eq!(stage.read(), replay(&bytes));
    fs::rename(stage.folder.join("keeps the inode"), stage.journal()).unwrap();
    assert_eq!(stage.read(), before);
    let sealed = fs::read(stage.snapshot()).unwrap();
    for at in [0, 40, 70, 200, sealed.len() - 2] {
        let mut broken = sealed.clone();
        broken[at] ^= 1;
        fs::write(stage.snapshot(), broken).unwrap();
        assert_eq!(stage.read(), replay(&bytes), "byte {at}");
    }
}

#[test]
fn the_snapshot_is_made_by_writers_and_lags_by_a_bound() {
    let stage = Stage::new(PLAIN);
    stage.fill();
    let sealed = text(&stage.snapshot());
    stage.read();
    assert_eq!(text(&stage.snapshot()), sealed);
    for lane in 0..100 {
        stage.write("ACQUIRE", lane % 7).unwrap();
        let header: Value =
            serde_json::from_str(text(&stage.snapshot()).lines().nth(1).unwrap()).unwrap();
        let behind = stage.bytes().len() as u64 - header["offset"].as_u64().unwrap();
        assert!(behind < 34 * 1024, "{behind}");
    }
}

#[test]
fn compaction_moves_history_to_the_archive_or_drops_it() {
    let stage = Stage::new(PLAIN);
    stage.fill();
    let (history, live) = (stage.bytes(), stage.read());
    let compacted = stage.ledger().compact(WAIT, History::Archive { may_copy: true }).unwrap();
    let segment = compacted.archived.unwrap();
    assert_eq!(fs::read(&segment).unwrap(), history);
    assert_eq!(stage.read(), live);
    assert!(!stage.snapshot().exists());

    // The same numbers twice: both segments stay.
    let second = stage
        .ledger()
        .compact(WAIT, History::Archive { may_copy: true })
        .unwrap()
        .archived
        .unwrap();
    assert_ne!(second, segment);
    assert_eq!(segments(&RealDisk, &stage.journal()).unwrap(), [segment, second]);

    let dropped = stage.ledger().compact(WAIT, History::Discard).unwrap();
    assert!(dropped.archived.is_none());
    assert_eq!(segments(&RealDisk, &stage.journal()).unwrap().len(), 2);
    assert_eq!(stage.read(), live);
}

/// A compaction that died after the first of its two steps.
#[test]
fn a_journal_left_in_the_archive_is_taken_out_of_it() {
    let stage = Stage::new(PLAIN);
    stage.fill();
    let dir = archive_dir(&stage.journal());
    fs::create_dir(&dir).unwrap();
    let left = dir.join(format!("{:020}.000000.jsonl", 7));
    fs::hard_link(stage.journal(), &left).unwrap();
    stage.write("ACQUIRE", 1).unwrap();
    let kept = stage
        .ledger()
        .compact(WAIT, History::Archive { may_copy: true })
        .unwrap()
        .archived
        .unwrap();
    assert_eq!(segments(&RealDisk, &stage.journal()).unwrap(), [kept]);
}

#[test]
fn a_writer_compacts_a_journal_past_its_limit() {
    let stage = Stage::new(JournalPolicy { max_entries: Some(100), ..PLAIN });
    for lane in 0..200 {
        stage.write("ACQUIRE", lane % 7).unwrap();
    }
    let lines = text(&stage.journal()).lines().count();
    assert!(lines < 200, "{lines}");
    let archived: String =
        segments(&RealDisk, &stage.journal()).unwrap().iter().map(|path| text(path)).collect();
    assert_eq!(archived.lines().count() + lines, 200 + 1, "nothing is lost, one CHECKPOINT is new");
    assert_eq!(stage.read().len(), 7);
    assert_eq!(stage.read().next_seq(), 201);
}

#[test]
fn a_journal_that_would_not_halve_is_left_alone() {
    let stage = Stage::new(JournalPolicy { max_entries: Some(10), ..PLAIN });
    for line in 0..300 {
        append(&stage.journal(), format!("no record {line}\n").as_bytes());
    }
    for lane in 0..130 {
        stage.write("ACQUIRE", lane).unwrap();
    }
    assert_eq!(segments(&RealDisk, &stage.journal()).unwrap(), [""; 0]);
    for lane in 0..250 {
        stage.write("ACQUIRE", lane).unwrap();
    }
    assert_eq!(segments(&RealDisk, &stage.journal()).unwrap().len(), 1);
}

fn chain_of(stage: &Stage) -> ChainCheck {
    let mut chain = ChainCheck::default();
    stage.ledger().log().scan(|line| chain.look(line)).unwrap();
    chain
}

fn line_of(place: Option<Place>) -> Option<u64> {
    place.map(|place| place.line)
}

#[test]
fn a_chained_journal_shows_any_change_of_its_history() {
    let stage = Stage::new(JournalPolicy { chain: true, ..PLAIN });
    for lane in 0..6 {
        stage.write("ACQUIRE", lane).unwrap();
    }
    let chain = chain_of(&stage);
    assert_eq!((chain.linked(), chain.broken_at(true)), (6, None));

    // The rest of a write that never finished is no part of the chain.
    append(&stage.journal(), b"{\"op\": \"ACQ");
    stage.write("ACQUIRE", 6).unwrap();
    let chain = chain_of(&stage);
    assert_eq!((chain.linked(), chain.broken_at(true)), (7, None));

    let whole = text(&stage.journal());
    let lines: Vec<&str> = whole.lines().collect();
    let changed = |number: usize, by: &str| {
        let mut lines = lines.clone();
        lines[number] = by;
        lines.join("\n") + "\n"
    };
    let renamed = lines[2].replace("lane2", "lane9");
    let without_first = whole.replacen(&format!("{}\n", lines[0]), "", 1);
    for (content, broken) in [
        (without_first, 0),
        (changed(0, &lines[0].replace("lane0", "lane9")), 1),
        (changed(2, &renamed), 3),
        (whole.replacen(&format!("{}\n", lines[3]), "", 1), 3),
        (changed(4, "{\"op\": \"ACQUIRE\", \"lane\": \"x\", \"loop_ts\": \"t\"}"), 4),
        (format!("{whole}{{\"op\": \"RELEASE\", \"lane\": \"lane0\", \"loop_ts\": \"t\"}}\n"), 8),
    ] {
        fs::write(stage.journal(), content).unwrap();
        assert_eq!(line_of(chain_of(&stage).broken_at(true)), Some(broken));
    }
}

/// The first link hashes what was there before, and the last hash is for keeping elsewhere.
#[test]
fn the_ends_of_a_chain_can_be_checked() {
    let mut stage = Stage::new(PLAIN);
    stage.write("ACQUIRE", 0).unwrap();
    stage.policy.chain = true;
    stage.write("ACQUIRE", 1).unwrap();
    let whole = text(&stage.journal());
    let kept = chain_of(&stage).last().unwrap();
    assert_eq!(chain_of(&stage).broken_at(true), None);
    fs::write(stage.journal(), whole.replacen("lane0", "lane9", 1)).unwrap();
    assert_eq!(line_of(chain_of(&stage).broken_at(true)), Some(1));
    fs::write(stage.journal(), whole.replace("lane1", "lane9")).unwrap();
    assert_eq!(chain_of(&stage).broken_at(true), None);
    assert_ne!(chain_of(&stage).last().unwrap(), kept);
}

#[test]
fn the_chain_goes_on_through_a_compaction() {
    let stage = Stage::new(JournalPolicy { chain: true, ..PLAIN });
    stage.fill();
    let segment = stage
        .ledger()
        .compact(WAIT, History::Archive { may_copy: true })
        .unwrap()
        .archived
        .unwrap();
    stage.write("ACQUIRE", 1).unwrap();
    let chain = chain_of(&stage);
    assert_eq!((chain.linked(), chain.broken_at(true)), (2, None));
    fs::write(stage.journal(), text(&segment) + &text(&stage.journal())).unwrap();
    let chain = chain_of(&stage);
    assert_eq!((chain.linked(), chain.broken_at(true)), (42, None));
}

#[test]
fn a_marked_journal_is_refused_until_it_is_repaired() {
    let stage = Stage::new(PLAIN);
    stage.fill();
    let (live, bytes) = (stage.read(), stage.bytes());
    assert_eq!(stage.ledger().repair(WAIT, false).unwrap(), None);
    fs::write(marker_path(&stage.journal()), "{}").unwrap();
    let refused = |result: Result<(), StoreError>| {
        assert!(matches!(result, Err(StoreError::Poisoned { .. })), "{result:?}");
    };
    refused(stage.ledger().read().map(drop));
    refused(stage.write("ACQUIRE", 1));
    refused(stage.ledger().compact(WAIT, History::Archive { may_copy: true }).map(drop));
    assert_eq!(stage.bytes(), bytes);

    assert_eq!(stage.ledger().repair(WAIT, false).unwrap(), Some(bytes.len() as u64));
    assert_eq!((stage.read(), stage.bytes()), (live, bytes));
    stage.write("ACQUIRE", 1).unwrap();
    let names = stage.folder.names();
    assert!(
        !names.iter().any(|name| name.ends_with(".poisoned") || name.ends_with(".tmp")),
        "{names:?}"
    );
}
