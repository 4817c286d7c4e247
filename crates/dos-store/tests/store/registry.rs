//! The home registry: who is told of what, and how it comes back when its files are gone.

mod lost;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::json::Object;
use dos_core::registry::{Rebuilt, project_id, text as field};
use dos_store::Workspace;
use dos_store::clock::Clock;
use dos_store::decisions::Override;
use dos_store::disk::RealDisk;
use dos_store::home::Home;
use dos_store::registry::{Registry, Told};

use crate::meddler::Meddled;
use crate::workspace::Variables;
use crate::{Folder, NOON, TestClock, text};

const DAY: Duration = Duration::from_secs(86_400);

/// A machine: a home, and folders for projects.
struct Machine {
    folder: Folder,
    home: Home,
    clock: TestClock,
}

impl Machine {
    fn new() -> Self {
        let folder = Folder::new();
        let home = Home::at(folder.join("home"));
        Self { folder, home, clock: TestClock::at_noon() }
    }

    fn registry(&self) -> Registry<'_, RealDisk, TestClock> {
        Registry::new(&RealDisk, &self.clock, &self.home, "h")
    }

    fn open(&self, name: &str) -> Workspace {
        let root = self.folder.join(name);
        fs::create_dir_all(&root).unwrap();
        let variables = Variables([("DISPATCH_HOME", self.home.folder.to_string())].into());
        Workspace::open(&RealDisk, &variables, None, &root).unwrap()
    }

    /// A project that writes.
    fn write(&self, name: &str) -> Told {
        let workspace = self.open(name);
        workspace.prepare_write(&RealDisk, &workspace.journal).unwrap();
        workspace.tell(&RealDisk, &self.clock)
    }

    fn force(&self, name: &str, lane: &str) {
        let now = self.clock.now().unwrap();
        Override { lane, now }.record(&self.open(name), &RealDisk, &self.clock).unwrap();
    }

    fn card(&self, name: &str) -> Object {
        let card = text(&self.folder.join(name).join(".dos/project.json"));
        serde_json::from_str(&card).unwrap()
    }

    fn reindex(&self, prune: bool) -> Rebuilt {
        self.registry().reindex(prune, &[]).unwrap().index
    }

    fn roots(&self) -> Vec<String> {
        let projects = self.registry().projects().unwrap();
        let mut roots: Vec<String> =
            projects.iter().map(|row| field(row, "root").unwrap_or_default().to_string()).collect();
        roots.sort();
        roots
    }

    fn lanes(&self) -> Vec<String> {
        let rows = self.registry().decisions().unwrap();
        rows.iter().map(|row| field(row, "lane").unwrap_or_default().to_string()).collect()
    }
}

#[test]
fn the_first_write_makes_the_card_and_the_row_and_later_ones_nothing() {
    let machine = Machine::new();
    assert!(matches!(machine.write("p"), Told::Now));
    let root = machine.folder.join("p");
    let card = machine.card("p");
    assert_eq!(card["project_id"], project_id(root.as_str()));
    assert_eq!(card["root"], root.as_str());
    assert_eq!(card["created_at"], "2026-01-01T12:00:00Z");
    assert_eq!(card["schema"], 1);
    assert_eq!(card["home"], machine.home.folder.as_str());
    let rows = machine.registry().projects().unwrap();
    assert_eq!(rows.len(), 1);
    for (key, value) in [("label", "p"), ("status", "active"), ("root", root.as_str())] {
        assert_eq!(rows[0][key], value);
    }
    assert_eq!(rows[0]["first_seen"], "2026-01-01T12:00:00Z");
    assert_eq!(text(&machine.home.roots()), format!("{root}\n"));
    let before = text(&machine.home.index());
    assert!(matches!(machine.write("p"), Told::Already));
    assert_eq!(text(&machine.home.index()), before);
    machine.clock.advance(DAY);
    assert!(matches!(machine.write("p"), Told::Now), "a card is a day old at most");
    assert_eq!(text(&machine.home.index()).lines().count(), 2);
    assert_eq!(machine.registry().projects().unwrap().len(), 1);
}

#[test]
fn what_is_written_is_for_this_user_alone() {
    let machine = Machine::new();
    machine.force("p", "api");
    let mut waiting: Vec<Utf8PathBuf> =
        vec![machine.home.folder.clone(), machine.folder.join("p/.dos")];
    let mut files = 0;
    while let Some(path) = waiting.pop() {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{path} has {mode:o}");
        if path.is_dir() {
            waiting.extend(path.read_dir_utf8().unwrap().map(|entry| entry.unwrap().into_path()));
        } else {
            files += 1;
        }
    }
    assert!(files >= 7, "{files}");
}

