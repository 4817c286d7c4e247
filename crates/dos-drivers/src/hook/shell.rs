//! What an act does, with the names of its files resolved.

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::command::capability::granted;
use dos_core::command::run::{Invocation, run};
use dos_core::command::{ExecPolicy, Write, classify_command, footprint};
use dos_core::hook::Act;
use dos_core::hook::pretool::{Doings, Grant, Reach, Touch};

use super::resolve::Bases;
use crate::host;

/// Most places that one command is taken to write; a longer list is unknown.
const TOUCHES_MAX: usize = 4096;
/// Most paths that are looked for in the text of a command.
const MENTIONS_MAX: usize = 64;
/// So much of a command is repeated to people, in characters.
const SHOWN_MAX: usize = 120;
/// Options by which a program is given its code on the command line.
const INLINE: [&str; 7] = ["-c", "-e", "-E", "-p", "-r", "--eval", "--print"];
/// Programs that put something into a folder without saying what.
const UNPACKERS: [&str; 6] = ["gh", "git format-patch", "rsync", "tar", "unzip", "wget"];

/// What a call does, wherever it does it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// All of it but what follows.
    pub doings: Doings,
    /// What it does to whole checkouts.
    pub checkouts: Vec<Checkout>,
}

/// An operation on a whole checkout.
#[derive(Debug, PartialEq, Eq)]
pub struct Checkout {
    /// As people name it: `git stash`.
    pub name: String,
    /// The folder it runs in, without links.
    pub folder: Utf8PathBuf,
}

/// What the act does, for an agent that is in that folder and was given that workspace.
pub fn seen(
    act: &Act,
    folder: &Utf8Path,
    home: Option<&Utf8Path>,
    root: Option<&Utf8Path>,
) -> Seen {
    let bases = Bases { folder, home };
    let doings = match act {
        Act::Reads => Doings::default(),
        Act::Writes(paths) => Doings {
            touches: paths.iter().map(|path| bases.touch(path, Reach::Itself)).collect(),
            ..Doings::default()
        },
        Act::Unknown(paths) => Doings {
            unknown: (!paths.is_empty()).then(|| "a tool that is not known here".to_string()),
            mentions: paths.iter().map(|path| bases.touch(path, Reach::Itself)).collect(),
            ..Doings::default()
        },
        Act::Runs { command, folder: given } => {
            let start = given.as_ref().map(|given| bases.absolute(given));
            let bases = Bases { folder: start.as_deref().unwrap_or(folder), home };
            return of_command(command, &bases, root.unwrap_or(folder));
        }
    };
    Seen { doings, checkouts: Vec::new() }
}

fn of_command(command: &str, bases: &Bases<'_>, root: &Utf8Path) -> Seen {
    let found = footprint(command);
    let mut doings = Doings::default();
    for write in &found.writes {
        add(write, bases, &mut doings);
    }
    let certain = found.checkout_ops.iter().filter(|op| !op.doubtful);
    let checkouts = certain.map(|op| Checkout {
        name: op.name.clone(),
        folder: super::resolve::followed(&bases.absolute(&op.directory)),
    });
    let checkouts = checkouts.collect();
    let unknown = found.unknown.first().map(|unknown| unknown.what.clone());
    if unknown.is_none() && !command.contains("dos") {
        return Seen { doings, checkouts };
    }
    let invocations = run(command).invocations;
    doings.touches.extend(invocations.iter().flat_map(|it| of_ourselves(it, bases, root)));
    if let Some(unknown) = unknown {
        // Words of code are names of files only where they look like them.
        let is_code = unknown.starts_with("code that");
        doings.unknown = Some(unknown);
        doings.runs_inline_code = invocations.iter().any(is_inline);
        doings.mentions.extend(mentions(command, bases, is_code));
    }
    Seen { doings, checkouts }
}

/// What runs any code, when somebody wants to know.
pub fn grants(act: &Act, policy: &ExecPolicy) -> Option<Grant> {
    let Act::Runs { command, .. } = act else { return None };
    let grant = classify_command(command, policy).grant?;
    let place = command.get(grant.span.start..grant.span.end).unwrap_or(command);
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    Some(Grant {
        program: grant.via.unwrap_or_else(|| "a program that it does not name".to_string()),
        place: place.chars().map(plain).take(SHOWN_MAX).collect(),
    })
}

