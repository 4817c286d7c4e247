//! The names of a file: where a path really leads.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::ErrorKind;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::command::TOP;
use dos_core::hook::pretool::{Reach, Touch};
use dos_core::lane::Case;
use dos_core::lane::pattern::Pattern;

/// More links than this in one path lead nowhere: the kernel gives up there.
const LINKS_MAX: usize = 40;
/// So many files are looked at to tell what a pattern names.
pub const ENTRIES_MAX: usize = 20_000;
/// So much of a path is repeated to people, in characters.
const SHOWN_MAX: usize = 200;

/// Where paths start.
pub struct Bases<'a> {
    /// Relative paths.
    pub folder: &'a Utf8Path,
    /// `~`.
    pub home: Option<&'a Utf8Path>,
}

impl Bases<'_> {
    /// The touched place that the path names: what a link leads to, and the link itself.
    pub fn touch(&self, path: &str, reach: Reach) -> Touch {
        let absolute = self.absolute(path);
        let mut names = vec![followed(&absolute)];
        let parent = absolute.parent().map(followed);
        if let (Some(parent), Some(name)) = (parent, absolute.file_name()) {
            // `x/.` names no file of its own.
            let itself = parent.join(name);
            if !names.contains(&itself) {
                names.push(itself);
            }
        }
        Touch {
            shown: shown(path),
            names: names.into_iter().map(Utf8PathBuf::into_string).collect(),
            reach,
        }
    }

    /// The path from the root, as it is spelled.
    pub fn absolute(&self, path: &str) -> Utf8PathBuf {
        let path = path.strip_prefix("file://").unwrap_or(path);
        if path.contains(TOP) {
            return of_checkout(&self.folder.join(path));
        }
        match (path.strip_prefix('~'), self.home) {
            (Some(""), Some(home)) => home.to_owned(),
            (Some(rest), Some(home)) if rest.starts_with('/') => {
                home.join(rest.trim_start_matches('/'))
            }
            // By the name of the user.
            (Some(rest), Some(home)) if home.file_name() == rest.split('/').next() => {
                home.join(rest.split_once('/').map_or("", |(_, below)| below))
            }
            _ => self.folder.join(path),
        }
    }
}

/// The path, with the tops of checkouts in place.
fn of_checkout(path: &Utf8Path) -> Utf8PathBuf {
    let mut whole = Utf8PathBuf::new();
    for part in path {
        match part == TOP {
            true => {
                let top = whole.ancestors().find(|folder| folder.join(".git").exists());
                whole = top.map(Utf8Path::to_owned).unwrap_or(whole);
            }
            false => whole.push(part),
        }
    }
    whole
}

