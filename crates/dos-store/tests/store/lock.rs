//! The lane mutex beside lock files of the original, and leftovers of our own.

use std::time::Duration;

use camino::Utf8PathBuf;
use dos_core::timestamp::{OutOfRange, Timestamp};
use dos_store::StoreError;
use dos_store::clock::{Clock, RealClock};
use dos_store::disk::{Disk, KernelLock, LockFile, RealDisk};
use dos_store::lock::{Held, Kept, LaneMutex};
use dos_store::lock_body;

use crate::{Folder, TestClock, text};

const SOON: Duration = Duration::from_millis(200);

struct Scene {
    folder: Folder,
    clock: TestClock,
    visible: Utf8PathBuf,
    journal: Utf8PathBuf,
}

impl Scene {
    fn new() -> Self {
        let folder = Folder::new();
        let visible = folder.join(".lane-lease.lock");
        let journal = folder.join("journal.jsonl");
        Self { folder, clock: TestClock::at_noon(), visible, journal }
    }

    fn acquire(&self) -> Result<Held<'_, RealDisk, TestClock>, StoreError> {
        LaneMutex::new(&RealDisk, &self.clock, &self.journal, &self.visible, "host").acquire(SOON)
    }

    /// A lock file of the original, taken that many seconds before noon.
    fn foreign(&self, seconds: i64) -> String {
        let stamp = dos_core::timestamp::Timestamp::from_millis(crate::NOON - seconds * 1000);
        format!("owner: ghost\nacquired_at: {}\npid: 1\n", stamp.unwrap())
    }

    fn write(&self, body: &str) {
        std::fs::write(&self.visible, body).unwrap();
    }

    /// Nothing is left but what is never removed.
    fn assert_clean(&self) {
        assert_eq!(self.folder.names(), [".lane-lease.lock.crew", ".lane-lease.lock.guard"]);
    }

    /// Another process of ours that wants the mutex.
    fn waiter(&self) -> KernelLock {
        let crew = self.folder.join(".lane-lease.lock.crew");
        let mut share = RealDisk.open_lock(&crew).unwrap();
        assert!(share.try_share().unwrap());
        share
    }
}

#[test]
fn the_visible_file_says_who_holds_it_and_goes_with_the_hold() {
    let scene = Scene::new();
    let held = scene.acquire().unwrap();
    let fields = lock_body::parse(&text(&scene.visible));
    assert!(fields["owner"].starts_with("dos/host/"));
    assert_eq!(fields["acquired_at"], "2026-01-01T12:00:00Z");
    assert_eq!(fields["pid"], std::process::id().to_string());
    assert!(held.is_ours().unwrap());
    held.release().unwrap();
    scene.assert_clean();
}

#[test]
fn every_hold_has_an_owner_of_its_own() {
    let scene = Scene::new();
    let mut owners = Vec::new();
    for _ in 0..3 {
        let held = scene.acquire().unwrap();
        owners.push(lock_body::parse(&text(&scene.visible))["owner"].clone());
        held.release().unwrap();
    }
    owners.dedup();
    assert_eq!(owners.len(), 3);
}

#[test]
fn the_visible_file_stays_for_others_of_ours() {
    let scene = Scene::new();
    let now = RealClock::start();
    let acquire = |kept| {
        LaneMutex::new(&RealDisk, &now, &scene.journal, &scene.visible, "host")
            .acquire_again(kept, SOON)
    };
    let mutex = LaneMutex::new(&RealDisk, &now, &scene.journal, &scene.visible, "host");
    let waiter = scene.waiter();
    let mut kept = acquire(Kept::default()).unwrap().pass_on().unwrap();
    let body = text(&scene.visible);
    // Whoever comes next goes on with it, and so does he who had it before.
    let mut next = acquire(Kept::default()).unwrap().pass_on().unwrap();
    assert_eq!(text(&scene.visible), body);
    mutex.leave(&mut kept).unwrap();
    kept = acquire(kept).unwrap().pass_on().unwrap();
    assert_eq!(text(&scene.visible), body);
    // The last one takes it along.
    drop(waiter);
    mutex.leave(&mut kept).unwrap();
    assert_eq!(text(&scene.visible), body);
    mutex.leave(&mut next).unwrap();
    scene.assert_clean();
    kept = acquire(kept).unwrap().pass_on().unwrap();
    mutex.leave(&mut kept).unwrap();
    scene.assert_clean();
}

/// The wall clock of a machine that slept; its other clock did not go on meanwhile.
struct Slept(RealClock, std::cell::Cell<i64>);

impl Clock for Slept {
    fn now(&self) -> Result<Timestamp, OutOfRange> {
        Timestamp::from_millis(self.0.now()?.millis() + self.1.get() * 1000)
    }
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
    fn sleep(&self, _: Duration) {}
}

#[test]
fn a_holder_whose_machine_slept_does_not_trust_its_lock() {
    let scene = Scene::new();
    let clock = Slept(RealClock::start(), std::cell::Cell::new(0));
    let held = LaneMutex::new(&RealDisk, &clock, &scene.journal, &scene.visible, "host")
        .acquire(SOON)
        .unwrap();
    clock.1.set(200);
    assert!(held.is_ours().unwrap());
    clock.1.set(211);
    assert!(!held.is_ours().unwrap(), "an original may take it for stale soon");
}

