//! Git for the race: commits of many processes at once in one repository, and the history as data.

use std::ffi::OsStr;

use camino::{Utf8Path, Utf8PathBuf};

use super::QuickstartError;
use crate::spawn;

const BRANCH: &str = "refs/heads/main";
/// How often a commit is built again on what others committed meanwhile.
const ATTEMPTS_MAX: u32 = 1000;
/// What would point git at another repository, or forge a time or a name.
const FOREIGN_VARIABLES: [&str; 19] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DEFAULT_HASH",
    "GIT_DEFAULT_REF_FORMAT",
    "GIT_DIFF_OPTS",
    "GIT_DIR",
    "GIT_EXTERNAL_DIFF",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
    "GIT_AUTHOR_DATE",
    "GIT_COMMITTER_DATE",
];
/// The same on every machine, whatever is configured there.
const SETTINGS: [&str; 9] = [
    "commit.gpgSign=false",
    "core.attributesFile=/dev/null",
    "core.autocrlf=false",
    "core.excludesFile=/dev/null",
    "core.fsync=none",
    "core.hooksPath=/dev/null",
    "core.quotePath=false",
    "gc.auto=0",
    "maintenance.auto=false",
];

/// The repository, as one committer works with it.
pub struct Repository {
    root: Utf8PathBuf,
    author: String,
    index: Option<Utf8PathBuf>,
}

/// One commit, as git has it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Commit {
    /// Its name.
    pub id: String,
    /// When it was made, in seconds since the epoch, by the clock of the machine.
    pub seconds: i64,
    /// Who made it.
    pub author: String,
    /// It has no parent: the scene, set before the race.
    pub first: bool,
    /// What it changed against its parent.
    pub changes: Vec<Change>,
}

/// One changed file of a commit.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Its path from the root of the repository.
    pub path: String,
    /// The lines that came in.
    pub added: Vec<String>,
    /// How many lines went.
    pub removed: u64,
}

impl Repository {
    /// The repository in this folder, as that committer sees it.
    pub fn new(root: &Utf8Path, author: &str) -> Self {
        Self { root: root.to_owned(), author: author.to_string(), index: None }
    }

    /// With an index file of its own, so that many can prepare commits at once.
    pub fn with_index(self, index: Utf8PathBuf) -> Self {
        Self { index: Some(index), ..self }
    }

    /// Is there a git at all?
    pub fn check_git(&self) -> Result<(), QuickstartError> {
        match spawn::command("git", &self.root).arg("--version").output() {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr).trim().to_string();
                Err(QuickstartError::NoGit(std::io::Error::other(said)))
            }
            Err(error) => Err(QuickstartError::NoGit(error)),
        }
    }

    /// Makes the repository, and a first commit of all that is there.
    pub fn init(&self, message: &str) -> Result<(), QuickstartError> {
        self.git(["init", "--quiet", "--template="])?;
        self.git(["symbolic-ref", "HEAD", BRANCH])?;
        self.git(["add", "--all"])?;
        self.git(["commit", "--quiet", "-m", message]).map(drop)
    }

    /// Commits these files, and nothing else, on top of whatever is there by then. `still_mine` is
    /// asked right before the commit becomes visible; without its yes there is none.
    pub fn commit(
        &self,
        files: &[&str],
        message: &str,
        still_mine: &dyn Fn() -> Result<bool, QuickstartError>,
    ) -> Result<bool, QuickstartError> {
        let mut refused = None;
        for _ in 0..ATTEMPTS_MAX {
            let parent = self.git(["rev-parse", "--verify", BRANCH])?;
            self.git(["read-tree", &parent])?;
            self.git(["update-index", "--add", "--"].iter().chain(files))?;
            let tree = self.git(["write-tree"])?;
            let commit = self.git(["commit-tree", &tree, "-p", &parent, "-m", message])?;
            if !still_mine()? {
                return Ok(false);
            }
            // Compare and swap: it fails when somebody was faster, and then all is done again.
            match self.git(["update-ref", BRANCH, &commit, &parent]) {
                Ok(_) => return Ok(true),
                Err(error) => refused = Some(error),
            }
        }
        refused.map_or(Ok(false), Err)
    }

    /// Brings the index that everybody sees up to the newest commit.
    pub fn refresh(&self) -> Result<(), QuickstartError> {
        self.git(["reset", "--quiet", "--mixed"]).map(drop)
    }

    /// All commits of the branch, oldest first.
    pub fn history(&self) -> Result<Vec<Commit>, QuickstartError> {
        let text = self.git([
            "log",
            "--reverse",
            "--first-parent",
            "-m",
            "--patch",
            "--unified=0",
            "--no-color",
            "--no-ext-diff",
            "--no-renames",
            "--no-textconv",
            "--src-prefix=a/",
            "--dst-prefix=b/",
            "--format=%x01%H%x1f%ct%x1f%P%x1f%an",
            BRANCH,
        ])?;
        Ok(commits_of(&text))
    }

    fn git<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<String, QuickstartError> {
        let mut command = spawn::command("git", &self.root);
        for variable in FOREIGN_VARIABLES {
            command.env_remove(variable);
        }
        for (variable, value) in [
            ("GIT_ATTR_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_SYSTEM", "/dev/null"),
            ("GIT_AUTHOR_NAME", &self.author),
            ("GIT_AUTHOR_EMAIL", "worker@quickstart.invalid"),
            ("GIT_COMMITTER_NAME", &self.author),
            ("GIT_COMMITTER_EMAIL", "worker@quickstart.invalid"),
            ("LC_ALL", "C"),
        ] {
            command.env(variable, value);
        }
        if let Some(index) = &self.index {
            command.env("GIT_INDEX_FILE", index);
        }
        command.args(SETTINGS.iter().flat_map(|setting| ["-c", setting]));
        let before = command.get_args().count();
        command.args(arguments);
        let output = command.output().map_err(QuickstartError::NoGit)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_string());
        }
        let asked: Vec<_> = command.get_args().skip(before).map(OsStr::to_string_lossy).collect();
        let complaint = String::from_utf8_lossy(&output.stderr).trim().to_string();
        Err(QuickstartError::Git { command: asked.join(" "), complaint })
    }
}

