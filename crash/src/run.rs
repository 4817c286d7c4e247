//! One run: the machine starts with what is on the disk, its processes do their scripts, and it ends
//! in order or with a power cut.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dos_core::journal::JournalPolicy;
use dos_core::journal::live_set::replay;
use dos_store::StoreError;
use dos_store::sim::{Image, SimDisk};

use crate::choice::Choices;
use crate::desk::{Desk, Failure, archive, card, home, journal, overrides};
use crate::model::{Central, Model};
use crate::plant::{Plant, PlantedDisk};
use crate::schedule::{Hazards, Outcome, Schedule};
use crate::script::Script;

/// What a run begins with.
pub struct Start<'a> {
    /// What is on the disk.
    pub image: Image,
    /// The time since the beginning of the simulation.
    pub now: Duration,
    /// Which start of the machine this is.
    pub boot: usize,
    /// What the processes do.
    pub scripts: &'a [Script],
    /// What may go wrong.
    pub hazards: Hazards,
    /// Must every action succeed? Only where nothing goes wrong.
    pub strict: bool,
    /// How long a writer waits for the mutex.
    pub wait: Duration,
    /// How the journal is kept.
    pub keeping: JournalPolicy,
    /// The planted bug.
    pub plant: Option<Plant>,
    /// Keep the last operations, to be shown.
    pub tracing: bool,
}

/// A machine after its processes have ended.
pub struct Stopped {
    /// Its disk.
    pub disk: SimDisk,
    /// What came of the run.
    pub outcome: Outcome,
}

/// Does the run, with these choices. What is wrong is told to the model.
pub fn run(start: Start<'_>, choices: Choices, model: &Arc<Mutex<Model>>) -> Stopped {
    let count = start.scripts.len();
    let can_lose_cache = start.hazards.forgotten_syncs > 0;
    let schedule = Schedule::new(count, choices, start.hazards, start.now, start.tracing);
    let schedule = Arc::new(schedule);
    let disk = SimDisk::new(start.image, schedule.clone());
    let process = |process: u32, script: &Script| {
        let disk = PlantedDisk::new(disk.of_process(process), start.plant);
        let (boot, wait, keeping) = (start.boot, start.wait, start.keeping);
        let desk = Desk::new(
            disk.clone(),
            schedule.clone(),
            model.clone(),
            process,
            boot,
            wait,
            keeping,
            start.strict,
        );
        for action in script {
            if can_lose_cache && schedule.chance(30) {
                disk.inner().drop_cache();
            }
            let result = desk.act(action);
            if schedule.is_dead(process) {
                return;
            }
            match result {
                // An answer, not a failure of the store.
                Ok(()) | Err(Failure::Decide(_)) => {}
                Err(failure) if start.strict => {
                    lock(model).find(format!("{action:?} failed: {}", shown(&failure)));
                }
                Err(_) => {}
            }
        }
    };
    match start.scripts {
        // No thread is needed where there is no other process.
        [script] => process(0, script),
        scripts => std::thread::scope(|scope| {
            for (number, script) in scripts.iter().enumerate() {
                let (process, schedule) = (&process, &schedule);
                scope.spawn(move || {
                    let number = number as u32;
                    schedule.begin(number);
                    let _end = End { schedule, process: number };
                    process(number, script);
                });
            }
        }),
    }
    let outcome = schedule.outcome();
    let mut told = lock(model);
    for finding in &outcome.findings {
        told.find(finding.clone());
    }
    drop(told);
    Stopped { disk, outcome }
}

/// Passes the turn on, also when the process panics.
struct End<'a> {
    schedule: &'a Schedule,
    process: u32,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.schedule.end(self.process);
    }
}

/// Judges what is on the disk while no process runs, and takes it for certain from then on.
pub fn restart(image: &Image, model: &mut Model) {
    let content = image.content(journal()).unwrap_or_default();
    let live = replay(content);
    let wrong = model.judge(&live, model.floor());
    let files = image.files();
    let archived = files.iter().filter(|(path, _)| path.starts_with(archive()));
    let archived: Vec<&[u8]> = archived.map(|(_, content)| *content).collect();
    let wrong = wrong.or_else(|| model.judge_journal(content, &archived));
    let overrides = image.content(overrides()).unwrap_or_default();
    let wrong = wrong.or_else(|| model.judge_overrides(overrides));
    let home = home();
    let central = Central {
        card: image.content(card()),
        index: image.content(&home.index()).unwrap_or_default(),
        roots: image.content(&home.roots()).unwrap_or_default(),
        decisions: image.content(&home.decisions()).unwrap_or_default(),
    };
    if let Some(wrong) = wrong.or_else(|| model.judge_registry(&central)) {
        model.find(format!("after a restart: {wrong}"));
    }
    model.know(content);
}

/// The model, for whoever has the turn.
pub fn lock(model: &Mutex<Model>) -> MutexGuard<'_, Model> {
    model.lock().unwrap_or_else(PoisonError::into_inner)
}

fn shown(failure: &Failure) -> String {
    match failure {
        Failure::Store(StoreError::Io { action, path, source }) => {
            format!("failed to {action} {path}: {source}")
        }
        Failure::Store(error) => error.to_string(),
        other => format!("{other:?}"),
    }
}