#[test]
fn one_who_waits_in_vain_takes_along_what_was_left_to_him() {
    let scene = Scene::new();
    let waiter = scene.waiter();
    let now = RealClock::start();
    let mutex = LaneMutex::new(&RealDisk, &now, &scene.journal, &scene.visible, "host");
    let mut kept = mutex.clone().acquire(SOON).unwrap().pass_on().unwrap();
    assert!(scene.visible.exists());
    drop(waiter);
    // It dies, or leaves without the file: whoever fails to get the kernel lock is the last one then.
    let mut guard = RealDisk.open_lock(&scene.folder.join(".lane-lease.lock.guard")).unwrap();
    assert!(guard.try_alone().unwrap());
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let now = RealClock::start();
            LaneMutex::new(&RealDisk, &now, &scene.journal, &scene.visible, "host")
                .acquire(SOON)
                .map(|_| ())
        });
        assert!(matches!(waits.join().unwrap(), Err(StoreError::Busy { .. })));
    });
    assert!(scene.visible.exists(), "somebody still has a share");
    guard.free().unwrap();
    mutex.leave(&mut kept).unwrap();
    scene.assert_clean();
}

#[test]
fn a_second_holder_is_told_who_has_it() {
    let scene = Scene::new();
    let held = scene.acquire().unwrap();
    let error = scene.acquire().map(|_| ()).unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }), "{error}");
    assert!(error.to_string().contains("dos/host/"), "{error}");
    held.release().unwrap();
    scene.acquire().unwrap().release().unwrap();
}

#[test]
fn a_fresh_lock_of_the_original_is_waited_for() {
    let scene = Scene::new();
    let body = scene.foreign(299);
    scene.write(&body);
    let error = scene.acquire().map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("ghost"), "{error}");
    assert_eq!(text(&scene.visible), body, "it is left as it was");
    std::fs::remove_file(&scene.visible).unwrap();
    scene.acquire().unwrap().release().unwrap();
    scene.assert_clean();
}

#[test]
fn a_stale_lock_of_the_original_is_taken_over() {
    let scene = Scene::new();
    scene.write(&scene.foreign(300));
    let held = scene.acquire().unwrap();
    assert!(text(&scene.visible).contains("owner: dos/host/"));
    held.release().unwrap();
    scene.assert_clean();
}

#[test]
fn a_lock_that_does_not_say_since_when_goes_by_its_file_time() {
    for body in ["garbage", "owner: x\nacquired_at: yesterday\n", "\u{feff}owner"] {
        let scene = Scene::new();
        scene.write(body);
        let file = std::fs::File::options().write(true).open(&scene.visible).unwrap();
        let noon =
            std::time::UNIX_EPOCH + Duration::from_millis(u64::try_from(crate::NOON).unwrap());
        file.set_modified(noon - Duration::from_secs(10)).unwrap();
        assert!(matches!(scene.acquire(), Err(StoreError::Busy { .. })), "{body:?}");
        file.set_modified(noon - Duration::from_secs(301)).unwrap();
        scene.acquire().unwrap().release().unwrap();
        scene.assert_clean();
    }
}

#[test]
fn a_lock_file_that_a_power_cut_left_without_its_text_wedges_nobody() {
    for body in ["", "\0\0\0\0"] {
        let scene = Scene::new();
        scene.write(body);
        let file = std::fs::File::options().write(true).open(&scene.visible).unwrap();
        let noon =
            std::time::UNIX_EPOCH + Duration::from_millis(u64::try_from(crate::NOON).unwrap());
        // The original may be about to write its text.
        file.set_modified(noon - Duration::from_secs(3)).unwrap();
        assert!(matches!(scene.acquire(), Err(StoreError::Busy { .. })), "{body:?}");
        file.set_modified(noon - Duration::from_secs(6)).unwrap();
        scene.acquire().unwrap().release().unwrap();
        scene.assert_clean();
    }
}

#[test]
fn a_leftover_of_ours_is_replaced_at_once_whatever_its_age() {
    for age in [0, 100, 299, 3600] {
        let scene = Scene::new();
        let dead =
            scene.foreign(age).replace("ghost", "dos/host/1/00ff") + "guard: 1\nnonce: 00ff\n";
        scene.write(&dead);
        scene.acquire().unwrap().release().unwrap();
        scene.assert_clean();
    }
}

#[test]
fn a_live_lock_that_a_dead_process_of_ours_swapped_out_goes_back() {
    let scene = Scene::new();
    // It died between swapping and looking: its own body is visible, the live one is where that was.
    scene.write("owner: dos/host/1/00ff\nacquired_at: 2026-01-01T12:00:00Z\npid: 1\nguard: 1\nnonce: 00ff\n");
    let swap = scene.folder.join(".lane-lease.lock.swap.00ff");
    let live = scene.foreign(5);
    std::fs::write(&swap, &live).unwrap();
    assert!(matches!(scene.acquire(), Err(StoreError::Busy { .. })));
    assert_eq!(text(&scene.visible), live);
    assert!(!swap.exists());
}

