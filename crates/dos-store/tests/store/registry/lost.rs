//! What comes back when files of the registry are gone, and from where.

use std::fs;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::json::Object;
use dos_core::registry::text as field;
use dos_store::home::Home;
use proptest::prelude::*;

use super::Machine;
use crate::workspace::Variables;
use crate::{Folder, text};

/// The index without the time at which it was made.
fn timeless(machine: &Machine) -> (Vec<Object>, Vec<Object>, Vec<String>) {
    let mut rows = machine.registry().projects().unwrap();
    for row in &mut rows {
        row.remove("last_indexed");
    }
    let lists = [machine.home.roots(), machine.home.odd_roots()].map(|list| text(&list));
    let mut roots: Vec<String> =
        lists.iter().flat_map(|list| list.split('\n')).map(str::to_string).collect();
    roots.sort();
    (rows, machine.registry().decisions().unwrap(), roots)
}

/// Names that do not fit on a line, that are hidden, that are deep.
const NAMES: [&str; 7] =
    ["a b", "new\nline", " edge ", "u\u{2028}x", ".hidden/deep/er", "plain", "quo\"te\\"];

/// What became of a project since it was made.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Stayed,
    /// Moved, and at work in the new place.
    Moved,
    /// Copied, its card too, and both are at work.
    Copied,
    /// Copied, and nobody has been at work in the copy.
    CopyAsleep,
    /// A work tree beside a main one, of which git's files tell.
    WorkTree,
}

fn copy(from: &Utf8Path, to: &Utf8Path) {
    fs::create_dir_all(to).unwrap();
    for entry in from.read_dir_utf8().unwrap() {
        let (from, to) =
            (entry.as_ref().unwrap().path(), to.join(entry.as_ref().unwrap().file_name()));
        match from.is_dir() {
            true => copy(from, &to),
            false => drop(fs::copy(from, to).unwrap()),
        }
    }
}

fn work_tree(main: &Utf8Path, top: &Utf8Path) {
    let own = main.join(".git/worktrees/one");
    fs::create_dir_all(&own).unwrap();
    fs::create_dir_all(top).unwrap();
    fs::write(own.join("commondir"), "../..\n").unwrap();
    fs::write(own.join("gitdir"), format!("{top}/.git\n")).unwrap();
    fs::write(top.join(".git"), format!("gitdir: {own}\n")).unwrap();
}

impl Machine {
    fn undergo(&self, name: &str, fate: Fate) {
        let other = format!("{name} 2");
        let (here, there) = (self.folder.join(name), self.folder.join(&other));
        match fate {
            Fate::Stayed => {}
            Fate::Moved => {
                fs::rename(here, there).unwrap();
                self.write(&other);
            }
            Fate::Copied => {
                copy(&here, &there);
                self.write(&other);
                self.force(&other, "copied");
            }
            Fate::CopyAsleep => copy(&here, &there),
            Fate::WorkTree if name.contains('\n') => {}
            Fate::WorkTree => {
                work_tree(&here, &there);
                self.write(&other);
            }
        }
    }

    fn reindex_below(&self) {
        self.registry().reindex(false, std::slice::from_ref(&self.folder.path)).unwrap();
    }
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![
        Just(Fate::Stayed),
        Just(Fate::Moved),
        Just(Fate::Copied),
        Just(Fate::CopyAsleep),
        Just(Fate::WorkTree),
    ];
    proptest::collection::vec(fate, NAMES.len())
}

#[test]
fn a_copy_that_nobody_works_in_hides_nobody() {
    let machine = Machine::new();
    machine.write("a");
    // Its name comes later, and earlier.
    for name in ["b", "B"] {
        copy(&machine.folder.join("a"), &machine.folder.join(name));
    }
    machine.reindex_below();
    let rows = machine.registry().projects().unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!((&rows[0]["label"], &rows[0]["status"]), (&"a".into(), &"active".into()));
    let index = machine.reindex(false);
    assert_eq!((index.summary.active, index.summary.moved), (1, 2));
    machine.write("b");
    assert_eq!(machine.registry().projects().unwrap().len(), 2);
}

