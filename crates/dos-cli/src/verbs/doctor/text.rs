//! Text for a terminal and for a shell.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// A text of unknown origin on one line: control characters cannot reach the terminal.
pub fn plain(text: &str) -> String {
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

/// Rows with their columns below each other, after some blanks.
pub fn aligned(rows: &[Vec<String>], indent: usize) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.width()).max().unwrap_or(0)
    };
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    rows.iter()
        .map(|row| {
            let cell = |(cell, width): (&String, &usize)| {
                format!("{cell}{}", " ".repeat(width.saturating_sub(cell.width())))
            };
            let cells: Vec<String> = row.iter().zip(&widths).map(cell).collect();
            format!("{:indent$}{}", "", cells.join("  ")).trim_end().to_string()
        })
        .collect()
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
