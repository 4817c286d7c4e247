//! What git knows, by asking `git`.

use std::io;

use camino::Utf8Path;

use dos_core::fleet::CommitId;
use dos_core::fleet::view::Commit;
use dos_core::timestamp::Timestamp;

use crate::spawn;

/// Most commits that are looked at as evidence.
const RECENT_MAX: usize = 1000;

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

/// How many commits there are since that one; `None` when git does not know it, or is not there.
pub fn count_since(folder: &Utf8Path, start: &CommitId) -> Option<u64> {
    let range = format!("{start}..HEAD");
    run(folder, &["rev-list", "--count", &range, "--"]).ok()?.trim().parse().ok()
}

/// The newest commits of all branches since that time, newest first, with the files below the folder
/// that they changed. None outside of a repository, or where there is no git.
pub fn recent(folder: &Utf8Path, since: Timestamp) -> Vec<Commit> {
    let since = format!("--since=@{}", since.millis() / 1000);
    let most = format!("--max-count={RECENT_MAX}");
    let listed = run(
        folder,
        &[
            "-c",
            "core.quotePath=true",
            "log",
            "--branches",
            "HEAD",
            &since,
            &most,
            "--name-only",
            "--relative",
            "--no-renames",
            "--no-show-signature",
            "--no-color",
            "--format=%x01%H %ct %s",
            "--",
        ],
    );
    listed.map(|text| commits_of(&text)).unwrap_or_default()
}

/// The newest commits of all branches, newest first, without the files that they changed. None outside
/// of a repository, or where there is no git.
pub fn newest(folder: &Utf8Path, most: usize) -> Vec<Commit> {
    let most = format!("--max-count={most}");
    let listed = run(
        folder,
        &[
            "log",
            "--branches",
            "HEAD",
            &most,
            "--no-show-signature",
            "--no-color",
            "--format=%x01%H %ct %s",
            "--",
        ],
    );
    listed.map(|text| commits_of(&text)).unwrap_or_default()
}

/// Reads what `git log --name-only` printed. A name with anything odd in it is quoted, so that no
/// name can pass for the head of a commit.
fn commits_of(text: &str) -> Vec<Commit> {
    let mut commits: Vec<Commit> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(head) = line.strip_prefix('\u{1}') {
            let mut fields = head.splitn(3, ' ');
            let id = fields.next().unwrap_or_default().to_string();
            let seconds: i64 = fields.next().and_then(|text| text.parse().ok()).unwrap_or(0);
            let subject = fields.next().unwrap_or_default().to_string();
            if let Ok(at) = Timestamp::from_millis(seconds.saturating_mul(1000)) {
                commits.push(Commit { id, at, subject, paths: Vec::new() });
            }
        } else if let Some(commit) = commits.last_mut() {
            commit.paths.extend(name_of(line));
        }
    }
    commits
}

/// A file name as git prints it; `None` for one that is no UTF-8.
fn name_of(printed: &str) -> Option<String> {
    let Some(quoted) = printed.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Some(printed.to_string());
    };
    let mut bytes = Vec::new();
    let mut rest = quoted.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next()? {
                b'n' => b'\n',
                b't' => b'\t',
                b'r' => b'\r',
                b'a' => 7,
                b'b' => 8,
                b'v' => 11,
                b'f' => 12,
                first @ b'0'..=b'3' => {
                    let mut digit = || rest.next().filter(u8::is_ascii_digit);
                    let (second, third) = (digit()?, digit()?);
                    (first - b'0') * 64 + (second - b'0') * 8 + (third - b'0')
                }
                other => other,
            },
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_names_are_read_and_pass_for_nothing_else() {
        let text = "\u{1}abc 17 a subject \u{1}def 18\n\nsrc/a b.rs\n\"\\001abc 19\"\n\"\\303\\251\\n\\\"\"\n\u{1}fed 16 \n";
        let commits = commits_of(text);
        let paths: Vec<&[String]> = commits.iter().map(|commit| commit.paths.as_slice()).collect();
        let names = ["src/a b.rs", "\u{1}abc 19", "é\n\""].map(String::from);
        assert_eq!(paths, [&names[..], &[]]);
        assert_eq!(commits.first().map(|commit| commit.at.millis()), Some(17_000));
        assert_eq!(name_of("\"\\377\""), None);
    }
}
