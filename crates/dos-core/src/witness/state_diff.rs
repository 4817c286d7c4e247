//! The difference of two states, as a witness: is what was claimed in it?

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cmp::Ordering;

use serde_json::{Value, json};

use super::claim::{Claim, Expectation};
use super::effect::{EffectVerdict, witness_effect};
use super::evidence::{Accountability, EvidenceSource, Facts, Sight};
use super::rules::{Rules, pointer_text};
use super::snapshot::Snapshot;
use super::state::{State, StateBuilder, StateError};
use super::value::{canonical_at, canonical_of, find};

/// The name of this witness.
pub const NAME: &str = "state_diff";

/// How a key changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is new.
    Inserted,
    /// It is gone.
    Deleted,
    /// Its value is another.
    Updated,
}

impl Kind {
    /// The stable word.
    pub fn token(self) -> &'static str {
        match self {
            Self::Inserted => "inserted",
            Self::Deleted => "deleted",
            Self::Updated => "updated",
        }
    }
}

/// One key that changed, with its values as JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// It is new.
    Inserted(&'a str, &'a str),
    /// It is gone.
    Deleted(&'a str, &'a str),
    /// Its value was the first and is the second.
    Updated(&'a str, &'a str, &'a str),
}

impl<'a> Change<'a> {
    /// The key.
    pub fn key(&self) -> &'a str {
        match *self {
            Self::Inserted(key, _) | Self::Deleted(key, _) | Self::Updated(key, ..) => key,
        }
    }

    /// How it changed.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Inserted(..) => Kind::Inserted,
            Self::Deleted(..) => Kind::Deleted,
            Self::Updated(..) => Kind::Updated,
        }
    }

    /// Its value before.
    pub fn before(&self) -> Option<&'a str> {
        match *self {
            Self::Inserted(..) => None,
            Self::Deleted(_, before) | Self::Updated(_, before, _) => Some(before),
        }
    }

    /// Its value after.
    pub fn after(&self) -> Option<&'a str> {
        match *self {
            Self::Deleted(..) => None,
            Self::Inserted(_, after) | Self::Updated(_, _, after) => Some(after),
        }
    }
}

/// What changed, in the order of the keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta<'a> {
    changes: Vec<Change<'a>>,
}

/// What changed from `before` to `after`.
pub fn diff_state<'a>(before: &'a State, after: &'a State, rules: &Rules) -> Delta<'a> {
    let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
    let mut changes = Vec::new();
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((left, _)), Some((right, _))) => left.cmp(right),
        };
        let left = if order.is_le() { old.next() } else { None };
        let right = if order.is_ge() { new.next() } else { None };
        match (left, right) {
            (Some((key, before)), Some((_, after))) => {
                if before != after && !same(before, after, rules) {
                    changes.push(Change::Updated(key, before, after));
                }
            }
            (Some((key, before)), None) => changes.push(Change::Deleted(key, before)),
            (None, Some((key, after))) => changes.push(Change::Inserted(key, after)),
            (None, None) => break,
        }
    }
    Delta { changes }
}

/// Do two texts mean the same value, as far as it counts?
fn same(before: &str, after: &str, rules: &Rules) -> bool {
    match (canonical_of(before, rules), canonical_of(after, rules)) {
        (Ok(before), Ok(after)) => before == after,
        _ => false,
    }
}

impl<'a> Delta<'a> {
    /// Every change.
    pub fn changes(&self) -> &[Change<'a>] {
        &self.changes
    }

