//! The fleet as lines of text.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};

use super::app::App;
use super::draw;
use crate::output::{Paint, paint};

/// The whole fleet, drawn as on the screen.
pub fn lines(app: &App, width: usize, colour: bool) -> Vec<String> {
    let width = u16::try_from(width.clamp(20, 1000)).unwrap_or(u16::MAX);
    of_buffer(&draw::whole(app, width), colour)
}

/// What was drawn, line by line.
pub fn of_buffer(buffer: &Buffer, colour: bool) -> Vec<String> {
    let area = buffer.area;
    let mut lines = Vec::new();
    for row in area.top()..area.bottom() {
        let mut runs: Vec<(Option<Paint>, String)> = Vec::new();
        let mut column = area.left();
        while let Some(cell) = buffer.cell((column, row)).filter(|_| column < area.right()) {
            let as_paint = match cell.fg {
                Color::Red => Some(Paint::Red),
                Color::Green => Some(Paint::Green),
                Color::Yellow => Some(Paint::Yellow),
                _ if cell.modifier.contains(Modifier::BOLD) => Some(Paint::Bold),
                _ => None,
            };
            match runs.last_mut() {
                Some((last, text)) if *last == as_paint => text.push_str(cell.symbol()),
                _ => runs.push((as_paint, cell.symbol().to_string())),
            }
            // A wide character covers the cells after it.
            let wide = unicode_width::UnicodeWidthStr::width(cell.symbol()).max(1);
            column = column.saturating_add(u16::try_from(wide).unwrap_or(1));
        }
        if let Some((_, last)) = runs.last_mut() {
            last.truncate(last.trim_end().len());
        }
        let painted = runs.into_iter().map(|(as_paint, text)| match as_paint {
            Some(as_paint) if !text.trim().is_empty() => paint(&text, as_paint, colour),
            _ => text,
        });
        lines.push(painted.collect::<String>().trim_end().to_string());
    }
    let used = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    lines.truncate(used);
    lines
}
