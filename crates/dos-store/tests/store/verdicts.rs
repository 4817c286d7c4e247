//! The verdict journal: numbers, segments, and readers that go on from any place.

use std::fs;
use std::io::Write;
use std::time::Duration;

use camino::Utf8PathBuf;
use dos_core::verdict::{ObservePolicy, VerdictEvent};
use dos_store::clock::RealClock;
use dos_store::disk::RealDisk;
use dos_store::poison::marker_path;
use dos_store::verdicts::{From, Position, VerdictJournal};
use proptest::prelude::*;

use crate::{Folder, TestClock, text};

const WAIT: Duration = Duration::from_secs(20);
const BY_ORIGINAL: &str = r#"{"detail": {}, "seq": SEQ, "syscall": "other", "verdict": "NAME"}"#;

struct Stage {
    folder: Folder,
    policy: ObservePolicy,
}

impl Stage {
    fn new(segment_max_bytes: u64, keep: Option<u64>) -> Self {
        let policy = ObservePolicy { enabled: true, segment_max_bytes, segments_keep_last: keep };
        Self { folder: Folder::new(), policy }
    }

    fn whole() -> Self {
        Self::new(u64::MAX, None)
    }

    fn path(&self) -> Utf8PathBuf {
        self.folder.join("verdict-journal.jsonl")
    }

    fn journal(&self) -> VerdictJournal<RealDisk> {
        VerdictJournal::new(RealDisk, &self.path(), self.policy)
    }

    fn record(&self, name: &str) -> i64 {
        let event = VerdictEvent::new("liveness", name);
        self.journal().record(&TestClock::at_noon(), event, WAIT).unwrap()
    }

    /// Appends as a program does that takes no lock.
    fn append(&self, bytes: &str) {
        let mut options = fs::OpenOptions::new();
        let mut file = options.append(true).create(true).open(self.path()).unwrap();
        file.write_all(bytes.as_bytes()).unwrap();
    }

    fn by_original(&self, seq: &str, name: &str) {
        self.append(&(BY_ORIGINAL.replace("SEQ", seq).replace("NAME", name) + "\n"));
    }

    /// The verdicts from there to the end, read in pieces of `most`.
    fn names(&self, from: From, most: usize) -> Vec<String> {
        let journal = self.journal();
        let mut reader = journal.read(from).unwrap();
        let mut names = Vec::new();
        loop {
            let batch = reader.next(most).unwrap();
            if batch.events.is_empty() {
                return names;
            }
            assert!(batch.events.len() <= most);
            names.extend(batch.events.into_iter().map(|event| event.verdict));
        }
    }
}

fn numbered(range: std::ops::RangeInclusive<u32>) -> Vec<String> {
    range.map(|number| format!("v{number}")).collect()
}

#[test]
fn rows_are_numbered_from_one_on_and_read_back_in_order() {
    let stage = Stage::whole();
    for number in 1..=5 {
        assert_eq!(stage.record(&format!("v{number}")), number);
    }
    assert_eq!(stage.names(From::Oldest, 2), numbered(1..=5));
    assert_eq!(stage.names(From::AfterSeq(3), 100), numbered(4..=5));
    assert_eq!(stage.names(From::AfterSeq(-4), 100), numbered(1..=5));
    assert_eq!(stage.names(From::AfterSeq(99), 100), [""; 0]);
    assert_eq!(stage.names(From::Newest, 100), [""; 0]);
}

#[test]
fn rows_of_the_original_count_and_numbers_go_on_above_them_all() {
    let stage = Stage::whole();
    stage.by_original("7", "a");
    stage.by_original("3", "b");
    assert_eq!(stage.record("c"), 8);
    // Without a lock it has read before others wrote, and gives a number again.
    stage.by_original("8", "d");
    stage.by_original("2", "e");
    stage.append("{\"seq\": 1e400, \"verdict\": \"f\"}\nno json\n[1]\n\n{\"verdict\": \"g\"}\n");
    assert_eq!(stage.record("h"), 9);
    stage.by_original("20", "i");
    stage.by_original("4", "j");
    assert_eq!(stage.record("k"), 21);
    let all = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"];
    assert_eq!(stage.names(From::Oldest, 3), all);
    // Late rows with an old number, and those without any, are behind the row of the cursor.
    assert_eq!(stage.names(From::AfterSeq(8), 100), all[5..]);
    let journal = stage.journal();
    let batch = journal.read(From::Oldest).unwrap().next(usize::MAX).unwrap();
    assert_eq!((batch.corrupt, batch.gap), (1, false));
}

