//! JSON text with one spelling per value: sorted keys, `", "` and `": "` as separators.
//!
//! The bytes do not depend on features that another crate may turn on in `serde_json`: keys are
//! sorted here, and numbers are written here.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// One JSON object, as the journal and the leases hold them.
pub type Object = Map<String, Value>;

/// The canonical text of a value on one line, without a newline at its end.
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    Writer { text: &mut text, indent: None, every_line_end: true }.value(value, 0);
    text
}

/// The text that digests are made of: the canonical one, but only what JSON demands is escaped.
pub fn digest_text(value: &Value) -> String {
    let mut text = String::new();
    Writer { text: &mut text, indent: None, every_line_end: false }.value(value, 0);
    text
}

/// The canonical text of an object on one line, without a newline at its end.
pub fn canonical_object(object: &Object) -> String {
    let mut text = String::new();
    Writer { text: &mut text, indent: None, every_line_end: true }.object(object, 0);
    text
}

/// The same order of keys, two spaces of indentation a level: for people.
pub fn pretty(value: &Value) -> String {
    let mut text = String::new();
    Writer { text: &mut text, indent: Some(2), every_line_end: true }.value(value, 0);
    text
}

struct Writer<'a> {
    text: &'a mut String,
    indent: Option<usize>,
    /// Are the characters escaped that other readers take for line ends?
    every_line_end: bool,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value, depth: usize) {
        match value {
            Value::Null => self.text.push_str("null"),
            Value::Bool(true) => self.text.push_str("true"),
            Value::Bool(false) => self.text.push_str("false"),
            Value::Number(number) => self.text.push_str(&number_text(number)),
            Value::String(string) => self.string(string),
            Value::Array(items) => self.array(items, depth),
            Value::Object(object) => self.object(object, depth),
        }
    }

    fn array(&mut self, items: &[Value], depth: usize) {
        self.text.push('[');
        for (index, item) in items.iter().enumerate() {
            self.separate(index, depth + 1);
            self.value(item, depth + 1);
        }
        self.close(items.is_empty(), depth, ']');
    }

    fn object(&mut self, object: &Object, depth: usize) {
        let mut fields: Vec<(&String, &Value)> = object.iter().collect();
        fields.sort_by(|left, right| left.0.cmp(right.0));
        self.text.push('{');
        for (index, (key, value)) in fields.iter().enumerate() {
            self.separate(index, depth + 1);
            self.string(key);
            self.text.push_str(": ");
            self.value(value, depth + 1);
        }
        self.close(fields.is_empty(), depth, '}');
    }

    fn separate(&mut self, index: usize, depth: usize) {
        match self.indent {
            None if index > 0 => self.text.push_str(", "),
            None => {}
            Some(_) => {
                if index > 0 {
                    self.text.push(',');
                }
                self.newline(depth);
            }
        }
    }

    fn close(&mut self, empty: bool, depth: usize, bracket: char) {
        if !empty {
            self.newline(depth);
        }
        self.text.push(bracket);
    }

    fn newline(&mut self, depth: usize) {
        if let Some(width) = self.indent {
            self.text.push('\n');
            self.text.extend(core::iter::repeat_n(' ', width * depth));
        }
    }

    /// Escapes what JSON demands, and three characters that other readers take for line ends.
    fn string(&mut self, string: &str) {
        self.text.push('"');
        for character in string.chars() {
            match character {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                '\r' => self.text.push_str("\\r"),
                '\t' => self.text.push_str("\\t"),
                '\u{8}' => self.text.push_str("\\b"),
                '\u{c}' => self.text.push_str("\\f"),
                '\u{85}' | '\u{2028}' | '\u{2029}' if !self.every_line_end => {
                    self.text.push(character);
                }
                '\0'..='\u{1f}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                    // Writing to a string cannot fail.
                    let _ = write!(self.text, "\\u{:04x}", u32::from(character));
                }
                other => self.text.push(other),
            }
        }
        self.text.push('"');
    }
}

