//! How the fleet is drawn, on any screen.

use dos_core::fleet::view::{Commit, Notice};
use dos_core::timestamp::{Timestamp, span};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget as _;
use unicode_width::UnicodeWidthStr as _;

use super::app::{App, Page};
use super::pages;
use super::rows::{Chip, Fleet, Row};
use crate::verbs::doctor::{counted, cut, plain};

/// From how many columns on refusals and commits stand beside each other.
const WIDE: u16 = 110;
/// Most refusals and most commits that are shown.
pub const RECENT_MAX: usize = 10;

/// The rows of a section with one line.
const SECTION_LEAST: usize = 3;

/// What stands below the lanes: a heading and its lines.
pub type Section<'a> = (&'static str, Vec<Line<'a>>);

pub const FAINT: Style = Style::new().add_modifier(Modifier::DIM);
pub const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);

/// The colour of a state.
pub fn style(chip: Chip) -> Style {
    match chip {
        Chip::Dead => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        Chip::Stalled => Style::new().fg(Color::Red),
        Chip::Spinning => Style::new().fg(Color::Yellow),
        Chip::Spawning => Style::new().fg(Color::Cyan),
        Chip::Advancing => Style::new().fg(Color::Green),
        Chip::Free => FAINT,
    }
}

/// The state with its mark, so that it shows without colour.
pub fn chip(chip: Chip) -> String {
    let mark = match chip {
        Chip::Dead => '×',
        Chip::Stalled => '○',
        Chip::Spinning => '◐',
        Chip::Spawning => '◌',
        Chip::Advancing => '●',
        Chip::Free => '·',
    };
    format!("{mark} {}", chip.token())
}

/// One line, where there is one; a mark where it had to be cut. Nothing is drawn outside of the area.
pub fn put(buffer: &mut Buffer, area: Rect, row: u16, line: Line<'_>) {
    if row >= area.height || area.width == 0 {
        return;
    }
    let is_cut = line.width() > usize::from(area.width);
    let area = Rect { y: area.y.saturating_add(row), height: 1, ..area };
    line.render(area, buffer);
    if is_cut && let Some(last) = buffer.cell_mut((area.right() - 1, area.y)) {
        last.set_symbol("…");
    }
}

/// Draws the whole screen.
pub fn screen(app: &App, area: Rect, buffer: &mut Buffer) {
    put(buffer, area, 0, title(app, area.width));
    put(buffer, area, 1, state(app, area.width));
    let body = Rect { y: area.y.saturating_add(2), height: area.height.saturating_sub(3), ..area };
    match app.page {
        Page::Fleet => fleet(app, body, buffer, true),
        Page::Lane => pages::scrolled(pages::lane(app, area.width), app.scroll, body, buffer),
        Page::Help => pages::scrolled(pages::help(), app.scroll, body, buffer),
    }
    put(buffer, area, area.height.saturating_sub(1), keys(app, area.width));
}

/// Draws the fleet without keys and without anything selected, as long as it is.
pub fn whole(app: &App, width: u16) -> Buffer {
    let below = app.fleet.as_ref().map(sections).unwrap_or_default();
    let lengths = below.iter().map(|(_, lines)| lines.len() + 2);
    let height = 3 + app.rows().len().max(1) + lengths.sum::<usize>();
    let area = Rect::new(0, 0, width, u16::try_from(height).unwrap_or(u16::MAX));
    let mut buffer = Buffer::empty(area);
    put(&mut buffer, area, 0, title(app, width));
    put(&mut buffer, area, 1, state(app, width));
    let body = Rect { y: 2, height: area.height.saturating_sub(2), ..area };
    fleet(app, body, &mut buffer, false);
    buffer
}

/// A text on the left and one on the right, which goes first where there is no room.
fn sides(left: &str, right: &str, width: u16) -> String {
    let width = usize::from(width);
    let room = width.saturating_sub(right.width() + 2);
    if room < left.width() {
        return cut(left, width);
    }
    let gap = width - left.width() - right.width();
    format!("{left}{}{right}", " ".repeat(gap))
}

