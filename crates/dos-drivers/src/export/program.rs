//! Programs named `dos-export-NAME` as exporters: rows on their standard input, one JSON object a line.
//!
//! Such a program is started once for each batch. That it ends with 0 says that it has taken every row;
//! with anything else, none.

use std::io::{Seek, Write};
use std::process::Stdio;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::verdict::VerdictEvent;

use super::{Again, BadSetting, Exporter, NotTaken, Taken};
use crate::bounded::{self, NotEnded};
use crate::spawn;

/// What the name of such a program begins with.
pub const PREFIX: &str = "dos-export-";
/// The exit code that stands for "try again later" (`EX_TEMPFAIL` of sysexits.h).
const LATER: i32 = 75;

/// A program that takes rows.
pub struct Program {
    name: String,
    path: Utf8PathBuf,
    arguments: Vec<String>,
    destination: String,
    folder: Utf8PathBuf,
    within: Duration,
}

impl Program {
    /// The program of that name on `path`, a list of folders as in `PATH`. It is run in `folder`.
    pub fn find(
        name: &str,
        path: &str,
        arguments: &[String],
        folder: &Utf8Path,
        within: Duration,
    ) -> Result<Option<Self>, BadSetting> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if name.is_empty() || !name.chars().all(plain) {
            return Err(BadSetting(format!(
                "{name:?} is no name of a transport; use letters, digits, `-` and `_`"
            )));
        }
        let wanted = format!("{PREFIX}{name}");
        let found = folders(path).map(|folder| folder.join(&wanted)).find(|file| may_run(file));
        Ok(found.map(|path| {
            let quoted = shlex::try_join(arguments.iter().map(String::as_str));
            let words = quoted.unwrap_or_else(|_| format!("{arguments:?}"));
            let destination = format!("{wanted} {words}").trim_end().to_string();
            Self {
                name: name.to_string(),
                path,
                arguments: arguments.to_vec(),
                destination,
                folder: folder.to_owned(),
                within,
            }
        }))
    }
}

/// The names of all programs that could be found, sorted.
pub fn names(path: &str) -> Vec<String> {
    let mut names = Vec::new();
    for folder in folders(path) {
        let entries = folder.read_dir_utf8().into_iter().flatten().flatten();
        let programs = entries.filter(|entry| may_run(entry.path()));
        names.extend(
            programs.filter_map(|entry| Some(entry.file_name().strip_prefix(PREFIX)?.to_string())),
        );
    }
    names.sort();
    names.dedup();
    names
}

/// The folders of a list. One that is relative would mean another one in each folder.
fn folders(path: &str) -> impl Iterator<Item = &Utf8Path> {
    path.split(':').map(Utf8Path::new).filter(|folder| folder.is_absolute())
}

fn may_run(file: &Utf8Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

impl Exporter for Program {
    fn transport(&self) -> &str {
        &self.name
    }

    fn destination(&self) -> &str {
        &self.destination
    }

    fn export(&mut self, events: &[VerdictEvent]) -> Result<Taken, NotTaken> {
        let rows: String = events.iter().map(VerdictEvent::line).collect();
        // A file and not a pipe: nobody has to write while the program reads.
        let input = tempfile::tempfile().and_then(|mut file| {
            file.write_all(rows.as_bytes())?;
            file.rewind()?;
            Ok(file)
        });
        let input = input.map_err(|error| {
            NotTaken::until_mended(format!("cannot write a temporary file: {error}"))
        })?;
        let mut command = spawn::command(self.path.as_str(), &self.folder);
        command.args(&self.arguments).stdin(Stdio::from(input));
        let ended = bounded::run(command, self.within, None).map_err(|error| match error {
            NotEnded::NotStarted(_) => NotTaken::until_mended(format!("{}: {error}", self.path)),
            _ => NotTaken::later(format!("{}: {error}", self.path)),
        })?;
        if ended.status.success() {
            return Ok(Taken::default());
        }
        let said = super::said(&ended.stderr);
        let said = if said.is_empty() { said } else { format!(": {said}") };
        let again = match ended.status.code() {
            Some(LATER) => Again::Later(None),
            _ => Again::Mended,
        };
        Err(NotTaken { reason: format!("{} ended with {}{said}", self.path, ended.status), again })
    }
}