#[test]
fn when_the_home_lock_is_busy_the_next_write_tells() {
    let machine = Machine::new();
    fs::create_dir_all(machine.home.folder.join("projects")).unwrap();
    let visible = machine.home.lock();
    // The original, which may be writing.
    fs::write(&visible, "owner: home-1\nacquired_at: 2026-01-01T12:00:00Z\npid: 1\n").unwrap();
    assert!(matches!(machine.write("p"), Told::Later(_)));
    assert_eq!(machine.card("p").get("home"), None);
    assert!(!machine.home.index().exists(), "nobody writes without the lock");
    machine.force("p", "api");
    assert_eq!(machine.lanes(), [""; 0]);
    assert_eq!(text(&machine.folder.join("p/.dos/decisions/resolved.jsonl")).lines().count(), 1);
    fs::remove_file(&visible).unwrap();
    assert!(matches!(machine.write("p"), Told::Now));
    assert_eq!((machine.roots().len(), machine.lanes()), (1, vec!["api".to_string()]));
    // Neither is told twice.
    machine.force("p", "web");
    machine.clock.advance(DAY);
    machine.write("p");
    assert_eq!(machine.lanes(), ["api", "web"]);
}

#[test]
fn an_empty_home_lock_holds_nobody_up_for_long() {
    let machine = Machine::new();
    fs::create_dir_all(machine.home.folder.join("projects")).unwrap();
    fs::write(machine.home.lock(), "").unwrap();
    // The file's own time counts, which is long after this clock's noon.
    let written = fs::metadata(machine.home.lock()).unwrap().mtime() * 1000;
    machine.clock.advance(Duration::from_millis((written + 6000 - NOON).try_into().unwrap()));
    assert!(matches!(machine.write("p"), Told::Now));
    assert!(!machine.home.lock().exists());
}

