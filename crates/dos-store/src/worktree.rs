//! Work trees of one repository, as git's own files tell of them. `git` is not started.

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::registry::normalized;

use crate::disk::{Disk, DiskFile, FileId, read_small};

/// The main work tree among the others, whose names are followed by a time.
pub const MAIN: &str = "main";

/// These files hold one path.
const LINK_BYTES_MAX: usize = 16 * 1024;
/// What is written beside git's own files of a work tree when somebody first asks for a lane there.
const MARK: &str = "dos-id";
/// Longer than any mark.
const MARK_BYTES_MAX: usize = 64;
/// People write into it.
const CONFIG_BYTES_MAX: usize = 1024 * 1024;

/// A work tree whose repository is not in its own folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linked {
    /// Its own top folder.
    pub top: Utf8PathBuf,
    /// The folder that all work trees of the repository share: the top of the main one, where the
    /// repository says where that is, else the repository itself.
    pub main: Utf8PathBuf,
    /// The repository.
    pub common: Utf8PathBuf,
    /// Where git keeps what is of this work tree alone; `None` for the main one.
    pub own: Option<Utf8PathBuf>,
    /// Which of the repository's work trees beside the main one it is; `None` for the main one. With
    /// no mark, which [`is_marked`] tells, it is none of those that have one.
    pub id: Option<String>,
    /// Does the repository know of it? A `.git` file alone can be written by anybody.
    pub is_known: bool,
}

/// A work tree beside the main one, as its repository has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which one, wherever it is: once it [`is_marked`], the same until it is removed, and never again.
    pub id: String,
    /// Where git keeps what is of this work tree alone.
    pub own: Utf8PathBuf,
    /// Its top folder. It need not be there.
    pub top: Utf8PathBuf,
    /// Has git locked it, because its disk is not always there?
    pub is_locked: bool,
}

/// The work tree that a folder is in, if its repository is elsewhere; `None` in a main work tree with
/// its repository in it, and outside of any.
///
/// A copy of a work tree, which names one that is somewhere else, is no work tree of the repository.
pub fn linked<D: Disk>(disk: &D, folder: &Utf8Path) -> Option<Linked> {
    let top = top_of(disk, folder)?;
    let own = git_folder(disk, top)?;
    if own == top.join(".git") {
        return None;
    }
    if matches!(disk.stat(&own), Ok(None)) {
        // Its repository was moved, or is not mounted here: nobody to meet, and nobody to ask.
        let (top, main) = (top.to_owned(), top.to_owned());
        return Some(Linked { top, main, common: own, own: None, id: None, is_known: false });
    }
    let Some(common) = common_folder(disk, &own) else {
        return main_elsewhere(disk, top, own);
    };
    if own.parent() != Some(common.join("worktrees").as_path()) {
        return None;
    }
    let back = absolute(&own, &line_of(disk, &own.join("gitdir"))?);
    let is_known = match back.parent().and_then(|known| id_of(disk, known)) {
        Some(known) if id_of(disk, top) == Some(known) => true,
        Some(_) => return None,
        // Git knows it in a place where nothing is: it may have been moved without git.
        None => false,
    };
    let (top, main) = (top.to_owned(), shared(disk, &common));
    let id = Some(identity(disk, &own)?);
    Some(Linked { top, main, common, own: Some(own), id, is_known })
}

/// The main work tree of a repository that is not in it.
fn main_elsewhere<D: Disk>(disk: &D, top: &Utf8Path, common: Utf8PathBuf) -> Option<Linked> {
    disk.stat(&common.join("HEAD")).ok()??;
    let main = shared(disk, &common);
    let is_there = id_of(disk, &main) == id_of(disk, top);
    // Nothing in the repository says that this is its main work tree.
    let top = top.to_owned();
    let claimed = Linked { top, main, common, own: None, id: None, is_known: false };
    (!is_there).then_some(claimed)
}

/// The git folder that all work trees of a repository share, of the work tree that a folder is in.
pub fn family<D: Disk>(disk: &D, folder: &Utf8Path) -> Option<Utf8PathBuf> {
    let own = git_folder(disk, top_of(disk, folder)?)?;
    Some(common_folder(disk, &own).unwrap_or(own))
}

/// The work trees of a repository beside its main one.
pub fn all<D: Disk>(disk: &D, common: &Utf8Path) -> Vec<Place> {
    let folder = common.join("worktrees");
    let place = |name: String| {
        let own = folder.join(name);
        let back = absolute(&own, &line_of(disk, &own.join("gitdir"))?);
        let is_locked = disk.stat(&own.join("locked")).is_ok_and(|it| it.is_some());
        let id = identity(disk, &own)?;
        Some(Place { id, own, top: back.parent()?.to_owned(), is_locked })
    };
    disk.names(&folder).unwrap_or_default().into_iter().filter_map(place).collect()
}

/// Where the marks of these work trees are, or will be. Reads nothing but names.
pub fn marks<D: Disk>(disk: &D, common: &Utf8Path) -> Vec<Utf8PathBuf> {
    let folder = common.join("worktrees");
    let names = disk.names(&folder).unwrap_or_default().into_iter();
    names.map(|name| mark_of(&folder.join(name))).collect()
}