fn title(app: &App, width: u16) -> Line<'_> {
    let Some(fleet) = &app.fleet else { return Line::styled("dos top", STRONG) };
    let stamp = fleet.view.now.to_string();
    let time = stamp.get(11..).unwrap_or(&stamp);
    let left = format!("dos top  {}", plain(&fleet.root));
    let right = format!("{}  {time}", plain(&fleet.view.host));
    let shown = match left.width() + right.width() + 2 > usize::from(width) {
        true => sides(&left, time, width),
        false => sides(&left, &right, width),
    };
    Line::styled(shown, STRONG)
}

/// How many are in which state, or what is wrong.
fn state(app: &App, width: u16) -> Line<'_> {
    if let Some(why) = &app.lost {
        let text = format!("{}; looking again", plain(why));
        let style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
        return Line::styled(cut(&text, width.into()), style);
    }
    let Some(fleet) = &app.fleet else { return Line::default() };
    if !fleet.initialized {
        let text = "no dos.toml and no journal here: these are the lanes of any folder; dos init makes more";
        return Line::styled(cut(text, width.into()), FAINT);
    }
    let mut spans: Vec<Span<'_>> = Vec::new();
    let counts = Chip::ALL.map(|chip| (chip, fleet.count(chip)));
    for (chip, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
        if !spans.is_empty() {
            spans.push(Span::styled(" · ", FAINT));
        }
        let word = chip.token().to_lowercase();
        spans.push(Span::styled(format!("{count} {word}"), style(chip)));
    }
    Line::from(spans)
}

/// The lanes, and below them what was refused and what was committed.
fn fleet(app: &App, area: Rect, buffer: &mut Buffer, live: bool) {
    let rows = app.rows();
    let below = app.fleet.as_ref().map(sections).unwrap_or_default();
    let beside = area.width >= WIDE && live;
    let lengths = below.iter().map(|(_, lines)| lines.len() + 2);
    let wanted = if beside { lengths.max() } else { Some(lengths.sum()) }.unwrap_or(0);
    let lanes = rows.len().max(1) + 1;
    let height = usize::from(area.height);
    // The lanes come first; what is below keeps a third of the screen, where there is so much.
    let least = wanted.min(height / 3);
    let room = wanted.min(height.saturating_sub(lanes).max(least));
    let room = if room < SECTION_LEAST { 0 } else { room };
    let room = u16::try_from(room).unwrap_or(u16::MAX);
    let length = u16::try_from(lanes).unwrap_or(u16::MAX);
    let top = Rect { height: area.height.saturating_sub(room).min(length), ..area };
    table(app, &rows, top, buffer, live);
    let bottom = Rect { y: top.bottom(), height: room, ..area };
    if beside {
        let half = bottom.width / 2;
        let left = Rect { width: half.saturating_sub(1), ..bottom };
        let right = Rect { x: bottom.x + half + 1, width: bottom.width - half - 1, ..bottom };
        for (area, part) in [left, right].into_iter().zip(below) {
            section(part, area, buffer);
        }
        return;
    }
    let mut rest = bottom;
    for (part, left) in below.into_iter().zip([2, 1]) {
        // Where there is too little room each gets the same, and the first all where that is nothing.
        let half = rest.height / left;
        let share = if usize::from(half) < SECTION_LEAST { rest.height } else { half };
        let height = u16::try_from(part.1.len() + 2).unwrap_or(u16::MAX);
        let height = if room_for_all(rest, wanted) { height } else { height.min(share) };
        section(part, Rect { height: height.min(rest.height), ..rest }, buffer);
        rest = Rect {
            y: rest.y + height.min(rest.height),
            height: rest.height - height.min(rest.height),
            ..rest
        };
    }
}

fn room_for_all(rest: Rect, wanted: usize) -> bool {
    usize::from(rest.height) >= wanted
}

