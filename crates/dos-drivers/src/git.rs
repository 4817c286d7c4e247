//! What git knows, by asking `git`.

use std::io;

use camino::Utf8Path;

use crate::spawn;

/// Runs `git` with these arguments in that folder; its output, or what it complained about.
pub fn run(folder: &Utf8Path, arguments: &[&str]) -> io::Result<String> {
    let output = spawn::command("git", folder).args(arguments).output()?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => {
            let complaint = String::from_utf8_lossy(&output.stderr).trim().to_string();
            Err(io::Error::other(format!("git {}: {complaint}", arguments.join(" "))))
        }
    }
}

/// The files in and below the folder that git tracks, by their paths from the folder; `None` outside
/// of a work tree.
pub fn tracked_files(folder: &Utf8Path) -> io::Result<Option<Vec<String>>> {
    if !is_work_tree(folder) {
        return Ok(None);
    }
    let listed = run(folder, &["ls-files", "-z", "--cached"])?;
    let mut files: Vec<String> = listed.split_terminator('\0').map(str::to_string).collect();
    // A file in the middle of a merge is listed more than once.
    files.dedup();
    Ok(Some(files))
}

/// Is the folder inside a work tree of git?
pub fn is_work_tree(folder: &Utf8Path) -> bool {
    run(folder, &["rev-parse", "--is-inside-work-tree"]).is_ok_and(|text| text.trim() == "true")
}