/// The file with the mark of the work tree whose own files git keeps there.
fn mark_of(own: &Utf8Path) -> Utf8PathBuf {
    own.join(MARK)
}

/// The nearest folder above with a `.git`.
fn top_of<'a, D: Disk>(disk: &D, folder: &'a Utf8Path) -> Option<&'a Utf8Path> {
    folder.ancestors().find(|top| !matches!(disk.stat(&top.join(".git")), Ok(None)))
}

/// Where the work trees of a repository meet.
fn shared<D: Disk>(disk: &D, common: &Utf8Path) -> Utf8PathBuf {
    let is_main = |main: &Utf8PathBuf| git_folder(disk, main).as_deref() == Some(common);
    let configured = ["config.worktree", "config"]
        .into_iter()
        .filter_map(|name| work_tree_in(disk, &common.join(name)))
        .map(|main| absolute(common, &main));
    let around = common.parent().filter(|_| common.file_name() == Some(".git"));
    let main = configured.chain(around.map(Utf8Path::to_owned)).find(is_main);
    main.unwrap_or_else(|| common.to_owned())
}

/// `core.worktree` in a configuration of git.
fn work_tree_in<D: Disk>(disk: &D, config: &Utf8Path) -> Option<String> {
    let text = String::from_utf8(read_small(disk, config, CONFIG_BYTES_MAX).ok()??).ok()?;
    let mut is_core = false;
    let mut found = None;
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            is_core = section.trim_end_matches(']').trim().eq_ignore_ascii_case("core");
        } else if let Some((key, value)) = line.split_once('=')
            && is_core
            && key.trim().eq_ignore_ascii_case("worktree")
        {
            let value = value.trim();
            let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            let unquoted = |text: &str| text.replace("\\\"", "\"").replace("\\\\", "\\");
            found = Some(quoted.map_or_else(|| value.to_string(), unquoted));
        }
    }
    found.filter(|path| !path.is_empty())
}

/// The git folder of the work tree at `top`, by its own name.
fn git_folder<D: Disk>(disk: &D, top: &Utf8Path) -> Option<Utf8PathBuf> {
    let git = top.join(".git");
    let folder = match disk.stat(&git).ok()?? {
        stat if stat.is_dir => git,
        _ => absolute(top, line_of(disk, &git)?.strip_prefix("gitdir:")?.trim()),
    };
    Some(folder.canonicalize_utf8().unwrap_or(folder))
}

/// The repository that a work tree beside the main one belongs to, by its git folder.
fn common_folder<D: Disk>(disk: &D, own: &Utf8Path) -> Option<Utf8PathBuf> {
    let common = absolute(own, &line_of(disk, &own.join("commondir"))?);
    Some(common.canonicalize_utf8().unwrap_or(common))
}

/// Its name in the repository, which git gives to another one when it was removed, `@`, and its mark,
/// which git then removes with its own files. A copy, a touch and a backup keep both. Where nobody
/// has asked for a lane there is no mark.
fn identity<D: Disk>(disk: &D, own: &Utf8Path) -> Option<String> {
    let mark = read_small(disk, &mark_of(own), MARK_BYTES_MAX).ok().flatten();
    let mark = mark.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    let mark = mark.trim_end();
    let mark = if mark.bytes().all(|byte| byte.is_ascii_hexdigit()) { mark } else { "" };
    Some(format!("{}@{mark}", own.file_name()?))
}

/// Is there a mark in this identity? Without it is only a name, which git gives to another one.
pub fn is_marked(id: &str) -> bool {
    !id.ends_with('@')
}

/// The identity of the work tree whose own files git keeps there; marks it first, durably, where it is
/// not. Of several who do so at once, one does. `None` where nothing can be written: the mark that may
/// come later would make it another one.
pub fn identified<D: Disk>(disk: &D, own: &Utf8Path) -> Option<String> {
    let known = identity(disk, own).filter(|id| is_marked(id));
    if known.is_some() {
        return known;
    }
    let mark = format!("{:016x}", getrandom::u64().ok()?);
    let draft = own.join(format!("{MARK}.{mark}"));
    let written = disk.create_new(&draft, format!("{mark}\n").as_bytes());
    let synced = written.and_then(|file| file.sync());
    // Fails also where somebody else was first: then it is that mark that counts.
    let _ = synced.and_then(|()| disk.link(&draft, &mark_of(own)));
    let _ = disk.remove(&draft);
    let _ = disk.sync_dir(own);
    identity(disk, own).filter(|id| is_marked(id))
}

fn id_of<D: Disk>(disk: &D, folder: &Utf8Path) -> Option<FileId> {
    disk.stat(folder).ok()?.map(|stat| stat.id)
}

fn line_of<D: Disk>(disk: &D, file: &Utf8Path) -> Option<String> {
    let bytes = read_small(disk, file, LINK_BYTES_MAX).ok()??;
    let line = String::from_utf8(bytes).ok()?;
    Some(line.trim_end_matches(['\n', '\r']).to_string())
}

fn absolute(from: &Utf8Path, path: &str) -> Utf8PathBuf {
    Utf8PathBuf::from(normalized(from.join(path).as_str()))
}