#[test]
fn a_hundred_first_writers_make_one_card_and_one_row() {
    let machine = Machine::new();
    let root = machine.folder.join("p");
    fs::create_dir(&root).unwrap();
    let told: Vec<(bool, bool)> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..100)
            .map(|_| {
                let (root, home) = (&root, machine.home.folder.to_string());
                scope.spawn(move || {
                    let variables = Variables([("DISPATCH_HOME", home)].into());
                    let workspace = Workspace::open(&RealDisk, &variables, None, root).unwrap();
                    let clock = TestClock::at_noon();
                    let first = workspace.prepare_write(&RealDisk, &workspace.journal).unwrap();
                    let told = workspace.tell(&RealDisk, &clock);
                    (first, matches!(told, Told::Now))
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    assert_eq!(told.iter().filter(|(first, _)| *first).count(), 1, "one courtesy line");
    assert_eq!(told.iter().filter(|(_, now)| *now).count(), 1, "one tells");
    assert_eq!(text(&machine.home.index()).lines().count(), 1);
    assert_eq!(text(&machine.home.roots()).lines().count(), 1);
    assert_eq!(machine.card("p")["home"], machine.home.folder.as_str());
}

#[test]
fn a_project_that_was_moved_is_in_its_new_place() {
    let machine = Machine::new();
    machine.force("old", "api");
    let id = machine.card("old")["project_id"].clone();
    fs::rename(machine.folder.join("old"), machine.folder.join("new")).unwrap();
    assert_eq!(machine.reindex(false).summary.stale, 1);
    assert!(matches!(machine.write("new"), Told::Now));
    assert_eq!(machine.card("new")["project_id"], id, "it keeps its id");
    assert_eq!(machine.card("new")["root"], machine.folder.join("new").as_str());
    assert_eq!(machine.roots(), [machine.folder.join("new").to_string()]);
    assert_eq!(text(&machine.home.roots()), format!("{}\n", machine.folder.join("new")));
    let index = machine.reindex(false);
    assert_eq!((index.summary.active, index.summary.stale, index.summary.moved), (1, 0, 0));
    assert_eq!(machine.lanes(), ["api"], "what was forced there came along");
}

#[test]
fn a_copy_is_another_project() {
    let machine = Machine::new();
    machine.force("one", "api");
    for name in [".dos/project.json", ".dos/decisions/resolved.jsonl"] {
        let copy = machine.folder.join("two").join(name);
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(machine.folder.join("one").join(name), copy).unwrap();
    }
    machine.clock.advance(Duration::from_millis(1));
    machine.write("two");
    assert_ne!(machine.card("two")["project_id"], machine.card("one")["project_id"]);
    machine.force("two", "web");
    let index = machine.reindex(false);
    assert_eq!((index.summary.active, index.summary.moved), (2, 0));
    assert_eq!(machine.lanes(), ["api", "web"], "what came along is told once");
    assert!(index.summary.id_collisions.is_empty());
}

#[test]
fn a_folder_that_goes_by_two_names_is_one_project() {
    let machine = Machine::new();
    machine.write("real");
    symlink(machine.folder.join("real"), machine.folder.join("link")).unwrap();
    assert!(matches!(machine.write("link"), Told::Already));
    // As a case-insensitive disk or a bind mount would have it: another name, no link to be seen.
    let roots = format!("{}\n{}\n", machine.folder.join("link"), machine.folder.join("real"));
    fs::write(machine.home.roots(), roots).unwrap();
    let index = machine.reindex(false);
    assert_eq!((index.summary.active, index.summary.moved), (1, 0));
    assert_eq!(machine.roots(), [machine.folder.join("real").to_string()]);
}

#[test]
fn odd_paths_are_paths() {
    let machine = Machine::new();
    let names = ["a b", "new\nline", " edge ", "quo\"te", "\u{2028}", "\u{e9}", "per%cent"];
    for name in names {
        assert!(matches!(machine.write(name), Told::Now), "{name:?}");
    }
    let mut expected: Vec<String> =
        names.iter().map(|name| machine.folder.join(name).to_string()).collect();
    expected.sort();
    assert_eq!(machine.roots(), expected);
    assert_eq!(machine.reindex(true).summary.active, names.len() as u64);
    assert_eq!(machine.roots(), expected);
    // The list of roots has those that fit on a line, which is all that the original understands.
    assert_eq!(text(&machine.home.roots()).lines().count(), 4);
    fs::remove_file(machine.home.index()).unwrap();
    assert_eq!(machine.reindex(false).summary.active, names.len() as u64);
    assert_eq!(machine.roots(), expected);
    machine.registry().forget(&[expected[0].as_str(), expected[1].as_str()]).unwrap();
    fs::remove_file(machine.home.index()).unwrap();
    machine.reindex(false);
    assert_eq!(machine.roots(), expected[2..]);
    fs::remove_dir_all(&machine.home.folder).unwrap();
    machine.registry().reindex(false, std::slice::from_ref(&machine.folder.path)).unwrap();
    assert_eq!(machine.roots(), expected);
}

#[test]
fn a_project_whose_folders_cannot_be_seen_is_found_and_told_of() {
    let machine = Machine::new();
    for name in ["a", "a/below", "b"] {
        machine.write(name);
    }
    fs::remove_dir_all(&machine.home.folder).unwrap();
    let closed = machine.folder.join("a");
    let disk = Meddled::closing(closed.clone());
    let registry = Registry::new(&disk, &machine.clock, &machine.home, "h");
    let under = [machine.folder.path.clone(), closed.clone()];
    let found = registry.reindex(false, &under).unwrap();
    assert_eq!(found.unreadable, [closed.as_str()]);
    assert_eq!(found.index.summary.active, 2);
    assert_eq!(machine.roots(), ["a", "b"].map(|name| machine.folder.join(name).to_string()));
}

#[test]
fn corrupt_rows_and_cards_stop_nobody() {
    let machine = Machine::new();
    for name in ["a", "b", "c", "d"] {
        machine.write(name);
    }
    machine.force("a", "api");
    let bad = b"\n{\"project_id\":\nnull\n5\n{\"project_id\":1,\"label\":\"a\"}\n{\"project_id\":[\"x\"]}\n\
        {\"project_id\":\"n\",\"root\":5}\n{\"project_id\":\"m\",\"root\":\"a\\u0000b\"}\n\
        {\"project_id\":\"o\",\"first_seen\":1,\"ts_ms\":null,\"label\":1}\n\xff\xfe\n{\"torn";
    for path in [machine.home.index(), machine.home.decisions(), machine.home.roots()] {
        let mut content = fs::read(&path).unwrap();
        content.extend_from_slice(bad);
        fs::write(&path, content).unwrap();
    }
    fs::write(machine.folder.join("b/.dos/project.json"), "{}").unwrap();
    fs::write(machine.folder.join("c/.dos/project.json"), b"{\"project_id\": \"\xff\"}").unwrap();
    fs::write(machine.folder.join("d/.dos/project.json"), "{\"project_id\": [1]}").unwrap();
    assert!(machine.registry().projects().unwrap().len() >= 4);
    machine.write("e");
    assert!(
        machine.roots().contains(&machine.folder.join("e").to_string()),
        "not glued to the tail"
    );
    let index = machine.reindex(false);
    assert_eq!((index.summary.active, index.summary.stale), (4, 1), "{:?}", index.summary);
    // The next write mends the cards.
    for name in ["b", "c", "d"] {
        assert!(matches!(machine.write(name), Told::Now));
        let id = project_id(machine.folder.join(name).as_str());
        assert_eq!(machine.card(name)["project_id"], id);
    }
    assert_eq!(machine.reindex(false).summary.active, 5);
    assert!(machine.lanes().contains(&"api".to_string()));
}

#[test]
fn overrides_of_who_is_not_there_just_now_stay() {
    let machine = Machine::new();
    machine.force("gone", "api");
    machine.force("here", "web");
    fs::rename(machine.folder.join("gone"), machine.folder.join("unmounted")).unwrap();
    assert_eq!(machine.reindex(false).summary.stale, 1);
    assert_eq!(machine.lanes().len(), 2);
    assert_eq!(machine.reindex(true).summary.stale, 1);
    assert_eq!(machine.lanes(), ["web"]);
    assert_eq!(machine.roots(), [machine.folder.join("here").to_string()]);
    assert_eq!(machine.reindex(false).summary.stale, 0, "it does not come back");
}

#[test]
fn who_is_forgotten_is_gone_by_whatever_name() {
    let machine = Machine::new();
    for name in ["a", "b", "c"] {
        machine.force(name, name);
    }
    symlink(machine.folder.join("a"), machine.folder.join("link")).unwrap();
    let registry = machine.registry();
    let forgotten = registry.forget(&[machine.folder.join("link").as_str()]).unwrap();
    assert_eq!(forgotten.len(), 1);
    assert_eq!(
        (forgotten[0].root.as_str(), forgotten[0].decisions),
        (machine.folder.join("a").as_str(), 1)
    );
    let id = machine.card("b")["project_id"].as_str().unwrap().to_string();
    assert_eq!(registry.forget(&[&id]).unwrap()[0].project_id, id);
    assert!(registry.forget(&["nosuch"]).unwrap().is_empty());
    assert_eq!(
        (machine.roots(), machine.lanes()),
        (vec![machine.folder.join("c").to_string()], vec!["c".to_string()])
    );
    assert_eq!(machine.reindex(false).summary.active, 1);
}

#[test]
fn a_throwaway_workspace_is_left_out_of_a_home_that_nobody_chose() {
    let machine = Machine::new();
    let variables = |extra: &[(&'static str, &Utf8Path)]| {
        let fixed = [
            ("TMPDIR", machine.folder.join("tmp").to_string()),
            ("HOME", machine.folder.path.to_string()),
        ];
        let extra = extra.iter().map(|(name, value)| (*name, value.to_string()));
        Variables(fixed.into_iter().chain(extra).collect())
    };
    let root = machine.folder.join("tmp/w");
    fs::create_dir_all(&root).unwrap();
    let write = |variables: &Variables| {
        let workspace = Workspace::open(&RealDisk, variables, None, &root).unwrap();
        workspace.prepare_write(&RealDisk, &workspace.journal).unwrap();
        (workspace.tell(&RealDisk, &machine.clock), workspace.home.unwrap())
    };
    let (told, home) = write(&variables(&[]));
    assert!(matches!(told, Told::LeftOut), "{told:?}");
    assert!(root.join(".dos/project.json").exists() && !home.folder.exists());
    let chosen = machine.home.folder.clone();
    let (told, _) = write(&variables(&[("DISPATCH_HOME", &chosen)]));
    assert!(matches!(told, Told::Now), "{told:?}");
    // One that got into the other home all the same is pruned there.
    fs::create_dir_all(home.folder.join("projects")).unwrap();
    fs::write(home.roots(), format!("{root}\n")).unwrap();
    let registry = Registry::new(&RealDisk, &machine.clock, &home, "h");
    assert_eq!(registry.reindex(false, &[]).unwrap().index.summary.active, 1);
    assert_eq!(registry.reindex(true, &[]).unwrap().index.summary.throwaway, 1);
    assert_eq!(registry.projects().unwrap(), []);
}

#[test]
fn a_card_of_a_later_version_is_left_alone() {
    let machine = Machine::new();
    machine.write("p");
    let later = "{\"schema\": 2, \"project_id\": \"future\"}";
    fs::write(machine.folder.join("p/.dos/project.json"), later).unwrap();
    machine.clock.advance(DAY);
    machine.write("p");
    assert_eq!(text(&machine.folder.join("p/.dos/project.json")), later);
}

#[test]
fn an_index_does_not_grow_for_ever() {
    let machine = Machine::new();
    for _ in 0..200 {
        machine.write("p");
        machine.clock.advance(DAY);
    }
    assert!(text(&machine.home.index()).lines().count() < 80);
    assert_eq!(machine.registry().projects().unwrap()[0]["first_seen"], "2026-01-01T12:00:00Z");
}
