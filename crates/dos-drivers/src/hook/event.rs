//! Reading an event, whatever bytes it is made of.

use dos_core::json::Object;
use serde_json::Value;

/// The object that the bytes spell; `None` when they spell none.
///
/// Hosts may write half of a surrogate pair, and bytes that are no UTF-8: a call must not slip by
/// because of how the text that it writes is spelled.
pub fn read(bytes: &[u8]) -> Option<Object> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}').trim();
    let value = serde_json::from_str(text).or_else(|_| serde_json::from_str(&whole_pairs(text)));
    match value {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}

/// The text with `?` for every half of a surrogate pair.
fn whole_pairs(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, from) = rest.split_at(at);
        whole.push_str(before);
        let taken = match (unit(from), from.get(6..).and_then(unit)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                whole.push('?');
                rest = from.get(6..).unwrap_or_default();
                continue;
            }
            // Two: a backslash that is escaped starts nothing.
            _ => from.chars().take(2).map(char::len_utf8).sum(),
        };
        let (kept, after) = from.split_at(taken);
        whole.push_str(kept);
        rest = after;
    }
    whole.push_str(rest);
    whole
}

/// The unit that an escape at the start of the text spells.
fn unit(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_pairs_hide_nothing() {
        for (text, content) in [
            (r#"{"a": "\ud83d\ude00"}"#, "😀"),
            (r#"{"a": "x\ud83d"}"#, "x?"),
            (r#"{"a": "\ude00\ud83d\ude00é"}"#, "?😀é"),
            (r#"{"a": "\ud83d\ud83d\ude00"}"#, "?😀"),
            (r#"{"a": "\\ud83d"}"#, "\\ud83d"),
        ] {
            assert_eq!(read(text.as_bytes()).unwrap()["a"], content, "{text}");
        }
        assert_eq!(read(b"{\"a\": \"\xff\"}").unwrap()["a"], "\u{fffd}");
    }

    #[test]
    fn what_is_no_object_is_no_event() {
        for text in ["", " ", "[]", "5", "{", "{\"a\": \"\\u12\"}", "\\", "\u{feff}"] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
        assert_eq!(read("[".repeat(100_000).as_bytes()), None);
    }
}
