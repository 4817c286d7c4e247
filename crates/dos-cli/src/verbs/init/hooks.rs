//! `dos init --hooks HOST`: our hooks in the host's own settings, put in and taken out.

use anyhow::{Context as _, bail};
use camino::{Utf8Path, Utf8PathBuf};
use dos_drivers::host::{self, Host, Settings};
use dos_drivers::init;
use dos_store::disk::{RealDisk, read_small};
use serde_json::{Value, json};

use crate::context::Context;
use crate::output;

/// A settings file is written by people.
const SETTINGS_BYTES_MAX: usize = 4 * 1024 * 1024;
/// So many lines are shown around a change.
const CONTEXT_LINES: usize = 3;

/// What is to be done to the settings of a host.
#[derive(Clone, Copy, Debug)]
pub struct Wiring {
    /// Take our hooks out instead of putting them in.
    pub uninstall: bool,
    /// Turn on the host's own option to refuse what its hooks fail on.
    pub strict: bool,
    /// Only show it.
    pub dry_run: bool,
}

/// What was done to them.
pub struct Wired {
    host: &'static dyn Host,
    settings: Settings,
    path: Utf8PathBuf,
    before: String,
    after: String,
    how: Wiring,
}

/// The host of that name; an unknown one is never taken for another.
pub fn host_named(name: &str) -> anyhow::Result<&'static dyn Host> {
    host::named(name).with_context(|| {
        format!("there is no agent host {name:?}; known: {}", host::names().join(", "))
    })
}

/// Changes the settings of a host in that folder.
pub fn wire(
    context: &Context,
    folder: &Utf8Path,
    host: &'static dyn Host,
    how: Wiring,
) -> anyhow::Result<Wired> {
    let settings = host.settings();
    let home = context.first_variable(&["HOME"])?.map(Utf8PathBuf::from);
    let path = settings.file(folder, home.as_deref()).with_context(|| {
        format!("{} is in your home folder, and HOME is not set", settings.path)
    })?;
    // A link stays one: what it leads to is changed.
    let path = path.canonicalize_utf8().unwrap_or(path);
    let before = read(&path)?;
    if how.strict && settings.strict.is_none() {
        bail!(
            "{} has no option to refuse a call when its hook fails; leave --strict out",
            host.name()
        );
    }
    let changed = match how.uninstall {
        true => settings.without(&before),
        false => settings.merged(&before, how.strict),
    };
    let after = changed.with_context(|| format!("{path} was not changed"))?;
    if !how.dry_run && after != before {
        if let Some(above) = path.parent() {
            std::fs::create_dir_all(above)
                .with_context(|| format!("failed to create the folder {above}"))?;
        }
        init::put(&path, &after, true).with_context(|| format!("failed to write {path}"))?;
    }
    Ok(Wired { host, settings, path, before, after, how })
}

fn read(path: &Utf8Path) -> anyhow::Result<String> {
    let bytes = read_small(&RealDisk, path, SETTINGS_BYTES_MAX)
        .with_context(|| format!("failed to read {path}"))?;
    String::from_utf8(bytes.unwrap_or_default()).with_context(|| format!("{path} is not UTF-8"))
}

impl Wired {
    /// The stable word for it.
    pub fn outcome(&self) -> &'static str {
        match (self.before == self.after, self.how.dry_run, self.how.uninstall) {
            (true, _, _) => "unchanged",
            (false, true, true) => "would_unwire",
            (false, true, false) => "would_wire",
            (false, false, true) => "unwired",
            (false, false, false) => "wired",
        }
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let events: Vec<&str> = self.settings.events.iter().map(|(event, ..)| *event).collect();
        json!({
            "host": self.host.name(),
            "path": self.path.as_str(),
            "outcome": self.outcome(),
            "events": events,
            "diff": diff(&self.path, &self.before, &self.after),
        })
    }

    /// For people.
    pub fn print(&self) {
        let (name, path) = (self.host.name(), &self.path);
        if self.how.dry_run && self.before != self.after {
            diff(path, &self.before, &self.after).iter().for_each(|line| output::line(line));
            return;
        }
        output::line(&match self.outcome() {
            "unwired" => format!("{name}: took the hooks of dos out of {path}"),
            "unchanged" if self.how.uninstall => format!("{name}: no hooks of dos in {path}"),
            "unchanged" => format!("{name}: wired in {path} already"),
            _ => format!("{name}: wired in {path}"),
        });
        if !self.how.uninstall {
            for (event, moment, _) in self.settings.events {
                output::line(&format!("  {event}: {}", self.settings.command(*moment)));
            }
            if !self.settings.note.is_empty() {
                output::line(&format!("note: {}", self.settings.note));
            }
            output::line(
                "next:\n  dos doctor    runs each of them once and sees whether it answers",
            );
        }
    }
}

/// The lines that change, with some around them.
fn diff(path: &Utf8Path, before: &str, after: &str) -> Vec<String> {
    if before == after {
        return Vec::new();
    }
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let same = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let most = old.len().min(new.len()) - same;
    let backwards = old.iter().rev().zip(new.iter().rev());
    let same_end = backwards.take(most).take_while(|(old, new)| old == new).count();
    let start = same.saturating_sub(CONTEXT_LINES);
    let part = |lines: &[&str], from: usize, to: usize, sign: char| -> Vec<String> {
        let lines = lines.get(from..to).unwrap_or_default();
        lines.iter().map(|line| format!("{sign}{line}")).collect()
    };
    let end = (old.len() - same_end + CONTEXT_LINES).min(old.len());
    let (old_count, new_count) = (end - start, end + new.len() - old.len() - start);
    let mut shown = vec![
        format!("--- {path}"),
        format!("+++ {path}"),
        format!("@@ -{},{old_count} +{},{new_count} @@", start + 1, start + 1),
    ];
    shown.extend(part(&old, start, same, ' '));
    shown.extend(part(&old, same, old.len() - same_end, '-'));
    shown.extend(part(&new, same, new.len() - same_end, '+'));
    shown.extend(part(&old, old.len() - same_end, end, ' '));
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_that_change_are_shown() {
        let shown = diff(Utf8Path::new("f"), "a\nb\nc\nd\ne\n", "a\nb\nc\nX\nd\ne\n");
        let wanted = ["--- f", "+++ f", "@@ -1,5 +1,6 @@", " a", " b", " c", "+X", " d", " e"];
        assert_eq!(shown, wanted);
        let shown = diff(Utf8Path::new("f"), "", "a\na\n");
        assert_eq!(shown.split_at(3).1, ["+a", "+a"]);
        let shown = diff(Utf8Path::new("f"), "a\na\n", "a\n");
        assert_eq!(shown.split_at(3).1, [" a", "-a"]);
        assert_eq!(diff(Utf8Path::new("f"), "a", "a"), [""; 0]);
    }
}
