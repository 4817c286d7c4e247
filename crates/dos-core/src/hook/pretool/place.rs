//! Paths from a folder on, and patterns that spell them.

use alloc::string::String;
use alloc::vec::Vec;

use crate::lane::Case;
use crate::lane::region::Region;

/// The path from a folder to what is in it, empty for the folder itself.
pub(super) fn below(name: &str, folder: &str, case: Case) -> Option<String> {
    let mut parts = name.split('/').filter(|part| !part.is_empty());
    let same = |left: &str, right: &str| {
        let fold = |text: &str| -> String { text.chars().map(|c| case.fold(c)).collect() };
        left == right || fold(left) == fold(right)
    };
    for wanted in folder.split('/').filter(|part| !part.is_empty()) {
        if !parts.next().is_some_and(|part| same(part, wanted)) {
            return None;
        }
    }
    Some(parts.collect::<Vec<_>>().join("/"))
}

/// Patterns for one place and what is below it; `None` when no pattern can spell it.
pub(super) fn region_of(path: &str, case: Case) -> Option<Region> {
    let mut pattern = String::new();
    for (index, character) in path.chars().enumerate() {
        match character {
            '*' | '?' | '[' | '{' => pattern.extend(['[', character, ']']),
            ' ' => pattern.push_str("[ ]"),
            '!' | '#' if index == 0 => pattern.extend(['\\', character]),
            other => pattern.push(other),
        }
    }
    // The slash: what is below it belongs to it, though the name may hold wildcards.
    pattern.push_str(if pattern.is_empty() { "**" } else { "/" });
    let region = Region::read([pattern], case);
    let readable = region.errors().next().is_none();
    readable.then_some(region)
}
