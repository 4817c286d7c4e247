//! The simulated disk does what it says: what is synced stays, and everything else can be lost.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use camino::Utf8Path;
use dos_crash::choice::{Odometer, Rng};
use dos_store::disk::{Disk, DiskFile, LockFile};
use dos_store::sim::{Call, Conductor, Fate, Image, Reach, SimDisk, Step};

/// Does what it is told at one kind of operation, once.
#[derive(Default)]
struct Once(Mutex<Option<(Call, Fate)>>);

impl Conductor for Once {
    fn before(&self, _: u32, step: &Step<'_>) -> Fate {
        let mut planned = self.0.lock().unwrap();
        match *planned {
            Some((call, fate)) if call == step.call => {
                *planned = None;
                fate
            }
            _ => Fate::Done,
        }
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

fn disk() -> (SimDisk, Arc<Once>) {
    let conductor = Arc::new(Once::default());
    let mut image = Image::default();
    image.put(Utf8Path::new("/w/old"), b"old").unwrap();
    (SimDisk::new(image, conductor.clone()), conductor)
}

fn plan(conductor: &Once, call: Call, fate: Fate) {
    *conductor.0.lock().unwrap() = Some((call, fate));
}

/// Every content that the file may have after a power cut; `None` where it is not there.
fn after_cut(disk: &SimDisk, path: &str) -> BTreeSet<Option<Vec<u8>>> {
    let mut odometer = Odometer::default();
    let mut seen = BTreeSet::new();
    loop {
        let image = disk.power_cut(Reach::Bounded, &mut odometer);
        seen.insert(image.content(Utf8Path::new(path)).map(<[u8]>::to_vec));
        if !odometer.advance() {
            break;
        }
    }
    // Whatever is chosen at random is a state that a bounded choice reaches as well, here where
    // little is un-synced.
    for case in 0..500 {
        let image = disk.power_cut(Reach::WithHoles, &mut Rng::new(1, case));
        let content = image.content(Utf8Path::new(path)).map(<[u8]>::to_vec);
        assert!(seen.contains(&content), "{content:?} is not in {seen:?}");
    }
    seen
}

fn texts(contents: &BTreeSet<Option<Vec<u8>>>) -> Vec<String> {
    let text = |content: &Option<Vec<u8>>| match content {
        Some(content) => String::from_utf8_lossy(content).replace('\0', "0"),
        None => "-".to_string(),
    };
    contents.iter().map(text).collect()
}

const OLD: &str = "/w/old";
const NEW: &str = "/w/new";

#[test]
fn what_is_not_synced_is_lost_from_any_byte_on_or_reads_as_zeros() {
    let (disk, _) = disk();
    let (mut file, created) = disk.open_append(Utf8Path::new(OLD)).unwrap();
    assert!(!created);
    assert_eq!(file.append(b"abc").unwrap(), 3);
    assert_eq!(
        texts(&after_cut(&disk, OLD)),
        ["old", "old000", "old0bc", "olda", "olda00", "oldab", "oldab0", "oldabc"]
    );
    file.sync().unwrap();
    assert_eq!(texts(&after_cut(&disk, OLD)), ["oldabc"]);
}

#[test]
fn a_name_is_lost_until_its_folder_is_synced() {
    let (disk, _) = disk();
    disk.create_new(Utf8Path::new(NEW), b"").unwrap();
    assert_eq!(texts(&after_cut(&disk, NEW)), ["-", ""]);
    disk.sync_dir(Utf8Path::new("/w")).unwrap();
    assert_eq!(texts(&after_cut(&disk, NEW)), [""]);
    disk.remove(Utf8Path::new(NEW)).unwrap();
    assert_eq!(texts(&after_cut(&disk, NEW)), ["-", ""]);
}

#[test]
fn a_new_folder_is_lost_with_all_that_is_in_it() {
    let (disk, _) = disk();
    disk.create_dir(Utf8Path::new("/w/a/b")).unwrap();
    disk.create_new(Utf8Path::new("/w/a/b/c"), b"x").unwrap().sync().unwrap();
    disk.sync_dir(Utf8Path::new("/w/a/b")).unwrap();
    disk.sync_dir(Utf8Path::new("/w/a")).unwrap();
    assert_eq!(texts(&after_cut(&disk, "/w/a/b/c")), ["-", "x"]);
    disk.sync_dir(Utf8Path::new("/w")).unwrap();
    assert_eq!(texts(&after_cut(&disk, "/w/a/b/c")), ["x"]);
}

#[test]
fn a_rename_is_there_whole_or_not_at_all() {
    let (disk, _) = disk();
    disk.create_new(Utf8Path::new(NEW), b"new").unwrap().sync().unwrap();
    disk.sync_dir(Utf8Path::new("/w")).unwrap();
    disk.rename(Utf8Path::new(NEW), Utf8Path::new(OLD)).unwrap();
    assert_eq!(texts(&after_cut(&disk, OLD)), ["new", "old"]);
    assert_eq!(texts(&after_cut(&disk, NEW)), ["-", "new"]);
    let image = disk.power_cut(Reach::Bounded, &mut Odometer::default());
    assert_eq!(image.files().len(), 2, "nothing is durable of it: both names are there");
    assert_eq!(disk.shut_down().files().len(), 1);
}

#[test]
fn names_that_are_taken_or_missing() {
    let (disk, _) = disk();
    let (old, new) = (Utf8Path::new(OLD), Utf8Path::new(NEW));
    let kind = |result: std::io::Result<()>| result.unwrap_err().kind();
    use std::io::ErrorKind::{AlreadyExists, NotFound};
    assert_eq!(kind(disk.rename(new, old)), NotFound);
    assert_eq!(kind(disk.exchange(new, old)), NotFound);
    assert_eq!(kind(disk.remove(new)), NotFound);
    assert_eq!(kind(disk.create_new(old, b"").map(drop)), AlreadyExists);
    disk.link(old, new).unwrap();
    assert_eq!(kind(disk.link(old, new)), AlreadyExists);
    assert_eq!(kind(disk.rename_new(old, new)), AlreadyExists);
    let id = |path| disk.stat(path).unwrap().unwrap().id;
    assert_eq!(id(old), id(new));
    disk.exchange(old, new).unwrap();
    disk.remove(old).unwrap();
    assert_eq!(disk.content(new).unwrap(), b"old");
    assert_eq!(disk.names(Utf8Path::new("/w")).unwrap(), ["new"]);
}

#[test]
fn a_lock_ends_when_it_is_dropped_or_its_process_dies() {
    let (disk, conductor) = disk();
    let guard = Utf8Path::new("/w/guard");
    let other = disk.of_process(1);
    let locked = |disk: &SimDisk| {
        let mut lock = disk.open_lock(guard).unwrap();
        lock.try_alone().unwrap().then_some(lock)
    };
    let held = locked(&disk);
    assert!(held.is_some() && locked(&other).is_none());
    drop(held);
    let held = locked(&disk);
    plan(&conductor, Call::Stat, Fate::Killed { written: 0 });
    assert!(disk.stat(guard).is_err());
    let theirs = locked(&other);
    assert!(theirs.is_some(), "the dead hold nothing");
    drop(held);
    assert!(locked(&disk.of_process(2)).is_none(), "nor do they free anything");
    assert!(disk.create_new(Utf8Path::new(NEW), b"").is_err());
    assert_eq!(other.stat(Utf8Path::new(NEW)).unwrap().map(|stat| stat.len), None);
}

#[test]
fn of_those_who_share_a_lock_the_last_one_gets_it_alone() {
    let (disk, _) = disk();
    let guard = Utf8Path::new("/w/guard");
    let [mut one, mut two, mut three] =
        [0, 1, 2].map(|process| disk.of_process(process).open_lock(guard).unwrap());
    assert!(one.try_share().unwrap() && two.try_share().unwrap());
    assert!(!one.try_alone().unwrap(), "the other one shares it");
    assert!(two.try_alone().unwrap(), "whoever tried has given up its share");
    assert!(!three.try_share().unwrap() && !three.try_alone().unwrap());
    two.free().unwrap();
    assert!(three.try_alone().unwrap());
}

#[test]
fn a_sync_that_lost_its_data_is_told_once_to_those_who_were_there() {
    let (disk, conductor) = disk();
    let open = || disk.open_append(Utf8Path::new(OLD)).unwrap().0;
    let (mut one, two) = (open(), open());
    one.append(b"abc").unwrap();
    plan(&conductor, Call::Sync, Fate::Forgotten);
    assert!(one.sync().is_err());
    let mut three = open();
    assert!(two.sync().is_err());
    assert!(one.sync().is_ok() && two.sync().is_ok());
    three.append(b"d").unwrap();
    assert!(three.sync().is_ok(), "it came later, and is told nothing");
    assert_eq!(disk.content(Utf8Path::new(OLD)).unwrap(), b"oldabcd");
    disk.drop_cache();
    assert_eq!(disk.content(Utf8Path::new(OLD)).unwrap(), b"old\0\0\0d");
    assert_eq!(texts(&after_cut(&disk, OLD)), ["old000d"]);
}

#[test]
fn short_interrupted_and_impossible_writes() {
    let (disk, conductor) = disk();
    let (mut file, _) = disk.open_append(Utf8Path::new(OLD)).unwrap();
    plan(&conductor, Call::Write, Fate::Interrupted);
    assert_eq!(file.append(b"ab").unwrap(), 2);
    plan(&conductor, Call::Write, Fate::Short(1));
    assert_eq!(file.append(b"cd").unwrap(), 1);
    plan(&conductor, Call::Write, Fate::Short(0));
    assert_eq!(file.append(b"ef").unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    plan(&conductor, Call::Write, Fate::Killed { written: 1 });
    assert!(file.append(b"gh").is_err());
    assert_eq!(disk.content(Utf8Path::new(OLD)).unwrap(), b"oldabcg");
}
