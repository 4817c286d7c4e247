//! What an act does, with the names of its files resolved.

use camino::Utf8Path;
use dos_core::hook::Act;
use dos_core::hook::pretool::Doings;

use super::resolve::Bases;

/// What the act does, for an agent that is in that folder.
pub fn doings(act: &Act, folder: &Utf8Path, home: Option<&Utf8Path>) -> Doings {
    let bases = Bases { folder, home };
    match act {
        Act::Reads => Doings::default(),
        Act::Writes(paths) => Doings {
            touches: paths.iter().map(|path| bases.touch(path, false)).collect(),
            ..Doings::default()
        },
        Act::Unknown(paths) => Doings {
            unknown: (!paths.is_empty()).then(|| "a tool that is not known here".to_string()),
            mentions: paths.iter().map(|path| bases.touch(path, false)).collect(),
            ..Doings::default()
        },
        Act::Runs { .. } => Doings::default(),
    }
}