/// The decimal text of a number; a fraction keeps its point, so that `1.0` stays a fraction.
pub fn number_text(number: &Number) -> String {
    if let Some(whole) = number.as_i64() {
        return format!("{whole}");
    }
    if let Some(whole) = number.as_u64() {
        return format!("{whole}");
    }
    match number.as_f64() {
        Some(fraction) => fraction_text(fraction),
        None => "null".to_owned(),
    }
}

/// Shortest text that reads back as the same number; an exponent below 1e-4 and from 1e16 on.
fn fraction_text(fraction: f64) -> String {
    let magnitude = if fraction < 0.0 { -fraction } else { fraction };
    if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        let scientific = format!("{fraction:e}");
        return match scientific.split_once('e') {
            Some((digits, exponent)) => match exponent.strip_prefix('-') {
                Some(small) => format!("{digits}e-{small:0>2}"),
                None => format!("{digits}e+{exponent:0>2}"),
            },
            None => scientific,
        };
    }
    format!("{fraction:?}")
}

/// Reads any JSON value, checks it in full and keeps nothing.
///
/// A record that does not change the state is judged by the same rules as one that does, without
/// a tree being built for it.
pub struct Checked;

impl<'de> serde::Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Checked.deserialize(deserializer)
    }
}

impl<'de> DeserializeSeed<'de> for Checked {
    type Value = Checked;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Checked, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Checked {
    type Value = Checked;

    fn expecting(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str("a JSON value")
    }
    fn visit_bool<E>(self, _: bool) -> Result<Checked, E> {
        Ok(Checked)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Checked, E> {
        Ok(Checked)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Checked, E> {
        Ok(Checked)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Checked, E> {
        Ok(Checked)
    }
    fn visit_str<E>(self, _: &str) -> Result<Checked, E> {
        Ok(Checked)
    }
    fn visit_unit<E>(self) -> Result<Checked, E> {
        Ok(Checked)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Checked, A::Error> {
        while items.next_element::<Checked>()?.is_some() {}
        Ok(Checked)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Checked, A::Error> {
        while fields.next_entry::<Checked, Checked>()?.is_some() {}
        Ok(Checked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_sorted_and_separated() {
        let value = json!({"b": [1, 2.0, null], "a": {"z": true, "y": "x"}});
        assert_eq!(canonical(&value), r#"{"a": {"y": "x", "z": true}, "b": [1, 2.0, null]}"#);
    }

    #[test]
    fn line_separators_of_other_readers_are_escaped() {
        assert_eq!(
            canonical(&json!("a\u{85}\u{2028}\u{2029}\u{1f}é")),
            "\"a\\u0085\\u2028\\u2029\\u001fé\""
        );
    }

    #[test]
    fn numbers_read_back_as_themselves() {
        for number in [0.1, 1.0, -0.0, 1e16, 1.5e300, 1e-5, 123456789.125, 5e-324] {
            let text = canonical(&json!(number));
            assert_eq!(text.parse::<f64>().unwrap().to_bits(), f64::to_bits(number), "{text}");
        }
        assert_eq!(canonical(&json!(u64::MAX)), "18446744073709551615");
        assert_eq!(canonical(&json!(1e22)), "1e+22");
        assert_eq!(canonical(&json!(1e-7)), "1e-07");
    }

    #[test]
    fn pretty_indents_by_two() {
        assert_eq!(
            pretty(&json!({"b": [], "a": [1]})),
            "{\n  \"a\": [\n    1\n  ],\n  \"b\": []\n}"
        );
    }

    #[test]
    fn a_checked_value_is_checked_in_full() {
        assert!(serde_json::from_str::<Checked>(r#"{"a": [1, {"b": "\u00e9"}]}"#).is_ok());
        assert!(serde_json::from_str::<Checked>(r#"{"a": "\ud800"}"#).is_err());
        assert!(serde_json::from_str::<Checked>(r#"{"a": 1e400}"#).is_err());
    }
}
