//! The first `dos.toml` of a repository: lanes from its folders, as text, and onto the disk.
//!
//! Each source folder at the top becomes a lane. A folder of packages (`crates`, `packages`, `apps`,
//! `services`) becomes a lane for each package instead. No two lanes can touch one file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::fs;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::lane::lease::fold;
use dos_core::lane::overlap::{Exact, OverlapPolicy};
use dos_core::lane::pattern::{Case, Pattern};
use dos_core::lane::tree::required_name;
use dos_core::lane::{Lanes, Tree};
use dos_store::disk::{Disk, DiskFile, RealDisk};

use crate::git;

#[cfg(test)]
mod tests;

/// Most top-level folders that become lanes, in the order of their names.
pub const FOLDERS_MAX: usize = 12;
/// A folder of packages is split when it has this many of them.
const PACKAGES: std::ops::RangeInclusive<usize> = 2..=12;
/// The lane for what belongs to no other.
const WHOLE: &str = "global";
/// The only lane of a repository without source folders.
const ONLY: &str = "main";
const EVERYTHING: &str = "**/*";

/// Folders of other people's code and of what tools generate. Hidden folders never count.
const NOISE: [&str; 18] = [
    "__pycache__",
    "bower_components",
    "build",
    "coverage",
    "dist",
    "env",
    "htmlcov",
    "logs",
    "node_modules",
    "obj",
    "out",
    "site-packages",
    "target",
    "temp",
    "tmp",
    "vendor",
    "venv",
    "virtualenv",
];
const PACKAGE_FOLDERS: [&str; 4] = ["apps", "crates", "packages", "services"];
const MANIFESTS: [&str; 4] = ["Cargo.toml", "package.json", "pyproject.toml", "go.mod"];

/// What was found in a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Derived {
    /// The lanes that run side by side, sorted by folder.
    pub lanes: Vec<DerivedLane>,
    /// The folders that became no lane, except hidden ones.
    pub left_out: Vec<LeftOut>,
    /// Is the folder in a work tree of git?
    pub git: bool,
}

/// One lane and the folder that it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivedLane {
    /// Its name.
    pub name: String,
    /// The one pattern that it covers.
    pub pattern: String,
    /// The folder, from the root of the workspace.
    pub folder: String,
}

/// A folder that became no lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The folder, from the root of the workspace, as far as it can be shown.
    pub folder: String,
    /// Why.
    pub why: Why,
}

/// Why a folder became no lane.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Its name is one of those that tools and package managers use.
    Generated,
    /// Git ignores it.
    Ignored,
    /// It stands for a folder elsewhere, which two lanes would then share.
    SymbolicLink,
    /// It is beside packages, but is none.
    NoManifest,
    /// There are [`FOLDERS_MAX`] before it.
    TooMany,
    /// A lane's patterns cannot name it, or its name cannot be a lane's.
    Unnameable(String),
    /// Its files would belong to that lane too: patterns ignore case.
    SharedWith(String),
}

impl Why {
    /// The stable word.
    pub fn token(&self) -> &'static str {
        match self {
            Self::Generated => "generated",
            Self::Ignored => "ignored",
            Self::SymbolicLink => "symbolic_link",
            Self::NoManifest => "no_manifest",
            Self::TooMany => "too_many",
            Self::Unnameable(_) => "unnameable",
            Self::SharedWith(_) => "shared",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Generated => formatter.write_str("usually generated, or other people's code"),
            Self::Ignored => formatter.write_str("git ignores it"),
            Self::SymbolicLink => formatter.write_str("a symbolic link"),
            Self::NoManifest => formatter.write_str("no package: it has no manifest"),
            Self::TooMany => write!(formatter, "more than {FOLDERS_MAX} folders"),
            Self::Unnameable(problem) => formatter.write_str(problem),
            Self::SharedWith(lane) => write!(formatter, "lane {lane} covers it: case is ignored"),
        }
    }
}

/// A folder that may become a lane.
struct Candidate {
    /// Its names from the root of the workspace.
    path: Vec<String>,
}

