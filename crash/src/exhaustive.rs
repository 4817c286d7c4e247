//! Short scripts, looked at from every side: every operation at which the power can fail and every
//! state that the disk may then be in; every schedule of two processes that takes the turn away a
//! few times, with a death or a power cut at every operation.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use camino::Utf8Path;
use dos_core::journal::JournalPolicy;
use dos_store::sim::{Image, Reach, SimDisk};

use crate::choice::{Choices, Odometer, Rng};
use crate::desk::journal;
use crate::model::Model;
use crate::plant::Plant;
use crate::run::{Start, Stopped, lock, restart, run};
use crate::schedule::Hazards;
use crate::script::{Action, Script};

/// Before the machine comes up again: every lock file of before is too old to be waited for.
const PAUSE: Duration = Duration::from_secs(310);
/// What every process of the machine that comes up again must be able to do.
const RECOVERY: &[Action] = &[
    Action::Repair,
    Action::Read,
    Action::Acquire { lane: "e", named: false },
    Action::Override,
    Action::Read,
];

/// One short script with what it starts from.
#[derive(Clone)]
pub struct Scene {
    /// What it is called.
    pub name: &'static str,
    journal: String,
    scripts: Vec<Script>,
    chain: bool,
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Runs: schedules, times the operations at which something went wrong.
    pub runs: u64,
    /// Different states of the disk that a machine was started with.
    pub images: u64,
}

/// Something wrong, and how it came about.
pub struct Found {
    /// What.
    pub finding: String,
    /// The operations that led there.
    pub trace: Vec<String>,
}

const A: Action = Action::Acquire { lane: "a", named: false };
const B: Action = Action::Acquire { lane: "b", named: false };
const C: Action = Action::Acquire { lane: "c", named: false };
const COMPACT: Action = Action::Compact { discard: false };
const REINDEX: Action = Action::Reindex { prune: false };
const DISCARD: Action = Action::Compact { discard: true };

/// Lane `a`, held by the first process.
const HELD: &str = "{\"lane\": \"a\", \"lease\": {\"acquired_at\": \"2026-01-10T11:59:00Z\", \
                    \"holder\": \"h0\", \"lane\": \"a\", \"loop_ts\": \"L\", \"tree\": [\"src/**\"]}, \
                    \"loop_ts\": \"L\", \"op\": \"ACQUIRE\", \"seq\": 7, \"ts\": \
                    \"2026-01-10T11:59:00Z\"}\n";

/// The scenes of one process.
pub fn alone() -> Vec<Scene> {
    // The holder was silent for a day.
    let lapsed = HELD.replace("2026-01-10", "2026-01-09");
    let long = HELD.replace("\"seq\"", &format!("\"reason\": \"{}\", \"seq\"", "r".repeat(32_500)));
    let scene = |name, journal: &str, actions: &[Action]| Scene {
        name,
        journal: journal.to_string(),
        scripts: vec![actions.to_vec()],
        chain: false,
    };
    vec![
        scene("first-write", "", &[A]),
        scene("acquire", HELD, &[C]),
        scene("two-acquires", "", &[A, C]),
        scene("release", HELD, &[Action::Release("a")]),
        scene("fragment", &format!("{HELD}{{\"op\": \"ACQ"), &[C]),
        scene("no-newline", HELD.trim_end(), &[C]),
        scene("scavenge-and-acquire", &lapsed, &[B]),
        scene("compact", HELD, &[COMPACT]),
        scene("compact-discard", HELD, &[DISCARD]),
        scene("compact-and-acquire", HELD, &[COMPACT, C]),
        scene("snapshot", &long, &[C, Action::Release("a")]),
        scene("overrides", "", &[Action::Override, Action::Override]),
        scene("reindex", "", &[A, Action::Override, REINDEX]),
        scene("prune", "", &[Action::Override, Action::Reindex { prune: true }]),
        Scene { chain: true, ..scene("chain", HELD, &[C, Action::Release("a")]) },
    ]
}

