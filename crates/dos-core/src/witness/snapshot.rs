//! A state that somebody read who is not the agent.

use alloc::borrow::Cow;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::evidence::WitnessRung;
use super::state::State;

/// Reads a state from where the agent does not write it.
pub trait StateReader {
    /// What it reads, for people: `sqlite:orders.db`.
    fn source(&self) -> String;
    /// Reads it, or says why it cannot.
    fn read(&mut self) -> Result<State, String>;
    /// How keys and values come about: the kind of reader, and what decides what a key means. States
    /// are compared only where it is the same. Asked when it has been read.
    fn shape(&self) -> String;
    /// Who wrote down what was read. An agent's own word has no such rung.
    fn rung(&self) -> WitnessRung;
    /// The SHA-256 that what was read is known by, if there is one.
    fn seal(&self) -> Option<String> {
        None
    }
    /// When it was taken, if that was before now.
    fn taken_at(&self) -> Option<String> {
        None
    }
    /// The SHA-256 of the rules by which something was left out, if there are such rules.
    fn rules(&self) -> Option<String> {
        None
    }
    /// The keys that were there and were left out; all that is below one that ends with `/`.
    fn left_out(&self) -> Vec<String> {
        Vec::new()
    }
    /// What decides what keys and values mean and may change until the next look, by how these keys
    /// begin, in either case of ASCII letters: the key columns of a table. What is said of all keys
    /// decides only values: the filters of a repository.
    fn terms(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
}

/// A state, and who stands for it.
///
/// Only a [`StateReader`] makes one, and a reader's rung has no value for what an agent wrote: a
/// state that an agent hands over is a bare [`State`], which no witness takes.
#[derive(Debug)]
pub struct Snapshot {
    state: State,
    source: String,
    shape: String,
    rung: WitnessRung,
    seal: Option<String>,
    taken_at: Option<String>,
    rules: Option<String>,
    left_out: BTreeSet<String>,
    terms: BTreeMap<String, String>,
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
    pub fn read(reader: &mut dyn StateReader) -> Result<Self, Unreadable> {
        let source = reader.source();
        match reader.read() {
            Ok(state) => Ok(Self {
                state,
                source,
                shape: reader.shape(),
                rung: reader.rung(),
                seal: reader.seal(),
                taken_at: reader.taken_at(),
                rules: reader.rules(),
                left_out: reader.left_out().into_iter().collect(),
                terms: reader.terms(),
            }),
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

    /// How its keys and values came about.
    pub fn shape(&self) -> &str {
        &self.shape
    }

    /// The SHA-256 that it is known by, where it was kept.
    pub fn seal(&self) -> Option<&str> {
        self.seal.as_deref()
    }

    /// When it was taken, where that was before now.
    pub fn taken_at(&self) -> Option<&str> {
        self.taken_at.as_deref()
    }

    /// The SHA-256 of the rules by which something was left out.
    pub fn rules(&self) -> Option<&str> {
        self.rules.as_deref()
    }

    /// The keys that were there and were left out, and the folders of such keys.
    pub fn left_out(&self) -> impl Iterator<Item = &str> {
        self.left_out.iter().map(String::as_str)
    }

    /// What decides what keys and values mean, by how these keys begin.
    pub fn terms(&self) -> &BTreeMap<String, String> {
        &self.terms
    }

    /// How the keys begin that begin like this one but for the case of letters, and by what they were
    /// read.
    pub(super) fn term_of(&self, key: &str) -> Option<(&str, &str)> {
        let like = |begin: &str| {
            key.get(..begin.len()).is_some_and(|start| start.eq_ignore_ascii_case(begin))
        };
        let mut terms = self.terms.iter().map(|(begin, term)| (begin.as_str(), term.as_str()));
        terms.find(|(begin, _)| like(begin))
    }

    /// The key, beginning as the keys do that begin like it.
    pub(super) fn spelled<'k>(&self, key: &'k str) -> Cow<'k, str> {
        let spelled = self.term_of(key).map(|(begin, _)| (begin, key.split_at(begin.len())));
        match spelled {
            Some((begin, (given, rest))) if begin != given => format!("{begin}{rest}").into(),
            _ => key.into(),
        }
    }

    /// May this key have been there, and was left out?
    pub(super) fn leaves_out(&self, key: &str) -> bool {
        let mut folders = key.match_indices('/').filter_map(|(at, _)| key.get(..=at));
        !self.left_out.is_empty()
            && (self.left_out.contains(key)
                || self.left_out.contains(&format!("{key}/"))
                || folders.any(|folder| self.left_out.contains(folder)))
    }

    /// Who stands for it.
    pub fn rung(&self) -> WitnessRung {
        self.rung
    }
}