/// Derives the lanes of a workspace from its folders. Writes nothing.
pub fn derive(root: &Utf8Path) -> io::Result<Derived> {
    let mut derived = Derived { git: git::is_work_tree(root), ..Derived::default() };
    let mut candidates = Vec::new();
    for (index, name) in derived.folders(root, &[])?.into_iter().enumerate() {
        if index >= FOLDERS_MAX {
            derived.leave_out(&[name], Why::TooMany);
            continue;
        }
        match derived.packages(root, &name) {
            Some(packages) => candidates.extend(packages),
            None => candidates.push(Candidate { path: vec![name] }),
        }
    }
    derived.name_all(candidates);
    derived
        .left_out
        .sort_by(|one, other| (&one.why, &one.folder).cmp(&(&other.why, &other.folder)));
    Ok(derived)
}

/// What makes all work trees of a repository share one state.
pub const SHARED: &str = "
[workspace]
# All work trees of this repository share the state beside the main one: lanes referee what will meet
# when branches are merged.
scope = \"repository\"
";

impl Derived {
    /// The names of the folders in `root` below `above` that may hold sources, sorted.
    fn folders(&mut self, root: &Utf8Path, above: &[String]) -> io::Result<Vec<String>> {
        let folder = above.iter().fold(root.to_owned(), |path, name| path.join(name));
        let mut names = BTreeSet::new();
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            let shown = entry.file_name().to_string_lossy().into_owned();
            let is_link = kind.is_symlink();
            let is_folder = if is_link { entry.path().is_dir() } else { kind.is_dir() };
            if !is_folder || shown.starts_with('.') {
                continue;
            }
            let path = [above, std::slice::from_ref(&shown)].concat();
            match entry.file_name().into_string() {
                Err(_) => {
                    self.leave_out(&path, Why::Unnameable("its name is not UTF-8".to_string()));
                }
                Ok(_) if is_link => self.leave_out(&path, Why::SymbolicLink),
                Ok(name) if NOISE.contains(&name.as_str()) => {
                    self.leave_out(&path, Why::Generated);
                }
                Ok(name) => {
                    names.insert(name);
                }
            }
        }
        for name in ignored(&folder, &names, self.git) {
            names.remove(&name);
            self.leave_out(&[above, &[name]].concat(), Why::Ignored);
        }
        Ok(names.into_iter().collect())
    }

    /// The packages in a top-level folder, when it is a folder of packages.
    fn packages(&mut self, root: &Utf8Path, name: &str) -> Option<Vec<Candidate>> {
        if !PACKAGE_FOLDERS.contains(&name) {
            return None;
        }
        let above = [name.to_string()];
        let mut inside = Self { git: self.git, ..Self::default() };
        // A folder that cannot be read is still one that lanes can be held of.
        let folders = inside.folders(root, &above).ok()?;
        let is_package = |folder: &String| {
            let folder = root.join(name).join(folder);
            MANIFESTS.iter().any(|manifest| folder.join(manifest).is_file())
        };
        let (packages, others): (Vec<String>, Vec<String>) =
            folders.into_iter().partition(is_package);
        if !PACKAGES.contains(&packages.len()) {
            return None;
        }
        self.left_out.append(&mut inside.left_out);
        for other in others {
            self.leave_out(&[name.to_string(), other], Why::NoManifest);
        }
        let candidate = |package| Candidate { path: vec![name.to_string(), package] };
        Some(packages.into_iter().map(candidate).collect())
    }

    /// Gives each folder a name of its own and a pattern, or leaves it out.
    fn name_all(&mut self, candidates: Vec<Candidate>) {
        let mut uses: BTreeMap<String, usize> = BTreeMap::new();
        for candidate in &candidates {
            *uses.entry(fold(candidate.last())).or_default() += 1;
        }
        let mut taken: BTreeSet<String> = [fold(WHOLE)].into();
        for candidate in candidates {
            let lane = candidate.lane(&uses, &taken);
            let tree = Tree::new([lane.pattern.clone()]);
            let exact = Exact::default();
            let shared = self
                .lanes
                .iter()
                .find(|other| exact.meeting(&tree, &Tree::new([other.pattern.clone()])).is_some());
            let why = match (candidate.problem(&lane), shared) {
                (Some(problem), _) => Why::Unnameable(problem),
                (None, Some(other)) => Why::SharedWith(other.name.clone()),
                (None, None) => {
                    taken.insert(fold(&lane.name));
                    self.lanes.push(lane);
                    continue;
                }
            };
            self.leave_out(&candidate.path, why);
        }
    }

    fn leave_out(&mut self, path: &[String], why: Why) {
        self.left_out.push(LeftOut { folder: path.join("/"), why });
    }

    /// The lanes as a workspace declares them.
    pub fn declared(&self) -> Lanes {
        let names: Vec<String> = self.lanes.iter().map(|lane| lane.name.clone()).collect();
        let alone = if names.is_empty() { ONLY } else { WHOLE };
        let mut trees: BTreeMap<String, Tree> = self
            .lanes
            .iter()
            .map(|lane| (lane.name.clone(), Tree::new([lane.pattern.clone()])))
            .collect();
        trees.insert(alone.to_string(), Tree::new([EVERYTHING.to_string()]));
        Lanes {
            concurrent: names.clone(),
            exclusive: vec![alone.to_string()],
            shared: Vec::new(),
            autopick: names,
            trees,
            aliases: BTreeMap::new(),
        }
    }

    /// The text of the `dos.toml`.
    pub fn to_toml(&self) -> String {
        let lanes = self.declared();
        let mut text = String::from(
            "# Who may write where in this repository, and what may run side by side.\n\
             # `dos init` made this from the folders it found. Edit it; `dos doctor` checks it.\n",
        );
        if self.lanes.is_empty() {
            text.push_str("# There was no source folder, so one lane covers everything.\n");
        }
        text.push_str(
            "\n\
             [lanes]\n\
             # Agents take one of these, write inside its tree, and give it back.\n",
        );
        push_list(&mut text, "concurrent", &lanes.concurrent);
        text.push_str("# Taken only when nothing else is held; then nothing else is granted.\n");
        push_list(&mut text, "exclusive", &lanes.exclusive);
        text.push_str(
            "# Where a request that names no lane looks for a free one, in this order.\n",
        );
        push_list(&mut text, "autopick", &lanes.autopick);
        text.push_str(
            "\n\
             [lanes.trees]\n\
             # What each lane covers, from the root of the workspace. Case does not count.\n",
        );
        if !self.lanes.is_empty() {
            text.push_str(
                "# The trees do not meet, so these lanes never wait for each other. Files outside\n\
                 # of them belong to `global`.\n",
            );
        }
        let names = self.lanes.iter().map(|lane| &lane.name).chain(&lanes.exclusive);
        for name in names {
            for pattern in lanes.tree(name).patterns() {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{} = [{}]", key(name), quoted(pattern));
            }
        }
        text
    }
}