#[test]
fn a_row_without_its_newline_counts_and_half_a_row_does_not() {
    let stage = Stage::whole();
    stage.record("v1");
    stage.append("{\"verdict\": \"v2\", \"seq\": 5}");
    let journal = stage.journal();
    let mut reader = journal.read(From::Oldest).unwrap();
    assert_eq!(reader.next(9).unwrap().events.len(), 2);
    assert_eq!(stage.record("v3"), 6);
    stage.append("{\"verdict\": \"v4\"");
    let batch = reader.next(9).unwrap();
    assert_eq!((batch.events.len(), batch.corrupt), (1, 0));
    // Whoever wrote it was not dead.
    stage.append("}\n");
    assert_eq!(reader.next(9).unwrap().events[0].verdict, "v4");
    stage.append("{\"torn");
    assert_eq!(stage.record("v5"), 7);
    let batch = reader.next(9).unwrap();
    assert_eq!((batch.events.len(), batch.corrupt), (1, 1));
    assert_eq!(stage.names(From::Oldest, 9), numbered(1..=5));
}

#[test]
fn a_full_log_moves_to_the_archive_and_readers_follow() {
    let stage = Stage::new(600, None);
    let journal = stage.journal();
    let mut reader = journal.read(From::Newest).unwrap();
    let mut followed = Vec::new();
    let mut places = Vec::new();
    for number in 1..=20 {
        assert_eq!(stage.record(&format!("v{number}")), number);
        if number % 3 == 0 {
            let batch = reader.next(100).unwrap();
            assert!(!batch.gap);
            followed.extend(batch.events.into_iter().map(|event| event.verdict));
            places.push((followed.len(), batch.position.unwrap()));
        }
    }
    followed.extend(reader.next(100).unwrap().events.into_iter().map(|event| event.verdict));
    assert_eq!(followed, numbered(1..=20));
    let segments = journal.segments().unwrap();
    assert!(segments.len() >= 8, "{segments:?}");
    // Every file of the journal begins with a row: the original would count from one in an empty one.
    for file in segments.iter().chain([&stage.path()]) {
        assert!(text(file).starts_with('{'), "{file}");
    }
    for (count, place) in places {
        let place = Position::parse(&place.to_string()).unwrap();
        assert_eq!(stage.names(From::At(place), 2), followed[count..]);
        assert_eq!(stage.names(From::AfterSeq(count as i64), 2), followed[count..]);
    }
}

#[test]
fn only_so_many_segments_are_kept_and_who_missed_some_is_told() {
    let stage = Stage::new(400, Some(2));
    stage.record("v1");
    let journal = stage.journal();
    let mut reader = journal.read(From::Oldest).unwrap();
    let place = reader.next(1).unwrap().position.unwrap();
    for number in 2..=12 {
        stage.record(&format!("v{number}"));
    }
    assert_eq!(journal.segments().unwrap().len(), 2);
    let left = stage.names(From::Oldest, 100);
    assert!(left.len() < 12 && left.ends_with(&["v12".to_string()]), "{left:?}");
    for mut reader in [reader, journal.read(From::At(place)).unwrap()] {
        let batch = reader.next(100).unwrap();
        assert!(batch.gap);
        assert!(batch.events.len() >= left.len().min(2));
        assert!(!reader.next(100).unwrap().gap);
    }
}

#[test]
fn a_rotation_that_died_between_its_steps_loses_and_repeats_nothing() {
    let stage = Stage::new(600, None);
    for number in 1..=4 {
        stage.record(&format!("v{number}"));
    }
    // The log has its second name, and nothing took its place.
    let archive = stage.folder.join("verdict-journal.archive");
    let log = text(&stage.path());
    fs::hard_link(stage.path(), archive.join("00000000000000000009.000000.jsonl")).unwrap();
    assert_eq!(stage.names(From::Oldest, 100), numbered(1..=4));
    for number in 5..=9 {
        assert_eq!(stage.record(&format!("v{number}")), number);
    }
    assert_eq!(stage.names(From::Oldest, 100), numbered(1..=9));
    assert!(!text(&stage.path()).starts_with(&log));
}

#[test]
fn a_log_that_was_deleted_goes_on_above_its_archive() {
    let stage = Stage::new(600, None);
    for number in 1..=9 {
        stage.record(&format!("v{number}"));
    }
    let journal = stage.journal();
    let mut reader = journal.read(From::Newest).unwrap();
    fs::remove_file(stage.path()).unwrap();
    assert_eq!(reader.next(9).unwrap().events.len(), 0);
    let archived = stage.names(From::Oldest, 100).len() as i64;
    assert_eq!(stage.record("new"), archived + 1);
    let batch = reader.next(99).unwrap();
    assert!(batch.gap, "what was deleted may have held more");
    assert_eq!((batch.events.len(), batch.events[0].verdict.as_str()), (1, "new"));
}

