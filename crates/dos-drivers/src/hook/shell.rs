//! What an act does, with the names of its files resolved.

use std::cell::Cell;
use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::command::program::{Program, bare, unversioned};
use dos_core::command::run::{Invocation, run};
use dos_core::command::{ExecPolicy, Unknown, Write, classify_command, footprint};
use dos_core::hook::Act;
use dos_core::hook::pretool::{Doings, Grant, Reach, Touch};

use super::resolve::{Bases, ENTRIES_MAX};
use crate::host;

/// Most places that one command is taken to write; a longer list is unknown.
const TOUCHES_MAX: usize = 4096;
/// Most different words of a command that are taken for paths.
const MENTIONS_MAX: usize = 512;
/// Most patterns among them.
const PATTERNS_MAX: usize = 32;
/// So much of a command is repeated to people, in characters.
const SHOWN_MAX: usize = 120;
/// Interpreters, and the options by which they are given code on the command line: letters and long
/// names.
const INLINE: [(&str, &str, &str); 9] = [
    ("bun", "e p --eval --print", "-r --preload --require"),
    ("lua", "e", "-l"),
    ("node", "e p --eval --print", "-C -r --import --require"),
    ("nodejs", "e p --eval --print", "-C -r --import --require"),
    ("perl", "e E", "-I"),
    ("php", "r B R E --run", "-c -d -z"),
    ("python", "c", "-W -X"),
    ("ruby", "e", "-C -I -r"),
    ("tsx", "e p --eval --print", "-r --import --require"),
];
/// Programs that change what a folder is: its name, its owner, who may enter it, what lies there. Do
/// they follow a link to it?
const ENTRIES: [(&str, bool); 12] = [
    ("chattr", true),
    ("chgrp", true),
    ("chmod", true),
    ("chown", true),
    ("ln", false),
    ("mount", true),
    ("mv", false),
    ("rm", false),
    ("rmdir", false),
    ("setfacl", true),
    ("umount", true),
    ("unlink", false),
];
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
            handed: paths.iter().map(|path| bases.touch(path, Reach::Itself)).collect(),
            ..Doings::default()
        },
        Act::Runs { command, folder: given, elsewhere } => {
            let start = given.as_ref().map(|given| bases.absolute(given));
            let bases = Bases { folder: start.as_deref().unwrap_or(folder), home };
            return of_command(command, *elsewhere, &bases, root.unwrap_or(folder));
        }
    };
    Seen { doings, checkouts: Vec::new() }
}

