//! A state that somebody read who is not the agent.

use alloc::string::String;

use super::evidence::WitnessRung;
use super::state::State;

/// Reads a state from where the agent does not write it.
pub trait StateReader {
    /// What it reads, for people: `sqlite:orders.db`.
    fn source(&self) -> String;
    /// Who wrote down what it reads. An agent's own word has no such rung.
    fn rung(&self) -> WitnessRung;
    /// Reads it, or says why it cannot.
    fn read(&self) -> Result<State, String>;
}

/// A state, and who stands for it.
///
/// Only a [`StateReader`] makes one, and a reader's rung has no value for what an agent wrote: a
/// state that an agent hands over is a bare [`State`], which no witness takes.
#[derive(Debug)]
pub struct Snapshot {
    state: State,
    source: String,
    rung: WitnessRung,
}

/// A snapshot that could not be read: nothing can be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read {origin}: {reason}")]
pub struct Unreadable {
    /// What was to be read.
    pub origin: String,
    /// Why it could not be.
    pub reason: String,
}

impl Snapshot {
    /// Reads now.
    pub fn read(reader: &dyn StateReader) -> Result<Self, Unreadable> {
        let (source, rung) = (reader.source(), reader.rung());
        match reader.read() {
            Ok(state) => Ok(Self { state, source, rung }),
            Err(reason) => Err(Unreadable { origin: source, reason }),
        }
    }

    /// The state.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What was read.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Who stands for it.
    pub fn rung(&self) -> WitnessRung {
        self.rung
    }
}