/// A blank, a heading, and as many lines as there is room for. Without any a heading says nothing.
fn section((heading, lines): Section<'_>, area: Rect, buffer: &mut Buffer) {
    if usize::from(area.height) < SECTION_LEAST {
        return;
    }
    put(buffer, area, 1, Line::styled(heading, STRONG));
    for (row, line) in (2..).zip(lines) {
        put(buffer, area, row, line);
    }
}

fn sections(fleet: &Fleet) -> Vec<Section<'_>> {
    let now = fleet.view.now;
    let newest = fleet.view.notices.iter().rev().take(RECENT_MAX);
    let mut notices: Vec<Line<'_>> = newest.map(|shown| notice(shown, now)).collect();
    let mut commits: Vec<Line<'_>> =
        fleet.commits.iter().take(RECENT_MAX).map(|shown| commit(shown, now)).collect();
    for (lines, nothing) in [(&mut notices, "  nothing lately"), (&mut commits, "  none")] {
        if lines.is_empty() {
            lines.push(Line::styled(nothing, FAINT));
        }
    }
    vec![("Refused, halted, enforced", notices), ("Commits", commits)]
}

/// How long ago, in a column of its own.
pub fn ago(at: Option<Timestamp>, now: Timestamp) -> Span<'static> {
    let text = at.map(|at| span(now.millis_since(at))).unwrap_or_default();
    Span::styled(format!("{text:>8}  "), FAINT)
}

fn notice(shown: &Notice, now: Timestamp) -> Line<'_> {
    let class = match shown.reason_class.is_empty() {
        true => String::new(),
        false => format!("{}: ", plain(&shown.reason_class)),
    };
    let who = [&shown.lane, &shown.holder].map(|name| plain(name));
    let who: Vec<&str> = who.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
    Line::from(vec![
        ago(shown.at, now),
        Span::styled(format!("{:<8}", shown.op), Style::new().fg(Color::Red)),
        Span::raw(format!("{}  ", who.join(" by "))),
        Span::styled(format!("{class}{}", plain(&shown.reason)), FAINT),
    ])
}

fn commit(shown: &Commit, now: Timestamp) -> Line<'_> {
    let short = shown.id.get(..8).unwrap_or(&shown.id);
    Line::from(vec![
        ago(Some(shown.at), now),
        Span::styled(format!("{short}  "), Style::new().fg(Color::Yellow)),
        Span::raw(plain(&shown.subject)),
    ])
}

/// The widths of the columns: lane, state, age, beat, holder; the rest is for why.
fn columns(rows: &[&Row], width: u16) -> [usize; 6] {
    let longest = |text: fn(&Row) -> String, least: usize, most: usize| {
        let lengths = rows.iter().map(|row| plain(&text(row)).width());
        lengths.max().unwrap_or(0).clamp(least, most)
    };
    let width = usize::from(width);
    let lane = longest(|row| row.lane.clone(), 4, (width / 4).max(8));
    let age = if width >= 70 { 8 } else { 0 };
    let fixed = 1 + lane + 1 + 11 + age + 9 + 2;
    let left = width.saturating_sub(fixed);
    let holder = match left > 40 {
        true => longest(Row::who, 6, left / 2),
        false => left,
    };
    let why = if left > 40 { left - holder - 2 } else { 0 };
    [lane, 11, age, 9, holder, why]
}

