//! The projects of a machine: what a project is called, what the index says of each, and what the
//! overrides teach.
//!
//! The index is a log of rows: the newest of a project counts. Every row can be made again from
//! the card in the project's own folder, so that nothing here is a source of truth.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::json::Object;

mod card;
mod rebuild;

pub use card::{Card, Here, Standing, standing};
pub use rebuild::{Counts, FolderId, Rebuilt, Site, Summary, merge_decisions, rebuild, row};

/// The version of cards and rows.
pub const SCHEMA: i64 = 1;

/// What is kept of the digest: 64 bits.
const ID_BYTES: usize = 8;

/// The id of the project whose folder has this path, absolute and without links: sixteen hex digits.
pub fn project_id(root: &str) -> String {
    let mut id = String::new();
    for byte in Sha256::digest(root.as_bytes()).iter().take(ID_BYTES) {
        // Writing to a string cannot fail.
        let _ = write!(id, "{byte:02x}");
    }
    id
}

/// An absolute path without `.`, `..` and repeated slashes. Links are not looked at: of a folder
/// that is gone there is nothing to look at.
pub fn normalized(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    "/".to_string() + &parts.join("/")
}

/// The project that a row speaks of. A row that names none, or by something that is no text,
/// speaks of nobody.
pub fn project_of(row: &Object) -> Option<&str> {
    text(row, "project_id")
}

/// A field of a row, if it is a text and not empty.
pub fn text<'a>(row: &'a Object, field: &str) -> Option<&'a str> {
    row.get(field).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The newest row of each project, with the earliest `first_seen` of all of its rows, in the order
/// in which the projects first occur.
pub fn fold_latest(rows: impl IntoIterator<Item = Object>) -> Vec<Object> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut latest: Vec<Object> = Vec::new();
    for row in rows {
        let Some(project) = project_of(&row) else { continue };
        match places.get(project).and_then(|place| latest.get_mut(*place)) {
            Some(newest) => {
                let both = [text(newest, "first_seen"), text(&row, "first_seen")];
                let earliest = both.into_iter().flatten().min().map(Value::from);
                *newest = row;
                newest.extend(earliest.map(|earliest| ("first_seen".to_string(), earliest)));
            }
            None => {
                places.insert(project.to_string(), latest.len());
                latest.push(row);
            }
        }
    }
    latest
}

/// The order in which projects are listed: by label, then by id.
pub fn by_label(row: &Object) -> (&str, &str) {
    (text(row, "label").unwrap_or_default(), project_of(row).unwrap_or_default())
}

/// What overrides are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// The project.
    WedgeHotspots,
    /// The lane.
    LaneRefusals,
    /// The category of the reason.
    OracleCalibration,
}

impl Axis {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::WedgeHotspots, Self::LaneRefusals, Self::OracleCalibration];

    /// The stable word.
    pub fn token(self) -> &'static str {
        match self {
            Self::WedgeHotspots => "wedge-hotspots",
            Self::LaneRefusals => "lane-refusals",
            Self::OracleCalibration => "oracle-calibration",
        }
    }

    /// The group that a row belongs to.
    fn group(self, row: &Object) -> &str {
        match self {
            Self::WedgeHotspots => text(row, "label").or_else(|| project_of(row)).unwrap_or("?"),
            Self::LaneRefusals => text(row, "lane").unwrap_or("(none)"),
            Self::OracleCalibration => text(row, "reason_category").unwrap_or("(uncategorized)"),
        }
    }
}

/// How many overrides each group has: most first, then by name.
pub fn learn(rows: &[Object], axis: Axis) -> Vec<(String, u64)> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for row in rows {
        *counts.entry(axis.group(row)).or_default() += 1;
    }
    let mut tally: Vec<(String, u64)> =
        counts.into_iter().map(|(group, count)| (group.to_string(), count)).collect();
    tally.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
    tally
}
