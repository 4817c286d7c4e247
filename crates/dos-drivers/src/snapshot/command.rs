//! What a command prints that we choose: a JSON object, or JSON Lines.

use dos_core::limits::STATE_BYTES_MAX;
use dos_core::witness::{State, StateReader, WitnessRung};

use super::Reading;
use super::json::{bounded_text, shape_of, state_of};
use crate::{bounded, spawn};

/// A command, split as a shell would split it; no shell runs.
pub struct CommandOutput<'a> {
    /// As it was typed.
    pub line: &'a str,
    /// How it is read.
    pub reading: &'a Reading<'a>,
}

impl StateReader for CommandOutput<'_> {
    fn source(&self) -> String {
        format!("command:{}", self.line)
    }

    /// As of a file that holds what it prints.
    fn shape(&self) -> String {
        shape_of(self.reading.key.as_deref())
    }

    fn rung(&self) -> WitnessRung {
        self.reading.rung
    }

    fn read(&mut self) -> Result<State, String> {
        let words = words(self.line)?;
        let (program, arguments) = words.split_first().ok_or("it is empty")?;
        let mut command = spawn::command(program, self.reading.folder);
        command.args(arguments);
        let ended = bounded::run_with_us(command, self.reading.within, Some(STATE_BYTES_MAX))
            .map_err(|error| error.to_string())?;
        if !ended.status.success() {
            let complaint = String::from_utf8_lossy(&ended.stderr);
            let last = complaint.trim_end().lines().last().unwrap_or("it said nothing").to_string();
            return Err(format!("it ended with {}: {last}", ended.status));
        }
        let text = bounded_text(ended.stdout.as_slice(), ended.stdout.len())
            .map_err(|error| error.to_string())?;
        drop(ended);
        if text.trim_ascii().is_empty() {
            // Who found nothing and who failed without a word look the same.
            return Err("it printed nothing".to_string());
        }
        state_of(text, self.reading.key.as_deref()).map_err(|error| error.to_string())
    }
}

/// The words of a command line.
pub(crate) fn words(line: &str) -> Result<Vec<String>, String> {
    shlex::split(line).ok_or_else(|| "a quote in it is not closed".to_string())
}
