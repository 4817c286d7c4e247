//! What can go wrong in the store: what was attempted, on which file, and what to do.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::limits;
use dos_core::timestamp::OutOfRange;

/// A failure of the store. Nothing was acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file operation failed.
    #[error("failed to {action} {path}")]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On which file.
        path: Utf8PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Something else stands where a folder or a file should be.
    #[error("{path} should be a {wanted}, but something else is there")]
    WrongKind {
        /// Where.
        path: Utf8PathBuf,
        /// `folder` or `file`.
        wanted: &'static str,
    },
    /// The workspace folder does not exist.
    #[error("there is no workspace folder {path}")]
    NoWorkspace {
        /// The folder.
        path: Utf8PathBuf,
    },
    /// A path that is no UTF-8.
    #[error("the path {shown:?} is not UTF-8")]
    NotUtf8 {
        /// The path as far as it can be shown.
        shown: String,
    },
    /// An environment variable that is no UTF-8.
    #[error("the environment variable {name} is not UTF-8")]
    BadVariable {
        /// Its name.
        name: String,
    },
    /// A compaction that would lose a lease.
    #[error("{path} holds a lease that is too large to be compacted; nothing was changed")]
    CannotCompact {
        /// The journal.
        path: Utf8PathBuf,
    },
    /// Only part of a record could be written; it was taken back.
    #[error("only part of a record fitted into {path}; it was taken back")]
    ShortWrite {
        /// The log.
        path: Utf8PathBuf,
    },
    /// Only part of a record could be written, and taking it back failed.
    #[error("only part of a record fitted into {path}, and that part could not be removed")]
    TornWrite {
        /// The log.
        path: Utf8PathBuf,
        /// Why it could not be removed.
        source: io::Error,
    },
    /// A sync failed; nobody opens the journal again before it is repaired.
    #[error(
        "a record in {path} did not become durable, and may be gone after a crash{unmarked}",
        unmarked = if *marked { "" } else { "; nor could the journal be marked as such" }
    )]
    NotDurable {
        /// The journal.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
        /// Is there a marker, so that nobody goes on?
        marked: bool,
    },
    /// The name of a new file did not become durable.
    #[error("the name of the new file {path} did not become durable")]
    NameNotDurable {
        /// The log.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another program wrote while the journal was about to be replaced; nothing was changed.
    #[error("{path} was changed by another program meanwhile; nothing was changed here")]
    Changed {
        /// The journal.
        path: Utf8PathBuf,
    },
    /// A write was not made durable, once: what is there may not be on the disk.
    #[error("a write to {path} did not reach the disk, so that what it holds cannot be trusted")]
    Poisoned {
        /// The journal.
        path: Utf8PathBuf,
    },
    /// A record beyond the bound.
    #[error("a record of {bytes} bytes is too long for {path} (at most {most})", most = limits::LINE_BYTES_MAX)]
    TooLong {
        /// The log.
        path: Utf8PathBuf,
        /// The record's length.
        bytes: usize,
    },
    /// Somebody else holds the lock.
    #[error("the lock {path} is busy ({holder})")]
    Busy {
        /// The lock file.
        path: Utf8PathBuf,
        /// Who holds it, as far as it can be told.
        holder: String,
    },
    /// The lock was taken from us while we held it; nothing was written.
    #[error("the lock {path} was taken away by another program; nothing was written")]
    LockLost {
        /// The lock file.
        path: Utf8PathBuf,
    },
    /// Locks do not work there.
    #[error(
        "{path} is on a network file system ({kind}), where a lock of one machine does not bind another"
    )]
    NetworkFileSystem {
        /// Where.
        path: Utf8PathBuf,
        /// Which.
        kind: &'static str,
    },
    /// The state of a workspace would be kept outside of it, by a link in the workspace.
    #[error("{path} leads out of the workspace, to {target}")]
    Outside {
        /// What leads there.
        path: Utf8PathBuf,
        /// Where to.
        target: Utf8PathBuf,
    },
    /// A `.git` file makes a folder the work tree of a repository that does not know of it.
    #[error("{path} says that this is a work tree of {target}, which does not know of it")]
    Claimed {
        /// The file.
        path: Utf8PathBuf,
        /// The repository.
        target: Utf8PathBuf,
    },
    /// A work tree is in another place than its repository has it.
    #[error(
        "{path} says that this is a work tree of {target}, which knows it in another place, where nothing is"
    )]
    Moved {
        /// The file.
        path: Utf8PathBuf,
        /// The repository.
        target: Utf8PathBuf,
    },
    /// The state of a workspace belongs to another user.
    #[error("{path} belongs to another user (number {owner})")]
    ForeignOwner {
        /// The folder.
        path: Utf8PathBuf,
        /// The user.
        owner: u32,
    },
    /// Nothing says where the home registry is.
    #[error("there is no home registry: none of DISPATCH_HOME, XDG_DATA_HOME and HOME is set")]
    NoHome,
    /// A cursor of an export that cannot be read.
    #[error("{path} does not say how far the export has come")]
    BadCursor {
        /// The file.
        path: Utf8PathBuf,
    },
    /// The clock cannot be written down.
    #[error(transparent)]
    Clock(#[from] OutOfRange),
    /// No randomness for a unique name.
    #[error("the system gives no random bytes")]
    NoEntropy,
}

