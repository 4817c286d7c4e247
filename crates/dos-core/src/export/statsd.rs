//! Counters as StatsD takes them, with the tags of DogStatsD.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::counts::Counts;
use crate::verdict::VerdictEvent;

/// The name of the counter.
pub const METRIC: &str = "dos.verdict";
/// Longest value of a tag, in bytes. No token of ours is near it; a row of somebody else's must not
/// make a datagram that cannot be sent.
const TAG_BYTES_MAX: usize = 200;

/// One line for each call and verdict, with how often it was given.
pub fn lines<'a>(events: impl IntoIterator<Item = &'a VerdictEvent>, metric: &str) -> Vec<String> {
    let line = |(syscall, verdict, count): (&str, &str, u64)| {
        format!("{metric}:{count}|c|#syscall:{},verdict:{}", tag(syscall), tag(verdict))
    };
    Counts::of(events).iter().map(line).collect()
}

/// Lines put together into datagrams of at most so many bytes. A longer line gets one of its own.
pub fn datagrams(lines: &[String], most: usize) -> Vec<String> {
    let mut packed: Vec<String> = Vec::new();
    for line in lines {
        match packed.last_mut() {
            Some(last) if last.len() + 1 + line.len() <= most => {
                last.push('\n');
                last.push_str(line);
            }
            _ => packed.push(line.clone()),
        }
    }
    packed
}

/// A text without what separates the parts of a line.
fn tag(text: &str) -> String {
    let separates = |c: char| matches!(c, '|' | ':' | ',' | '#') || c == ' ' || c.is_control();
    let clean: String = text.chars().map(|c| if separates(c) { '_' } else { c }).collect();
    match clean.char_indices().find(|(at, c)| at + c.len_utf8() > TAG_BYTES_MAX) {
        Some((at, _)) => clean.get(..at).unwrap_or_default().into(),
        None => clean,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_share_a_datagram_as_far_as_they_fit() {
        let lines = ["aaaa", "bbbb", "c", "dddddddddddd", "e"].map(String::from);
        assert_eq!(datagrams(&lines, 9), ["aaaa\nbbbb", "c", "dddddddddddd", "e"]);
        assert_eq!(datagrams(&lines, 11), ["aaaa\nbbbb\nc", "dddddddddddd", "e"]);
        assert_eq!(datagrams(&[], 9), [""; 0]);
    }

    #[test]
    fn a_tag_cannot_break_its_line() {
        assert_eq!(tag("a|b:c,d#e f\ng"), "a_b_c_d_e_f_g");
        assert_eq!(tag(&"é".repeat(200)), "é".repeat(100));
    }
}
