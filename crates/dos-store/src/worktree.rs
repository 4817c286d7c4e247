//! Work trees of one repository, as git's own files tell of them. `git` is not started.

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::registry::normalized;

use crate::disk::{Disk, read_small};

/// These files hold one path.
const LINK_BYTES_MAX: usize = 16 * 1024;

/// A work tree beside the main one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linked {
    /// Its own top folder.
    pub top: Utf8PathBuf,
    /// The top folder of the main work tree; of a bare repository the repository itself.
    pub main: Utf8PathBuf,
}

/// The linked work tree that a folder is in; `None` in a main work tree, and outside of any.
///
/// The repository must know of the work tree: a `.git` file alone, which anybody can write, does not
/// send anybody elsewhere.
pub fn linked<D: Disk>(disk: &D, folder: &Utf8Path) -> Option<Linked> {
    for top in folder.ancestors() {
        let git = top.join(".git");
        match disk.stat(&git) {
            Ok(None) => continue,
            Ok(Some(stat)) if !stat.is_dir => {}
            _ => return None,
        }
        let own = git_folder(disk, top)?;
        let common = common_folder(disk, &own)?;
        let back = line_of(disk, &own.join("gitdir"))?;
        let back = absolute(&own, &back);
        let here = disk.stat(top).ok()??.id;
        let known = disk.stat(back.parent()?).ok()??.id;
        let is_below = own.starts_with(common.join("worktrees"));
        let main = match common.file_name() {
            Some(".git") => common.parent()?.to_owned(),
            _ => common,
        };
        return (here == known && is_below).then(|| Linked { top: top.to_owned(), main });
    }
    None
}

/// The git folder that all work trees of a repository share, of the work tree at `top`.
pub fn family<D: Disk>(disk: &D, top: &Utf8Path) -> Option<Utf8PathBuf> {
    match disk.stat(&top.join(".git")).ok()?? {
        git if git.is_dir => Some(top.join(".git")),
        _ => common_folder(disk, &git_folder(disk, top)?),
    }
}

/// The top folders of all work trees of a repository, the main one first. Those that git has locked
/// because their disk is not always there come with `true`.
pub fn all<D: Disk>(disk: &D, main: &Utf8Path) -> Vec<(Utf8PathBuf, bool)> {
    let has_git = |top: &&Utf8Path| disk.stat(&top.join(".git")).is_ok_and(|it| it.is_some());
    let top = main.ancestors().find(has_git);
    let common = top.map_or_else(|| main.to_owned(), |top| top.join(".git"));
    let mut found = vec![(top.unwrap_or(main).to_owned(), false)];
    let folder = common.join("worktrees");
    let mut names = disk.names(&folder).unwrap_or_default();
    names.sort();
    for name in names {
        let own = folder.join(name);
        let Some(back) = line_of(disk, &own.join("gitdir")) else { continue };
        let locked = disk.stat(&own.join("locked")).is_ok_and(|it| it.is_some());
        found.extend(absolute(&own, &back).parent().map(|top| (top.to_owned(), locked)));
    }
    found
}

/// The folder that a `.git` file names.
fn git_folder<D: Disk>(disk: &D, top: &Utf8Path) -> Option<Utf8PathBuf> {
    let line = line_of(disk, &top.join(".git"))?;
    Some(absolute(top, line.strip_prefix("gitdir:")?.trim()))
}

fn common_folder<D: Disk>(disk: &D, own: &Utf8Path) -> Option<Utf8PathBuf> {
    Some(absolute(own, &line_of(disk, &own.join("commondir"))?))
}

fn line_of<D: Disk>(disk: &D, file: &Utf8Path) -> Option<String> {
    let bytes = read_small(disk, file, LINK_BYTES_MAX).ok()??;
    let line = String::from_utf8(bytes).ok()?;
    Some(line.trim_end_matches(['\n', '\r']).to_string())
}

fn absolute(from: &Utf8Path, path: &str) -> Utf8PathBuf {
    Utf8PathBuf::from(normalized(from.join(path).as_str()))
}
