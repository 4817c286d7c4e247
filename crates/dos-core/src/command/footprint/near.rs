//! The texts that a command may take names of files from.

use alloc::string::{String, ToString};
use alloc::sync::Arc;

use super::super::interpreter::is_shell;
use super::super::program::{Program, bare, unversioned};
use super::super::run::Invocation;
use super::super::text::Field;

/// Programs that take names of files from what is piped to them, or print such names.
const NAMERS: [&str; 8] =
    ["fd", "fdfind", "find", "mapfile", "parallel", "read", "readarray", "xargs"];
/// Those of them that only print names.
const PRINTERS: [&str; 3] = ["fd", "fdfind", "find"];
/// Programs that write only one of what they are handed.
const COPIERS: [&str; 6] = ["cp", "install", "ln", "rsync", "scp", "tar"];
/// Programs that run code which they read, where they are handed none.
const INTERPRETERS: [&str; 9] =
    ["bun", "deno", "lua", "node", "nodejs", "perl", "php", "python", "ruby"];
/// Tests of `find` that compare names.
const TESTS: [&str; 6] = ["-iname", "-ipath", "-name", "-path", "-regex", "-wholename"];

/// A pipeline of the text.
#[derive(Default)]
pub(super) struct Step {
    /// Which one.
    pub(super) number: Option<usize>,
    /// Does something in it print names, or take them?
    names: bool,
    /// Does something in it take them?
    takes: bool,
    /// All that stands in it.
    texts: Arc<[String]>,
}

impl Step {
    pub(super) fn of(number: usize, all: &[Invocation]) -> Self {
        let together = || all.iter().filter(|it| it.step == number);
        let namers = || together().map(name).filter(|name| NAMERS.contains(name));
        Self {
            number: Some(number),
            names: namers().next().is_some(),
            takes: namers().any(|name| !PRINTERS.contains(&name)),
            texts: together().flat_map(|it| texts(it).chain(bodies(it))).collect(),
        }
    }

    /// The texts that one command of it may take names from.
    pub(super) fn near(&self, invocation: &Invocation) -> Arc<[String]> {
        let name = name(invocation);
        let arguments = invocation.arguments.as_slice();
        let first = arguments.first().map(Field::as_str).unwrap_or_default();
        // What runs there names files of that place.
        if name == "ssh" || (matches!(name, "docker" | "kubectl" | "podman") && first == "exec") {
            return Arc::default();
        }
        match COPIERS.contains(&name) {
            true if self.takes => Arc::clone(&self.texts),
            // The others are only read.
            true => {
                let open = arguments.iter().filter(|field| !field.text.settled());
                open.map(|field| field.as_str().to_string()).collect()
            }
            false if self.names || reads_code(name, arguments) => Arc::clone(&self.texts),
            false => texts(invocation).chain(bodies(invocation)).collect(),
        }
    }
}

fn name(invocation: &Invocation) -> &str {
    bare(invocation.program.as_ref().and_then(Program::name).unwrap_or_default())
}

/// Is it a program that runs code from its standard input?
fn reads_code(name: &str, arguments: &[Field]) -> bool {
    let mut words = arguments.iter().map(Field::as_str);
    (is_shell(name) || INTERPRETERS.contains(&unversioned(name)))
        && words.all(|word| word.starts_with('-') && !word.contains(['c', 'e', 'm', 'p', 'r']))
}

fn texts(invocation: &Invocation) -> impl Iterator<Item = String> {
    let arguments = invocation.arguments.as_slice();
    let finds = matches!(name(invocation), "find" | "gfind");
    let word = move |at: usize| arguments.get(at).map(Field::as_str).unwrap_or_default();
    // What `find` is told to leave out it does not hand on.
    let left_out = move |at: usize| {
        finds
            && at.checked_sub(1).is_some_and(|test| TESTS.contains(&word(test)))
            && (at.checked_sub(2).is_some_and(|no| matches!(word(no), "!" | "-not"))
                || word(at + 1) == "-prune")
    };
    let numbered = arguments.iter().enumerate();
    let kept = numbered.filter(move |(at, _)| !left_out(*at));
    kept.map(|(_, field)| field.as_str().to_string())
}

fn bodies(invocation: &Invocation) -> impl Iterator<Item = String> {
    let bodies = invocation.redirections.iter().filter_map(|it| it.body.as_ref());
    bodies.map(|body| body.text.clone())
}