impl Candidate {
    fn last(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }

    /// The folder's own name; where that is not unique, its path with dashes, or with a number.
    fn lane(&self, uses: &BTreeMap<String, usize>, taken: &BTreeSet<String>) -> DerivedLane {
        let is_top = self.path.len() == 1;
        let own = self.last().to_string();
        let is_free = |name: &String| !taken.contains(&fold(name));
        let unique = is_top || uses.get(&fold(&own)).is_none_or(|count| *count == 1);
        let dashed = self.path.join("-");
        let name = Some(own).filter(|own| unique && is_free(own)).unwrap_or_else(|| {
            let numbered = (2..).map(|number| format!("{dashed}-{number}"));
            let mut names = std::iter::once(dashed.clone()).chain(numbered);
            names.find(|name| is_free(name)).unwrap_or_default()
        });
        let names: Vec<String> = self.path.iter().map(|name| literal(name)).collect();
        let pattern = format!("{}/**", names.join("/"));
        // At the start of a line they have a meaning.
        let escape = if pattern.starts_with(['!', '#']) { "\\" } else { "" };
        DerivedLane { name, pattern: format!("{escape}{pattern}"), folder: self.path.join("/") }
    }

    /// Why the lane cannot stand for the folder.
    fn problem(&self, lane: &DerivedLane) -> Option<String> {
        if let Err(error) = required_name("lane name", &lane.name) {
            return Some(error.to_string());
        }
        if self.path.iter().any(|name| name.contains('\\')) {
            return Some("its name holds a backslash, which separates folders".to_string());
        }
        match Pattern::parse(&lane.pattern, Case::default()) {
            Err(error) => Some(error.to_string()),
            Ok(pattern) => {
                let covers = pattern.matches(&format!("{}/file", lane.folder));
                (!covers).then(|| "no pattern can name it".to_string())
            }
        }
    }
}

