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
    /// A `.git` file says that this is a work tree of a repository, which does not know of it.
    Claimed {
        /// The file.
        path: Utf8PathBuf,
        /// The repository.
        target: Utf8PathBuf,
    },
    /// The repository of a work tree knows it in another place, where nothing is.
    Moved {
        /// Its `.git` file.
        path: Utf8PathBuf,
        /// The repository.
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
            Self::Outside { path, target }
            | Self::Claimed { path, target }
            | Self::Moved { path, target } => {
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
            Self::Claimed { path, target } => {
                StoreError::Claimed { path: path.clone(), target: target.clone() }
            }
            Self::Moved { path, target } => {
                StoreError::Moved { path: path.clone(), target: target.clone() }
            }
            Self::Owner { path, owner } => {
                StoreError::ForeignOwner { path: path.clone(), owner: *owner }
            }
        }
    }
}

/// The first of these that nobody has trusted. What was trusted is what was shown then: another
/// target, another owner or another link is something else.
pub fn first_untrusted<D: Disk>(
    disk: &D,
    state: &Utf8Path,
    found: impl IntoIterator<Item = Distrust>,
    home: Option<&Home>,
) -> Option<Distrust> {
    let mut found = found.into_iter().peekable();
    found.peek()?;
    let trusted =
        home.and_then(|home| read_small(disk, &home.trusted(), TRUSTED_BYTES_MAX).ok().flatten());
    let trusted = trusted.unwrap_or_default();
    let lines = trusted.split(|byte| *byte == b'\n');
    let rows: Vec<Value> = lines.filter_map(|line| serde_json::from_slice(line).ok()).collect();
    found.find(|distrust| !rows.contains(&distrust.to_json(state)))
}

/// What is wrong with the folder `.dos` in `state` itself.
pub fn look(state: &Utf8Path) -> Vec<Distrust> {
    let dot_dos = state.join(".dos");
    let user = rustix::process::geteuid().as_raw();
    let owner = fs::metadata(&dot_dos).ok().map(|metadata| metadata.uid());
    let foreign = owner.filter(|owner| *owner != user);
    let foreign = foreign.map(|owner| Distrust::Owner { path: dot_dos.clone(), owner });
    leads_out(&dot_dos, state).into_iter().chain(foreign).collect()
}

/// Which of these paths lead out of `state`.
pub fn links<'a>(
    state: &Utf8Path,
    paths: impl IntoIterator<Item = &'a Utf8Path>,
) -> impl Iterator<Item = Distrust> {
    paths.into_iter().filter_map(move |path| leads_out(path, state))
}

/// Does this path, by itself or by a link on the way to it, lead out of `state`? What is below `.dos` may
/// also be where that leads, which is another question.
pub fn leads_out(path: &Utf8Path, state: &Utf8Path) -> Option<Distrust> {
    let plain = Utf8PathBuf::from(normalized(path.as_str()));
    if !plain.starts_with(state) {
        return Some(Distrust::Outside { path: path.to_owned(), target: plain });
    }
    let dot_dos = state.join(".dos");
    let is_below = plain.starts_with(&dot_dos) && plain != dot_dos;
    let above = if is_below { &dot_dos } else { state };
    let is_link = |name: &&Utf8Path| fs::symlink_metadata(name).is_ok_and(|it| it.is_symlink());
    let link = plain.ancestors().take_while(|name| *name != above).find(is_link)?;
    let target = match link.canonicalize_utf8() {
        Ok(target) => target,
        // It leads to what is not there: that is what would be created.
        Err(_) => {
            Utf8PathBuf::from(normalized(link.parent()?.join(link.read_link_utf8().ok()?).as_str()))
        }
    };
    let stays = |within: Utf8PathBuf| target.starts_with(within);
    let is_inside =
        target.starts_with(state) || is_below && dot_dos.canonicalize_utf8().is_ok_and(stays);
    (!is_inside).then(|| Distrust::Outside { path: link.to_owned(), target })
}