impl StoreError {
    pub(crate) fn io(action: &'static str, path: &Utf8Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }

    /// Did somebody else come between? Then nothing was written, and it can be tried again.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::LockLost { .. } | Self::Changed { .. })
    }

    /// Was there no room on the disk? Then nothing was written.
    pub fn is_for_want_of_room(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        match self {
            Self::Io { source, .. } => matches!(source.kind(), StorageFull | QuotaExceeded),
            Self::ShortWrite { .. } => true,
            _ => false,
        }
    }

    /// What the user can do.
    pub fn hint(&self) -> String {
        match self {
            Self::Io { source, path, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    format!("give this user access to {path}")
                }
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    "free some space and run this again".to_string()
                }
                io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => {
                    format!("move away what is at {path}")
                }
                _ => "mend the cause, look with `dos lease-lane live`, and run this again"
                    .to_string(),
            },
            Self::WrongKind { path, .. } => format!("move away what is at {path}"),
            Self::NoWorkspace { .. } => {
                "pass --workspace DIR or set DISPATCH_WORKSPACE to a folder that exists".to_string()
            }
            Self::CannotCompact { .. } => {
                "release the largest lease, then run this again".to_string()
            }
            Self::NotDurable { marked: false, .. } => {
                "see that the disk is sound, then run `dos journal repair --force` before anything else"
                    .to_string()
            }
            Self::Poisoned { .. }
            | Self::NotDurable { .. }
            | Self::NameNotDurable { .. }
            | Self::TornWrite { .. } => {
                "see that the disk is sound, run `dos journal repair`, then look with `dos lease-lane live`"
                    .to_string()
            }
            Self::BadVariable { name } => format!("unset {name}, or set it to text in UTF-8"),
            Self::NotUtf8 { .. } => "use a folder whose path is UTF-8".to_string(),
            Self::ShortWrite { .. } => {
                "free some space, then see `dos journal verify`".to_string()
            }
            Self::TooLong { .. } => "use fewer or shorter patterns".to_string(),
            Self::Busy { .. } | Self::LockLost { .. } | Self::Changed { .. } => {
                "run this again; `dos doctor` shows a lock that is stuck".to_string()
            }
            Self::NetworkFileSystem { .. } => {
                "keep the workspace on a local disk, or point DISPATCH_LANE_JOURNAL_PATH at one"
                    .to_string()
            }
            Self::Outside { path, .. } | Self::ForeignOwner { path, .. } => {
                format!("remove {path}, or trust it once: dos doctor --trust")
            }
            Self::Claimed { .. } => {
                "if something was moved, run `git worktree repair` in what was; else trust it \
                 once: dos doctor --trust"
                    .to_string()
            }
            Self::Moved { path, .. } => format!(
                "tell git where it is now: git -C '{}' worktree repair",
                path.parent().unwrap_or(path)
            ),
            Self::NoHome => "set DISPATCH_HOME to a folder of this user".to_string(),
            Self::BadCursor { path } => {
                format!("put its content back, or remove {path} to export every row again")
            }
            Self::Clock(_) | Self::NoEntropy => "mend the machine and run this again".to_string(),
        }
    }
}
