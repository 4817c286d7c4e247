//! Text for a terminal and for a shell.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// A text of unknown origin on one line: control characters cannot reach the terminal.
pub fn plain(text: &str) -> String {
    if !text.contains(char::is_control) {
        return text.to_string();
    }
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The text, cut to so many columns.
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_string();
    }
    let mut shown = String::new();
    let mut used = 1;
    for character in text.chars() {
        used += character.width().unwrap_or(0);
        if used > width {
            break;
        }
        shown.push(character);
    }
    shown.push('…');
    shown
}

/// A word as a shell reads it back.
pub fn shell(word: &str) -> String {
    let is_safe = |c: char| c.is_alphanumeric() || "-_./:@%+,".contains(c);
    match !word.is_empty() && !word.starts_with('-') && word.chars().all(is_safe) {
        true => word.to_string(),
        false => format!("'{}'", plain(word).replace('\'', "'\\''")),
    }
}

/// What is between two columns.
const COLUMN_GAP: usize = 2;

/// Rows with their columns below each other, after some blanks.
pub fn aligned(rows: &[Vec<String>], indent: usize) -> Vec<String> {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (most, cell) in widths.iter_mut().zip(row) {
            *most = cell.width().max(*most);
        }
    }
    let line = |row: &Vec<String>| {
        let mut line = " ".repeat(indent);
        let mut blanks = 0;
        for (cell, width) in row.iter().zip(&widths) {
            line.extend(std::iter::repeat_n(' ', blanks));
            line.push_str(cell);
            blanks = width.saturating_sub(cell.width()) + COLUMN_GAP;
        }
        line.truncate(line.trim_end().len());
        line
    };
    rows.iter().map(line).collect()
}

/// A number of bytes for people.
pub fn bytes(count: u64) -> String {
    match count {
        0..10_000 => format!("{count} bytes"),
        10_000..10_000_000 => format!("{} kB", count / 1000),
        _ => format!("{} MB", count / 1_000_000),
    }
}

/// A count with its noun.
pub fn counted(count: u64, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(shell("api-2.x"), "api-2.x");
        assert_eq!(shell("my lane"), "'my lane'");
        assert_eq!(shell("it's"), "'it'\\''s'");
        assert_eq!(shell("--x"), "'--x'");
        assert_eq!(shell("a\u{1b}[2J"), "'a\u{fffd}[2J'");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: [&str; 2]| cells.map(String::from).to_vec();
        let lines = aligned(&[row(["a", "x"]), row(["ünï", ""]), row(["b", "y"])], 2);
        assert_eq!(lines, ["  a    x", "  ünï", "  b    y"]);
        // As wide as it is shown, not as many characters as there are.
        let lines = aligned(&[row(["漢字", "x"]), row(["u\u{308}n", "y"])], 0);
        assert_eq!(lines, ["漢字  x", "u\u{308}n    y"]);
    }
}
