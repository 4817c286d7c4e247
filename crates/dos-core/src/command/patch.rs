//! Which files a patch changes: an `apply_patch` envelope, or a diff.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Line starts of an envelope.
const ENVELOPE: [&str; 4] =
    ["*** Add File: ", "*** Update File: ", "*** Delete File: ", "*** Move to: "];

/// The files that the patch names. Of a diff so many parts of each path are left out; where nobody says
/// how many, the names of two trees are.
pub fn files(patch: &str, strip: Option<usize>) -> Vec<String> {
    let mut files: Vec<String> = match patch.contains("*** Begin Patch") {
        true => patch.lines().filter_map(of_envelope).map(str::to_string).collect(),
        false => {
            patch.lines().filter_map(|line| of_diff(line, strip)).map(str::to_string).collect()
        }
    };
    files.dedup();
    files
}

fn of_envelope(line: &str) -> Option<&str> {
    let named = ENVELOPE.iter().find_map(|start| line.trim_start().strip_prefix(start))?;
    Some(named.trim()).filter(|path| !path.is_empty())
}

/// A diff may name a time behind a tab, and one of two trees before the path.
fn of_diff(line: &str, strip: Option<usize>) -> Option<&str> {
    let named = line.strip_prefix("--- ").or_else(|| line.strip_prefix("+++ "))?;
    let path = named.split('\t').next()?.trim();
    let bare = match strip {
        Some(parts) => path.splitn(parts.saturating_add(1), '/').last().unwrap_or(path),
        None => path.strip_prefix("a/").or_else(|| path.strip_prefix("b/")).unwrap_or(path),
    };
    Some(bare).filter(|bare| !bare.is_empty() && path != "/dev/null")
}

#[cfg(test)]
mod tests {
    use super::files;

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
}
