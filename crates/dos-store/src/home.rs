//! The home registry's folder: where it is, and what is in it.

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::registry::normalized;

use crate::error::StoreError;
use crate::workspace::{Environment, set};

/// Where temporary files are unless a variable says otherwise.
const TEMPORARY: &str = "/tmp";

/// The folder that every workspace of a user is told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// Where it is. It need not exist.
    pub folder: Utf8PathBuf,
    /// Was it chosen, by an argument or `DISPATCH_HOME`? Then it takes any workspace.
    pub chosen: bool,
    /// The folder of temporary files.
    temporary: Utf8PathBuf,
}

impl Home {
    /// Finds it: `given`, else `DISPATCH_HOME`, else `dos` in `XDG_DATA_HOME`, else `~/.dos`.
    /// Creates nothing; `None` when the environment names no home at all.
    pub fn find(
        environment: &impl Environment,
        given: Option<&Utf8Path>,
        current: &Utf8Path,
    ) -> Result<Option<Self>, StoreError> {
        let temporary = set(environment, &["TMPDIR", "TEMP", "TMP"])?;
        let temporary = temporary.map_or_else(|| TEMPORARY.into(), Utf8PathBuf::from);
        let temporary = current.join(temporary);
        let absolute = |path: &Utf8Path| Utf8PathBuf::from(normalized(current.join(path).as_str()));
        let found = |path: &Utf8Path, chosen| {
            let temporary = temporary.clone();
            Ok(Some(Self { folder: absolute(path), chosen, temporary }))
        };
        if let Some(given) = given {
            return found(given, true);
        }
        if let Some(chosen) = set(environment, &["DISPATCH_HOME"])? {
            return found(Utf8Path::new(&chosen), true);
        }
        // One that is relative is to be ignored, says the specification: it would be another in each
        // folder.
        let data = set(environment, &["XDG_DATA_HOME"])?;
        if let Some(data) = data.filter(|data| data.starts_with('/')) {
            return found(&Utf8Path::new(&data).join("dos"), false);
        }
        match set(environment, &["HOME"])? {
            Some(home) => found(&Utf8Path::new(&home).join(".dos"), false),
            None => Ok(None),
        }
    }

    /// The home of a machine that is simulated, or of an embedding program.
    pub fn at(folder: impl Into<Utf8PathBuf>) -> Self {
        Self { folder: folder.into(), chosen: true, temporary: TEMPORARY.into() }
    }

    /// The index: a row for each time that a project was told of.
    pub fn index(&self) -> Utf8PathBuf {
        self.folder.join("projects/index.jsonl")
    }

    /// The roots, one a line.
    pub fn roots(&self) -> Utf8PathBuf {
        self.folder.join("projects/roots.log")
    }

    /// The roots that do not fit on a line of the other list, a JSON object each. Most machines have
    /// none.
    pub fn odd_roots(&self) -> Utf8PathBuf {
        self.folder.join("projects/roots.jsonl")
    }

    /// The overrides of all projects.
    pub fn decisions(&self) -> Utf8PathBuf {
        self.folder.join("decisions.jsonl")
    }

    /// The workspaces whose state is trusted although it is in an odd place or somebody else's.
    pub fn trusted(&self) -> Utf8PathBuf {
        self.folder.join("trusted.jsonl")
    }

    /// The lock that orders who writes here.
    pub fn lock(&self) -> Utf8PathBuf {
        self.folder.join(".home.lock")
    }

    /// Is the root a throwaway that does not belong in this registry: below the folder of temporary
    /// files, when nobody has chosen the registry?
    pub fn leaves_out(&self, root: &Utf8Path) -> bool {
        let resolved =
            |path: &Utf8Path| path.canonicalize_utf8().unwrap_or_else(|_| path.to_owned());
        !self.chosen && resolved(root).starts_with(resolved(&self.temporary))
    }
}
