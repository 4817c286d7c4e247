//! Long random cases: several starts of the machine, each with its processes and its mishaps.

use std::cmp::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use camino::Utf8Path;
use dos_core::journal::JournalPolicy;
use dos_store::sim::{Choose, Image, Reach};

use crate::choice::{Choices, Rng};
use crate::desk::journal;
use crate::model::Model;
use crate::plant::Plant;
use crate::run::{Start, lock, restart, run};
use crate::schedule::Hazards;
use crate::script::{Action, Script, random};

/// What goes wrong in random cases.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mishaps {
    /// After a sync that lost data, others go on before the journal is marked, or its writer dies.
    pub marker_window: bool,
    /// A power cut may take un-synced content and leave what was written after it.
    pub holes: bool,
}

/// What came of a case.
pub struct Case {
    /// What was found, if anything.
    pub finding: Option<String>,
    /// The last operations, if they were kept.
    pub trace: Vec<String>,
    /// How many operations were done.
    pub steps: u64,
    /// How often the machine was started.
    pub starts: u64,
}

/// Journals that another program, or an earlier crash, may have left.
const JOURNALS: &[&str] = &[
    "",
    "not json\n",
    "{\"op\": \"SPAWN\", \"seq\": 4, \"ts\": \"2026-01-10T11:00:00Z\", \"lane\": \"a\"}",
    "{\"op\": \"SPAWN\", \"seq\": 4, \"ts\": \"2026-01-10T11:00:00Z\"}\n{\"op\": \"ACQ",
    "{\"op\":\"ACQUIRE\",\"seq\":7,\"ts\":\"2026-01-10T11:59:00Z\",\"lane\":\"a\",\"loop_ts\":\"L\",\
     \"lease\":{\"lane\":\"a\",\"loop_ts\":\"L\",\"holder\":\"h1\",\"tree\":[\"src/**\"],\
     \"acquired_at\":\"2026-01-10T11:59:00Z\"}}\n",
];

/// A journal in which the next record is the occasion for a snapshot or for a compaction.
fn long_journal(rng: &mut Rng) -> String {
    let (records, reason) = *rng.pick(&[(1, 32_500), (3, 11_000), (62, 1), (62, 520)]);
    let reason = "r".repeat(reason);
    let record = |seq| {
        format!(
            "{{\"lane\": \"a\", \"op\": \"SPAWN\", \"reason\": \"{reason}\", \"seq\": {seq}, \"ts\": \
             \"2026-01-10T11:00:00Z\"}}\n"
        )
    };
    (1..=records).map(record).collect()
}

/// Does one case. `tracing` keeps its last operations.
pub fn case(seed: u64, number: u64, plant: Option<Plant>, mishaps: Mishaps, tracing: bool) -> Case {
    let mut rng = Rng::new(seed, number);
    let mut image = Image::default();
    put(&mut image, Utf8Path::new("/w/dos.toml"), b"");
    let mut content = String::new();
    if rng.chance(30) {
        content = match rng.chance(40) {
            true => long_journal(&mut rng),
            false => rng.pick(JOURNALS).to_string(),
        };
        put(&mut image, journal(), content.as_bytes());
    }
    let keeping =
        JournalPolicy { chain: rng.chance(20), max_entries: Some(*rng.pick(&[10, 5000])) };
    let model = Arc::new(Mutex::new(Model::new(content.as_bytes())));
    let reach = if mishaps.holes { Reach::WithHoles } else { Reach::Any };
    let mut now = Duration::ZERO;
    let mut case = Case { finding: None, trace: Vec::new(), steps: 0, starts: 0 };
    let starts = 1 + rng.choose(3);
    for boot in 0..=starts + 1 {
        let strict = boot >= starts;
        let scripts = match boot.cmp(&starts) {
            Ordering::Less => scripts(&mut rng),
            Ordering::Equal => vec![vec![Action::Repair, Action::Read]],
            Ordering::Greater => final_scripts(&mut rng),
        };
        let hazards = match strict {
            true => Hazards { switch_percent: 20, ..Hazards::default() },
            false => hazards(&mut rng, scripts.len(), mishaps),
        };
        let wait = Duration::from_millis(if strict { 20_000 } else { 100 });
        let scripts = &scripts;
        let start =
            Start { image, now, boot, scripts, hazards, strict, wait, keeping, plant, tracing };
        let stopped = run(start, Choices::Random(rng.clone()), &model);
        // The run had its own copy: what follows must not repeat its choices.
        rng = Rng::new(rng.bits(), number);
        case.starts += 1;
        case.steps += stopped.outcome.steps;
        case.trace.extend(stopped.outcome.trace);
        now = stopped.outcome.now;
        image = match stopped.outcome.cut || rng.chance(60) {
            true => stopped.disk.power_cut(reach, &mut rng),
            false => stopped.disk.shut_down(),
        };
        let mut model = lock(&model);
        restart(&image, &mut model);
        if let Some(finding) = model.findings().first() {
            case.finding = Some(finding.clone());
            return case;
        }
        // A lock file that a power cut has emptied goes by its age: before the last start it is old
        // enough to be replaced.
        let pause = if boot + 1 >= starts { 310 } else { *rng.pick(&[1, 30, 310, 4000]) };
        now += Duration::from_secs(pause);
    }
    case
}

fn put(image: &mut Image, path: &Utf8Path, content: &[u8]) {
    // Only a file in the place of a folder makes this fail, and there is none.
    let _ = image.put(path, content);
}

fn scripts(rng: &mut Rng) -> Vec<Script> {
    let processes = *rng.pick(&[1, 2, 2, 2, 3, 3, 4]);
    (0..processes)
        .map(|_| {
            let actions = 1 + rng.choose(4);
            random(rng, actions)
        })
        .collect()
}

/// Everything works, and everybody sees it.
fn final_scripts(rng: &mut Rng) -> Vec<Script> {
    let mut first = vec![Action::Read];
    first.extend(random(rng, 2));
    first.extend([Action::Spawn("a"), Action::Read]);
    let mut second = random(rng, 1);
    second.extend([Action::Halt("b"), Action::Read]);
    vec![first, second]
}

fn hazards(rng: &mut Rng, processes: usize, mishaps: Mishaps) -> Hazards {
    let mut hazards = Hazards { switch_percent: *rng.pick(&[3, 10, 30, 60]), ..Hazards::default() };
    let length = 60 * processes as u64;
    if rng.chance(60) {
        hazards.cut_at = Some(1 + rng.choose(length as usize) as u64);
    }
    for process in 0..processes {
        if rng.chance(25) {
            hazards.kills.push((process as u32, 1 + rng.choose(80) as u64));
        }
    }
    if rng.chance(15) {
        hazards.jumps = 100;
    }
    if rng.chance(20) {
        hazards.errors = *rng.pick(&[50, 300]);
    }
    if rng.chance(30) {
        hazards.shorts = *rng.pick(&[200, 2000]);
    }
    if rng.chance(15) {
        let from = rng.choose(length as usize) as u64;
        hazards.full = from..from + 1 + rng.choose(40) as u64;
    }
    if rng.chance(15) {
        hazards.failed_syncs = 2000;
    }
    if rng.chance(20) {
        // Alone: a marker that cannot be written either is more than the store can bear.
        (hazards.errors, hazards.failed_syncs, hazards.full) = (0, 0, 0..0);
        hazards.forgotten_syncs = 2000;
        hazards.marker_window = mishaps.marker_window;
    }
    hazards
}
