//! A snapshot that was taken before.

use std::collections::BTreeMap;

use dos_core::witness::taken::{self, Origin, Seal};
use dos_core::witness::{State, StateReader, WitnessRung};
use dos_store::disk::RealDisk;
use dos_store::taken::{Found, Taken};

/// A snapshot that the store keeps, by its SHA-256.
pub struct TakenSnapshot<'a> {
    store: &'a Taken<RealDisk>,
    shown: String,
    seal: Seal,
    origin: Option<Origin>,
}

impl<'a> TakenSnapshot<'a> {
    /// The snapshot with this SHA-256, under the name by which it was asked for.
    pub fn new(store: &'a Taken<RealDisk>, shown: &str, seal: Seal) -> Self {
        Self { store, shown: shown.to_string(), seal, origin: None }
    }
}

impl StateReader for TakenSnapshot<'_> {
    fn source(&self) -> String {
        format!("snapshot:{}", self.shown)
    }

    fn shape(&self) -> String {
        self.origin.as_ref().map_or(String::new(), |origin| origin.shape.clone())
    }

    fn read(&mut self) -> Result<State, String> {
        let sha256 = self.seal.as_str();
        let text = match self.store.read(&self.seal) {
            Ok(Found::Whole(text)) => text,
            Ok(Found::Missing) => return Err(format!("its file {sha256}.jsonl is gone")),
            Ok(Found::Changed(is)) => {
                return Err(format!(
                    "it was changed after it was taken: its SHA-256 was {sha256} and is {is}"
                ));
            }
            Err(error) => return Err(said(&error)),
        };
        let (origin, state) = taken::read(text).map_err(|error| error.to_string())?;
        self.origin = Some(origin);
        Ok(state)
    }

    fn rung(&self) -> WitnessRung {
        // The weakest, until it has been read.
        self.origin.as_ref().map_or(WitnessRung::OsRecorded, |origin| origin.rung)
    }

    fn taken_at(&self) -> Option<String> {
        self.origin.as_ref().map(|origin| origin.taken_at.clone())
    }

    fn rules(&self) -> Option<String> {
        self.origin.as_ref()?.rules.clone()
    }

    fn left_out(&self) -> Vec<String> {
        self.origin.as_ref().map(|origin| origin.left_out.clone()).unwrap_or_default()
    }

    fn terms(&self) -> BTreeMap<String, String> {
        self.origin.as_ref().map(|origin| origin.terms.clone()).unwrap_or_default()
    }

    fn seal(&self) -> Option<String> {
        Some(self.seal.as_str().to_string())
    }
}

/// An error with its cause.
fn said(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