/// The scenes of two processes.
pub fn pairs() -> Vec<Scene> {
    let scene = |name, journal: &str, one: Action, other: Action| Scene {
        name,
        journal: journal.to_string(),
        scripts: vec![vec![one], vec![other]],
        chain: false,
    };
    vec![
        scene("both-first", "", A, B),
        scene("acquire-beside-acquire", HELD, C, Action::Acquire { lane: "d", named: false }),
        scene("release-beside-acquire", HELD, Action::Release("a"), B),
        scene("compact-beside-acquire", HELD, COMPACT, C),
        scene("compact-beside-compact", HELD, COMPACT, DISCARD),
        scene("compact-beside-read", HELD, COMPACT, Action::Read),
        scene("override-beside-override", "", Action::Override, Action::Override),
        scene("reindex-beside-override", "", REINDEX, Action::Override),
        scene("reindex-beside-acquire", "", REINDEX, A),
    ]
}

/// Looks at every crash of a scene of one process.
pub fn crashes(scene: &Scene, plant: Option<Plant>, tally: &mut Tally) -> Option<Found> {
    let bound = Hazards { cuts: 1, ..Hazards::default() };
    explore(scene, &bound, plant, tally, |stopped, model, scene, tally| {
        let mut found = None;
        let mut odometer = Odometer::default();
        let mut seen = HashSet::new();
        loop {
            let image = stopped.disk.power_cut(Reach::Bounded, &mut odometer);
            if seen.insert(hash(&image)) {
                tally.images += 1;
                found = found.or_else(|| recover(&image, stopped, model, scene, plant));
            }
            if found.is_some() || !odometer.advance() {
                break;
            }
        }
        // A second crash, while the machine comes up again.
        let worst = stopped.disk.power_cut(Reach::Bounded, &mut Odometer::default());
        found.or_else(|| crash_again(worst, stopped, model, scene, plant, tally))
    })
}

/// Looks at every schedule of a scene of two processes that takes the turn away `preemptions` times,
/// with a death or a power cut, or none, at every operation.
pub fn schedules(
    scene: &Scene,
    preemptions: usize,
    plant: Option<Plant>,
    tally: &mut Tally,
) -> Option<Found> {
    let quiet = Hazards { preemptions, ..Hazards::default() };
    // A crash at every operation multiplies the schedules.
    let preemptions = preemptions.saturating_sub(1);
    let bounds = [
        quiet,
        Hazards { preemptions, deaths: 1, ..Hazards::default() },
        Hazards { preemptions, cuts: 1, ..Hazards::default() },
    ];
    bounds.iter().find_map(|bound| {
        explore(scene, bound, plant, tally, |stopped, model, scene, tally| {
            let steps = stopped.outcome.steps;
            let images = [
                stopped.disk.power_cut(Reach::Bounded, &mut Odometer::default()),
                stopped.disk.shut_down(),
                stopped.disk.power_cut(Reach::Any, &mut Rng::new(steps, tally.runs)),
            ];
            let mut seen = HashSet::new();
            images.iter().filter(|image| seen.insert(hash(image))).find_map(|image| {
                tally.images += 1;
                recover(image, stopped, model, scene, plant)
            })
        })
    })
}

/// Runs the scene with every list of choices, and looks at what each leaves.
fn explore(
    scene: &Scene,
    bound: &Hazards,
    plant: Option<Plant>,
    tally: &mut Tally,
    look: impl Fn(&Stopped, &Model, &Scene, &mut Tally) -> Option<Found>,
) -> Option<Found> {
    let mut odometer = Odometer::default();
    loop {
        tally.runs += 1;
        let (stopped, model) = play(scene, bound, odometer.clone(), plant, false);
        let told = lock(&model).clone();
        let found = match told.findings().first() {
            Some(finding) => Some(Found { finding: finding.clone(), trace: Vec::new() }),
            None => look(&stopped, &told, scene, tally),
        };
        if let Some(found) = found {
            let (again, _) = play(scene, bound, odometer, plant, true);
            let trace = [again.outcome.trace, found.trace].concat();
            return Some(Found { trace, ..found });
        }
        let Choices::Listed(used) = stopped.outcome.choices else { return None };
        odometer = used;
        if !odometer.advance() {
            return None;
        }
    }
}

