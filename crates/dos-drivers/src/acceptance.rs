//! A command as a witness: this machine says how it ended, whatever anybody says of it.

use std::time::Duration;

use camino::Utf8Path;
use dos_core::witness::{Accountability, EvidenceSource, Sight};

use crate::snapshot::command::words;
use crate::{bounded, spawn};

/// Runs the command that it is asked about, in this folder.
pub struct Acceptance<'a> {
    /// Where it runs.
    pub folder: &'a Utf8Path,
    /// How long it may take.
    pub within: Duration,
}

impl EvidenceSource for Acceptance<'_> {
    fn name(&self) -> &str {
        "os_acceptance"
    }

    fn accountability(&self) -> Accountability {
        Accountability::OsRecorded
    }

    fn look(&self, subject: &str) -> Result<(Sight, String), String> {
        let words = words(subject)?;
        let (program, arguments) = words.split_first().ok_or("there is no command")?;
        let mut command = spawn::command(program, self.folder);
        command.args(arguments);
        let ended =
            bounded::run_with_us(command, self.within, None).map_err(|error| error.to_string())?;
        match ended.status.code() {
            Some(0) => Ok((Sight::Present, format!("{program} ended with 0"))),
            Some(code) => Ok((Sight::Absent, format!("{program} ended with {code}"))),
            // Who was killed has not said no.
            None => Err(format!("{program} was ended by a signal")),
        }
    }
}
