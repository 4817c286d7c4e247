//! A file with a JSON object, or JSON Lines.

use std::fs::File;
use std::io::{self, Read};

use camino::Utf8PathBuf;
use dos_core::limits::STATE_BYTES_MAX;
use dos_core::witness::rules::pointer_text;
use dos_core::witness::{State, StateError, StateReader, WitnessRung};
use dos_store::disk::{Disk, RealDisk};

use super::Reading;

/// A file that some store wrote.
pub struct JsonFile<'a> {
    /// Where it is.
    pub path: Utf8PathBuf,
    /// As it was typed.
    pub shown: &'a str,
    /// How it is read.
    pub reading: &'a Reading<'a>,
}

impl StateReader for JsonFile<'_> {
    fn source(&self) -> String {
        self.shown.to_string()
    }

    fn shape(&self) -> String {
        shape_of(self.reading.key.as_deref())
    }

    fn rung(&self) -> WitnessRung {
        self.reading.rung
    }

    fn read(&mut self) -> Result<State, String> {
        let text = whole(&self.path).map_err(|error| error.to_string())?;
        state_of(text, self.reading.key.as_deref()).map_err(|error| error.to_string())
    }
}

/// The state that a text is: an object, or JSON Lines where there is a key field.
pub(super) fn state_of(text: String, key: Option<&[String]>) -> Result<State, StateError> {
    match key {
        None => State::from_json(text),
        Some(key) => State::from_json_lines(&text, key),
    }
}

/// How the keys of a text come about.
pub(super) fn shape_of(key: Option<&[String]>) -> String {
    match key {
        None => "a JSON object".to_string(),
        Some(key) => format!("JSON Lines by {}", pointer_text(key)),
    }
}

/// The text of a file, which is bounded. A pipe in its place makes nobody wait.
fn whole(path: &Utf8PathBuf) -> io::Result<String> {
    let file: File = RealDisk.open_read(path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    bounded_text(&file, length)
}

/// All that can be read, if it is UTF-8 and not too much.
pub(super) fn bounded_text(from: impl Read, expected: usize) -> io::Result<String> {
    let too_large = || io::Error::other(StateError::TooLarge);
    if expected > STATE_BYTES_MAX {
        return Err(too_large());
    }
    let mut text = String::with_capacity(expected);
    from.take(STATE_BYTES_MAX as u64 + 1).read_to_string(&mut text).map_err(|error| match error
        .kind()
    {
        io::ErrorKind::InvalidData => io::Error::other("it is not UTF-8"),
        _ => error,
    })?;
    if text.len() > STATE_BYTES_MAX { Err(too_large()) } else { Ok(text) }
}