#[test]
fn what_a_dead_process_of_ours_swapped_out_goes_back_where_the_name_is_free() {
    let scene = Scene::new();
    let swap = scene.folder.join(".lane-lease.lock.swap.00ff");
    let live = scene.foreign(5);
    std::fs::write(&swap, &live).unwrap();
    assert!(matches!(scene.acquire(), Err(StoreError::Busy { .. })));
    assert_eq!(text(&scene.visible), live);
    assert!(!swap.exists());
}

#[test]
fn what_a_dead_process_of_ours_swapped_out_counts_while_another_has_the_name() {
    let scene = Scene::new();
    let swap = scene.folder.join(".lane-lease.lock.swap.00ff");
    std::fs::write(&swap, scene.foreign(5)).unwrap();
    scene.write(&scene.foreign(400));
    assert!(matches!(scene.acquire(), Err(StoreError::Busy { .. })));
    assert_eq!(text(&scene.visible), scene.foreign(5), "put back, now that the stale one is gone");
    std::fs::write(&scene.visible, scene.foreign(400)).unwrap();
    std::fs::write(&swap, scene.foreign(400)).unwrap();
    scene.acquire().unwrap().release().unwrap();
    scene.assert_clean();
}

#[test]
fn a_draft_of_a_dead_process_is_swept() {
    let scene = Scene::new();
    std::fs::write(scene.folder.join(".lane-lease.lock.t.0123"), "half").unwrap();
    scene.acquire().unwrap().release().unwrap();
    scene.assert_clean();
}

#[test]
fn a_live_lock_that_the_original_has_set_aside_still_counts() {
    let scene = Scene::new();
    let aside = scene.folder.join("..lane-lease.lock.steal.77.1");
    std::fs::write(&aside, scene.foreign(5)).unwrap();
    assert!(matches!(scene.acquire(), Err(StoreError::Busy { .. })));
    assert!(!scene.visible.exists(), "we stepped back");
    std::fs::write(&aside, scene.foreign(400)).unwrap();
    scene.acquire().unwrap().release().unwrap();
}

#[test]
fn a_lock_that_was_taken_away_is_noticed_and_left_alone() {
    let scene = Scene::new();
    let held = scene.acquire().unwrap();
    let theirs = scene.foreign(0);
    std::fs::remove_file(&scene.visible).unwrap();
    scene.write(&theirs);
    assert!(!held.is_ours().unwrap());
    held.release().unwrap();
    assert_eq!(text(&scene.visible), theirs);
}

#[test]
fn a_holder_that_slept_too_long_no_longer_trusts_its_lock() {
    let scene = Scene::new();
    let held = scene.acquire().unwrap();
    scene.clock.advance(Duration::from_secs(151));
    assert!(!held.is_ours().unwrap());
}

#[test]
fn a_visible_path_that_is_a_folder_is_an_error_that_names_it() {
    let scene = Scene::new();
    std::fs::create_dir(&scene.visible).unwrap();
    let error = scene.acquire().map(|_| ()).unwrap_err();
    assert!(error.to_string().contains(scene.visible.as_str()), "{error}");
    assert!(!matches!(error, StoreError::Busy { .. }), "{error}");
}

#[test]
fn a_link_to_nowhere_or_a_pipe_in_its_place_keeps_nobody_waiting() {
    let scene = Scene::new();
    std::os::unix::fs::symlink("/nonexistent/lock", &scene.visible).unwrap();
    assert!(matches!(scene.acquire(), Err(StoreError::Busy { .. })));
    std::fs::remove_file(&scene.visible).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o644);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        scene.visible.as_std_path(),
        rustix::fs::FileType::Fifo,
        mode,
        0,
    )
    .unwrap();
    let error = scene.acquire().map(|_| ()).unwrap_err();
    assert!(error.to_string().contains(scene.visible.as_str()), "{error}");
}

#[test]
fn a_lock_stamped_in_the_future_goes_by_its_file_time() {
    let scene = Scene::new();
    scene.write(&scene.foreign(-1_000_000));
    let noon = std::time::UNIX_EPOCH + Duration::from_millis(u64::try_from(crate::NOON).unwrap());
    let file = std::fs::File::options().write(true).open(&scene.visible).unwrap();
    file.set_modified(noon - Duration::from_secs(301)).unwrap();
    scene.acquire().unwrap().release().unwrap();
}

#[test]
fn two_visible_files_of_one_journal_are_one_mutex() {
    let scene = Scene::new();
    let elsewhere = scene.folder.join("elsewhere.lock");
    let held = scene.acquire().unwrap();
    let other =
        LaneMutex::new(&RealDisk, &scene.clock, &scene.journal, &elsewhere, "host").acquire(SOON);
    assert!(matches!(other, Err(StoreError::Busy { .. })));
    held.release().unwrap();
    LaneMutex::new(&RealDisk, &scene.clock, &scene.journal, &elsewhere, "host")
        .acquire(SOON)
        .unwrap()
        .release()
        .unwrap();
}