    /// The keys that changed so.
    pub fn keys(&self, kind: Kind) -> impl Iterator<Item = &'a str> {
        self.changes.iter().filter(move |change| change.kind() == kind).map(Change::key)
    }

    /// How many keys changed so.
    pub fn count(&self, kind: Kind) -> usize {
        self.keys(kind).count()
    }

    /// The change of one key.
    pub fn of(&self, key: &str) -> Option<&Change<'a>> {
        let at = self.changes.binary_search_by(|change| change.key().cmp(key)).ok()?;
        self.changes.get(at)
    }

    /// The state that these changes make of another one.
    pub fn apply(&self, before: &State) -> Result<State, StateError> {
        let mut after: StateBuilder = State::builder();
        for (key, value) in before.iter().filter(|(key, _)| self.of(key).is_none()) {
            after.insert(key, value)?;
        }
        for change in &self.changes {
            if let Some(value) = change.after() {
                after.insert(change.key(), value)?;
            }
        }
        after.finish()
    }

    /// The keys as JSON.
    pub fn to_json(&self) -> Value {
        let keys = |kind| self.keys(kind).collect::<Vec<&str>>();
        json!({
            "inserted": keys(Kind::Inserted),
            "deleted": keys(Kind::Deleted),
            "updated": keys(Kind::Updated),
        })
    }

    fn counts(&self) -> String {
        let [inserted, updated, deleted] =
            [Kind::Inserted, Kind::Updated, Kind::Deleted].map(|kind| self.count(kind));
        format!("{inserted} inserted, {updated} updated, {deleted} deleted")
    }
}

/// Two snapshots that were read in different ways: a key of the one is none of the other.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot compare {before} with {after}: the one is {before_shape}, the other {after_shape}; read \
     both in the same way"
)]
pub struct Unlike {
    before: String,
    after: String,
    before_shape: String,
    after_shape: String,
}

/// The witness that two snapshots are.
#[derive(Debug)]
pub struct StateDiff<'a> {
    delta: Delta<'a>,
    before: &'a Snapshot,
    after: &'a Snapshot,
    rules: &'a Rules,
}

impl<'a> StateDiff<'a> {
    /// Compares two snapshots that were read in the same way.
    pub fn new(
        before: &'a Snapshot,
        after: &'a Snapshot,
        rules: &'a Rules,
    ) -> Result<Self, Unlike> {
        if before.shape() != after.shape() {
            let [before_shape, after_shape] = [before, after].map(|side| side.shape().to_owned());
            let [before, after] = [before, after].map(|side| side.source().to_owned());
            return Err(Unlike { before, after, before_shape, after_shape });
        }
        let delta = diff_state(before.state(), after.state(), rules);
        Ok(Self { delta, before, after, rules })
    }

    /// Why what is missing on one side may only have gone out of sight, where that is so.
    pub fn out_of_sight(&self) -> Option<String> {
        let other_rules = self.other_rules().map(ToOwned::to_owned);
        let changes = || self.delta.changes().iter().map(Change::key);
        other_rules.or_else(|| changes().find_map(|key| self.hides(key)))
    }

    /// Why a key of the one side may be another thing on the other.
    fn other_terms(&self, key: &str) -> Option<String> {
        let (begin, before) = self.before.term_of(key)?;
        let (_, after) = self.after.term_of(key)?;
        let has = |side: &Snapshot| side.state().get(key).is_some();
        // What applies to all keys decides values, not what is there.
        let applies = !begin.is_empty() || has(self.before) && has(self.after);
        (applies && before != after).then(|| {
            format!(
                "it was read by {before} before and by {after} after, so that one key may be two \
                 things, or one thing have two keys or values"
            )
        })
    }