#[test]
fn projects_in_hidden_folders_are_found_and_state_is_not_searched() {
    let machine = Machine::new();
    let names = ["main/.worktrees/one", "main/.claude/worktrees/two", ".config/three"];
    for name in names {
        machine.write(name);
    }
    for name in ["main/.git/no", "main/.dos/runs/no"] {
        copy(&machine.folder.join(names[0]), &machine.folder.join(name));
    }
    fs::remove_dir_all(&machine.home.folder).unwrap();
    machine.reindex_below();
    let mut expected = names.map(|name| machine.folder.join(name).to_string());
    expected.sort();
    assert_eq!(machine.roots(), expected);
}

#[test]
fn a_relative_data_home_is_none() {
    let folder = Folder::new();
    let find = |variables: &[(&'static str, &str)]| {
        let variables = variables.iter().map(|(name, value)| (*name, value.to_string()));
        Home::find(&Variables(variables.collect()), None, &folder.path).unwrap()
    };
    let home =
        |variables: &[(&'static str, &str)]| find(variables).map(|home| home.folder.into_string());
    let user = ("HOME", "/h");
    assert_eq!(home(&[("XDG_DATA_HOME", "/d"), user]).unwrap(), "/d/dos");
    for relative in ["d", "./d", "../d", "~/d"] {
        assert_eq!(home(&[("XDG_DATA_HOME", relative), user]).unwrap(), "/h/.dos", "{relative}");
        assert_eq!(home(&[("XDG_DATA_HOME", relative)]), None);
    }
    // What was chosen may be relative.
    let chosen = [("DISPATCH_HOME", "d"), ("XDG_DATA_HOME", "/x")];
    assert_eq!(home(&chosen).unwrap(), folder.join("d").as_str());
}

/// Cuts each of these files short, or takes it away.
fn lose(files: &[Utf8PathBuf], lost: &[Option<f64>]) {
    for (file, kept) in files.iter().zip(lost) {
        let content = fs::read(file).unwrap_or_default();
        match kept {
            None => drop(fs::remove_file(file)),
            Some(part) => {
                fs::write(file, &content[..(content.len() as f64 * part) as usize]).unwrap();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any subset of the central files is gone, or cut short anywhere: the same comes back from the
    /// cards.
    #[test]
    fn what_is_lost_comes_back_from_the_cards(
        forced in proptest::collection::vec((0_usize..NAMES.len(), 0_usize..3), 0..8),
        fates in fates(),
        lost in proptest::collection::vec(proptest::option::of(0.0_f64..1.0), 4),
    ) {
        let machine = Machine::new();
        for name in NAMES {
            machine.write(name);
        }
        for (project, lane) in forced {
            machine.clock.advance(Duration::from_millis(7));
            machine.force(NAMES[project], &format!("lane{lane}"));
        }
        for (name, fate) in NAMES.iter().zip(&fates) {
            machine.clock.advance(Duration::from_millis(7));
            machine.undergo(name, *fate);
        }
        machine.reindex_below();
        let before = timeless(&machine);
        prop_assert!(before.0.len() >= NAMES.len());
        prop_assert!(before.0.iter().all(|row| field(row, "status") == Some("active")));
        let home = &machine.home;
        lose(&[home.index(), home.roots(), home.odd_roots(), home.decisions()], &lost);
        machine.reindex_below();
        prop_assert_eq!(timeless(&machine), before);
    }

    /// As long as either list of roots is whole nobody has to be told where to look.
    #[test]
    fn either_list_brings_the_other_back(
        index_goes in any::<bool>(),
        decisions_go in any::<bool>(),
        fates in fates(),
        forced in proptest::collection::vec(0_usize..NAMES.len(), 0..6),
    ) {
        let machine = Machine::new();
        for name in NAMES {
            machine.write(name);
        }
        for project in forced {
            machine.clock.advance(Duration::from_millis(7));
            machine.force(NAMES[project], "lane");
        }
        for (name, fate) in NAMES.iter().zip(&fates) {
            machine.undergo(name, *fate);
        }
        machine.reindex(false);
        let before = timeless(&machine);
        let home = &machine.home;
        let lists = if index_goes { vec![home.index()] } else { vec![home.roots(), home.odd_roots()] };
        lose(&lists, &[None, None]);
        if decisions_go {
            fs::remove_file(machine.home.decisions()).unwrap();
        }
        machine.reindex(false);
        prop_assert_eq!(timeless(&machine), before);
    }
}
