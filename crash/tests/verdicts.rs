//! The verdict journal on a disk that fails at any operation, with any fault: what was acknowledged is
//! there, once and in order, and the next writer goes on.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use camino::Utf8Path;
use dos_core::timestamp::{OutOfRange, Timestamp};
use dos_core::verdict::{ObservePolicy, VerdictEvent};
use dos_crash::choice::{Odometer, Rng};
use dos_store::clock::Clock;
use dos_store::sim::{Call, Conductor, Errno, Fate, Image, Reach, SimDisk, Step};
use dos_store::verdicts::{From, VerdictJournal};

const PATH: &str = "/w/.dos/verdict-journal.jsonl";
/// A row has some 230 bytes: every third one starts a segment.
const POLICY: ObservePolicy =
    ObservePolicy { enabled: true, segment_max_bytes: 700, segments_keep_last: None };
const ROWS: usize = 8;
const WAIT: Duration = Duration::from_millis(5);

/// One operation that goes wrong, by its number.
struct At {
    number: usize,
    fate: Fate,
    count: AtomicUsize,
}

impl At {
    fn new(number: usize, fate: Fate) -> Arc<Self> {
        Arc::new(Self { number, fate, count: AtomicUsize::new(0) })
    }
}

impl Conductor for At {
    fn before(&self, _: u32, step: &Step<'_>) -> Fate {
        if self.count.fetch_add(1, Ordering::SeqCst) != self.number {
            return Fate::Done;
        }
        match (self.fate, step.call) {
            // Only a sync can be forgotten, and only a read or a write can be short.
            (Fate::Forgotten, call) if call != Call::Sync => Fate::Done,
            (Fate::Short(_), call) if !matches!(call, Call::Read | Call::Write) => Fate::Done,
            (Fate::Killed { .. }, call) if call != Call::Write => Fate::Killed { written: 0 },
            (fate, _) => fate,
        }
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

/// The time stands still, unless somebody waits.
#[derive(Default)]
struct Still(std::cell::Cell<Duration>);

impl Clock for Still {
    fn now(&self) -> Result<Timestamp, OutOfRange> {
        Timestamp::from_millis(1_768_000_000_000)
    }
    fn elapsed(&self) -> Duration {
        self.0.get()
    }
    fn sleep(&self, span: Duration) {
        self.0.set(self.0.get() + span);
    }
}

fn journal(disk: &SimDisk) -> VerdictJournal<SimDisk> {
    VerdictJournal::new(disk.clone(), Utf8Path::new(PATH), POLICY)
}

fn record(disk: &SimDisk, name: &str) -> bool {
    let event = VerdictEvent::new("liveness", name);
    journal(disk).record(&Still::default(), event, WAIT).is_ok()
}

fn image() -> Image {
    let mut image = Image::default();
    image.put(Utf8Path::new("/w/.dos/.gitignore"), b"*").unwrap();
    image
}

/// Everything that is acknowledged is there, once, in order and below the numbers of later rows; the
/// next writer goes on above all of it.
#[track_caller]
fn is_sound(disk: &SimDisk, acknowledged: &[String], what: &str) {
    assert!(record(disk, "next"), "{what}: nobody can go on");
    let journal = journal(disk);
    let batch = journal.read(From::Oldest).unwrap().next(usize::MAX).unwrap();
    let names: Vec<&str> = batch.events.iter().map(|event| event.verdict.as_str()).collect();
    let seqs: Vec<i64> = batch.events.iter().map(|event| event.seq).collect();
    assert!(seqs.is_sorted_by(|one, next| one < next), "{what}: {seqs:?}");
    assert!(batch.corrupt <= 1 && !batch.gap, "{what}: {} corrupt", batch.corrupt);
    assert_eq!(names.last(), Some(&"next"), "{what}");
    let kept: Vec<&str> =
        names.iter().copied().filter(|name| acknowledged.iter().any(|it| it == name)).collect();
    assert_eq!(kept, acknowledged, "{what}: of {names:?}");
}

/// Writes until something goes wrong for good; returns what was acknowledged.
fn write(disk: &SimDisk) -> Vec<String> {
    let names = (1..=ROWS).map(|number| format!("v{number}"));
    names.filter(|name| record(disk, name)).collect()
}

/// How many operations the writer takes when all goes well.
fn operations() -> usize {
    let conductor = At::new(usize::MAX, Fate::Done);
    let disk = SimDisk::new(image(), conductor.clone());
    assert_eq!(write(&disk).len(), ROWS);
    let count = conductor.count.load(Ordering::SeqCst);
    assert!(journal(&disk).segments().unwrap().len() >= 2);
    count
}

#[test]
fn an_operation_that_fails_costs_at_most_its_own_row() {
    let faults = [
        Fate::Fail(Errno::IO),
        Fate::Fail(Errno::NOSPC),
        Fate::Short(0),
        Fate::Short(100),
        Fate::Forgotten,
        Fate::Interrupted,
    ];
    let mut lost = 0;
    for number in 0..operations() {
        for fault in faults {
            let disk = SimDisk::new(image(), At::new(number, fault));
            let acknowledged = write(&disk);
            assert!(acknowledged.len() >= ROWS - 1, "{fault:?} at {number}: {acknowledged:?}");
            lost += ROWS - acknowledged.len();
            is_sound(&disk, &acknowledged, &format!("{fault:?} at {number}"));
        }
    }
    assert!(lost > 100, "only {lost} rows were lost: the faults do nothing");
}

#[test]
fn a_writer_that_is_killed_anywhere_leaves_a_sound_journal() {
    for number in 0..operations() {
        for written in [0, 1, 100, 1000] {
            let disk = SimDisk::new(image(), At::new(number, Fate::Killed { written }));
            let acknowledged = write(&disk);
            assert!(acknowledged.len() < ROWS, "killed at {number}");
            let what = format!("killed at {number} after {written} bytes");
            is_sound(&disk.of_process(1), &acknowledged, &what);
        }
    }
}

#[test]
fn a_power_cut_anywhere_loses_nothing_that_was_acknowledged() {
    let mut states = 0;
    for number in 0..operations() {
        let disk = SimDisk::new(image(), At::new(number, Fate::PowerCut));
        let acknowledged = write(&disk);
        let mut odometer = Odometer::default();
        loop {
            let left = disk.power_cut(Reach::Bounded, &mut odometer);
            let after = SimDisk::new(left, At::new(usize::MAX, Fate::Done));
            is_sound(&after, &acknowledged, &format!("power cut at {number}"));
            states += 1;
            if !odometer.advance() {
                break;
            }
        }
        for case in 0..20 {
            let left = disk.power_cut(Reach::WithHoles, &mut Rng::new(7, case));
            let after = SimDisk::new(left, At::new(usize::MAX, Fate::Done));
            is_sound(&after, &acknowledged, &format!("power cut at {number}, case {case}"));
        }
    }
    assert!(states > 200, "only {states} states were looked at");
}

/// Does something right before a reader looks at the log, once.
#[derive(Default)]
struct Meanwhile(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Conductor for Meanwhile {
    fn before(&self, process: u32, step: &Step<'_>) -> Fate {
        if process == 0 && step.call == Call::Stat && step.path == PATH {
            let act = self.0.lock().unwrap().take();
            act.into_iter().for_each(|act| act());
        }
        Fate::Done
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

#[test]
fn what_was_written_between_two_looks_of_a_reader_is_read_before_the_next_segment() {
    let conductor = Arc::new(Meanwhile::default());
    let disk = SimDisk::new(image(), conductor.clone());
    assert!(record(&disk, "v1"));
    let journal = journal(&disk);
    let mut reader = journal.read(From::Oldest).unwrap();
    assert_eq!(reader.next(9).unwrap().events.len(), 1);
    // The reader has come to the end; before it sees whether the log is still the log, others write
    // to it, and then move it away.
    let other = disk.of_process(1);
    let write = move || (2..=6).for_each(|number| assert!(record(&other, &format!("v{number}"))));
    *conductor.0.lock().unwrap() = Some(Box::new(write));
    let batch = reader.next(9).unwrap();
    let names: Vec<&str> = batch.events.iter().map(|event| event.verdict.as_str()).collect();
    assert_eq!((names, batch.gap), (vec!["v2", "v3", "v4", "v5", "v6"], false));
    assert!(!journal.segments().unwrap().is_empty());
}
