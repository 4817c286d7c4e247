//! The real binary on a file system in user space that loses all that was not synced, looked at after
//! a power cut at many moments.

mod file_system;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dos_tests::raw::{Raw, text};
use dos_tests::{Output, Running, TestEnv};
use fuser::BackgroundSession;

use self::file_system::{Lazy, Nodes};
use crate::{empty, skipped};

const WRITERS: usize = 4;
const JOURNAL: &str = "w/.dos/lane-journal.jsonl";

/// How many power cuts are looked at; `LAZY_CUTS` says otherwise.
fn cuts() -> usize {
    std::env::var("LAZY_CUTS").ok().and_then(|count| count.parse().ok()).unwrap_or(100)
}

struct Scene {
    env: TestEnv,
    mount: PathBuf,
    /// Unmounts when dropped.
    _session: BackgroundSession,
}

impl Scene {
    /// `None`, said loudly, where that cannot be mounted.
    fn mount(disk: &Lazy) -> Option<Self> {
        let env = empty();
        let mount = env.outer().join("lazy");
        fs::create_dir(&mount).unwrap();
        match fuser::spawn_mount(disk.clone(), &mount, &fuser::Config::default()) {
            Ok(session) => Some(Self { env, mount, _session: session }),
            Err(error) => {
                skipped(&format!("a file system in user space: {error}"));
                None
            }
        }
    }

    fn workspace(&self) -> PathBuf {
        self.mount.join("w")
    }

    fn dos(&self, arguments: &str) -> Output {
        let mut command = Command::new(self.env.binary());
        command.args(arguments.split(' ')).arg("--workspace").arg(self.workspace());
        self.env.furnish(&mut command);
        Running::start(command).finish()
    }
}

/// A workspace whose own name survives everything.
fn prepare(workspace: &Path) {
    fs::create_dir(workspace).unwrap();
    fs::File::open(workspace.parent().unwrap()).unwrap().sync_all().unwrap();
}

/// What an answer has acknowledged: operation and stamp.
type Acknowledged = (&'static str, String);

/// Takes a lane and gives it back until somebody says stop.
fn write(scene: &Scene, writer: usize, stop: &AtomicBool, told: &Mutex<Vec<Acknowledged>>) {
    for number in 0.. {
        let stamp = format!("{writer}-{number}");
        let holder = format!("--lane l{writer} --owner o{writer} --loop-ts {stamp}");
        let asked = [
            ("ACQUIRE", format!("lease-lane acquire {holder} --tree l{writer}")),
            ("RELEASE", format!("lease-lane release {holder}")),
        ];
        for (op, command) in asked {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let output = scene.dos(&command);
            output.exits(0);
            told.lock().unwrap().push((op, stamp.clone()));
        }
    }
}

/// What was acknowledged and is not there.
fn lost(disk: &Nodes, told: &[Acknowledged]) -> Vec<Acknowledged> {
    let raw = Raw::of(disk.content(JOURNAL).unwrap_or_default());
    assert_eq!(raw.faults(), [""; 0]);
    let is_there = |(op, stamp): &&Acknowledged| {
        raw.records
            .iter()
            .any(|record| text(record, "op") == *op && text(record, "loop_ts") == *stamp)
    };
    told.iter().filter(|ack| !is_there(ack)).cloned().collect()
}

/// Lets writers write, and cuts the power again and again. Returns what was lost, how much was
/// acknowledged, and the last state of the disk; `None` where that cannot be done here.
fn cut(honest: bool, cuts: usize) -> Option<(Vec<Acknowledged>, usize, Nodes)> {
    let disk = Lazy::new();
    let scene = Scene::mount(&disk)?;
    prepare(&scene.workspace());
    disk.nodes().set_honest(honest);
    let (stop, told) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let mut missing = Vec::new();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (scene, stop, told) = (&scene, &stop, &told);
            scope.spawn(move || write(scene, writer, stop, told));
        }
        for _ in 0..cuts {
            std::thread::sleep(Duration::from_millis(7));
            // In this order: what was acknowledged by now must survive a cut from now on.
            let acknowledged = told.lock().unwrap().clone();
            let left = disk.nodes().after_a_cut();
            missing.extend(lost(&left, &acknowledged));
        }
        stop.store(true, Ordering::Relaxed);
    });
    let total = told.lock().unwrap().len();
    let left = disk.nodes().after_a_cut();
    Some((missing, total, left))
}

#[test]
fn what_was_not_synced_was_not_acknowledged() {
    let Some((missing, total, left)) = cut(true, cuts()) else { return };
    assert_eq!(missing, []);
    assert!(total > 20, "{total} records prove nothing");
    eprintln!("file system in user space: {} power cuts, {total} acknowledged records", cuts());
    // The next program goes on from what is left.
    let Some(scene) = Scene::mount(&Lazy::of(left)) else { return };
    scene.dos("lease-lane acquire --lane next --tree next --owner next").exits(0);
}

#[test]
fn a_disk_that_syncs_nothing_is_found_out() {
    let Some((missing, _, _)) = cut(false, 30) else { return };
    assert!(!missing.is_empty(), "nothing is lost although nothing was synced");
}
