//! The identity card of a project: who it is, where it was when it last wrote, and whether the
//! index of this machine has it.

use alloc::string::{String, ToString};

use serde_json::{Value, json};

use super::{SCHEMA, project_id, text};
use crate::json::{self, Object};
use crate::schema::{self, Readability};
use crate::timestamp::Timestamp;

/// A card, and with it the row of the index, is written anew when it is older than this, in
/// milliseconds: a day.
const RENEW_MILLIS: i64 = 86_400_000;

/// A project's card. Fields of other programs are kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Card(Object);

/// Where a project is now.
#[derive(Clone, Copy, Debug)]
pub struct Here<'a> {
    /// Its folder.
    pub root: &'a str,
    /// The index that has it, or is to have it; `None` when none is.
    pub home: Option<&'a str>,
    /// The time.
    pub now: Timestamp,
    /// The version of this program.
    pub version: &'a str,
}

/// What a card says to a project that is about to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// All is well: nothing to write.
    Current,
    /// It is to be written anew: missing, old, or not of this index.
    Due,
    /// It names another folder: the project was moved or copied, or goes by two names.
    Elsewhere,
    /// A later version has written it; it is not ours to change.
    Newer,
}

/// What the card says to a project that is here.
pub fn standing(card: Option<&Card>, here: &Here<'_>) -> Standing {
    let Some(card) = card else { return Standing::Due };
    if schema::classify(&card.0, "", SCHEMA).0 == Readability::UnreadableNewer {
        return Standing::Newer;
    }
    if card.id().is_none() {
        return Standing::Due;
    }
    if card.root() != Some(here.root) {
        return Standing::Elsewhere;
    }
    let age = card.last_seen().map(|seen| here.now.millis_since(seen));
    let fresh = age.is_some_and(|age| (0..RENEW_MILLIS).contains(&age));
    match fresh && card.home() == here.home {
        true => Standing::Current,
        false => Standing::Due,
    }
}

impl Card {
    /// Reads a card: any JSON object.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().map(Self)
    }

    /// The card of a project that has none.
    pub fn new(here: &Here<'_>) -> Self {
        let card = json!({
            "schema": SCHEMA,
            "project_id": project_id(here.root),
            "root": here.root,
            "created_at": here.now.to_string(),
        });
        match card {
            Value::Object(card) => Self(card).renewed(here),
            _ => Self(Object::new()),
        }
    }

    /// The same card, of a project that writes here and now. What it lacks it gets.
    #[must_use]
    pub fn renewed(mut self, here: &Here<'_>) -> Self {
        if self.id().is_none() {
            self.set("project_id", project_id(here.root).into());
        }
        if self.created_at().is_none() {
            self.set("created_at", here.now.to_string().into());
        }
        self.set("root", here.root.into());
        self.set("last_seen", here.now.to_string().into());
        self.set("dos_version", here.version.into());
        match here.home {
            Some(home) => self.set("home", home.into()),
            None => drop(self.0.remove("home")),
        }
        self
    }

    /// The same card, without the mark of an index: the next write brings it up to date.
    #[must_use]
    pub fn unmarked(mut self) -> Self {
        self.0.remove("home");
        self
    }

    /// The project's id.
    pub fn id(&self) -> Option<&str> {
        text(&self.0, "project_id")
    }

    /// The folder in which it last wrote.
    pub fn root(&self) -> Option<&str> {
        text(&self.0, "root")
    }

    /// When it was created, as it was written down.
    pub fn created_at(&self) -> Option<&str> {
        text(&self.0, "created_at")
    }

    /// The index that has it.
    pub fn home(&self) -> Option<&str> {
        text(&self.0, "home")
    }

    fn last_seen(&self) -> Option<Timestamp> {
        Timestamp::parse(text(&self.0, "last_seen")?)
    }

    fn set(&mut self, field: &str, value: Value) {
        self.0.insert(field.to_string(), value);
    }

    /// The text of its file.
    pub fn to_text(&self) -> String {
        json::pretty(&Value::Object(self.0.clone())) + "\n"
    }
}
