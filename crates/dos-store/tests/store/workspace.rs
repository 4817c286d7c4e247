//! Where a workspace is, where its files are, and what the first write creates.

use std::collections::BTreeMap;

use dos_store::disk::RealDisk;
use dos_store::workspace::Environment;
use dos_store::{StoreError, Workspace};

use crate::{Folder, text};

pub struct Variables(pub BTreeMap<&'static str, String>);

impl Environment for Variables {
    fn variable(&self, name: &str) -> Result<Option<String>, StoreError> {
        Ok(self.0.get(name).cloned())
    }
}

fn open(folder: &Folder, variables: &[(&'static str, &str)]) -> Result<Workspace, StoreError> {
    let variables = variables.iter().map(|(name, value)| (*name, value.to_string())).collect();
    Workspace::open(&RealDisk, &Variables(variables), None, &folder.path)
}

#[test]
fn the_flag_goes_before_the_variable_and_that_before_the_current_folder() {
    let folder = Folder::new();
    for name in ["flag", "variable"] {
        std::fs::create_dir(folder.join(name)).unwrap();
    }
    assert_eq!(open(&folder, &[]).unwrap().root, folder.path);
    let set = [("DISPATCH_WORKSPACE", "variable")];
    assert_eq!(open(&folder, &set).unwrap().root, folder.join("variable"));
    let variables = Variables([("DISPATCH_WORKSPACE", "variable".to_string())].into());
    let flag = Some(camino::Utf8Path::new("flag"));
    let workspace = Workspace::open(&RealDisk, &variables, flag, &folder.path).unwrap();
    assert_eq!(workspace.root, folder.join("flag"));
}

#[test]
fn the_variables_of_the_original_move_the_files() {
    let folder = Folder::new();
    let usual = open(&folder, &[]).unwrap();
    assert_eq!(usual.journal, folder.join(".dos/lane-journal.jsonl"));
    assert_eq!(usual.lock, folder.join(".dos/.lane-lease.lock"));
    let moved = open(
        &folder,
        &[
            ("DISPATCH_LANE_JOURNAL_PATH", "else/j.jsonl"),
            ("DISPATCH_HOST_ID", "h7"),
            ("DISPATCH_ARCHIVE_LOCK_PATH", "arch"),
        ],
    )
    .unwrap();
    assert_eq!(moved.journal, folder.join("else/j.jsonl"));
    assert_eq!(moved.lock, folder.join("else/.lane-lease.lock"), "it goes with the journal");
    assert_eq!(moved.archive_lock, folder.join("arch"));
    assert_eq!(moved.host, "h7");
    let locked = open(&folder, &[("DISPATCH_LANE_LEASE_LOCK_PATH", "l")]).unwrap();
    assert_eq!(locked.lock, folder.join("l"));
    let older = open(&folder, &[("JOB_LANE_JOURNAL_PATH", "j")]).unwrap();
    assert_eq!(older.journal, folder.join("j"));
    let empty = open(&folder, &[("DISPATCH_LANE_JOURNAL_PATH", "")]).unwrap();
    assert_eq!(empty.journal, usual.journal, "an empty variable is not set");
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let folder = Folder::new();
    let missing = open(&folder, &[("DISPATCH_WORKSPACE", "nowhere")]).map(|_| ()).unwrap_err();
    assert!(missing.to_string().contains("nowhere"), "{missing}");
    std::fs::write(folder.join("file"), "").unwrap();
    let file = open(&folder, &[("DISPATCH_WORKSPACE", "file")]).map(|_| ()).unwrap_err();
    assert!(matches!(file, StoreError::WrongKind { .. }), "{file}");
    std::fs::create_dir(folder.join("dos.toml")).unwrap();
    let toml = open(&folder, &[]).map(|_| ()).unwrap_err();
    assert!(toml.to_string().contains("dos.toml"), "{toml}");
}

#[test]
fn the_first_write_alone_creates_the_folder_and_says_so() {
    let folder = Folder::new();
    let workspace = open(&folder, &[]).unwrap();
    assert_eq!(folder.names(), Vec::<String>::new());
    assert!(workspace.prepare_write(&RealDisk, &workspace.journal).unwrap());
    assert!(!workspace.prepare_write(&RealDisk, &workspace.journal).unwrap());
    assert!(text(&folder.join(".dos/.gitignore")).ends_with("\n*\n"), "it ignores itself too");
    let elsewhere = open(&folder, &[("DISPATCH_LANE_JOURNAL_PATH", "deep/er/j")]).unwrap();
    assert!(!elsewhere.prepare_write(&RealDisk, &elsewhere.journal).unwrap());
    assert!(folder.join("deep/er").is_dir());
}

#[test]
fn something_else_in_the_folders_place_is_named() {
    let folder = Folder::new();
    std::fs::write(folder.join(".dos"), "").unwrap();
    let workspace = open(&folder, &[]).unwrap();
    let error = workspace.prepare_write(&RealDisk, &workspace.journal).unwrap_err();
    assert!(error.to_string().contains(".dos"), "{error}");
    assert!(error.hint().contains(".dos"), "{}", error.hint());
}

#[test]
fn a_journal_goes_by_its_own_name_and_not_by_a_link() {
    let folder = Folder::new();
    std::fs::create_dir(folder.join("real")).unwrap();
    std::fs::write(folder.join("real/j.jsonl"), "").unwrap();
    std::os::unix::fs::symlink("real/j.jsonl", folder.join("link.jsonl")).unwrap();
    std::os::unix::fs::symlink("real", folder.join("dir")).unwrap();
    for path in ["link.jsonl", "dir/j.jsonl"] {
        let workspace = open(&folder, &[("DISPATCH_LANE_JOURNAL_PATH", path)]).unwrap();
        assert_eq!(workspace.journal, folder.join("real/j.jsonl"), "{path}");
    }
    let new = open(&folder, &[("DISPATCH_LANE_JOURNAL_PATH", "dir/new.jsonl")]).unwrap();
    assert_eq!(new.journal, folder.join("real/new.jsonl"));
}