fn of_command(command: &str, elsewhere: bool, bases: &Bases<'_>, root: &Utf8Path) -> Seen {
    let mut found = footprint(command);
    let mut doings = Doings::default();
    if elsewhere {
        // Whole names are taken to mean here what they mean there.
        for write in &mut found.writes {
            write.doubtful |= !write.full_path().starts_with('/');
        }
        found.checkout_ops.retain(|op| op.directory.starts_with('/'));
    }
    let room = Cell::new(ENTRIES_MAX);
    for write in &found.writes {
        add(write, bases, &room, &mut doings);
    }
    let mut checkouts = Vec::new();
    for op in found.checkout_ops.iter().filter(|op| !op.doubtful) {
        let folder = bases.absolute(&op.directory);
        if let Some(write) = &op.or_path
            && (Bases { folder: &folder, home: None })
                .absolute(&write.path)
                .symlink_metadata()
                .is_ok()
        {
            add(write, bases, &room, &mut doings);
            continue;
        }
        if op.sweeps {
            let spares = Some(&op.spares).filter(|spares| !spares.is_empty());
            match spares.and_then(|spares| bases.without(&folder, spares, &room)) {
                Some(left) => {
                    let touch = |path: &Utf8PathBuf| bases.touch(path.as_str(), Reach::Below);
                    doings.sweeps.extend(left.iter().map(touch));
                }
                None => {
                    let touch = bases.touch(folder.as_str(), Reach::Below);
                    let shown = format!("all that `{}` takes", op.name);
                    doings.sweeps.push(Touch { shown, ..touch });
                }
            }
        }
        let folder = super::resolve::followed(&folder);
        checkouts.push(Checkout { name: op.name.clone(), folder });
    }
    match elsewhere && !doings.handed.is_empty() {
        true => doings.unknown = Some("a command that a server runs".to_string()),
        // What may be written anywhere is no sign that it is written here.
        false => doings.handed.clear(),
    }
    let unknown = found.unknown.first();
    if unknown.is_none() && !command.contains("dos") {
        return Seen { doings, checkouts };
    }
    let invocations = run(command).invocations;
    doings.touches.extend(invocations.iter().flat_map(|it| of_ourselves(it, bases, root)));
    doings.frees.extend(invocations.iter().filter_map(freed));
    if let Some(unknown) = unknown {
        doings.unknown = Some(unknown.what.clone());
        doings.runs_inline_code = invocations.iter().any(is_inline);
        doings.handed.extend(handed(&found.unknown, bases));
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
    let name = invocation.program.as_ref().and_then(Program::name);
    let name = unversioned(bare(name.unwrap_or_default()));
    let Some((_, options, valued)) = INLINE.iter().find(|(known, ..)| *known == name) else {
        return false;
    };
    // In a cluster such as `perl -ne` it is a filter, which mostly reads.
    let is_code = |word: &str| {
        let letter = word.strip_prefix('-').unwrap_or_default();
        options.split(' ').any(|option| option == letter || option == word)
    };
    let mut words = invocation.arguments.iter().map(|field| field.as_str());
    while let Some(word) = words.next().filter(|word| word.starts_with('-')) {
        if is_code(word) {
            return true;
        }
        if valued.split(' ').any(|option| option == word) {
            words.next();
        }
    }
    invocation.redirections.iter().any(|redirection| redirection.body.is_some())
}

/// Adds what one write touches.
fn add(write: &Write, bases: &Bases<'_>, room: &Cell<usize>, doings: &mut Doings) {
    let folder = bases.absolute(&write.directory);
    let here = Bases { folder: &folder, home: bases.home };
    let paths = match write.pattern {
        true => here.expanded(&write.path),
        false => Some(vec![here.absolute(&write.path)]),
    };
    let left = |path: Utf8PathBuf| match write.spares.is_empty() || !path.is_dir() {
        true => vec![path],
        false => bases.without(&path, &write.spares, room).unwrap_or_else(|| vec![path]),
    };
    let paths = paths.map(|paths| paths.into_iter().flat_map(left).collect::<Vec<_>>());
    if write.if_there && !paths.iter().flatten().any(|path| path.symlink_metadata().is_ok()) {
        return;
    }
    let Some(paths) = paths.filter(|paths| paths.len() + doings.touches.len() < TOUCHES_MAX) else {
        doings.unknown.get_or_insert_with(|| "a pattern that names too many files".to_string());
        return;
    };
    for path in paths {
        let plain = match ENTRIES.iter().find(|(name, _)| *name == write.how) {
            _ if write.recursive => Reach::Below,
            // The entry is that of the link, not that of the folder that it leads to.
            Some((_, follows)) if *follows || !path.is_symlink() => Reach::Entry,
            _ => Reach::Itself,
        };
        let mut touch = |path: &Utf8Path, reach: Reach| {
            let mut touch = here.touch(path.as_str(), reach);
            if !write.pattern && write.names.is_empty() {
                touch.shown = super::resolve::shown(&write.path);
            }
            match write.doubtful {
                true => doings.handed.push(touch),
                false => doings.touches.push(touch),
            }
        };
        if write.how == "mkdir" && path.is_dir() {
            // A folder that is there is not made.
        } else if write.names.is_empty() {
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

/// The verb: the first word that is neither an option nor the value of one. Nothing where the call
/// only asks for help.
fn verb<'w>(words: &[&'w str]) -> Option<&'w str> {
    if words.iter().any(|word| matches!(*word, "--help" | "-h")) {
        return None;
    }
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "--workspace" => drop(words.next()),
            option if option.starts_with('-') => {}
            verb => return Some(verb),
        }
    }
    None
}

