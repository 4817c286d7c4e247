//! Verdicts as text: counts, with bars where there is a screen to draw them on, and lists.

use std::collections::VecDeque;

use dos_core::verdict::{Dimension, Rollup, VerdictEvent};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::output::printable;
use crate::verbs::doctor::counted;

/// The widest name of a group, and the widest bar, in columns.
const NAME_MAX: usize = 28;
const BAR_MAX: usize = 40;
/// A narrower screen has no room for bars.
const BARS_FROM: usize = 60;
/// A bar grows by eighths of a column.
const EIGHTHS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// The counts. `width` is how wide the screen is, if there is one.
pub fn rollup(rollup: &Rollup, width: Option<usize>) -> Vec<String> {
    if rollup.total == 0 {
        return vec![
            "no verdicts; they are recorded with --observe, with DISPATCH_OBSERVE=1, or with \
             enabled = true under [observe] in dos.toml"
                .to_string(),
        ];
    }
    let groups: Vec<Group> = rollup
        .groups()
        .map(|(name, counts)| {
            let pairs = counts.iter().map(|(token, count)| format!("{}={count}", printable(token)));
            let pairs = match rollup.by {
                // It would say the name and the count again.
                Dimension::Verdict => String::new(),
                _ => pairs.collect::<Vec<_>>().join(" "),
            };
            Group { name: printable(name), count: counts.values().sum(), pairs }
        })
        .collect();
    let names = groups.iter().map(|group| group.name.width()).max().unwrap_or(0);
    let names = if width.is_some() { names.min(NAME_MAX) } else { names };
    let most = groups.iter().map(|group| group.count).max().unwrap_or(1);
    let digits = most.to_string().len().max(4);
    let head = format!("{} by {}", counted(rollup.total, "verdict"), rollup.by.name());
    let bars = width
        .filter(|width| *width >= BARS_FROM)
        .map_or(0, |width| (width.saturating_sub(names + digits + 5) / 2).min(BAR_MAX));
    let lines = groups.iter().map(|Group { name, count, pairs }| {
        let bar = match bars {
            0 => String::new(),
            columns => padded(&bar(*count, most, columns), columns) + "  ",
        };
        let line = format!("{}  {count:>digits$}  {bar}{pairs}", padded(name, names));
        width.map_or(line.clone(), |width| shortened(&line, width)).trim_end().to_string()
    });
    std::iter::once(head).chain(lines).collect()
}

struct Group {
    name: String,
    count: u64,
    pairs: String,
}

/// A bar of at most so many columns. Whatever is there is seen.
fn bar(count: u64, most: u64, columns: usize) -> String {
    let eighths = (count as f64 / most.max(1) as f64 * columns as f64 * 8.0).round() as usize;
    let eighths = eighths.clamp(1, columns * 8);
    let whole = "█".repeat(eighths / 8);
    match (eighths % 8).checked_sub(1).and_then(|rest| EIGHTHS.get(rest)) {
        Some(rest) => format!("{whole}{rest}"),
        None => whole,
    }
}

fn padded(text: &str, columns: usize) -> String {
    let text = shortened(text, columns);
    let blanks = " ".repeat(columns.saturating_sub(text.as_str().width()));
    text + &blanks
}

/// At most so many columns of the text.
fn shortened(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_string();
    }
    let mut used = 0;
    let fits = |character: &char| {
        used += character.width().unwrap_or(0);
        used < columns
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

/// The verdicts, one a line.
pub fn history(events: &VecDeque<VerdictEvent>) -> Vec<String> {
    match events.is_empty() {
        true => vec!["no such verdicts".to_string()],
        false => events.iter().map(event).collect(),
    }
}

/// One verdict: when, which, the question, the answer, about what, on which evidence.
pub fn event(event: &VerdictEvent) -> String {
    let VerdictEvent { ts, seq, syscall, verdict, run_id, lane, subject, detail, .. } = event;
    let or_dash = |text: &str| if text.is_empty() { "-".to_string() } else { printable(text) };
    let mut line =
        format!("{:<20} {seq:>6}  {:<15} {:<12}", or_dash(ts), or_dash(syscall), or_dash(verdict));
    for (name, text) in [("lane", lane), ("about", subject), ("run", run_id)] {
        if !text.is_empty() {
            line.push_str(&format!("  {name}={}", printable(text)));
        }
    }
    if !detail.is_empty() {
        let shown = |(name, value): (&String, &serde_json::Value)| match value.as_str() {
            Some(text) => format!("{name}={text}"),
            None => format!("{name}={}", dos_core::json::canonical(value)),
        };
        let detail: Vec<String> = detail.iter().map(shown).collect();
        line.push_str(&printable(&format!("  {{{}}}", detail.join(", "))));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> Rollup {
        let mut counts = Rollup::by(Dimension::Syscall);
        for (syscall, verdict, times) in
            [("pretool", "ALLOW", 40), ("pretool", "BLOCK", 8), ("arbitrate", "acquire", 24)]
        {
            (0..times).for_each(|_| counts.feed(&VerdictEvent::new(syscall, verdict)));
        }
        counts.feed(&VerdictEvent::new("日本語日本語日本語日本語日本語", "x\u{1b}[31m"));
        counts
    }

    #[test]
    fn elsewhere_than_on_a_screen_counts_are_plain() {
        let text = rollup(&counts(), None).join("\n");
        assert_eq!(
            text,
            "73 verdicts by syscall\n\
             arbitrate                         24  acquire=24\n\
             pretool                           48  ALLOW=40 BLOCK=8\n\
             日本語日本語日本語日本語日本語     1  x\\u{1b}[31m=1"
        );
    }

    #[test]
    fn on_a_screen_bars_fit_and_tell_the_counts() {
        for width in [10, 40, 60, 80, 200] {
            for line in rollup(&counts(), Some(width)) {
                let fits = line.as_str().width() <= width || line.starts_with("73 verdicts");
                assert!(fits, "{width}: {line}");
                assert!(!line.chars().any(char::is_control));
            }
        }
        let lines = rollup(&counts(), Some(80));
        let columns = |line: &str| line.chars().filter(|c| EIGHTHS.contains(c)).count();
        assert_eq!((columns(&lines[2]), columns(&lines[1])), (21, 11));
        assert_eq!(columns(&lines[3]), 1, "what is there is seen: {}", lines[3]);
        assert_eq!(bar(1, 2, 1), "▌");
        assert_eq!(bar(u64::MAX, u64::MAX, 3), "███");
        assert_eq!(columns(&rollup(&counts(), Some(50))[2]), 0);
    }
}