fn play(
    scene: &Scene,
    bound: &Hazards,
    odometer: Odometer,
    plant: Option<Plant>,
    tracing: bool,
) -> (Stopped, Arc<Mutex<Model>>) {
    let mut image = Image::default();
    // Only a file in the place of a folder makes these fail, and there is none.
    let _ = image.put(Utf8Path::new("/w/dos.toml"), b"");
    if !scene.journal.is_empty() {
        let _ = image.put(journal(), scene.journal.as_bytes());
    }
    let model = Arc::new(Mutex::new(Model::new(scene.journal.as_bytes())));
    let start = Start {
        image,
        now: Duration::ZERO,
        boot: 0,
        scripts: &scene.scripts,
        hazards: bound.clone(),
        // A process that is killed leaves nothing behind that makes another fail.
        strict: true,
        wait: Duration::from_secs(20),
        keeping: JournalPolicy { chain: scene.chain, ..JournalPolicy::default() },
        plant,
        tracing,
    };
    (run(start, Choices::Listed(odometer), &model), model)
}

/// Judges a state of the disk, starts a machine with it, and judges what the worst power cut after
/// that leaves.
fn recover(
    image: &Image,
    stopped: &Stopped,
    model: &Model,
    scene: &Scene,
    plant: Option<Plant>,
) -> Option<Found> {
    let attempt = |tracing| {
        let mut model = model.clone();
        restart(image, &mut model);
        if let Some(finding) = model.findings().first() {
            return Some(Found { finding: finding.clone(), trace: Vec::new() });
        }
        let model = Arc::new(Mutex::new(model));
        let again = start_again(image.clone(), stopped, scene, plant, Hazards::default(), tracing);
        let again = run(again, Choices::Listed(Odometer::default()), &model);
        found_after(&again.disk, &model, again.outcome.trace)
    };
    attempt(false).and_then(|_| attempt(true))
}

/// The power fails again at every operation of the machine that comes up again.
fn crash_again(
    image: Image,
    stopped: &Stopped,
    model: &Model,
    scene: &Scene,
    plant: Option<Plant>,
    tally: &mut Tally,
) -> Option<Found> {
    let mut first = model.clone();
    restart(&image, &mut first);
    let mut odometer = Odometer::default();
    loop {
        tally.runs += 1;
        let model = Arc::new(Mutex::new(first.clone()));
        let bound = Hazards { cuts: 1, ..Hazards::default() };
        let again = start_again(image.clone(), stopped, scene, plant, bound.clone(), false);
        let again = run(again, Choices::Listed(odometer.clone()), &model);
        if let Some(found) = found_after(&again.disk, &model, Vec::new()) {
            let model = Arc::new(Mutex::new(first.clone()));
            let shown = start_again(image, stopped, scene, plant, bound, true);
            let trace = run(shown, Choices::Listed(odometer), &model).outcome.trace;
            return Some(Found { trace, ..found });
        }
        let Choices::Listed(used) = again.outcome.choices else { return None };
        odometer = used;
        if !odometer.advance() {
            return None;
        }
    }
}

fn start_again<'a>(
    image: Image,
    stopped: &Stopped,
    scene: &Scene,
    plant: Option<Plant>,
    hazards: Hazards,
    tracing: bool,
) -> Start<'a> {
    static SCRIPTS: std::sync::LazyLock<Vec<Script>> =
        std::sync::LazyLock::new(|| vec![RECOVERY.to_vec()]);
    Start {
        image,
        now: stopped.outcome.now + PAUSE,
        boot: 1,
        scripts: &SCRIPTS,
        hazards,
        strict: true,
        wait: Duration::from_secs(20),
        keeping: JournalPolicy { chain: scene.chain, ..JournalPolicy::default() },
        plant,
        tracing,
    }
}

/// What is wrong with a machine that has come up again, or with what the worst power cut leaves of
/// its disk.
fn found_after(disk: &SimDisk, model: &Mutex<Model>, trace: Vec<String>) -> Option<Found> {
    let worst = disk.power_cut(Reach::Bounded, &mut Odometer::default());
    let mut model = lock(model);
    restart(&worst, &mut model);
    let finding = model.findings().first()?.clone();
    Some(Found { finding, trace })
}

fn hash(image: &Image) -> u64 {
    let mut hasher = DefaultHasher::new();
    image.files().hash(&mut hasher);
    hasher.finish()
}
