//! What `find` deletes and writes, and what it hands on.

use alloc::string::String;
use alloc::vec::Vec;

use super::super::run::Invocation;
use super::super::text::Field;
use super::{FILE, Scene, TREE};

/// Tests that compare names.
const TESTS: [&str; 6] = ["-iname", "-ipath", "-name", "-path", "-regex", "-wholename"];
/// What makes no choice among files.
const PLAIN: [&str; 12] = [
    "-H", "-L", "-P", "-d", "-delete", "-depth", "-follow", "-ls", "-mount", "-print", "-print0",
    "-xdev",
];

/// How much of what is below its folders `find` finds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Choice {
    /// The folders themselves, and all below them.
    All,
    /// All files below them.
    Below,
    /// Those at the top.
    Top,
    /// Some of it.
    Some,
}

/// Notes what `find` itself deletes and writes; what it runs is followed where it is run.
pub(super) fn find(scene: &mut Scene<'_>, invocation: &Invocation) {
    let choice = deleted(&invocation.arguments);
    let mut arguments = invocation.arguments.iter();
    while let Some(field) = arguments.next() {
        match (field.as_str(), choice) {
            ("-delete", Choice::All) => {
                scene.write_all(&roots(&invocation.arguments), TREE, "find");
            }
            ("-delete", Choice::Below) => {
                for root in roots(&invocation.arguments) {
                    for mut inside in entries(&root) {
                        inside.pattern = true;
                        scene.write(&inside, TREE, "find");
                    }
                }
            }
            ("-delete", _) => scene.unknown("files that find finds and deletes", invocation.span),
            ("-fprint" | "-fprint0" | "-fls" | "-fprintf", _) => {
                scene.write_all(arguments.next(), FILE, "find");
            }
            _ => {}
        }
    }
}

/// The names that `find` hands on without a choice, as patterns.
pub(super) fn handed_on(arguments: &[Field]) -> Vec<String> {
    match choice(arguments) {
        Choice::Some => Vec::new(),
        _ => {
            let inside = roots(arguments);
            inside.iter().flat_map(entries).map(|field| field.as_str().into()).collect()
        }
    }
}

/// Which arguments are names that `find` is told to leave out: behind a `!`, before a `-prune`, or in
/// parentheses that are.
pub(super) fn left_out(arguments: &[Field]) -> Vec<bool> {
    let word = |at: usize| arguments.get(at).map(Field::as_str).unwrap_or_default();
    let mut open = Vec::new();
    let mut closed_by = alloc::vec![0; arguments.len()];
    for at in 0..arguments.len() {
        match word(at) {
            "(" => open.push(at),
            ")" => {
                let start = open.pop().and_then(|start| closed_by.get_mut(start));
                start.into_iter().for_each(|end| *end = at);
            }
            _ => {}
        }
    }
    let is_out = |start: usize, end: usize| {
        let mut next = end + 1;
        while matches!(word(next), "-type" | "-a" | "-and") {
            next += 1 + usize::from(word(next) == "-type");
        }
        let negated = start.checked_sub(1).is_some_and(|no| matches!(word(no), "!" | "-not"));
        negated || word(next) == "-prune"
    };
    let mut groups = Vec::from([false]);
    let mut out = Vec::new();
    for at in 0..arguments.len() {
        let group = groups.last().copied().unwrap_or_default();
        match word(at) {
            "(" => groups
                .push(group || closed_by.get(at).is_some_and(|end| *end > at && is_out(at, *end))),
            ")" => drop(groups.pop()),
            _ => {}
        }
        let test = at.checked_sub(1).filter(|test| TESTS.contains(&word(*test)));
        out.push(test.is_some_and(|test| group || is_out(test, at)));
    }
    out
}

fn is_expression(field: &Field) -> bool {
    field.as_str().starts_with(['-', '(', '!']) && field.text.settled()
}

/// The folders that are searched.
fn roots(arguments: &[Field]) -> Vec<Field> {
    let behind = arguments.iter().skip_while(|it| matches!(it.as_str(), "-H" | "-L" | "-P"));
    let roots: Vec<Field> = behind.take_while(|field| !is_expression(field)).cloned().collect();
    match (roots.is_empty(), arguments.first()) {
        (true, Some(first)) => Vec::from([Field::known(".", first.span)]),
        _ => roots,
    }
}

/// What is in a folder, as patterns of the shell.
fn entries(root: &Field) -> [Field; 2] {
    ["/*", "/.*"].map(|ending| {
        let mut inside = root.clone();
        inside.text.push_str(ending, root.span.end);
        inside
    })
}

/// What `-delete` is left with by all that stands before it. A command behind `-exec` that is run file by
/// file is a test.
fn deleted(arguments: &[Field]) -> Choice {
    let is = |wanted: &[&str], field: &Field| wanted.contains(&field.as_str());
    let end = arguments.iter().position(|field| is(&["-delete"], field));
    let (before, behind) = arguments.split_at(end.unwrap_or(arguments.len()));
    let tests = before.iter().any(|field| is(&["-exec", "-execdir", "-ok", "-okdir"], field))
        && before.iter().any(|field| is(&[";"], field));
    match tests {
        true => Choice::Some,
        // These count wherever they stand.
        false if behind.iter().any(|field| is(&["-maxdepth", "-mindepth"], field)) => {
            choice(arguments)
        }
        false => choice(before),
    }
}

fn choice(arguments: &[Field]) -> Choice {
    let mut words = arguments.iter().skip_while(|field| !is_expression(field));
    let mut choice = Choice::All;
    while let Some(field) = words.next() {
        match field.as_str() {
            "-exec" | "-execdir" | "-ok" | "-okdir" => {
                let mut before = "";
                let ends = |field: &Field| {
                    let ends = field.as_str() == ";" || (before == "{}" && field.as_str() == "+");
                    before = if field.as_str() == "{}" { "{}" } else { "" };
                    ends
                };
                words.position(ends);
            }
            "-type" if words.next().is_some_and(|it| it.as_str() == "f") => {
                choice = if choice == Choice::Top { choice } else { Choice::Below };
            }
            "-mindepth" => match words.next().map(Field::as_str) {
                Some("0") => {}
                Some("1") if choice == Choice::All => choice = Choice::Below,
                Some("1") => {}
                _ => return Choice::Some,
            },
            "-maxdepth" => match words.next().map(Field::as_str) {
                Some("0") => return Choice::Some,
                _ => choice = Choice::Top,
            },
            word if PLAIN.contains(&word) => {}
            _ => return Choice::Some,
        }
    }
    choice
}
