//! The texts that a command may take names of files from.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::super::interpreter::is_shell;
use super::super::program::{Program, bare, unversioned};
use super::super::run::Invocation;
use super::super::text::Field;
use super::find;

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
/// Programs whose verb `exec` runs something in another place.
const CONTAINERS: [&str; 6] = ["docker", "docker-compose", "kubectl", "nerdctl", "oc", "podman"];

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
        // They stand one behind the other.
        let (start, end) = (
            all.partition_point(|it| it.step < number),
            all.partition_point(|it| it.step <= number),
        );
        let together = || all.get(start..end).unwrap_or_default().iter();
        let namers = || together().map(name).filter(|name| NAMERS.contains(name));
        Self {
            number: Some(number),
            names: namers().next().is_some(),
            takes: namers().any(|name| !PRINTERS.contains(&name)),
            texts: together().flat_map(|it| texts(it).into_iter().chain(bodies(it))).collect(),
        }
    }

    /// The texts that one command of it may take names from.
    pub(super) fn near(&self, invocation: &Invocation) -> Arc<[String]> {
        let name = name(invocation);
        let arguments = invocation.arguments.as_slice();
        // What runs there names files of that place.
        let is_exec = |field: &Field| field.as_str() == "exec";
        if name == "ssh" || (CONTAINERS.contains(&name) && arguments.iter().any(is_exec)) {
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
            false => texts(invocation).into_iter().chain(bodies(invocation)).collect(),
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

fn texts(invocation: &Invocation) -> Vec<String> {
    let arguments = invocation.arguments.as_slice();
    let word = |field: &Field| field.as_str().to_string();
    if !matches!(name(invocation), "find" | "gfind") {
        return arguments.iter().map(word).collect();
    }
    // What it is told to leave out it does not hand on.
    let left_out = find::left_out(arguments);
    let kept = arguments.iter().zip(left_out).filter(|(_, left_out)| !left_out);
    kept.map(|(field, _)| word(field)).chain(find::handed_on(arguments)).collect()
}

fn bodies(invocation: &Invocation) -> impl Iterator<Item = String> {
    let bodies = invocation.redirections.iter().filter_map(|it| it.body.as_ref());
    bodies.map(|body| body.text.clone())
}
