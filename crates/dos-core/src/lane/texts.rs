//! Places by the texts that paths start with, of which more can come at any time.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Bound;

/// For each text, the places that were given for it.
#[derive(Clone, Debug, Default)]
pub struct TextMap {
    by_text: BTreeMap<String, Vec<usize>>,
}

impl TextMap {
    /// Is nothing in it?
    pub fn is_empty(&self) -> bool {
        self.by_text.is_empty()
    }

    /// Adds a place.
    pub fn insert(&mut self, text: &str, place: usize) {
        match self.by_text.get_mut(text) {
            Some(places) => places.push(place),
            None => drop(self.by_text.insert(text.into(), Vec::from([place]))),
        }
    }

    /// The places whose text starts with this one.
    pub fn longer<'a>(&'a self, text: &'a str) -> impl Iterator<Item = usize> {
        let from = self.by_text.range::<str, _>((Bound::Included(text), Bound::Unbounded));
        let longer = from.take_while(move |(found, _)| found.starts_with(text));
        longer.flat_map(|(_, places)| places).copied()
    }

    /// The places whose text this one starts with, itself included.
    pub fn shorter<'a>(&'a self, text: &'a str) -> impl Iterator<Item = usize> {
        // The text right before a bound shares with it all that any earlier one can share with it, so
        // that each step leaves out whatever cannot be one of those looked for.
        let mut below = Some(Bound::Included(text));
        let found = core::iter::from_fn(move || {
            loop {
                let range = (Bound::Unbounded, below.take()?);
                let (found, places) = self.by_text.range::<str, _>(range).next_back()?;
                if text.starts_with(found.as_str()) {
                    below = Some(Bound::Excluded(found));
                    return Some(places);
                }
                below = Some(Bound::Included(shared(found, text)));
            }
        });
        found.flatten().copied()
    }
}

/// What both begin with.
fn shared<'a>(left: &str, right: &'a str) -> &'a str {
    let differs = left.chars().zip(right.char_indices()).find(|(one, (_, other))| one != other);
    let end = differs.map_or(left.len().min(right.len()), |(_, (at, _))| at);
    right.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_starts_with_what_is_found(
            texts in prop::collection::vec("[abé/]{0,6}", 0..40),
            asked in "[abé/]{0,6}",
        ) {
            let mut map = TextMap::default();
            for (place, text) in texts.iter().enumerate() {
                map.insert(text, place);
            }
            let which = |wanted: &dyn Fn(&str) -> bool| {
                let found = texts.iter().enumerate().filter(|(_, text)| wanted(text));
                found.map(|(place, _)| place).collect::<Vec<_>>()
            };
            let mut longer: Vec<usize> = map.longer(&asked).collect();
            let mut shorter: Vec<usize> = map.shorter(&asked).collect();
            longer.sort_unstable();
            shorter.sort_unstable();
            prop_assert_eq!(longer, which(&|text| text.starts_with(&asked)));
            prop_assert_eq!(shorter, which(&|text| asked.starts_with(text)));
        }
    }
}
