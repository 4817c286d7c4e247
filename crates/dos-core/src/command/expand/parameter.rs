//! `$name` and `${..}`: which values, and what their operators make of them.

use alloc::string::String;
use alloc::vec::Vec;

use super::super::glob::matches;
use super::super::shell::Value;
use super::super::syntax::Parameter;
use super::super::text::{Field, Text};
use super::Expander;

/// A longer text is not cut by patterns: it names no program.
const CUT_MAX: usize = 128;

impl Expander<'_> {
    /// What a parameter expands to: nothing, or one value.
    pub(super) fn parameter(&self, parameter: &Parameter) -> Option<Value> {
        let value = match parameter.indirect {
            true => match self.named(parameter) {
                Some(Value::Text(name)) if name.settled() => self.of_name(&name.text, parameter.at),
                _ => None,
            },
            false => self.named(parameter),
        };
        if parameter.length {
            return Some(Value::Text(Text { text: "0".into(), ..Text::hole() }));
        }
        let operand = || self.text(&parameter.operand);
        let unknown = || Some(Value::Text(Text::hole()));
        match parameter.operator {
            "" => value.or_else(|| self.unset(parameter)),
            ":-" | "-" | ":=" | "=" => match value {
                Some(value) if !self.flat(&value).text.is_empty() => Some(value),
                _ => {
                    let mut text = operand();
                    // The environment may have set it.
                    text.holes.insert(0, 0);
                    Some(Value::Text(text))
                }
            },
            // Nobody says whether it is set: one reading for each.
            ":+" | "+" if value.is_none() && self.reading % 2 == 1 => None,
            ":+" | "+" => {
                let mut text = operand();
                if value.is_none() {
                    text.holes.insert(0, 0);
                }
                Some(Value::Text(text))
            }
            ":?" | "?" => value.or_else(unknown),
            operator => {
                let changed = |value| Some(self.operated(self.flat(&value), operator, operand()));
                match value {
                    Some(Value::List(fields)) if operator == ":" => {
                        Some(Value::List(slice(&fields, &operand())))
                    }
                    value => {
                        value.and_then(changed).map_or_else(unknown, |it| Some(Value::Text(it)))
                    }
                }
            }
        }
    }

    /// A variable that the command does not set may be empty, or may come from outside.
    fn unset(&self, parameter: &Parameter) -> Option<Value> {
        match parameter.name.as_str() {
            "@" | "*" => None,
            "HOME" => Some(Value::Text(Text::known("~", parameter.at))),
            "PWD" => Some(Value::Text(Text::known(".", parameter.at))),
            "0" => Some(Value::Text(Text::known("bash", parameter.at))),
            "IFS" => Some(Value::Text(Text::known(" \t\n", parameter.at))),
            name if name.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty() => None,
            _ => Some(Value::Text(Text::hole())),
        }
    }

    fn named(&self, parameter: &Parameter) -> Option<Value> {
        let name = parameter.name.as_str();
        let Some(subscript) = &parameter.subscript else {
            return self.of_name(name, parameter.at);
        };
        let subscript = self.text(subscript);
        match (self.value(name)?, subscript.text.as_str()) {
            (Value::List(fields), "@" | "*") => Some(Value::List(fields)),
            (Value::List(fields), number) => {
                let number: usize = number.trim().parse().ok()?;
                fields.get(number).map(|field| Value::Text(field.text.clone()))
            }
            (text, "0" | "@" | "*") => Some(text),
            _ => None,
        }
    }

    fn of_name(&self, name: &str, at: usize) -> Option<Value> {
        match name {
            "@" | "*" => match self.value("@") {
                Some(Value::List(fields)) if fields.is_empty() => None,
                value => value,
            },
            "0" => Some(Value::Text(Text::known("bash", at))),
            "#" | "?" | "$" | "!" => Some(Value::Text(Text { text: "0".into(), ..Text::hole() })),
            number if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                let index = number.parse::<usize>().ok()?.checked_sub(1)?;
                self.shell
                    .positional(self.reading)
                    .get(index)
                    .map(|field| Value::Text(field.text.clone()))
            }
            _ => match self.value(name)? {
                Value::List(fields) => fields.first().map(|field| Value::Text(field.text.clone())),
                text => Some(text),
            },
        }
    }

    fn value(&self, name: &str) -> Option<Value> {
        let values = self.shell.values(name);
        let value = values.get(self.reading).or_else(|| values.last())?;
        let length = match value {
            Value::Text(text) => text.text.len(),
            Value::List(fields) => fields.iter().map(|field| field.as_str().len() + 8).sum(),
        };
        match self.afford(length) {
            true => Some(value.clone()),
            false => Some(Value::Text(Text::hole())),
        }
    }

    fn operated(&self, text: Text, operator: &str, operand: Text) -> Text {
        let long = text.text.len() > CUT_MAX || operand.text.len() > CUT_MAX;
        // A pattern is tried at each place of the text.
        if long || !self.afford(text.text.len() * (operand.text.len() + 1)) {
            return Text::hole();
        }
        match operator {
            "#" | "##" | "%" | "%%" => cut(&text, operator, &operand.text),
            "^" | "^^" | "," | ",," => cased(&text, operator),
            "/" | "//" | "/#" | "/%" => replaced(&text, operator, &operand.text),
            ":" => match range(&operand.text, text.text.chars().count()) {
                Some((start, end)) => by_characters(&text, start, end),
                None => Text::hole(),
            },
            "@" if operand.text == "L" => cased(&text, ",,"),
            "@" if operand.text == "U" => cased(&text, "^^"),
            "@" if matches!(operand.text.as_str(), "Q" | "E") => text,
            _ => Text::hole(),
        }
    }
}

