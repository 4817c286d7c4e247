//! The throwaway repository: its files, its lanes, and how to open it.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use dos_store::disk::RealDisk;
use dos_store::workspace::Environment;
use dos_store::{StoreError, Workspace};

use super::QuickstartError;
use super::repository::Repository;

/// The lane whose holder is killed.
pub const VICTIM_LANE: &str = "lib";
/// The lane that meets two others in part.
pub const OVERLAPPING_LANE: &str = "contracts";
/// The lane that runs alone.
pub const EXCLUSIVE_LANE: &str = "release";
/// The lanes that are disjoint.
pub const LANES: [&str; 4] = ["api", "web", "docs", VICTIM_LANE];
/// What somebody without a lane of its own asks for.
pub const PATTERNS: [&str; 6] = [
    "api/handlers/*.rs",
    "web/pages/[a-h]*.ts",
    "docs/guide/**",
    "lib/{parse,print}.rs",
    "api/schema/**",
    "**/README.md",
];

/// Every file that is worked on. Those of `LATER` come into being during the race.
pub const FILES: [&str; 22] = [
    "README.md",
    "CHANGELOG.md",
    "api/README.md",
    "api/handlers/users.rs",
    "api/handlers/orders.rs",
    "api/handlers/carts.rs",
    "api/schema/user.json",
    "api/schema/order.json",
    "web/README.md",
    "web/pages/home.ts",
    "web/pages/about.ts",
    "web/pages/shop.ts",
    "web/schema/user.json",
    "web/schema/order.json",
    "docs/README.md",
    "docs/guide/start.md",
    "docs/guide/lanes.md",
    "docs/reference.md",
    "lib/README.md",
    "lib/parse.rs",
    "lib/print.rs",
    "lib/store.rs",
];
const LATER: [&str; 4] =
    ["CHANGELOG.md", "api/handlers/carts.rs", "web/pages/shop.ts", "docs/guide/lanes.md"];

const DOS_TOML: &str = r#"# The lanes of this throwaway repository. `dos init` derives such a file from yours.
[lanes]
concurrent = ["api", "web", "docs", "lib", "contracts"]
exclusive = ["release"]
autopick = ["api", "web", "docs", "lib"]

[lanes.trees]
api = ["api/**"]
web = ["web/**"]
docs = ["docs/**"]
lib = ["lib/**"]
contracts = ["api/schema/**", "web/schema/**"]
release = ["**/*"]

# The audit reads the whole history in one file.
[retention]
journal_max_entries = "none"
"#;

/// Writes the files and makes the first commit. The folder is empty.
pub fn create(root: &Utf8Path) -> Result<Repository, QuickstartError> {
    let repository = Repository::new(root, "quickstart");
    repository.check_git()?;
    for file in FILES.iter().filter(|file| !LATER.contains(*file)) {
        let path = root.join(file);
        let folder = path.parent().unwrap_or(root);
        fs::create_dir_all(folder).map_err(QuickstartError::io("create", folder))?;
        write(&path, &format!("This is {file}.\n"))?;
    }
    write(&root.join("dos.toml"), DOS_TOML)?;
    repository.init("Set the scene")?;
    let signals = Signals::of(root).folder;
    fs::create_dir_all(&signals).map_err(QuickstartError::io("create", &signals))?;
    Ok(repository)
}

/// The workspace, whatever the environment says of another one.
pub fn open(root: &Utf8Path) -> Result<Workspace, StoreError> {
    Workspace::open(&RealDisk, &Nothing, Some(root), root)
}

struct Nothing;

impl Environment for Nothing {
    fn variable(&self, _: &str) -> Result<Option<String>, StoreError> {
        Ok(None)
    }
}

/// Files by which the race is directed. Nothing in them is part of the result.
pub struct Signals {
    folder: Utf8PathBuf,
}

impl Signals {
    /// Those of this repository, in a folder that git does not look at.
    pub fn of(root: &Utf8Path) -> Self {
        Self { folder: root.join(".git/quickstart") }
    }

    /// The index file of one worker.
    pub fn index(&self, worker: &str) -> Utf8PathBuf {
        self.folder.join(format!("{worker}.index"))
    }

    /// The one that is to die holds its lane and has blocked.
    pub fn say_victim_holds(&self) -> Result<(), QuickstartError> {
        write(&self.folder.join("victim-holds"), "")
    }

    /// Has that been said?
    pub fn victim_holds(&self) -> bool {
        self.folder.join("victim-holds").exists()
    }

    /// It has been killed and collected.
    pub fn say_killed(&self) -> Result<(), QuickstartError> {
        write(&self.folder.join("victim-killed"), "")
    }

    /// Has that been said?
    pub fn killed(&self) -> bool {
        self.folder.join("victim-killed").exists()
    }
}

/// Writes a whole file.
pub fn write(path: &Utf8Path, content: &str) -> Result<(), QuickstartError> {
    fs::write(path, content).map_err(QuickstartError::io("write", path))
}