/// The path on one line, cut short.
pub fn shown(path: &str) -> String {
    let path = path.replace(TOP, "$(git rev-parse --show-toplevel)");
    let plain = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut shown: String = path.chars().map(plain).take(SHOWN_MAX).collect();
    if path.chars().nth(SHOWN_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// Follows every link of an absolute path, as the kernel does, also where its end is not there yet.
pub fn followed(path: &Utf8Path) -> Utf8PathBuf {
    let mut reached = Utf8PathBuf::from("/");
    // The components to go, the next one last.
    let mut to_go: Vec<String> = parts(path);
    let mut links = 0;
    // How many of the last ones reached are not there: below nothing there is no link.
    let mut absent = 0_usize;
    while let Some(part) = to_go.pop() {
        if part == ".." {
            reached.pop();
            absent = absent.saturating_sub(1);
            continue;
        }
        reached.push(&part);
        if absent > 0 {
            absent += 1;
            continue;
        }
        match reached.read_link_utf8() {
            Ok(target) if links < LINKS_MAX => {
                links += 1;
                reached.pop();
                if target.is_absolute() {
                    reached = Utf8PathBuf::from("/");
                }
                to_go.extend(parts(&target));
            }
            Err(error) if is_absence(error.kind()) => absent = 1,
            _ => {}
        }
    }
    reached
}

/// Does it mean that nothing has that name, or could have it?
fn is_absence(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename)
}

/// The files that an absolute pattern of the shell names. `None` when there is too much to look at.
pub fn matching(pattern: &Utf8Path) -> Option<Vec<Utf8PathBuf>> {
    let mut found = vec![Utf8PathBuf::from("/")];
    let mut seen = 0;
    for part in parts(pattern).into_iter().rev() {
        let is_pattern = part.contains(['*', '?', '[']);
        let names = Pattern::parse(&part, Case::Sensitive).ok().filter(|_| is_pattern);
        let Some(names) = names else {
            found.iter_mut().for_each(|folder| folder.push(&part));
            continue;
        };
        let mut below = Vec::new();
        for folder in &found {
            let Ok(entries) = folder.read_dir_utf8() else { continue };
            for entry in entries.flatten() {
                seen += 1;
                if seen > ENTRIES_MAX {
                    return None;
                }
                let name = entry.file_name();
                // The shell leaves hidden files out, unless it is asked for them.
                let hidden = name.starts_with('.') && !part.starts_with('.');
                if !hidden && names.matches(name) {
                    below.push(entry.path().to_owned());
                }
            }
        }
        found = below;
    }
    found.retain(|path| path.symlink_metadata().is_ok());
    Some(found)
}

/// What is in a folder beside paths that are left out, as far down as these go. Takes from `room` what it
/// looks at, and gives `None` when that is not enough.
pub fn without(
    folder: &Utf8Path,
    spared: &[Utf8PathBuf],
    room: &Cell<usize>,
) -> Option<Vec<Utf8PathBuf>> {
    let spared: BTreeSet<&Utf8Path> = spared.iter().map(Utf8PathBuf::as_path).collect();
    let above: BTreeSet<&Utf8Path> =
        spared.iter().filter_map(|path| path.parent()).flat_map(Utf8Path::ancestors).collect();
    let mut left = Vec::new();
    let mut to_go = vec![folder.to_owned()];
    while let Some(folder) = to_go.pop() {
        for entry in folder.read_dir_utf8().ok()?.flatten() {
            room.set(room.get().checked_sub(1)?);
            let path = entry.into_path();
            if spared.contains(path.as_path()) {
                continue;
            }
            // Git does not follow links.
            match above.contains(path.as_path()) && !path.is_symlink() && path.is_dir() {
                true => to_go.push(path),
                false => left.push(path),
            }
        }
    }
    Some(left)
}

/// The components of a path that name something, the first one last.
fn parts(path: &Utf8Path) -> Vec<String> {
    let parts = path.as_str().split('/').filter(|part| !matches!(*part, "" | "."));
    let mut parts: Vec<String> = parts.map(str::to_string).collect();
    parts.reverse();
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn every_spelling_leads_to_the_same_place() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap().canonicalize_utf8().unwrap();
        std::fs::create_dir_all(root.join("api/deep")).unwrap();
        std::fs::create_dir_all(root.join("web")).unwrap();
        symlink("../api", root.join("web/link")).unwrap();
        symlink(root.join("api/new.py"), root.join("web/dangling")).unwrap();
        symlink("loop", root.join("web/loop")).unwrap();
        let bases = Bases { folder: &root.join("web"), home: Some(&root) };
        for (path, leads) in [
            ("../api/x.py", "api/x.py"),
            ("./../api//./x.py", "api/x.py"),
            ("link/x.py", "api/x.py"),
            ("link/not/there/yet.py", "api/not/there/yet.py"),
            // The kernel's `..` of a link's target, not of the link.
            ("link/../x.py", "x.py"),
            ("nowhere/../x.py", "web/x.py"),
            ("dangling", "api/new.py"),
            ("~/api/x.py", "api/x.py"),
            ("loop/x", "web/loop/x"),
        ] {
            let names = bases.touch(path, Reach::Itself).names;
            assert!(names.contains(&root.join(leads).into_string()), "{path}: {names:?}");
        }
        let absolute = root.join("web/link/x.py");
        let names = bases.touch(absolute.as_str(), Reach::Itself).names;
        assert_eq!(names, [root.join("api/x.py").as_str()]);
        // A link has a name of its own: removing it is a write there.
        let names = bases.touch("link", Reach::Itself).names;
        assert_eq!(names, [root.join("api").as_str(), root.join("web/link").as_str()]);
    }
}
