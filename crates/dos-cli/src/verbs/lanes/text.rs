//! The lane map for people: a table, a matrix of who meets whom, and what is amiss.

use std::collections::BTreeMap;

use camino::Utf8Path;
use dos_core::lane::map::{LaneMap, LaneMeeting, MappedLane};
use dos_core::lane::policy::Role;
use unicode_width::UnicodeWidthStr as _;

use super::name;
use crate::output::{Paint, paint};
use crate::verbs::doctor::{aligned, counted, cut, plain};

/// How wide the bar of a lane is that owns every file.
const BAR_WIDTH: usize = 20;
/// In how narrow a terminal the bar is left out, to have room for the patterns.
const BAR_ROOM: usize = 90;
/// How many patterns of a lane are shown.
const PATTERNS_SHOWN: usize = 3;
/// How many entries of a list are shown.
const ENTRIES_SHOWN: usize = 20;
/// Up to how many lanes the matrix is drawn for.
const MATRIX_MAX: usize = 30;
/// How wide a column may be whose text can be told elsewhere.
const NAME_WIDTH: usize = 32;

/// What it is shown on.
#[derive(Clone, Copy)]
pub struct Look {
    /// Is there colour?
    pub colour: bool,
    /// How many columns there are; `None` for as many as it takes.
    pub width: Option<usize>,
}

impl Look {
    /// The line as far as there is room.
    fn fit(self, line: &str) -> String {
        match self.width {
            Some(width) => cut(line, width),
            None => line.to_string(),
        }
    }

    fn table(self, rows: &[Vec<String>]) -> Vec<String> {
        aligned(rows, 2).iter().map(|line| self.fit(line)).collect()
    }

    fn heading(self, text: &str, paint_as: Paint) -> [String; 2] {
        [String::new(), paint(&self.fit(text), paint_as, self.colour)]
    }
}

/// The map, line by line.
pub fn lines(root: &Utf8Path, map: &LaneMap, look: Look) -> Vec<String> {
    let files = match map.files_total {
        Some(total) => format!("{} in git", counted(total as u64, "file")),
        None => "no git repository, so that no files are shown".to_string(),
    };
    let head = format!("{} in {root}, {files}", counted(map.lanes.len() as u64, "lane"));
    let mut lines = vec![paint(&look.fit(&head), Paint::Bold, look.colour), String::new()];
    let mut rows = vec![headings(map, look)];
    rows.extend(map.lanes.iter().map(|lane| row(map, lane, look)));
    lines.extend(look.table(&rows));
    lines.extend(meetings(map, look));
    if map.files_total.is_some() {
        lines.extend(unowned(map, look));
        lines.extend(idle(map, look));
    }
    lines
}

fn has_bar(map: &LaneMap, look: Look) -> bool {
    map.files_total.is_some() && look.width.is_none_or(|width| width >= BAR_ROOM)
}

fn headings(map: &LaneMap, look: Look) -> Vec<String> {
    let mut row = vec!["lane".to_string(), "runs".to_string()];
    if map.files_total.is_some() {
        row.push(format!("{:>6}", "files"));
    }
    if has_bar(map, look) {
        row.push("part of all files".to_string());
    }
    row.push("tree".to_string());
    row
}