    fn other_rules(&self) -> Option<&'static str> {
        let why = "other files were left out before than after (.gitignore, .git/info/exclude), so \
                   that what is only on one side may only have gone out of sight; read both with \
                   --no-ignore";
        (self.before.rules() != self.after.rules()).then_some(why)
    }

    /// Why a key that is missing on one side may be there all the same, or one that is on both may not
    /// be the same.
    fn hides(&self, key: &str) -> Option<String> {
        let why = "git ignores a file of this name on the side where it is missing (git check-ignore \
                   -v says by which rule), so that it may only have gone out of sight; read both \
                   with tree:FOLDER and --no-ignore";
        let lacks = |side: &Snapshot| side.state().get(key).is_none();
        let is_hidden = |side: &Snapshot| lacks(side) && side.leaves_out(key);
        if lacks(self.before) || lacks(self.after) {
            let is_hidden = is_hidden(self.before) || is_hidden(self.after);
            let hidden = self.other_rules().or_else(|| is_hidden.then_some(why));
            return hidden.map(ToOwned::to_owned).or_else(|| self.other_terms(key));
        }
        self.other_terms(key)
    }

    /// What changed.
    pub fn delta(&self) -> &Delta<'a> {
        &self.delta
    }

    /// Judges one claim.
    pub fn judge(&self, claim: &Claim) -> EffectVerdict {
        let (subject, expect) = (claim.effect.probe(), claim.expect.as_slice());
        let facts: Facts = Expecting { diff: self, expect }.gather(subject);
        witness_effect(Some(&claim.effect), &[facts])
    }

    /// The key as it is in the states: as it was given, else without blanks at its ends, beginning as
    /// they spell it.
    fn key_meant<'k>(&self, key: &'k str) -> Cow<'k, str> {
        let known = |side: &Snapshot| side.state().get(key).is_some();
        match known(self.before) || known(self.after) {
            true => key.into(),
            false => match self.after.spelled(key.trim()) {
                Cow::Borrowed(key) => self.before.spelled(key),
                spelled => spelled,
            },
        }
    }

    /// Is it as expected? The line says what was seen.
    fn holds(&self, key: &str, expected: &Expectation) -> (bool, String) {
        let change = self.delta.of(key);
        let kind = change.map(Change::kind);
        match expected {
            Expectation::Changed => match kind {
                Some(kind @ (Kind::Inserted | Kind::Updated)) => (true, kind.token().to_owned()),
                Some(Kind::Deleted) => (false, "deleted".to_owned()),
                None => (false, self.unchanged(key)),
            },
            Expectation::Kind(wanted) => match kind {
                Some(kind) => (kind == *wanted, kind.token().to_owned()),
                None => (false, self.unchanged(key)),
            },
            Expectation::Value { path, value } => {
                let shown = expected.to_string();
                let Some(after) = change.and_then(Change::after) else {
                    let seen = kind.map(|kind| kind.token().to_owned());
                    return (false, seen.unwrap_or_else(|| self.unchanged(key)));
                };
                // What does not count for the difference does not count here.
                let counted = |part: &str| canonical_at(part, self.rules, path).ok();
                let at = |whole: &str| counted(find(whole, path)?);
                let was = change.and_then(Change::before).and_then(at);
                match at(after) {
                    None => (false, format!("it has nothing there, {shown} was expected")),
                    Some(is) if Some(&is) != counted(value).as_ref() => {
                        let part = find(after, path).unwrap_or_default();
                        (false, format!("it is {part}, not {shown}"))
                    }
                    Some(is) if was.as_ref() == Some(&is) => {
                        (false, format!("{shown} was so before"))
                    }
                    Some(_) => (true, shown),
                }
            }
        }
    }

    fn unchanged(&self, key: &str) -> String {
        match self.after.state().get(key).is_some() {
            true => format!("unchanged ({} in all)", self.delta.counts()),
            false => format!("neither before nor after ({} in all)", self.delta.counts()),
        }
    }
}

/// The same witness, asked for something certain.
struct Expecting<'a> {
    diff: &'a StateDiff<'a>,
    expect: &'a [Expectation],
}

impl EvidenceSource for Expecting<'_> {
    fn name(&self) -> &str {
        NAME
    }

    /// A difference is worth what the weaker of its sides is.
    fn accountability(&self) -> Accountability {
        self.diff.before.rung().min(self.diff.after.rung()).into()
    }

    fn look(&self, subject: &str) -> Result<(Sight, String), String> {
        let key = self.diff.key_meant(subject);
        let key = key.as_ref();
        if let Some(why) = self.diff.hides(key) {
            return Err(why);
        }
        for expected in self.expect {
            if let Expectation::Value { path, .. } = expected
                && self.diff.rules.leaves_out(path)
            {
                let place = pointer_text(path);
                return Err(format!("{place} is left out by the rules, so that it tells nothing"));
            }
        }
        let default = [Expectation::Changed];
        let expect = if self.expect.is_empty() { default.as_slice() } else { self.expect };
        let mut seen: Vec<String> = Vec::new();
        for expected in expect {
            match self.diff.holds(key, expected) {
                (true, line) => seen.push(line),
                (false, line) => return Ok((Sight::Absent, line)),
            }
        }
        seen.dedup();
        Ok((Sight::Present, seen.join(", ")))
    }
}
