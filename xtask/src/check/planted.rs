//! `cargo xtask check --planted`: every step is seen to fail.
//!
//! A check that never fails proves nothing. This copies the workspace to a temporary folder, plants
//! one violation at a time, runs the one step that must find it, and takes the violation out again.
//! All of them build into `planted` in our target directory, so that dependencies are built once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, bail};
use tempfile::TempDir;

use super::tools::{Workspace, cargo, run as run_tool};
use super::{Outcome, Step, tidy};

/// One change to one file of the copy.
enum Edit {
    /// Writes a file, new or old.
    Write(&'static str, &'static str),
    /// Adds text at the end.
    Append(&'static str, &'static str),
    /// Adds the same text many times at the end.
    Repeat(&'static str, &'static str, usize),
    /// Replaces text that must be there.
    Replace(&'static str, &'static str, &'static str),
    /// Turns a feature on in the line that names a dependency: manifest, dependency, feature.
    Feature(&'static str, &'static str, &'static str),
}

/// One violation and the step that must find it.
struct Planting {
    step: &'static str,
    what: &'static str,
    edits: &'static [Edit],
    /// What the failure must say: failing for another reason does not count.
    says: &'static str,
    /// Whether Cargo.lock must follow, since the step uses `--locked` and would fail on that alone.
    relock: bool,
}

const CORE_LIB: &str = "crates/dos-core/src/lib.rs";
const CORE_MANIFEST: &str = "crates/dos-core/Cargo.toml";
const STORE_LIB: &str = "crates/dos-store/src/lib.rs";
const STORE_MANIFEST: &str = "crates/dos-store/Cargo.toml";
const CLI_MANIFEST: &str = "crates/dos-cli/Cargo.toml";
const XTASK_MANIFEST: &str = "xtask/Cargo.toml";
const CAMINO: &str = "\n[dependencies.camino]\nworkspace = true\n";
const EMPTY_MODULE: &str = "//! Planted.\n";

/// A shorthand: most violations do not touch Cargo.lock.
const fn plant(
    step: &'static str,
    what: &'static str,
    says: &'static str,
    edits: &'static [Edit],
) -> Planting {
    Planting { step, what, edits, says, relock: false }
}

/// The same, for a change that Cargo.lock must follow.
const fn plant_and_lock(
    step: &'static str,
    what: &'static str,
    says: &'static str,
    edits: &'static [Edit],
) -> Planting {
    Planting { step, what, edits, says, relock: true }
}

/// All violations, in the order of the steps.
const PLANTINGS: &[Planting] = &[
    plant(
        "fmt",
        "badly formatted code in dos-core",
        "fn  planted",
        &[Edit::Append(CORE_LIB, "\nfn  planted( ){}\n")],
    ),
    plant(
        "clippy",
        "an unwrap in dos-core",
        "used `unwrap()`",
        &[Edit::Append(
            CORE_LIB,
            "\n/// Planted.\npub fn planted(it: Option<u8>) -> u8 {\n    it.unwrap()\n}\n",
        )],
    ),
    plant(
        "clippy",
        "a clock read in dos-store",
        "disallowed method `std::time::SystemTime::now`",
        &[Edit::Append(
            STORE_LIB,
            "\n/// Planted.\npub fn planted() -> std::time::SystemTime {\n    \
             std::time::SystemTime::now()\n}\n",
        )],
    ),
    plant(
        "graph",
        "dev-dependency dos-core -> dos-store",
        "dos-core -> dos-store (dev",
        &[Edit::Append(CORE_MANIFEST, "\n[dev-dependencies.dos-store]\nworkspace = true\n")],
    ),
    plant(
        "graph",
        "dependency dos-store -> dos-drivers",
        "dos-store -> dos-drivers (normal",
        &[Edit::Append(STORE_MANIFEST, "\n[dependencies.dos-drivers]\nworkspace = true\n")],
    ),
    plant(
        "graph",
        "dos-store -> dos-cli, renamed, one target only, build",
        "dos-store -> dos-cli (build",
        &[Edit::Append(
            STORE_MANIFEST,
            "\n[target.'cfg(unix)'.build-dependencies.innocent]\npackage = \"dos-cli\"\n\
             path = \"../dos-cli\"\n",
        )],
    ),
    plant(
        "graph",
        "a member that nobody decided on",
        "dos-rogue: a member",
        &[
            Edit::Write("crates/dos-rogue/Cargo.toml", "[package]\nname = \"dos-rogue\"\n"),
            Edit::Write("crates/dos-rogue/src/lib.rs", EMPTY_MODULE),
        ],
    ),
    plant_and_lock(
        "core-deps",
        "camino below dos-core",
        "dos-core -> camino (normal): not allowed",
        &[Edit::Append(CORE_MANIFEST, CAMINO)],
    ),
    plant_and_lock(
        "core-deps",
        "an allowed dependency that brings camino",
        "camino: below dos-core, but not on the list",
        &[
            Edit::Append(
                CORE_MANIFEST,
                "\n[dependencies.planted]\npackage = \"sha2\"\npath = \"../../planted\"\n\
                 default-features = false\n",
            ),
            Edit::Write(
                "planted/Cargo.toml",
                "[package]\nname = \"sha2\"\n\n[dependencies]\ncamino = \"1\"\n",
            ),
            Edit::Write("planted/src/lib.rs", EMPTY_MODULE),
        ],
    ),
    plant(
        "core-deps",
        "an allowed dependency with its default features",
        "dos-core -> sha2: must not use its default features",
        &[Edit::Append(
            CORE_MANIFEST,
            "\n[dependencies.planted]\npackage = \"sha2\"\nversion = \"0.11\"\n",
        )],
    ),
    plant(
        "no-std",
        "`extern crate std` and std::fs in dos-core",
        "can't find crate for `std`",
        &[Edit::Append(CORE_LIB, "\nextern crate std;\nuse std::fs as _;\n")],
    ),
    plant_and_lock(
        "no-std",
        "camino below dos-core",
        "can't find crate for `std`",
        &[Edit::Append(CORE_MANIFEST, CAMINO)],
    ),
    plant(
        "std-features",
        "serde's `std` in dos-core",
        "feature \"std\"",
        &[Edit::Feature(CORE_MANIFEST, "serde", "std")],
    ),
    plant_and_lock(
        "deny",
        "dependency xtask -> dos-store",
        "crate 'dos-store = 0.1.0'",
        &[Edit::Append(XTASK_MANIFEST, "\n[dependencies.dos-store]\nworkspace = true\n")],
    ),
    plant_and_lock(
        "deny",
        "dependency xtask -> rustix",
        "crate 'rustix = ",
        &[Edit::Append(XTASK_MANIFEST, "\n[dependencies.rustix]\nworkspace = true\n")],
    ),
    plant(
        "deny",
        "serde_json's `arbitrary_precision` in dos-cli",
        "arbitrary_precision",
        &[Edit::Feature(CLI_MANIFEST, "serde_json", "arbitrary_precision")],
    ),
    plant_and_lock(
        "deny",
        "a dependency at any version",
        "wildcard",
        &[Edit::Append(XTASK_MANIFEST, "\n[dependencies.fastrand]\nversion = \"*\"\n")],
    ),
    plant(
        "deny",
        "a crate under the GPL",
        "GPL-3.0-only",
        &[Edit::Replace(STORE_MANIFEST, "license.workspace = true", "license = \"GPL-3.0-only\"")],
    ),
    plant(
        "deny",
        "a registry that is not allowed",
        "source-not-allowed",
        &[Edit::Replace("deny.toml", "https://github.com/rust-lang/", "https://example.invalid/")],
    ),
    plant(
        "features",
        "serde_json's `preserve_order` asked for by dos-cli",
        "dos-cli asks serde_json for preserve_order",
        &[Edit::Feature(CLI_MANIFEST, "serde_json", "preserve_order")],
    ),
    plant(
        "features",
        "serde_json built with `arbitrary_precision`",
        "serde_json is built with arbitrary_precision",
        &[Edit::Feature(CLI_MANIFEST, "serde_json", "arbitrary_precision")],
    ),
    plant(
        "tidy",
        "a file without `//!`",
        "planted.rs: does not start with `//!`",
        &[Edit::Write("crates/dos-cli/src/planted.rs", "fn planted() {}\n")],
    ),
    plant(
        "tidy",
        "an `allow` attribute on an item",
        "`allow`, use",
        &[Edit::Append(STORE_LIB, "\n#[allow(dead_code)]\nfn planted() {}\n")],
    ),
    plant(
        "tidy",
        "an `allow` attribute on a module",
        "`allow`, use",
        &[Edit::Append(STORE_LIB, "\nmod planted {\n    #![allow(dead_code)]\n}\n")],
    ),
    plant(
        "tidy",
        "a second clippy.toml",
        "crates/dos-drivers/clippy.toml: a second",
        &[Edit::Write("crates/dos-drivers/clippy.toml", "disallowed-methods = []\n")],
    ),
    plant(
        "tidy",
        "`extern crate std` in dos-core",
        "std without `#[cfg(test)]`",
        &[Edit::Append(CORE_LIB, "\nextern crate std;\n")],
    ),
    plant(
        "tidy",
        "a crate that does not inherit the lints",
        "crates/dos-store/Cargo.toml: has no `[lints]",
        &[Edit::Replace(STORE_MANIFEST, "[lints]\nworkspace = true", "")],
    ),
    plant(
        "tidy",
        "unfinished code",
        concat!("`todo", "!(`"),
        &[Edit::Append(STORE_LIB, concat!("\nfn planted() {\n    todo", "!()\n}\n"))],
    ),
    plant(
        "tidy",
        "a file of 700 lines",
        "planted.rs: 701 lines",
        &[
            Edit::Write("crates/dos-store/src/planted.rs", EMPTY_MODULE),
            Edit::Repeat("crates/dos-store/src/planted.rs", "// Line.\n", 700),
        ],
    ),
    plant(
        "tidy",
        "a path of one machine in a document",
        "planted.md:1: a path of one machine",
        &[Edit::Write("docs/planted.md", concat!("See /hom", "e/someone/notes.\n"))],
    ),
    plant(
        "tidy",
        "200 more packages in Cargo.lock",
        "Cargo.lock: ",
        &[Edit::Repeat("Cargo.lock", "\n[[package]]\nname = \"planted\"\n", 200)],
    ),
];

/// Plants every violation of the given steps and prints what became of it.
pub(super) fn run(original: &Workspace, steps: &[&Step]) -> anyhow::Result<()> {
    let copy = Copy::of(original)?;
    let mut failures = 0;
    println!("{:<13} {:<55} result", "step", "planted");
    for step in steps {
        let clean = copy.run(step, &[], false)?;
        let judged = match &clean.result {
            Ok(Outcome::Passed(_)) => Ok("passes"),
            Ok(Outcome::Skipped(_)) => Ok("SKIPPED: cannot run here"),
            Err(error) => Err(format!("FAILS without it: {}", brief(error))),
        };
        failures += report(step.id, "(nothing)", judged, clean.seconds);
        if matches!(clean.result, Ok(Outcome::Skipped(_))) {
            continue;
        }
        let clean_text = clean.result.err().map(|error| format!("{error:#}")).unwrap_or_default();

        let mut plantings = PLANTINGS.iter().filter(|it| it.step == step.id).peekable();
        if plantings.peek().is_none() {
            failures += report(step.id, "(none)", Err("NOTHING PLANTED".to_owned()), 0.0);
        }
        for planting in plantings {
            let after = copy.run(step, planting.edits, planting.relock)?;
            let judged = match &after.result {
                Ok(_) => Err("NOT CAUGHT".to_owned()),
                Err(error) if clean_text.contains(planting.says) => {
                    Err(format!("UNDECIDED, it said that before: {}", brief(error)))
                }
                Err(error) if format!("{error:#}").contains(planting.says) => Ok("caught"),
                Err(error) => Err(format!("FAILS FOR ANOTHER REASON: {}", brief(error))),
            };
            failures += report(step.id, planting.what, judged, after.seconds);
        }
    }
    if failures > 0 {
        bail!("{failures} rows are not as they must be");
    }
    Ok(())
}

/// Prints one row and returns 1 if it is not as it must be.
fn report(step: &str, what: &str, judged: Result<&str, String>, seconds: f64) -> usize {
    let (result, failed) = match judged {
        Ok(result) => (result.to_owned(), 0),
        Err(result) => (result, 1),
    };
    println!("{step:<13} {what:<55} {result} ({seconds:.1} s)");
    failed
}

fn brief(error: &anyhow::Error) -> String {
    format!("{error:#}").lines().take(3).collect::<Vec<_>>().join(" / ")
}

/// What a step said of the copy in one state.
struct Ran {
    result: anyhow::Result<Outcome>,
    seconds: f64,
}

/// A copy of the workspace that can be damaged and repaired.
struct Copy {
    /// Removed when dropped.
    _folder: TempDir,
    workspace: Workspace,
}

impl Copy {
    /// Copies what git tracks or would track.
    fn of(original: &Workspace) -> anyhow::Result<Copy> {
        let folder = TempDir::with_prefix("dos-planted-")?;
        let workspace = Workspace {
            root: folder.path().join("workspace"),
            target_directory: Some(target_directory(original)?.join("planted")),
        };
        for path in tidy::paths(original)? {
            let to = workspace.root.join(&path);
            std::fs::create_dir_all(to.parent().unwrap_or(&to))?;
            std::fs::copy(original.root.join(&path), &to)
                .with_context(|| format!("cannot copy {path}"))?;
        }
        // No commit, so no identity is needed.
        run_tool(&workspace, "git", &["init", "--quiet"])?.expect_success("git init")?;
        Ok(Copy { workspace, _folder: folder })
    }

    /// Damages the copy, runs the step on it, and repairs it.
    fn run(&self, step: &Step, edits: &[Edit], relock: bool) -> anyhow::Result<Ran> {
        let mut originals = BTreeMap::new();
        self.keep("Cargo.lock", &mut originals)?;
        for edit in edits {
            self.keep(edit.path(), &mut originals)?;
            self.apply(edit)?;
        }
        if relock {
            // Only adds edges between packages that are already locked.
            let arguments = ["update", "--quiet", "--workspace", "--offline"];
            cargo(&self.workspace, &arguments)?.expect_success("cargo update --workspace")?;
        }
        let started = Instant::now();
        let result = (step.run)(&self.workspace);
        let seconds = started.elapsed().as_secs_f64();
        for (path, original) in originals {
            self.restore(path, original)?;
        }
        Ok(Ran { result, seconds })
    }

    /// Remembers what a file was, if it was there, before it is first touched.
    fn keep(
        &self,
        path: &'static str,
        originals: &mut BTreeMap<&'static str, Option<Vec<u8>>>,
    ) -> anyhow::Result<()> {
        let file = self.workspace.root.join(path);
        if !originals.contains_key(path) {
            let bytes = if file.exists() { Some(std::fs::read(&file)?) } else { None };
            originals.insert(path, bytes);
        }
        Ok(())
    }

    fn restore(&self, path: &str, original: Option<Vec<u8>>) -> anyhow::Result<()> {
        let file = self.workspace.root.join(path);
        match original {
            // An untouched file keeps its time stamp: cargo rebuilds what is newer.
            Some(bytes) if std::fs::read(&file)? == bytes => {}
            Some(bytes) => std::fs::write(&file, bytes)?,
            None => {
                std::fs::remove_file(&file)?;
                // The folders that came with it: `crates/*` is a list of members.
                for folder in file.ancestors().skip(1) {
                    if std::fs::remove_dir(folder).is_err() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    fn apply(&self, edit: &Edit) -> anyhow::Result<()> {
        let file = self.workspace.root.join(edit.path());
        let old = || std::fs::read_to_string(&file).with_context(|| format!("no {}", edit.path()));
        let new = match edit {
            Edit::Write(_, text) => (*text).to_owned(),
            Edit::Append(_, text) => old()? + text,
            Edit::Repeat(_, text, count) => old()? + &text.repeat(*count),
            Edit::Replace(path, from, to) => {
                let old = old()?;
                if !old.contains(from) {
                    bail!("cannot plant: {path} does not contain `{from}`");
                }
                old.replacen(from, to, 1)
            }
            Edit::Feature(path, dependency, feature) => with_feature(&old()?, dependency, feature)
                .with_context(|| format!("cannot plant: no `{dependency} = {{` in {path}"))?,
        };
        std::fs::create_dir_all(file.parent().unwrap_or(&file))?;
        std::fs::write(&file, new)?;
        Ok(())
    }
}

/// Where cargo builds a workspace.
fn target_directory(workspace: &Workspace) -> anyhow::Result<PathBuf> {
    let arguments = ["metadata", "--no-deps", "--format-version", "1"];
    let stdout = cargo(workspace, &arguments)?.expect_success("cargo metadata --no-deps")?;
    let metadata: serde_json::Value = serde_json::from_str(&stdout)?;
    Ok(PathBuf::from(metadata["target_directory"].as_str().context("no target_directory")?))
}

impl Edit {
    fn path(&self) -> &'static str {
        match self {
            Edit::Write(path, _)
            | Edit::Append(path, _)
            | Edit::Repeat(path, _, _)
            | Edit::Replace(path, _, _)
            | Edit::Feature(path, _, _) => path,
        }
    }
}

/// Adds a feature to the first inline table of a dependency.
fn with_feature(manifest: &str, dependency: &str, feature: &str) -> Option<String> {
    let start = manifest.find(&format!("\n{dependency} = {{"))? + 1;
    let end = start + manifest[start..].find('}')?;
    let line = &manifest[start..end];
    let changed = if line.contains("features = [") {
        line.replacen("features = [", &format!("features = [\"{feature}\", "), 1)
    } else {
        format!("{}, features = [\"{feature}\"] ", line.trim_end())
    };
    Some(format!("{}{changed}{}", &manifest[..start], &manifest[end..]))
}