#[test]
fn a_log_that_was_copied_for_a_lost_sync_is_gone_on_with() {
    let stage = Stage::whole();
    stage.record("v1");
    let journal = stage.journal();
    let mut reader = journal.read(From::Oldest).unwrap();
    let place = reader.next(9).unwrap().position.unwrap();
    fs::write(marker_path(&stage.path()), "").unwrap();
    stage.record("v2");
    assert!(!marker_path(&stage.path()).exists());
    let batch = reader.next(9).unwrap();
    assert_eq!((batch.events.len(), batch.gap), (1, false));
    assert_eq!(stage.names(From::At(place), 9), ["v2"]);
}

#[test]
fn no_text_but_its_own_is_a_position() {
    let stage = Stage::whole();
    stage.record("v1");
    let journal = stage.journal();
    let place = journal.read(From::Oldest).unwrap().next(9).unwrap().position.unwrap();
    let text = place.to_string();
    assert_eq!(Position::parse(&format!(" {text}\n")), Some(place));
    for other in ["", "7", "1.2", "1.2.z", "1.2.3.4", "-1.2.3", "1.99999999999.3", "1.4294967295.3"]
    {
        assert_eq!(Position::parse(other), None, "{other:?}");
    }
    // A place in another journal, or in this one before it was written anew.
    let far = Position::parse("18446744073709551615.16777216.0").unwrap();
    for place in [far, Position::parse("0.1.00").unwrap()] {
        let batch = journal.read(From::At(place)).unwrap().next(9).unwrap();
        assert_eq!((batch.events.len(), batch.gap), (1, true));
    }
}

#[test]
fn many_writers_share_no_number_and_lose_no_row_while_readers_follow() {
    const WRITERS: usize = 4;
    const ROWS: usize = 60;
    let stage = Stage::new(4000, None);
    let journal = stage.journal();
    let mut reader = journal.read(From::Oldest).unwrap();
    let mut rows = Vec::new();
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let journal = stage.journal();
                scope.spawn(move || {
                    let clock = RealClock::start();
                    for row in 0..ROWS {
                        let event = VerdictEvent::new("liveness", &format!("{writer}-{row}"));
                        journal.record(&clock, event, WAIT).unwrap();
                    }
                })
            })
            .collect();
        loop {
            let is_over = writers.iter().all(|writer| writer.is_finished());
            let batch = reader.next(7).unwrap();
            assert!(!batch.gap && batch.corrupt == 0);
            if is_over && batch.events.is_empty() {
                break;
            }
            rows.extend(batch.events.into_iter().map(|event| (event.seq, event.verdict)));
        }
        writers.into_iter().for_each(|writer| writer.join().unwrap());
    });
    assert!(journal.segments().unwrap().len() > 5);
    let seqs: Vec<i64> = rows.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(seqs, (1..=(WRITERS * ROWS) as i64).collect::<Vec<_>>());
    let names: std::collections::BTreeSet<&String> = rows.iter().map(|(_, name)| name).collect();
    assert_eq!(names.len(), WRITERS * ROWS);
    assert!(reader.next(1).unwrap().events.is_empty());
}

/// What a random writer does next.
#[derive(Clone, Debug)]
enum Step {
    Ours,
    Original(Option<u8>),
    Garbage,
    Read(usize),
    Resume,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Ours),
        2 => proptest::option::of(0..30_u8).prop_map(Step::Original),
        1 => Just(Step::Garbage),
        2 => (1..4_usize).prop_map(Step::Read),
        2 => Just(Step::Resume),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is written by whom, whoever goes on from where he was reads each row once, and rows of
    /// ours have higher numbers than all before them.
    #[test]
    fn going_on_from_a_place_reads_each_row_once(steps in prop::collection::vec(step(), 1..40)) {
        let stage = Stage::new(700, None);
        let journal = stage.journal();
        let mut reader = journal.read(From::Oldest).unwrap();
        let (mut written, mut read, mut place) = (Vec::new(), Vec::new(), None);
        for (number, step) in steps.into_iter().chain([Step::Read(999)]).enumerate() {
            let name = format!("v{number}");
            match step {
                Step::Ours => {
                    stage.record(&name);
                    written.push(name);
                }
                Step::Original(seq) => {
                    let seq = seq.map_or("null".to_string(), |seq| seq.to_string());
                    stage.by_original(&seq, &name);
                    written.push(name);
                }
                Step::Garbage => stage.append("{\"garbage\n"),
                Step::Read(most) => {
                    let batch = reader.next(most).unwrap();
                    prop_assert!(!batch.gap);
                    read.extend(batch.events);
                    place = batch.position;
                }
                Step::Resume => {
                    reader = journal.read(place.map_or(From::Oldest, From::At)).unwrap();
                }
            }
        }
        let names: Vec<&String> = read.iter().map(|event| &event.verdict).collect();
        prop_assert_eq!(names, written.iter().collect::<Vec<_>>());
        let mut highest = 0;
        for event in &read {
            prop_assert!(event.ts_ms.is_none() || event.seq > highest);
            highest = highest.max(event.seq);
        }
    }
}