fn row(map: &LaneMap, lane: &MappedLane, look: Look) -> Vec<String> {
    let patterns = lane.tree.patterns();
    let mut tree: Vec<String> =
        patterns.iter().take(PATTERNS_SHOWN).map(|text| plain(text)).collect();
    if let Some(more) = patterns.len().checked_sub(PATTERNS_SHOWN).filter(|more| *more > 0) {
        tree.push(format!("and {more} more"));
    }
    let tree = if tree.is_empty() { "(no tree)".to_string() } else { tree.join("  ") };
    let runs = match lane.role {
        Role::Concurrent => "concurrent",
        Role::Shared => "shared",
        Role::Exclusive => "exclusive",
        Role::Named => "by name",
    };
    let mut row = vec![cut(&plain(&lane.name), NAME_WIDTH), runs.to_string()];
    if let Some(total) = map.files_total {
        row.push(format!("{:>6}", lane.files));
        if has_bar(map, look) {
            row.push(bar(lane.files, total));
        }
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

fn counted_heading(text: &str, count: usize, look: Look) -> [String; 2] {
    let paint_as = if count == 0 { Paint::Green } else { Paint::Yellow };
    look.heading(&format!("{text}: {count}"), paint_as)
}

/// What is not shown of a list.
fn rest(total: usize) -> Option<String> {
    let more = total.checked_sub(ENTRIES_SHOWN).filter(|more| *more > 0)?;
    Some(format!("  and {more} more; see --json"))
}

/// Those that have files in common first.
fn meetings(map: &LaneMap, look: Look) -> Vec<String> {
    let text = "lanes that meet, so that they never run side by side";
    let count = map.meetings.len();
    let mut lines = Vec::from(match map.meetings_complete {
        true => counted_heading(text, count, look),
        false => look.heading(&format!("{text}: more than {count}"), Paint::Yellow),
    });
    let mut shown: Vec<&LaneMeeting> = map.meetings.iter().collect();
    shown.sort_by_key(|meeting| core::cmp::Reverse(meeting.files));
    let rows: Vec<Vec<String>> = shown
        .iter()
        .take(ENTRIES_SHOWN)
        .map(|meeting| {
            let (left, right) = (name(map, meeting.left), name(map, meeting.right));
            let short = |name: &str| cut(&plain(name), NAME_WIDTH);
            vec![format!("{} × {}", short(left), short(right)), plain(&said(map, meeting))]
        })
        .collect();
    lines.extend(look.table(&rows));
    lines.extend(rest(count));
    if count > 0 {
        lines.extend(matrix(map, look));
    }
    lines
}

/// What two lanes have in common: files where there are some, else what could be one.
fn said(map: &LaneMap, meeting: &LaneMeeting) -> String {
    let met = &meeting.meeting;
    match (&meeting.file, map.files_total) {
        (Some(file), _) if meeting.files == 1 => format!("1 file, {file}: {}", patterns(meeting)),
        (Some(file), _) => {
            format!("{} files, such as {file}: {}", meeting.files, patterns(meeting))
        }
        (None, Some(_)) => format!("no file yet: {met}"),
        (None, None) => met.to_string(),
    }
}

fn patterns(meeting: &LaneMeeting) -> String {
    let (ours, theirs) = (&meeting.meeting.requested, &meeting.meeting.held);
    format!("`{}` meets `{}`", cut(ours, 60), cut(theirs, 60))
}

/// A cell for each pair of lanes that do not run alone.
fn matrix(map: &LaneMap, look: Look) -> Vec<String> {
    let beside: Vec<usize> = (0..map.lanes.len())
        .filter(|place| map.lanes.get(*place).is_some_and(|lane| lane.role != Role::Exclusive))
        .collect();
    let names = beside.iter().map(|place| cut(&plain(name(map, *place)), NAME_WIDTH).width());
    let needed = 7 + names.max().unwrap_or(0) + 3 * beside.len();
    if beside.len() > MATRIX_MAX || look.width.is_some_and(|width| needed > width) {
        return Vec::new();
    }
    let meet = |one: usize, other: usize| {
        let pair = (one.min(other), one.max(other));
        map.meetings.iter().any(|meeting| (meeting.left, meeting.right) == pair)
    };
    let numbers = (1..=beside.len()).map(|number| format!("{number:>2}"));
    let head = "lane by number".to_string();
    let mut rows = vec![vec![head, numbers.collect::<Vec<_>>().join(" ")]];
    for (number, one) in (1..).zip(&beside) {
        let cell = |other: &usize| match (one == other, meet(*one, *other)) {
            (true, _) => " ■",
            (false, true) => " ×",
            (false, false) => " ·",
        };
        let cells: Vec<&str> = beside.iter().map(cell).collect();
        let name = cut(&plain(name(map, *one)), NAME_WIDTH);
        rows.push(vec![format!("{number:>2} {name}"), cells.join(" ")]);
    }
    let mut lines = vec![String::new()];
    lines.extend(look.table(&rows));
    lines
}

/// Files at the top by name, the others by their top-level folder.
fn unowned(map: &LaneMap, look: Look) -> Vec<String> {
    let mut lines = Vec::new();
    let lists = [
        ("files that no lane owns", &map.unowned),
        ("files that only exclusive lanes own", &map.exclusive_only),
    ];
    for (text, files) in lists {
        lines.extend(counted_heading(text, files.len(), look));
        let mut groups: BTreeMap<&str, u64> = BTreeMap::new();
        for file in files {
            let end = file.find('/').map_or(file.len(), |slash| slash + 1);
            *groups.entry(file.get(..end).unwrap_or(file)).or_default() += 1;
        }
        let shown = groups.iter().take(ENTRIES_SHOWN).map(|(group, count)| {
            let count = if group.ends_with('/') { counted(*count, "file") } else { String::new() };
            vec![cut(&plain(group), 2 * NAME_WIDTH), count]
        });
        lines.extend(look.table(&shown.collect::<Vec<_>>()));
        lines.extend(rest(groups.len()));
    }
    lines
}

fn idle(map: &LaneMap, look: Look) -> Vec<String> {
    let idle: Vec<(&str, &str)> = map
        .lanes
        .iter()
        .flat_map(|lane| lane.idle.iter().map(|pattern| (lane.name.as_str(), pattern.as_str())))
        .collect();
    let mut lines = Vec::from(counted_heading("patterns that match no file", idle.len(), look));
    let rows: Vec<Vec<String>> = idle
        .iter()
        .take(ENTRIES_SHOWN)
        .map(|(lane, pattern)| vec![cut(&plain(lane), NAME_WIDTH), plain(pattern)])
        .collect();
    lines.extend(look.table(&rows));
    lines.extend(rest(idle.len()));
    lines
}
