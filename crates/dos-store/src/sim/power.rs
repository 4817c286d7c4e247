//! What a power cut leaves: any state that the disk was allowed to be in.

use std::collections::{BTreeMap, BTreeSet};

use super::files::{Content, Files, ROOT, Write};
use super::step::Choose;

/// Of so many name changes, a bounded choice tries every combination; of more, it tries losing the
/// last ones, and losing a single one.
const INDEPENDENT_MAX: usize = 6;

/// Which of the legal states are to be chosen from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Any of them in which un-synced content is lost from some byte on.
    Any,
    /// Also those in which content is missing in the middle, although what was written later is
    /// there.
    WithHoles,
    /// Few enough to look at each: either some names are lost, and of each file all un-synced
    /// content or none; or the file that was written last is torn or has a hole, and nothing else
    /// is lost.
    Bounded,
}

/// What is on the disk when the power comes back.
pub(super) fn cut(files: &Files, reach: Reach, choose: &mut dyn Choose) -> Files {
    let unsynced = files.contents.iter().filter(|(_, content)| !content.unsynced.is_empty());
    let newest = unsynced.max_by_key(|(_, content)| content.modified).map(|(number, _)| *number);
    let torn = match reach {
        Reach::Bounded if choose.choose(2) == 1 => newest,
        _ => None,
    };
    let folders = match torn {
        None => names(files, reach, choose),
        Some(_) => files.folders.clone(),
    };
    let mut kept = Files { folders: BTreeMap::new(), contents: BTreeMap::new(), ..files.clone() };
    let mut waiting = vec![ROOT];
    let mut seen = BTreeSet::new();
    while let Some(number) = waiting.pop() {
        if !seen.insert(number) {
            continue;
        }
        if let Some(names) = folders.get(&number) {
            waiting.extend(names.iter().rev().map(|(_, number)| *number));
            kept.folders.insert(number, names.clone());
        } else if let Some(content) = files.contents.get(&number) {
            let durable = match (reach, torn) {
                (Reach::Any | Reach::WithHoles, _) => bytes(content, reach, choose),
                (_, Some(torn)) if torn == number => bytes(content, reach, choose),
                (_, Some(_)) => whole(content),
                (_, None) if content.unsynced.is_empty() || choose.choose(2) == 0 => {
                    content.durable.clone()
                }
                (_, None) => whole(content),
            };
            let modified = content.modified;
            let content = Content { now: durable.clone(), durable, modified, ..Content::default() };
            kept.contents.insert(number, content);
        }
    }
    kept.durable.clone_from(&kept.folders);
    kept.changes.clear();
    kept
}

/// Any of the name changes may be lost, whatever became of those before and after it.
fn names(
    files: &Files,
    reach: Reach,
    choose: &mut dyn Choose,
) -> BTreeMap<u64, Vec<(String, u64)>> {
    let count = files.changes.len();
    let mut folders = files.durable.clone();
    let mut lost = BTreeSet::new();
    let way = match (reach, count) {
        (_, 0) => return folders,
        (Reach::Bounded, ..=INDEPENDENT_MAX) => 2,
        (Reach::Bounded, _) => choose.choose(2),
        (Reach::Any | Reach::WithHoles, _) => choose.choose(3),
    };
    match way {
        0 => lost.extend(choose.choose(count + 1)..count),
        1 => lost.extend([choose.choose(count)]),
        _ => lost.extend((0..count).filter(|_| choose.choose(2) == 0)),
    }
    for (index, change) in files.changes.iter().enumerate() {
        if !lost.contains(&index) {
            change.apply(&mut folders);
        }
    }
    folders
}

/// All writes, synced or not.
fn whole(content: &Content) -> Vec<u8> {
    let mut bytes = content.durable.clone();
    content.unsynced.iter().for_each(|write| write.apply(&mut bytes));
    bytes
}

/// Un-synced writes survive as a prefix that is torn at any byte, with a tail of zeros in place of
/// the rest, or with a hole of zeros in the middle.
fn bytes(content: &Content, reach: Reach, choose: &mut dyn Choose) -> Vec<u8> {
    let mut bytes = content.durable.clone();
    if content.unsynced.is_empty() {
        return bytes;
    }
    let mut whole = whole(content);
    let ways = if reach == Reach::Any { 4 } else { 5 };
    match choose.choose(ways) {
        0 => bytes,
        1 => whole,
        2 => {
            tear(&content.unsynced, &mut bytes, choose);
            bytes
        }
        3 => {
            tear(&content.unsynced, &mut bytes, choose);
            // The length was written, the data was not.
            bytes.resize(bytes.len().max(whole.len()), 0);
            bytes
        }
        _ => {
            hole(&content.unsynced, &mut whole, choose);
            whole
        }
    }
}

fn tear(unsynced: &[Write], bytes: &mut Vec<u8>, choose: &mut dyn Choose) {
    let kept = choose.choose(unsynced.len());
    for write in unsynced.iter().take(kept) {
        write.apply(bytes);
    }
    if let Some(Write::Bytes { at, bytes: torn }) = unsynced.get(kept) {
        let torn = torn.get(..choose.choose(torn.len().max(1))).unwrap_or_default();
        Write::Bytes { at: *at, bytes: torn.to_vec() }.apply(bytes);
    }
}

/// Zeros instead of one write, or of a half of it, although later ones are there.
fn hole(unsynced: &[Write], whole: &mut [u8], choose: &mut dyn Choose) {
    if let Some(Write::Bytes { at, bytes }) = unsynced.get(choose.choose(unsynced.len())) {
        let (middle, end) = (at + bytes.len() / 2, at + bytes.len());
        let range = match choose.choose(3) {
            0 => *at..end,
            1 => *at..middle,
            _ => middle..end,
        };
        if let Some(gone) = whole.get_mut(range) {
            gone.fill(0);
        }
    }
}
