//! How often each verdict was given, by the call that gave it.

use alloc::collections::BTreeMap;

use crate::verdict::VerdictEvent;

/// What stands for an empty call or verdict, which no backend takes for a tag.
const NOTHING: &str = "none";

/// Counts by call and verdict, sorted by both. Runs and lanes are left out: a backend keeps a series
/// for every value that it has ever seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts<'a>(BTreeMap<(&'a str, &'a str), u64>);

impl<'a> Counts<'a> {
    /// Counts rows.
    pub fn of(events: impl IntoIterator<Item = &'a VerdictEvent>) -> Self {
        let mut counts = BTreeMap::new();
        for event in events {
            let pair = (named(&event.syscall), named(&event.verdict));
            *counts.entry(pair).or_insert(0) += 1;
        }
        Self(counts)
    }

    /// Each call, verdict and count.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str, u64)> {
        self.0.iter().map(|((syscall, verdict), count)| (*syscall, *verdict, *count))
    }
}

fn named(text: &str) -> &str {
    if text.is_empty() { NOTHING } else { text }
}
