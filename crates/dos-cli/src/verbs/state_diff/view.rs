//! The difference of two states, for people and as JSON.

use std::collections::{BTreeMap, BTreeSet};

use dos_core::witness::value::canonical;
use dos_core::witness::{Change, Delta, Kind, Snapshot, StateDiff};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::context::Context;
use crate::output::{self, Paint, paint, printable};
use crate::verbs::snapshot::side;

/// So many characters of a value are shown.
const SHOWN_MAX: usize = 100;
/// So many characters the longest bar has.
const BAR_MAX: usize = 40;

/// Shows what changed.
pub fn show(
    context: &Context,
    diff: &StateDiff<'_>,
    (before, after): (&Snapshot, &Snapshot),
    stat: bool,
    as_json: bool,
) -> anyhow::Result<()> {
    let delta = diff.delta();
    if as_json {
        let mut answer = json!({
            "before": side(before),
            "after": side(after),
            "out_of_sight": diff.out_of_sight(),
        });
        if let Some(object) = answer.as_object_mut() {
            let shown = if stat { counts_json(delta) } else { delta.to_json() };
            object.insert("delta".to_string(), shown);
        }
        output::answer(&answer, true);
        return Ok(());
    }
    let colour = output::wants_colour(context.first_variable(&["NO_COLOR"])?);
    if stat {
        groups(delta, colour);
    } else {
        delta.changes().iter().for_each(|change| row(change, colour));
    }
    output::line(&paint(&summary(delta), Paint::Bold, colour));
    if let Some(why) = diff.out_of_sight() {
        output::line(&paint(&format!("NOTE      {why}"), Paint::Yellow, colour));
    }
    Ok(())
}

/// `+1 ~2 -3`: inserted, updated, deleted.
pub fn counts(delta: &Delta<'_>) -> String {
    let [inserted, updated, deleted] = numbers(delta);
    format!("+{inserted} ~{updated} -{deleted}")
}

fn numbers(delta: &Delta<'_>) -> [usize; 3] {
    [Kind::Inserted, Kind::Updated, Kind::Deleted].map(|kind| delta.count(kind))
}

fn counts_json(delta: &Delta<'_>) -> Value {
    let [inserted, updated, deleted] = numbers(delta);
    json!({"inserted": inserted, "updated": updated, "deleted": deleted})
}

fn summary(delta: &Delta<'_>) -> String {
    let [inserted, updated, deleted] = numbers(delta);
    match inserted + updated + deleted {
        0 => "nothing changed".to_string(),
        _ => format!("{inserted} inserted, {updated} updated, {deleted} deleted"),
    }
}

fn row(change: &Change<'_>, colour: bool) {
    let key = printable(change.key());
    match *change {
        Change::Inserted(_, after) => {
            output::line(&paint(&format!("+ {key}  {}", cut(after)), Paint::Green, colour));
        }
        Change::Deleted(_, before) => {
            output::line(&paint(&format!("- {key}  {}", cut(before)), Paint::Red, colour));
        }
        Change::Updated(_, before, after) => {
            output::line(&paint(&format!("~ {key}"), Paint::Yellow, colour));
            for (place, was, is) in parts(before, after) {
                let was = paint(&was, Paint::Red, colour);
                let is = paint(&is, Paint::Green, colour);
                let place = if place.is_empty() { String::new() } else { format!("{place}  ") };
                output::line(&format!("    {place}{was} → {is}"));
            }
        }
    }
}

/// Where two values differ: each field of an object by itself, anything else as a whole.
fn parts(before: &str, after: &str) -> Vec<(String, String, String)> {
    let object = |text: &str| {
        let text = canonical(text).ok()?;
        serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(&text).ok()
    };
    let (Some(was), Some(is)) = (object(before), object(after)) else {
        return vec![(String::new(), cut(before), cut(after))];
    };
    let fields: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
    let text = |side: &BTreeMap<String, Box<RawValue>>, key: &String| {
        side.get(key).map_or("nothing".to_string(), |value| value.get().to_string())
    };
    let both = fields.into_iter().map(|key| (key, text(&was, key), text(&is, key)));
    both.filter(|(_, was, is)| was != is)
        .map(|(key, was, is)| (printable(key), cut(&was), cut(&is)))
        .collect()
}

/// Counts by what stands before the first `:` or `/` of a key.
fn groups(delta: &Delta<'_>, colour: bool) {
    let mut groups: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for change in delta.changes() {
        let group = change.key().split([':', '/']).next().unwrap_or_default();
        let [inserted, updated, deleted] = groups.entry(group).or_default();
        *match change.kind() {
            Kind::Inserted => inserted,
            Kind::Updated => updated,
            Kind::Deleted => deleted,
        } += 1;
    }
    let width = groups.keys().map(|name| printable(name).chars().count()).max().unwrap_or(0);
    let most = groups.values().map(|counts| counts.iter().sum::<usize>()).max().unwrap_or(0);
    for (name, [inserted, updated, deleted]) in groups {
        let scaled = |count: usize| match most <= BAR_MAX {
            true => count,
            false => (count * BAR_MAX).div_ceil(most),
        };
        let bar = [
            paint(&"+".repeat(scaled(inserted)), Paint::Green, colour),
            paint(&"~".repeat(scaled(updated)), Paint::Yellow, colour),
            paint(&"-".repeat(scaled(deleted)), Paint::Red, colour),
        ]
        .concat();
        let total = inserted + updated + deleted;
        output::line(&format!("{:width$} | {total:>6} {bar}", printable(name)));
    }
}

/// A value that fits on a line.
fn cut(text: &str) -> String {
    let shown = printable(text);
    match shown.char_indices().nth(SHOWN_MAX) {
        None => shown,
        Some((end, _)) => format!("{}…", shown.get(..end).unwrap_or_default()),
    }
}
