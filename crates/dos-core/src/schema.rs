//! May this reader parse that record? Format tags of durable records: `{"family", "version"}`.

use alloc::string::String;

use serde_json::Value;

use crate::json::Object;

/// What a record says of its own format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The kind of record; empty where only a bare version number was written.
    pub family: String,
    /// The writer's format version, from 1 on. It grows only when a reader would go wrong.
    pub version: i64,
}

/// How a reader may treat one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readability {
    /// This family, at a version the reader knows.
    Readable,
    /// This family, at a newer version: refuse, do not guess.
    UnreadableNewer,
    /// No tag, or none that makes sense: a record from before tags.
    Untagged,
    /// Another family's record.
    WrongFamily,
}

impl Readability {
    /// The stable word.
    pub fn token(self) -> &'static str {
        match self {
            Self::Readable => "READABLE",
            Self::UnreadableNewer => "UNREADABLE_NEWER",
            Self::Untagged => "UNTAGGED",
            Self::WrongFamily => "WRONG_FAMILY",
        }
    }
}

impl Tag {
    /// Reads the value of a record's `schema` field: an object, or a bare version number.
    pub fn read(value: &Value) -> Option<Self> {
        let (family, version) = match value {
            Value::Number(number) => (String::new(), number.as_i64()?),
            Value::Object(fields) => {
                (fields.get("family")?.as_str()?.into(), fields.get("version")?.as_i64()?)
            }
            _ => return None,
        };
        (version >= 1).then_some(Self { family, version })
    }
}

/// Says whether a reader of `family` that knows versions up to `understands` may read `record`.
///
/// An empty family, the reader's or the record's, matches any.
pub fn classify(record: &Object, family: &str, understands: i64) -> (Readability, Option<Tag>) {
    let Some(tag) = record.get("schema").and_then(Tag::read) else {
        return (Readability::Untagged, None);
    };
    let foreign = !tag.family.is_empty() && !family.is_empty() && tag.family != family;
    let readability = if foreign {
        Readability::WrongFamily
    } else if tag.version > understands {
        Readability::UnreadableNewer
    } else {
        Readability::Readable
    };
    (readability, Some(tag))
}

#[cfg(test)]
mod tests;