/// Is the program handed its code in the command itself?
fn is_inline(invocation: &Invocation) -> bool {
    granted(invocation, &ExecPolicy::default()).is_some()
        && (invocation.arguments.iter().any(|field| INLINE.contains(&field.as_str()))
            || invocation.redirections.iter().any(|redirection| redirection.body.is_some()))
}

/// Adds what one write touches.
fn add(write: &Write, bases: &Bases<'_>, doings: &mut Doings) {
    let folder = bases.absolute(&write.directory);
    let here = Bases { folder: &folder, home: bases.home };
    let plain = if write.recursive { Reach::Below } else { Reach::Itself };
    let paths = match write.pattern {
        true => here.expanded(&write.path),
        false => Some(vec![here.absolute(&write.path)]),
    };
    let Some(paths) = paths.filter(|paths| paths.len() + doings.touches.len() < TOUCHES_MAX) else {
        doings.unknown.get_or_insert_with(|| "a pattern that names too many files".to_string());
        return;
    };
    for path in paths {
        let mut touch = |path: &Utf8Path, reach: Reach| {
            let mut touch = here.touch(path.as_str(), reach);
            if !write.pattern && write.names.is_empty() {
                touch.shown = here.touch(&write.path, reach).shown;
            }
            match write.doubtful {
                true => doings.mentions.push(touch),
                false => doings.touches.push(touch),
            }
        };
        if write.names.is_empty() {
            let unpacks = write.inside && UNPACKERS.contains(&write.how.as_str());
            touch(&path, if unpacks { Reach::Inside } else { plain });
        } else if write.inside || path.is_dir() {
            for name in &write.names {
                match name.contains(['*', '?', '[']) {
                    true => touch(&path, Reach::Inside),
                    false => touch(&path.join(name), plain),
                }
            }
        } else {
            touch(&path, plain);
        }
    }
}

/// What a call of this very program would change of itself: it is the one way to unhook it that
/// names no file.
fn of_ourselves(invocation: &Invocation, bases: &Bases<'_>, root: &Utf8Path) -> Vec<Touch> {
    let is_us = invocation.path.rsplit('/').next() == Some("dos");
    let words: Vec<&str> = invocation.arguments.iter().map(|field| field.as_str()).collect();
    if !is_us || !words.contains(&"init") {
        return Vec::new();
    }
    let flag = |name: &str| words.contains(&name);
    let value = |name: &str| {
        let given = words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        let next = words.iter().skip_while(|word| **word != name).nth(1).copied();
        given.or(next)
    };
    let host = value("--hooks").or(flag("--with-hooks").then_some("claude-code"));
    let settings = host.and_then(host::named).map(|host| host.settings().path);
    let config = flag("--force").then_some("dos.toml");
    let inside = Bases { folder: root, home: bases.home };
    let shown = format!("what `dos {}` changes", words.join(" "));
    let touch = |path: &str| Touch { shown: shown.clone(), ..inside.touch(path, Reach::Itself) };
    settings.into_iter().chain(config).map(touch).collect()
}

/// The paths that stand in a text, also inside of code.
fn mentions(text: &str, bases: &Bases<'_>, is_code: bool) -> Vec<Touch> {
    let ends = |c: char| c.is_whitespace() || "\"'`()[]{}<>|&;,=".contains(c);
    let words = text.split(ends).map(|word| word.trim_end_matches([':', '.']));
    let is_there = |word: &str| bases.absolute(word).symlink_metadata().is_ok();
    let is_path = |word: &&str| {
        let is_name = !word.is_empty() && !word.starts_with('-');
        is_name && (word.contains('/') || (!is_code && is_there(word)))
    };
    let paths = words.take(MENTIONS_MAX).filter(is_path);
    paths.map(|path| bases.touch(path, Reach::Below)).collect()
}

impl Bases<'_> {
    /// The files that a pattern of the shell names: itself, where there is none. `None` when there are
    /// too many to look at.
    fn expanded(&self, pattern: &str) -> Option<Vec<Utf8PathBuf>> {
        let absolute = self.absolute(pattern);
        let found = super::resolve::matching(&absolute)?;
        Some(if found.is_empty() { vec![absolute] } else { found })
    }
}
