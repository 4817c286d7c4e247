//! The pages beside the fleet: one lane and what happened on it, and the keys.

use dos_core::fleet::past::Past;
use dos_core::lane::Lease;
use dos_core::lane::vitality::lapses_at;
use dos_core::timestamp::{Timestamp, span};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::app::App;
use super::draw::{FAINT, STRONG, ago, chip, put, style};
use super::rows::Row;
use crate::verbs::doctor::plain;

/// Lines, from one of them on. The last one never leaves the screen.
pub fn scrolled(lines: Vec<Line<'_>>, above: usize, area: Rect, buffer: &mut Buffer) {
    let most = lines.len().saturating_sub(usize::from(area.height));
    for (row, line) in (0..area.height).zip(lines.into_iter().skip(above.min(most))) {
        put(buffer, area, row, line);
    }
}

/// The keys.
pub fn help() -> Vec<Line<'static>> {
    let keys = [
        ("↑ ↓  k j", "select a lane; PgUp, PgDn, Home, End go further"),
        ("Enter", "look into it: its lease, and what the journal tells of the lane"),
        ("/", "show only lanes that say a text: lane, holder, run, state or reason"),
        ("Esc", "back, or show all lanes again; then quit"),
        ("s", "sort: as declared, by state, lane, holder, age"),
        ("r", "the other way round"),
        ("Ctrl-L", "look again now, and draw it all anew"),
        ("q  Ctrl-C", "quit"),
    ];
    let states = [
        ("● ADVANCING", "there are commits in its tree, or it beats and is young"),
        ("◐ SPINNING", "it beats, and nothing moves"),
        ("○ STALLED", "no sign of life; nothing proves its death yet"),
        ("× DEAD", "provably dead: whoever asks next gets the lane"),
        ("◌ SPAWNING", "a worker is on its way"),
        ("· FREE", "nobody holds it"),
    ];
    let mut lines = vec![Line::default(), Line::styled("Keys", STRONG)];
    let pair = |(left, right): (&str, &str)| Line::from(format!("  {left:<12}  {right}"));
    lines.extend(keys.map(pair));
    lines.extend([Line::default(), Line::styled("States", STRONG)]);
    lines.extend(states.map(pair));
    lines.extend([
        Line::default(),
        Line::styled("This screen reads. It writes nothing and waits for no lock.", FAINT),
    ]);
    lines
}

/// One lane: its lease, and what happened on it, newest first.
pub fn lane(app: &App, width: u16) -> Vec<Line<'_>> {
    let (Some(row), Some(fleet)) = (app.row(), &app.fleet) else {
        return vec![Line::default(), Line::styled("There is no such lane any more.", FAINT)];
    };
    let now = fleet.view.now;
    let mut lines = vec![
        Line::default(),
        Line::from(vec![
            Span::styled(format!("{}  ", plain(&row.lane)), STRONG),
            Span::styled(chip(row.chip), style(row.chip)),
        ]),
    ];
    for (name, value) in facts(row, now) {
        // What has no room goes on below.
        let room = usize::from(width).saturating_sub(13).max(10);
        let letters: Vec<char> = plain(&value).chars().collect();
        for (number, part) in letters.chunks(room).enumerate() {
            let name = if number == 0 { name } else { "" };
            let part: String = part.iter().collect();
            lines.push(Line::from(vec![Span::styled(format!("  {name:<11}"), FAINT), part.into()]));
        }
    }
    lines.extend([Line::default(), Line::styled("What the end of the journal tells", STRONG)]);
    if app.history.events.is_empty() {
        lines.push(Line::styled("  nothing about this lane", FAINT));
    }
    lines.extend(app.history.events.iter().rev().map(|event| past(event, row, now)));
    lines
}

fn facts(row: &Row, now: Timestamp) -> Vec<(&'static str, String)> {
    let mut facts = vec![("holder", row.holder.clone()), ("why", row.why.clone())];
    facts.push(("run", row.run_id.clone()));
    if row.exclusive {
        facts.push(("runs", "alone".to_string()));
    }
    if let Some(lease) = &row.lease {
        facts.extend(of_lease(lease, now));
    }
    if row.lease.is_none() && row.holder.is_empty() {
        facts.push(("", "nobody holds it".to_string()));
    }
    facts.retain(|(_, value)| !value.is_empty());
    facts
}

fn of_lease(lease: &Lease, now: Timestamp) -> Vec<(&'static str, String)> {
    let since = |at: Timestamp| format!("{at}, {} ago", span(now.millis_since(at)));
    let lapse = |at: Timestamp| match at.millis_since(now) {
        left @ 1.. => format!("{at}, in {}, unless it beats", span(left)),
        over => format!("{at}, {} ago", span(-over)),
    };
    let process = lease.named_process().map(|process| format!("{}", process.pid));
    let patterns: Vec<&str> = lease.patterns().collect();
    let access = if lease.is_shared() { "only reads (shared)" } else { "" };
    vec![
        ("taken", lease.acquired_at().map(since).unwrap_or_default()),
        ("last sign", lease.newest_stamp().map(since).unwrap_or_default()),
        ("lapses", lapses_at(lease).map(lapse).unwrap_or_default()),
        ("process", process.unwrap_or_default()),
        ("host", lease.host().unwrap_or_default().to_string()),
        ("work tree", lease.worktree().unwrap_or_default().to_string()),
        ("token", lease.token().map(|token| token.to_string()).unwrap_or_default()),
        ("loop stamp", lease.loop_ts().into_owned()),
        ("access", access.to_string()),
        ("tree", patterns.join("  ")),
    ]
}

/// One event; those of the lease that is shown are marked.
fn past<'a>(event: &Past, row: &Row, now: Timestamp) -> Line<'a> {
    let own = !row.loop_ts.is_empty() && event.loop_ts == row.loop_ts;
    let times = match event.times {
        1 => String::new(),
        times => format!(" ×{times}"),
    };
    Line::from(vec![
        Span::raw(if own { "•" } else { " " }),
        ago(event.at, now),
        Span::raw(format!("{:<14}", format!("{}{times}", plain(&event.op)))),
        Span::raw(format!("{}  ", plain(&event.holder))),
        Span::styled(plain(&event.reason), FAINT),
    ])
}
