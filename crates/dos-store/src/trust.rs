//! Whose `.dos` it is. A repository can bring a link that leads elsewhere, and a folder of somebody
//! else can bring anything: such a state is not used until somebody says so, once.

use std::fs;
use std::os::unix::fs::MetadataExt;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::registry::normalized;
use serde_json::{Value, json};

use crate::disk::{Disk, read_small};
use crate::error::StoreError;
use crate::home::Home;

const TRUSTED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Why a workspace's state is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// It is a link, or is reached by one, that leads out of the workspace.
    Outside {
        /// What is a link.
        path: Utf8PathBuf,
        /// Where it leads.
        target: Utf8PathBuf,
    },
    /// Another user owns it.
    Owner {
        /// The folder.
        path: Utf8PathBuf,
        /// The user's number.
        owner: u32,
    },
}

impl Distrust {
    /// What would have to be trusted, as it is written down.
    fn to_json(&self, root: &Utf8Path) -> Value {
        match self {
            Self::Outside { path, target } => {
                json!({"root": root.as_str(), "path": path.as_str(), "target": target.as_str()})
            }
            Self::Owner { path, owner } => {
                json!({"root": root.as_str(), "path": path.as_str(), "owner": owner})
            }
        }
    }

    /// The row that says that it is trusted.
    pub fn row(&self, root: &Utf8Path) -> String {
        dos_core::json::canonical(&self.to_json(root)) + "\n"
    }

    /// The error of who would use it.
    pub fn error(&self) -> StoreError {
        match self {
            Self::Outside { path, target } => {
                StoreError::Outside { path: path.clone(), target: target.clone() }
            }
            Self::Owner { path, owner } => {
                StoreError::ForeignOwner { path: path.clone(), owner: *owner }
            }
        }
    }
}

/// What is wrong with the state of the workspace whose `.dos` is in `state`; `chosen` are the files that
/// the workspace itself has chosen, if it has.
pub fn examine<D: Disk>(
    disk: &D,
    state: &Utf8Path,
    chosen: &[Option<&Utf8Path>],
    home: Option<&Home>,
) -> Option<Distrust> {
    let found = look(state, chosen)?;
    let wanted = found.to_json(state);
    let trusted =
        home.and_then(|home| read_small(disk, &home.trusted(), TRUSTED_BYTES_MAX).ok().flatten());
    let is_trusted = trusted
        .unwrap_or_default()
        .split(|byte| *byte == b'\n')
        .any(|line| serde_json::from_slice::<Value>(line).is_ok_and(|row| row == wanted));
    (!is_trusted).then_some(found)
}

fn look(state: &Utf8Path, chosen: &[Option<&Utf8Path>]) -> Option<Distrust> {
    let dot_dos = state.join(".dos");
    if let Some(found) = leads_out(&dot_dos, state) {
        return Some(found);
    }
    if let Ok(metadata) = fs::metadata(&dot_dos) {
        let user = rustix::process::geteuid().as_raw();
        if metadata.uid() != user {
            return Some(Distrust::Owner { path: dot_dos, owner: metadata.uid() });
        }
    }
    chosen.iter().flatten().find_map(|file| leads_out(file, state))
}

/// Does this path, by itself or by a link on the way to it, lead out of `state`?
pub fn leads_out(path: &Utf8Path, state: &Utf8Path) -> Option<Distrust> {
    let plain = Utf8PathBuf::from(normalized(path.as_str()));
    if !plain.starts_with(state) {
        return Some(Distrust::Outside { path: path.to_owned(), target: plain });
    }
    let is_link = |above: &&Utf8Path| fs::symlink_metadata(above).is_ok_and(|it| it.is_symlink());
    let link = plain.ancestors().take_while(|above| *above != state).find(is_link)?;
    let target = match link.canonicalize_utf8() {
        Ok(target) => target,
        // It leads to what is not there: that is what would be created.
        Err(_) => link.parent()?.join(link.read_link_utf8().ok()?),
    };
    (!target.starts_with(state)).then(|| Distrust::Outside { path: link.to_owned(), target })
}
