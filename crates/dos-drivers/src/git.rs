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

/// Is the folder inside a work tree of git?
pub fn is_work_tree(folder: &Utf8Path) -> bool {
    run(folder, &["rev-parse", "--is-inside-work-tree"]).is_ok_and(|text| text.trim() == "true")
}