fn by_characters(text: &Text, start: usize, end: usize) -> Text {
    let byte = |count: usize| {
        text.text.char_indices().nth(count).map_or(text.text.len(), |(byte, _)| byte)
    };
    text.part(byte(start), byte(end))
}

/// `offset` and `offset:length`, as positions of a text of this length.
fn range(operand: &str, length: usize) -> Option<(usize, usize)> {
    let (offset, count) = match operand.split_once(':') {
        Some((offset, count)) => (offset, Some(count)),
        None => (operand, None),
    };
    let whole = |text: &str| text.trim().parse::<i64>().ok();
    let from_end = |number: i64| match number < 0 {
        true => length.checked_sub(usize::try_from(number.unsigned_abs()).ok()?),
        false => Some(length.min(usize::try_from(number).ok()?)),
    };
    let start = match offset.trim() {
        "" => 0,
        offset => from_end(whole(offset)?)?,
    };
    let end = match count {
        None => length,
        Some(count) => match whole(count)? {
            negative if negative < 0 => from_end(negative)?,
            count => start.saturating_add(usize::try_from(count).ok()?).min(length),
        },
    };
    (start <= end).then_some((start, end))
}

fn slice(fields: &[Field], operand: &Text) -> Vec<Field> {
    // Of the positional parameters the first is number 1, and of arrays number 0: both are looked
    // at as the former, so that nothing is left out.
    match range(&operand.text, fields.len() + 1) {
        Some((start, end)) => {
            let start = start.saturating_sub(1);
            fields.get(start..end.min(fields.len())).unwrap_or_default().to_vec()
        }
        None => fields.to_vec(),
    }
}

fn cased(text: &Text, operator: &str) -> Text {
    let change = |character: char| match operator.starts_with('^') {
        true => character.to_ascii_uppercase(),
        false => character.to_ascii_lowercase(),
    };
    let all = operator.len() == 2;
    let characters = text.text.chars().enumerate();
    let changed: String = characters
        .map(|(index, character)| if all || index == 0 { change(character) } else { character })
        .collect();
    Text { text: changed, ..text.clone() }
}

fn cut(text: &Text, operator: &str, pattern: &str) -> Text {
    let length = text.text.len();
    let bounds = text.text.char_indices().map(|(at, _)| at).chain([length]);
    let mut found: Vec<usize> = match operator.starts_with('#') {
        true => {
            bounds.filter(|at| matches(pattern, text.text.get(..*at).unwrap_or("\0"))).collect()
        }
        false => {
            bounds.filter(|at| matches(pattern, text.text.get(*at..).unwrap_or("\0"))).collect()
        }
    };
    // The shortest piece, or the longest with a doubled operator.
    if matches!(operator, "##" | "%") {
        found.reverse();
    }
    match found.first() {
        None => text.clone(),
        Some(at) if operator.starts_with('#') => text.part(*at, length),
        Some(at) => text.part(0, *at),
    }
}

fn replaced(text: &Text, operator: &str, operand: &str) -> Text {
    let (pattern, with) = operand.split_once('/').unwrap_or((operand, ""));
    if pattern.contains(['*', '?', '[']) {
        return Text::hole();
    }
    let changed = match operator {
        "//" => text.text.replace(pattern, with),
        "/#" => match text.text.strip_prefix(pattern) {
            Some(rest) => alloc::format!("{with}{rest}"),
            None => text.text.clone(),
        },
        "/%" => match text.text.strip_suffix(pattern) {
            Some(rest) => alloc::format!("{rest}{with}"),
            None => text.text.clone(),
        },
        _ => text.text.replacen(pattern, with, 1),
    };
    let place = text.places.first().map_or(0, |(_, outer)| *outer);
    let mut changed = Text::known(&changed, place);
    changed.holes.extend(text.holes.first().map(|_| 0));
    changed
}
