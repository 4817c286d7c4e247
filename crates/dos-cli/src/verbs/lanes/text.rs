//! The lane map for people: a table, a matrix of who meets whom, and what is amiss.

use std::collections::BTreeMap;

use camino::Utf8Path;
use dos_core::lane::map::{LaneMap, MappedLane, Role};

use super::name;
use crate::output::{Paint, paint};
use crate::verbs::doctor::{aligned, counted, plain};

/// How wide the bar of a lane is that owns every file.
const BAR_WIDTH: usize = 20;
/// How many patterns of a lane are shown.
const PATTERNS_SHOWN: usize = 3;
/// How many entries of a list are shown.
const ENTRIES_SHOWN: usize = 20;
/// Up to how many lanes the matrix is drawn for.
const MATRIX_MAX: usize = 30;

/// The map, line by line.
pub fn lines(root: &Utf8Path, map: &LaneMap, colour: bool) -> Vec<String> {
    let files = match map.files_total {
        Some(total) => format!("{} in git", counted(total as u64, "file")),
        None => "no git repository, so that no files are shown".to_string(),
    };
    let head = format!("{} in {root}, {files}", counted(map.lanes.len() as u64, "lane"));
    let mut lines = vec![paint(&head, Paint::Bold, colour), String::new()];
    let rows: Vec<Vec<String>> = map.lanes.iter().map(|lane| row(map, lane)).collect();
    lines.extend(aligned(&rows, 2));
    lines.extend(meetings(map, colour));
    if map.files_total.is_some() {
        lines.extend(unowned(map, colour));
        lines.extend(idle(map, colour));
    }
    lines
}

fn row(map: &LaneMap, lane: &MappedLane) -> Vec<String> {
    let patterns = lane.tree.patterns();
    let mut tree: Vec<String> =
        patterns.iter().take(PATTERNS_SHOWN).map(|text| plain(text)).collect();
    if let Some(more) = patterns.len().checked_sub(PATTERNS_SHOWN).filter(|more| *more > 0) {
        tree.push(format!("and {more} more"));
    }
    let tree = if tree.is_empty() { "(no tree)".to_string() } else { tree.join("  ") };
    let mut row = vec![plain(&lane.name), lane.role.token().to_string()];
    if let Some(total) = map.files_total {
        row.push(format!("{:>6}", lane.files));
        row.push(bar(lane.files, total));
    }
    row.push(tree);
    row
}

/// The part of all files that a lane owns; a lane that owns one shows something.
fn bar(files: usize, total: usize) -> String {
    let full = (files * BAR_WIDTH).checked_div(total).unwrap_or(0);
    let full = full.max(usize::from(files > 0)).min(BAR_WIDTH);
    format!("{}{}", "█".repeat(full), "░".repeat(BAR_WIDTH - full))
}

fn heading(text: String, count: usize, colour: bool) -> [String; 2] {
    let paint_as = if count == 0 { Paint::Green } else { Paint::Yellow };
    [String::new(), paint(&format!("{text}: {count}"), paint_as, colour)]
}

/// What is not shown of a list.
fn rest(total: usize) -> Option<String> {
    let more = total.checked_sub(ENTRIES_SHOWN).filter(|more| *more > 0)?;
    Some(format!("  and {more} more; see --json"))
}

fn meetings(map: &LaneMap, colour: bool) -> Vec<String> {
    let text = "lanes that meet, so that they never run side by side".to_string();
    let mut lines = Vec::from(heading(text, map.meetings_total, colour));
    let rows: Vec<Vec<String>> = map
        .meetings
        .iter()
        .take(ENTRIES_SHOWN)
        .map(|meeting| {
            let (left, right) = (name(map, meeting.left), name(map, meeting.right));
            let lanes = format!("{} × {}", plain(left), plain(right));
            vec![lanes, plain(&meeting.meeting.to_string())]
        })
        .collect();
    lines.extend(aligned(&rows, 2));
    lines.extend(rest(map.meetings_total));
    if map.meetings_total > 0 {
        lines.extend(matrix(map));
    }
    lines
}

/// A cell for each pair of lanes that do not run alone.
fn matrix(map: &LaneMap) -> Vec<String> {
    let beside: Vec<usize> = (0..map.lanes.len())
        .filter(|place| map.lanes.get(*place).is_some_and(|lane| lane.role != Role::Exclusive))
        .collect();
    if beside.len() > MATRIX_MAX {
        return Vec::new();
    }
    let meet = |one: usize, other: usize| {
        let pair = (one.min(other), one.max(other));
        map.meetings.iter().any(|meeting| (meeting.left, meeting.right) == pair)
    };
    let numbers = (1..=beside.len()).map(|number| format!("{number:>2}"));
    let mut rows = vec![vec![String::new(), numbers.collect::<Vec<_>>().join(" ")]];
    for (number, one) in (1..).zip(&beside) {
        let cell = |other: &usize| match (one == other, meet(*one, *other)) {
            (true, _) => " ■",
            (false, true) => " ×",
            (false, false) => " ·",
        };
        let cells: Vec<&str> = beside.iter().map(cell).collect();
        rows.push(vec![format!("{number:>2} {}", plain(name(map, *one))), cells.join(" ")]);
    }
    let mut lines = vec![String::new()];
    lines.extend(aligned(&rows, 2));
    lines
}

/// Files at the top by name, the others by their top-level folder.
fn unowned(map: &LaneMap, colour: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let lists = [
        ("files that no lane owns", &map.unowned),
        ("files that only exclusive lanes own", &map.exclusive_only),
    ];
    for (text, files) in lists {
        lines.extend(heading(text.to_string(), files.len(), colour));
        let mut groups: BTreeMap<&str, u64> = BTreeMap::new();
        for file in files {
            let end = file.find('/').map_or(file.len(), |slash| slash + 1);
            *groups.entry(file.get(..end).unwrap_or(file)).or_default() += 1;
        }
        let shown = groups.iter().take(ENTRIES_SHOWN);
        lines.extend(shown.map(|(group, count)| match group.ends_with('/') {
            true => format!("  {}  ({})", plain(group), counted(*count, "file")),
            false => format!("  {}", plain(group)),
        }));
        lines.extend(rest(groups.len()));
    }
    lines
}

fn idle(map: &LaneMap, colour: bool) -> Vec<String> {
    let idle: Vec<(&str, &str)> = map
        .lanes
        .iter()
        .flat_map(|lane| lane.idle.iter().map(|pattern| (lane.name.as_str(), pattern.as_str())))
        .collect();
    let text = "patterns that match no file".to_string();
    let mut lines = Vec::from(heading(text, idle.len(), colour));
    let shown = idle.iter().take(ENTRIES_SHOWN);
    lines.extend(shown.map(|(lane, pattern)| format!("  {}: {}", plain(lane), plain(pattern))));
    lines.extend(rest(idle.len()));
    lines
}