/// The lanes. What is selected stays in sight.
fn table(app: &App, rows: &[&Row], area: Rect, buffer: &mut Buffer, live: bool) {
    let widths = columns(rows, area.width);
    let [lane, state, age, beat, holder, why] = widths;
    let held = if age > 0 { format!("{:>age$}", "HELD") } else { String::new() };
    let mut heading = format!(
        " {:lane$} {:state$}{held}{:>beat$}  {:holder$}",
        "LANE", "STATE", "BEAT", "HOLDER"
    );
    if why > 0 {
        heading.push_str("  WHY");
    }
    put(buffer, area, 0, Line::styled(cut(&heading, area.width.into()), FAINT));
    if rows.is_empty() {
        let text = match app.fleet {
            Some(_) if !app.filter.is_empty() => " no lane says that; Esc shows all",
            Some(_) => " no lanes",
            None => "",
        };
        put(buffer, area, 1, Line::styled(text, FAINT));
    }
    let room = usize::from(area.height.saturating_sub(1));
    let place = app.place();
    let above = if live { place.saturating_sub(room.saturating_sub(1)) } else { 0 };
    for (number, row) in rows.iter().enumerate().skip(above).take(room) {
        let at = u16::try_from(number - above + 1).unwrap_or(u16::MAX);
        let line = entry(row, widths);
        let line = match live && number == place {
            true => {
                padded(line, area.width).patch_style(Style::new().add_modifier(Modifier::REVERSED))
            }
            false => line,
        };
        put(buffer, area, at, line);
    }
    let hidden = rows.len().saturating_sub(above + room);
    if hidden > 0 && room > 0 {
        let room = usize::from(area.width).saturating_sub(heading.trim_end().width());
        let long = format!(" {} below ", counted(hidden as u64, "more lane"));
        let more = if long.width() <= room { long } else { format!(" +{hidden}") };
        let width = u16::try_from(more.width()).unwrap_or(0).min(area.width);
        let corner = Rect { x: area.right() - width, width, ..area };
        put(buffer, corner, 0, Line::styled(more, STRONG));
    }
}

fn entry<'a>(row: &Row, [lane, state, age, beat, holder, why]: [usize; 6]) -> Line<'a> {
    let fit = |text: &str, width: usize| {
        let shown = cut(&plain(text), width);
        let gap = width.saturating_sub(shown.width());
        format!("{shown}{}", " ".repeat(gap))
    };
    let time = |millis: Option<i64>| millis.map(span).unwrap_or_default();
    let mut spans = vec![
        Span::raw(format!(" {} ", fit(&row.lane, lane))),
        Span::styled(fit(&chip(row.chip), state), style(row.chip)),
    ];
    if age > 0 {
        spans.push(Span::raw(format!("{:>age$}", time(row.age_ms))));
    }
    spans.push(Span::raw(format!("{:>beat$}  ", time(row.beat_ms))));
    spans.push(Span::raw(fit(&row.who(), holder)));
    if why > 0 {
        spans.push(Span::styled(format!("  {}", cut(&plain(&row.why), why)), FAINT));
    }
    Line::from(spans)
}

/// The line with blanks to the end, so that it is set off as a whole.
fn padded(mut line: Line<'_>, width: u16) -> Line<'_> {
    let gap = usize::from(width).saturating_sub(line.width());
    line.push_span(Span::raw(" ".repeat(gap)));
    line
}

/// What the keys do here.
fn keys(app: &App, width: u16) -> Line<'_> {
    if app.typing {
        return Line::styled(format!("/{}▏  Enter keep, Esc drop", plain(&app.filter)), STRONG);
    }
    let mut right = Vec::new();
    if app.page == Page::Fleet {
        if !app.filter.is_empty() {
            right.push(format!("filter {}", plain(&app.filter)));
        }
        let reversed = if app.reversed { ", reversed" } else { "" };
        right.push(format!("by {}{reversed}", app.sort.name()));
    }
    let right = right.join("  ");
    let all: [&str; 2] = match app.page {
        Page::Fleet => {
            ["q quit  ↑↓ select  Enter inspect  / filter  s sort  ? help", "q quit  ? help"]
        }
        Page::Lane | Page::Help => ["Esc back  ↑↓ scroll  q quit", "Esc back"],
    };
    let fits = |left: &&str| left.width() + right.width() + 2 <= usize::from(width);
    let left = all.into_iter().find(fits).unwrap_or("? help");
    Line::styled(sides(left, &right, width), FAINT)
}
