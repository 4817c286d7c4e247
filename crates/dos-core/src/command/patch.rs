//! Which files a patch changes: an `apply_patch` envelope, or a diff.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Line starts of an envelope.
const ENVELOPE: [&str; 4] =
    ["*** Add File: ", "*** Update File: ", "*** Delete File: ", "*** Move to: "];

/// How git tells of another name.
const RENAMES: [&str; 3] = ["rename from ", "rename to ", "copy to "];

/// The files that the patch names. Of a diff so many parts of each path are left out; where nobody says
/// how many, the names of two trees are.
pub fn files(patch: &str, strip: Option<usize>) -> Vec<String> {
    let mut files: Vec<String> = match patch.contains("*** Begin Patch") {
        true => patch.lines().filter_map(of_envelope).map(str::to_string).collect(),
        false => {
            let mut hunk = Hunk::default();
            let headers = patch.lines().filter(|line| !hunk.takes(line));
            // Before git's own line there is prose.
            let mut of_git = false;
            let is_header = |line: &&str| {
                of_git |= line.starts_with("diff --git ");
                of_git || !RENAMES.iter().any(|start| line.starts_with(start))
            };
            headers.filter(is_header).filter_map(|line| of_diff(line, strip)).collect()
        }
    };
    files.dedup();
    files
}

/// How many lines of a hunk are to come.
#[derive(Default, PartialEq)]
struct Hunk {
    old: usize,
    new: usize,
}

impl Hunk {
    /// Is the line one of a hunk, or the start of one?
    fn takes(&mut self, line: &str) -> bool {
        if self.old == 0 && self.new == 0 {
            let Some(hunk) = Self::of(line) else { return false };
            *self = hunk;
            return true;
        }
        let (old, new) = match line.bytes().next() {
            Some(b'-') => (1, 0),
            Some(b'+') => (0, 1),
            Some(b'\\') => (0, 0),
            // A blank line may have lost its blank.
            Some(b' ') | None => (1, 1),
            // It ends before it should.
            _ => {
                *self = Self::of(line).unwrap_or_default();
                return *self != Self::default();
            }
        };
        self.old = self.old.saturating_sub(old);
        self.new = self.new.saturating_sub(new);
        true
    }

    /// What `@@ -a,b +c,d @@` says.
    fn of(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("@@ ")?.split(' ');
        let mut count = |sign| {
            let range = words.next()?.strip_prefix(sign)?;
            range.split_once(',').map_or(Some(1), |(_, count)| count.parse().ok())
        };
        Some(Self { old: count('-')?, new: count('+')? })
    }
}

fn of_envelope(line: &str) -> Option<&str> {
    let named = ENVELOPE.iter().find_map(|start| line.trim_start().strip_prefix(start))?;
    Some(named.trim()).filter(|path| !path.is_empty())
}

/// The file that a line of a diff names. Behind a name there may be a time, behind a tab; before the
/// path there is the name of one of two trees, but not where git tells of another name.
fn of_diff(line: &str, strip: Option<usize>) -> Option<String> {
    let named = |starts: &[&str]| starts.iter().find_map(|start| line.strip_prefix(start));
    let (path, strip) = if let Some(path) = named(&["--- ", "+++ "]) {
        (path.to_string(), strip)
    } else if let Some(path) = named(&RENAMES) {
        (path.to_string(), Some(strip.unwrap_or_default().saturating_sub(1)))
    } else {
        (of_both(line.strip_prefix("diff --git ")?)?, strip)
    };
    let path = unquoted(path.split('\t').next()?.trim());
    let bare = match strip {
        Some(parts) => path.splitn(parts.saturating_add(1), '/').last().unwrap_or(&path),
        None => path.strip_prefix("a/").or_else(|| path.strip_prefix("b/")).unwrap_or(&path),
    };
    (!bare.is_empty() && path != "/dev/null").then(|| bare.to_string())
}