/// Those of the folders that git ignores.
fn ignored(folder: &Utf8Path, names: &BTreeSet<String>, git: bool) -> Vec<String> {
    if !git || names.is_empty() {
        return Vec::new();
    }
    // With `./` before it no name reads as an option or as pathspec magic.
    let paths: Vec<String> = names.iter().map(|name| format!("./{name}")).collect();
    let before = ["-c", "core.quotePath=false", "check-ignore", "--"];
    let arguments: Vec<&str> = before.into_iter().chain(paths.iter().map(String::as_str)).collect();
    // "None of them" is a failure too, as far as git is concerned.
    let listed = git::run(folder, &arguments).unwrap_or_default();
    let listed: BTreeSet<&str> = listed.lines().collect();
    let is_listed = |name: &&String| {
        let quoted = name.replace('"', "\\\"");
        listed.contains(format!("./{name}").as_str())
            || listed.contains(format!("\"./{quoted}\"").as_str())
    };
    names.iter().filter(is_listed).cloned().collect()
}

/// A pattern for exactly this name.
fn literal(name: &str) -> String {
    let mut pattern = String::new();
    for character in name.chars() {
        match character {
            '*' | '?' | '[' | ']' | '{' | '}' => {
                pattern.push('[');
                pattern.push(character);
                pattern.push(']');
            }
            _ => pattern.push(character),
        }
    }
    pattern
}

/// A list on one line, or on one line for each entry when that would be long.
fn push_list(text: &mut String, name: &str, entries: &[String]) {
    let entries: Vec<String> = entries.iter().map(|entry| quoted(entry)).collect();
    let line = format!("{name} = [{}]\n", entries.join(", "));
    if line.chars().count() <= 100 {
        text.push_str(&line);
        return;
    }
    let lines: String = entries.iter().map(|entry| format!("  {entry},\n")).collect();
    let _ = write!(text, "{name} = [\n{lines}]\n");
}

/// A key of TOML: bare where that is allowed.
fn key(name: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    match !name.is_empty() && name.bytes().all(is_bare) {
        true => name.to_string(),
        false => quoted(name),
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(character);
            }
            _ if character.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(character));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

/// Puts a file in place whole and durable: after a crash there is the old one or the new one. Without
/// `replace` a file that is there stays, and the error is `AlreadyExists`.
pub fn put(path: &Utf8Path, text: &str, replace: bool) -> io::Result<()> {
    let disk = RealDisk;
    let name = path.file_name().unwrap_or_default();
    let draft = path.with_file_name(format!(".{name}.t.{}", std::process::id()));
    let _ = disk.remove(&draft);
    let placed =
        disk.create_new(&draft, text.as_bytes()).and_then(|file| file.sync()).and_then(|()| {
            if let Some(there) = path.metadata().ok().filter(|_| replace) {
                // Who may read it stays as it was.
                std::fs::set_permissions(&draft, there.permissions())?;
            }
            match replace {
                true => disk.rename(&draft, path),
                false => disk.rename_new(&draft, path),
            }
        });
    if placed.is_err() {
        let _ = disk.remove(&draft);
    }
    placed?;
    let folder = path.parent().filter(|folder| !folder.as_str().is_empty());
    disk.sync_dir(folder.unwrap_or(Utf8Path::new(".")))
}

/// The root of the git work tree that the folder is in, when it is another folder.
pub fn enclosing_repository(folder: &Utf8Path) -> Option<Utf8PathBuf> {
    let root = git::run(folder, &["rev-parse", "--show-toplevel"]).ok()?;
    let root = Utf8PathBuf::from(root.trim_end_matches('\n')).canonicalize_utf8().ok()?;
    let folder = folder.canonicalize_utf8().ok()?;
    (root != folder).then_some(root)
}
