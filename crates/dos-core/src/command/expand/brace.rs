//! `{a,b}` and `{1..3}`: one word as several.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;

use super::super::syntax::Part;

/// Most words that one word becomes. Beyond it, what they say is not settled.
const ALTERNATIVES_MAX: usize = 256;
/// A longer word with braces is not taken apart.
const LENGTH_MAX: usize = 2048;

/// One character, or a piece that is none.
#[derive(Clone, Copy)]
enum Item<'p> {
    Character(char, bool, usize),
    Piece(&'p Part),
}

impl Item<'_> {
    fn is(self, wanted: char) -> bool {
        matches!(self, Self::Character(found, false, _) if found == wanted)
    }
}

/// The words that a word stands for. Almost always it is one.
pub(super) fn alternatives<'p>(
    parts: &'p [Part],
    produced: &Cell<usize>,
) -> Vec<Vec<Cow<'p, Part>>> {
    let has = |wanted: &str| {
        parts.iter().any(|part| match part {
            Part::Text { text, quoted: false, .. } => text.contains(wanted),
            _ => false,
        })
    };
    if !(has("{") && has("}") && (has(",") || has(".."))) {
        return Vec::from([parts.iter().map(Cow::Borrowed).collect()]);
    }
    let items = items(parts);
    let mut open = Vec::from([(Vec::new(), items)]);
    let mut done: Vec<Vec<Item<'p>>> = Vec::new();
    // Each turn takes the leftmost brace of one word apart.
    while let Some((mut before, rest)) = open.pop() {
        let cost = produced.get().saturating_add(before.len() + rest.len() + 1);
        produced.set(cost);
        let too_much = rest.len() + before.len() > LENGTH_MAX
            || open.len() + done.len() > ALTERNATIVES_MAX
            || cost > crate::limits::COMMAND_EXPANSION_BYTES_MAX;
        if too_much {
            return unsettled();
        }
        match first_brace(&rest) {
            None => {
                before.extend(rest);
                done.push(before);
            }
            Some((start, end, choices)) => {
                before.extend(rest.get(..start).unwrap_or_default());
                let behind = rest.get(end..).unwrap_or_default();
                for choice in choices.into_iter().rev() {
                    let mut next = choice;
                    next.extend(behind);
                    open.push((before.clone(), next));
                }
            }
        }
    }
    done.into_iter().map(pieces).collect()
}

/// Two words of which nothing is known: a program, and what it is given.
fn unsettled<'p>() -> Vec<Vec<Cow<'p, Part>>> {
    let hole = || Vec::from([Cow::Owned(Part::Arithmetic(Vec::new()))]);
    Vec::from([hole(), hole()])
}

fn items(parts: &[Part]) -> Vec<Item<'_>> {
    let mut items = Vec::new();
    for part in parts {
        match part {
            Part::Text { text, quoted, at } if !text.is_empty() => {
                let characters = text.char_indices();
                items
                    .extend(characters.map(|(index, it)| Item::Character(it, *quoted, at + index)));
            }
            _ => items.push(Item::Piece(part)),
        }
    }
    items
}

/// The leftmost brace that is an expansion: where it starts and ends, and what it may be.
fn first_brace<'p>(items: &[Item<'p>]) -> Option<(usize, usize, Vec<Vec<Item<'p>>>)> {
    let mut from = 0;
    loop {
        let rest = items.get(from..)?;
        let start = from + rest.iter().position(|item| item.is('{'))?;
        if let Some((end, choices)) = braced(items, start) {
            return Some((start, end, choices));
        }
        from = start + 1;
    }
}

fn braced<'p>(items: &[Item<'p>], start: usize) -> Option<(usize, Vec<Vec<Item<'p>>>)> {
    let mut depth = 0_usize;
    let mut choices = Vec::from([Vec::new()]);
    for (index, item) in items.iter().enumerate().skip(start + 1) {
        if item.is('}') && depth == 0 {
            let whole = choices.len() == 1;
            return match whole.then(|| sequence(choices.first()?)) {
                None => Some((index + 1, choices)),
                Some(Some(sequence)) => Some((index + 1, sequence)),
                Some(None) => None,
            };
        }
        if item.is(',') && depth == 0 {
            choices.push(Vec::new());
            continue;
        }
        depth += usize::from(item.is('{'));
        depth = depth.saturating_sub(usize::from(item.is('}')));
        choices.last_mut()?.push(*item);
    }
    None
}

/// `1..3` and `a..c`.
fn sequence<'p>(items: &[Item<'p>]) -> Option<Vec<Vec<Item<'p>>>> {
    let mut text = String::new();
    let mut place = 0;
    for item in items {
        match item {
            Item::Character(character, false, at) => {
                text.push(*character);
                place = *at;
            }
            _ => return None,
        }
    }
    let (first, rest) = text.split_once("..")?;
    let last = rest.split("..").next()?;
    let numbers = first.parse::<i64>().ok().zip(last.parse::<i64>().ok());
    let letters = first.chars().next().zip(last.chars().next());
    let texts: Vec<String> = match (numbers, letters) {
        (Some((first, last)), _) => {
            let (low, high) = (first.min(last), first.max(last));
            let high = high.min(low.saturating_add(ALTERNATIVES_MAX as i64));
            (low..=high).map(|number| alloc::format!("{number}")).collect()
        }
        (None, Some((first_letter, last_letter))) if first.len() == 1 && last.len() == 1 => {
            let (low, high) = (first_letter.min(last_letter), first_letter.max(last_letter));
            (low..=high).map(String::from).collect()
        }
        _ => return None,
    };
    let word = |text: String| {
        text.chars().map(|character| Item::Character(character, false, place)).collect()
    };
    Some(texts.into_iter().map(word).collect())
}

/// Characters as pieces again.
fn pieces(items: Vec<Item<'_>>) -> Vec<Cow<'_, Part>> {
    let mut pieces: Vec<Cow<'_, Part>> = Vec::new();
    for item in items {
        let (character, quoted, at) = match item {
            Item::Character(character, quoted, at) => (character, quoted, at),
            Item::Piece(part) => {
                pieces.push(Cow::Borrowed(part));
                continue;
            }
        };
        if let Some(Cow::Owned(Part::Text { text, quoted: before, at: start })) = pieces.last_mut()
            && *before == quoted
            && *start + text.len() == at
        {
            text.push(character);
            continue;
        }
        pieces.push(Cow::Owned(Part::Text { text: character.into(), quoted, at }));
    }
    pieces
}