/// Reads what `git log --patch --unified=0` printed. The lines of a hunk are counted, so that no
/// content can pass for anything else.
fn commits_of(text: &str) -> Vec<Commit> {
    let mut commits: Vec<Commit> = Vec::new();
    let (mut removed_left, mut added_left) = (0, 0);
    for line in text.split('\n') {
        if let Some(header) = line.strip_prefix('\u{1}') {
            commits.push(commit_of(header));
            (removed_left, added_left) = (0, 0);
            continue;
        }
        let Some(commit) = commits.last_mut() else { continue };
        if removed_left + added_left == 0 {
            if let Some(names) = line.strip_prefix("diff --git ") {
                commit.changes.push(Change { path: path_of(names), ..Change::default() });
            } else if let Some(ranges) = line.strip_prefix("@@ ") {
                (removed_left, added_left) = lengths_of(ranges);
            }
            continue;
        }
        let Some(change) = commit.changes.last_mut() else { continue };
        if let Some(added) = line.strip_prefix('+') {
            change.added.push(added.to_string());
            added_left = added_left.saturating_sub(1);
        } else if line.starts_with('-') {
            change.removed += 1;
            removed_left = removed_left.saturating_sub(1);
        }
    }
    commits
}

fn commit_of(header: &str) -> Commit {
    let mut fields = header.split('\u{1f}').map(str::to_string);
    let mut next = || fields.next().unwrap_or_default();
    let (id, seconds, parents, author) = (next(), next(), next(), next());
    let seconds = seconds.parse().unwrap_or_default();
    Commit { id, seconds, author, first: parents.is_empty(), changes: Vec::new() }
}

/// `a/NAME b/NAME`, where both names are the same since renames are not looked for.
fn path_of(names: &str) -> String {
    let length = names.len().saturating_sub("a/ b/".len()) / 2;
    names.get("a/".len()..).and_then(|rest| rest.get(..length)).unwrap_or(names).to_string()
}

/// How many lines went and came, from `-1,2 +3 @@`: a length of one is left out.
fn lengths_of(ranges: &str) -> (u64, u64) {
    let mut lengths = ranges.split(' ').map(|range| match range.split_once(',') {
        Some((_, length)) => length.parse().unwrap_or(0),
        None => 1,
    });
    (lengths.next().unwrap_or(0), lengths.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_that_looks_like_a_patch_is_content() {
        let text = "\u{1}abc\u{1f}17\u{1f}def\u{1f}w1\n\n\
                    diff --git a/a b.txt b/a b.txt\nindex 1..2 100644\n--- a/a b.txt\n+++ b/a b.txt\n\
                    @@ -1 +1,3 @@ x\n-old\n+diff --git a/x b/x\n+++ b/y\n+@@ -9 +9 @@\n\
                    diff --git a/new b/new\nnew file mode 100644\n--- /dev/null\n+++ b/new\n\
                    @@ -0,0 +1 @@\n+w1\n\\ No newline at end of file\n\
                    \u{1}fed\u{1f}18\u{1f}\u{1f}w2";
        let added = ["diff --git a/x b/x", "++ b/y", "@@ -9 +9 @@"].map(String::from).to_vec();
        let commits = commits_of(text);
        assert_eq!(
            commits.first().map(|commit| &commit.changes),
            Some(&vec![
                Change { path: "a b.txt".to_string(), added, removed: 1 },
                Change { path: "new".to_string(), added: vec!["w1".to_string()], removed: 0 },
            ])
        );
        let second = Commit {
            id: "fed".to_string(),
            seconds: 18,
            author: "w2".to_string(),
            first: true,
            changes: Vec::new(),
        };
        assert_eq!(commits.get(1), Some(&second));
    }
}