/// The words behind the name of this very program, if the command calls it.
fn our_words(invocation: &Invocation) -> Option<Vec<&str>> {
    let is_us = invocation.path.rsplit('/').next() == Some("dos");
    is_us.then(|| invocation.arguments.iter().map(|field| field.as_str()).collect())
}

/// The value of an option.
fn value<'w>(words: &[&'w str], name: &str) -> Option<&'w str> {
    let given = words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let next = words.iter().skip_while(|word| **word != name).nth(1).copied();
    given.or(next)
}

/// The holder whose lane a call of this program gives away.
fn freed(invocation: &Invocation) -> Option<String> {
    let words = our_words(invocation).filter(|words| verb(words) == Some("lease-lane"))?;
    let holder = match &words {
        words if words.contains(&"release") => value(words, "--owner"),
        words if words.contains(&"adopt") => value(words, "--from"),
        _ => None,
    };
    holder.map(str::to_string)
}

/// What a call of this very program would change of itself: it is the one way to unhook it that
/// names no file.
fn of_ourselves(invocation: &Invocation, bases: &Bases<'_>, root: &Utf8Path) -> Vec<Touch> {
    let Some(words) = our_words(invocation).filter(|words| verb(words) == Some("init")) else {
        return Vec::new();
    };
    let flag = |name: &str| words.contains(&name);
    if flag("--dry-run") {
        return Vec::new();
    }
    let host = value(&words, "--hooks").or(flag("--with-hooks").then_some("claude-code"));
    let settings = host.and_then(host::named).map(|host| host.settings().path);
    let config = flag("--force").then_some("dos.toml");
    let inside = Bases { folder: root, home: bases.home };
    let shown = format!("what `dos {}` changes", words.join(" "));
    let touch = |path: &str| Touch { shown: shown.clone(), ..inside.touch(path, Reach::Itself) };
    settings.into_iter().chain(config).map(touch).collect()
}

/// The paths that are handed to what nobody can tell the writes of: those that stand in its texts,
/// also inside of code, and the folder that it goes to.
fn handed(unknown: &[Unknown], bases: &Bases<'_>) -> Vec<Touch> {
    let mut found = Vec::new();
    let mut known = BTreeSet::new();
    let mut patterns = 0;
    for source in sources(unknown) {
        let folder = bases.absolute(&source.directory);
        let here = Bases { folder: &folder, home: bases.home };
        if !source.directory.is_empty() && !source.code {
            found.push(bases.touch(&source.directory, Reach::Itself));
        }
        for word in source.near.iter().flat_map(|text| words(text)) {
            if known.len() >= MENTIONS_MAX || patterns >= PATTERNS_MAX {
                return found;
            }
            if known.insert((source.directory.as_str(), word)) {
                patterns += usize::from(word.contains(['*', '?']));
                here.mentioned(word, source.code, &mut found);
            }
        }
    }
    found
}

/// Those with texts of their own: what is in one pipeline shares them.
fn sources(unknown: &[Unknown]) -> Vec<&Unknown> {
    let mut known = BTreeSet::new();
    let place = |it: &Unknown| (it.near.as_ptr(), it.near.len(), it.directory.clone(), it.code);
    unknown.iter().filter(|unknown| known.insert(place(unknown))).take(MENTIONS_MAX).collect()
}

/// The words of a text that may be names.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let ends = |c: char| c.is_whitespace() || "\"'`()[]{}<>|&;,=".contains(c);
    // `./...` names packages.
    let words = text.split(ends).filter(|word| !word.ends_with("..."));
    words.map(|word| word.trim_end_matches([':', '.'])).filter(|word| !word.is_empty())
}