/// The name that a file has in both trees: `a/x y b/x y`. Of two names others lines tell.
fn of_both(names: &str) -> Option<String> {
    let middle = names.len().checked_sub(1)? / 2;
    let (old, new) = names.split_at_checked(middle)?;
    let behind = |name: &str| name.split_once('/').map(|(_, behind)| behind.to_string());
    let same = behind(old).is_some() && behind(old) == behind(new.strip_prefix(' ')?);
    same.then(|| old.to_string())
}

/// A name as git writes it where letters are not plain: `"a/\303\244"`.
fn unquoted(name: &str) -> String {
    let inner = name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let Some(inner) = inner else {
        return name.to_string();
    };
    let mut bytes = Vec::new();
    let mut rest = inner.bytes().peekable();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let mut octal = None;
        for _ in 0..3 {
            let digit = rest.next_if(|it| (b'0'..=b'7').contains(it)).map(|digit| digit - b'0');
            octal = digit.map(|it| octal.unwrap_or(0_u8).wrapping_mul(8) + it).or(octal);
        }
        let named = octal.or_else(|| rest.next()).unwrap_or(byte);
        bytes.push(match named {
            _ if octal.is_some() => named,
            b'n' => b'\n',
            b't' => b'\t',
            other => other,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::files;
    use alloc::format;

    #[test]
    fn files_of_an_envelope_and_of_a_diff() {
        let envelope = "*** Begin Patch\n*** Update File: api/x.py\n@@\n-a\n+b\n*** Move to: api/y.py\n\
                        *** Add File: new file.txt\n+--- x\n*** End Patch\n";
        assert_eq!(files(envelope, None), ["api/x.py", "api/y.py", "new file.txt"]);
        let diff = "--- a/src/x.c\t2026-01-01\n+++ b/src/x.c\n@@ -1 +1 @@\n-a\n+b\n--- /dev/null\n+++ b/new\n";
        assert_eq!(files(diff, None), ["src/x.c", "new"]);
        assert_eq!(files(diff, Some(1)), ["src/x.c", "new"]);
        assert_eq!(files(diff, Some(2)), ["x.c", "new"]);
        assert_eq!(files(diff, Some(0)), ["a/src/x.c", "b/src/x.c", "b/new"]);
        assert_eq!(files(diff, Some(usize::MAX)), ["x.c", "new"]);
    }

    #[test]
    fn files_that_git_names_in_its_own_lines() {
        let diff = "diff --git a/x y b/x y\nold mode 100644\nnew mode 100755\n\
                    diff --git a/from b/to\nrename from from\nrename to d/to\n\
                    diff --git a/read b/copy\ncopy from read\ncopy to copy\n\
                    --- \"a/\\303\\244\\t\\\"\"\n+++ b/z\n";
        let named = ["x y", "from", "d/to", "copy", "ä\t\"", "z"];
        assert_eq!(files(diff, Some(1)), named);
        assert_eq!(files(diff, None), named);
        assert_eq!(files("diff --git x y\nrename to a/b/c\n", Some(2)), ["b/c"]);
        assert_eq!(files("rename from dos.toml\n--- a/x\n+++ b/x\n", None), ["x"], "prose");
        assert_eq!(files("--- \"a/\\303\\2441.txt\"\n", None), ["ä1.txt"]);
        assert_eq!(files("diff --git \ndiff --git ä\ndiff --git a/ä ö\n", None), [""; 0]);
    }

    #[test]
    fn lines_of_a_hunk_are_no_headers() {
        let hunk = "--- a/q.sql\n+++ b/q.sql\n@@ -1,2 +1 @@\n--- dos.toml\n x\n";
        assert_eq!(files(hunk, None), ["q.sql"]);
        assert_eq!(files(&format!("{hunk}--- a/y\n+++ b/y\n"), None), ["q.sql", "y"]);
        let lost =
            "--- a/q\n+++ b/q\n@@ -1,2 +1,3 @@\n\n+++ x\n x\n\\ No newline\n--- a/y\n+++ b/y\n";
        assert_eq!(files(lost, None), ["q", "y"]);
        let short = "--- a/q\n+++ b/q\n@@ -1,9 +1,9 @@\n x\ndiff --git a/y b/y\n--- a/y\n+++ b/y\n";
        assert_eq!(files(short, None), ["q", "y"]);
    }
}