impl Bases<'_> {
    /// What is in a folder beside what is left out of it, if that can be told.
    fn without(
        &self,
        folder: &Utf8Path,
        spares: &[String],
        room: &Cell<usize>,
    ) -> Option<Vec<Utf8PathBuf>> {
        let spared: Vec<Utf8PathBuf> = spares.iter().map(|path| self.absolute(path)).collect();
        super::resolve::without(folder, &spared, room)
    }

    /// The files that a word names, if it looks like a name.
    fn mentioned(&self, word: &str, is_code: bool, found: &mut Vec<Touch>) {
        let is_there = || self.absolute(word).symlink_metadata().is_ok();
        let is_file = || (!is_code || word.contains('.')) && is_there();
        if word.contains(['*', '?']) && !is_code {
            let paths = self.expanded(word).unwrap_or_default();
            let room = TOUCHES_MAX.saturating_sub(found.len());
            let shown = super::resolve::shown(word);
            found.extend(paths.iter().take(room).map(|path| Touch {
                shown: shown.clone(),
                ..self.touch(path.as_str(), Reach::Itself)
            }));
        } else if !word.starts_with('-') && (word.contains('/') || is_file()) {
            found.push(self.touch(word, Reach::Itself));
        }
    }

    /// The files that a pattern of the shell names: itself, where there is none. `None` when there are
    /// too many to look at.
    fn expanded(&self, pattern: &str) -> Option<Vec<Utf8PathBuf>> {
        let absolute = self.absolute(pattern);
        let found = super::resolve::matching(&absolute)?;
        Some(if found.is_empty() { vec![absolute] } else { found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is handed on by a command of so many lines.
    fn handed_by(line: &str, lines: usize) -> usize {
        let line = |number: usize| line.replace('N', &number.to_string());
        let command: String = (0..lines).map(line).collect();
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        for number in 0..20 {
            std::fs::write(root.join(format!("f{number}")), "").unwrap();
        }
        let act = Act::Runs { command, folder: None, elsewhere: false };
        seen(&act, root, None, Some(root)).doings.handed.len()
    }

    #[test]
    fn what_a_long_command_hands_on_is_bounded_as_a_whole() {
        assert_eq!(handed_by("xargs sed -i s/aN/b/ x/fN\n", 10), 20);
        let words = handed_by("xargs sed -i s/aN/b/ x/fN\n", 2000);
        assert!((MENTIONS_MAX - 8..=MENTIONS_MAX).contains(&words), "{words}");
        let found = handed_by("xargs rm '*N'\n", 2000);
        assert!((PATTERNS_MAX..=2 * PATTERNS_MAX).contains(&found), "{found}");
        // The texts of one pipeline are shared by all that is in it.
        let mut command = "find .; rm $a; ".repeat(1000);
        command.insert_str(0, "{ ");
        command.push('}');
        let unknown = footprint(&command).unknown;
        assert_eq!((unknown.len(), sources(&unknown).len()), (1000, 1));
    }

    /// What a sweep takes of a folder with so many files.
    fn swept(command: &str, files: usize) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        for number in 0..files {
            std::fs::write(root.join(format!("f{number}")), "").unwrap();
        }
        let act = Act::Runs { command: command.to_string(), folder: None, elsewhere: false };
        let sweeps = seen(&act, root, None, Some(root)).doings.sweeps;
        sweeps.into_iter().map(|touch| touch.shown).collect()
    }

    #[test]
    fn a_folder_that_is_too_large_to_look_at_is_taken_as_a_whole() {
        let command = "git clean -fdx -e f0";
        assert_eq!(swept(command, 3).len(), 2);
        let whole = ["all that `git clean` takes"];
        assert_eq!(swept(command, ENTRIES_MAX + 1), whole);
        // One budget for all of a command.
        let twice = swept(&format!("{command}; {command}"), ENTRIES_MAX / 2 + 1);
        assert_eq!(
            (twice.len(), twice.last().map(String::as_str)),
            (ENTRIES_MAX / 2 + 1, Some(whole[0]))
        );
    }
}
