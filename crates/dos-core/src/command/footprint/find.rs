//! What `find` deletes and writes.

use alloc::vec::Vec;

use super::super::run::Invocation;
use super::super::text::Field;
use super::{FILE, Scene, TREE};

/// Notes what `find` itself deletes and writes; what it runs is followed where it is run.
pub(super) fn find(scene: &mut Scene<'_>, invocation: &Invocation) {
    let mut arguments = invocation.arguments.iter();
    let is_root = |field: &&Field| {
        let text = field.as_str();
        !(text.starts_with(['-', '(', '!']) && field.text.settled())
    };
    let behind = arguments.clone().skip_while(|field| matches!(field.as_str(), "-H" | "-L" | "-P"));
    let roots: Vec<&Field> = behind.take_while(is_root).collect();
    // What these say holds for a folder as a whole; others choose among what is in it.
    let chooses = |field: &Field| {
        let all = ["-delete", "-depth", "-d", "-H", "-L", "-P", "-print", "-xdev", "-mount"];
        let text = field.as_str();
        text.starts_with(['-', '(', '!']) && !all.contains(&text)
    };
    let all = !invocation.arguments.iter().any(chooses);
    while let Some(field) = arguments.next() {
        match field.as_str() {
            "-delete" if all && roots.is_empty() => {
                scene.write(&Field::known(".", field.span), TREE, "find");
            }
            "-delete" if all => scene.write_all(roots.iter().copied(), TREE, "find"),
            "-delete" => scene.unknown("files that find finds and deletes", invocation.span),
            "-fprint" | "-fprint0" | "-fls" | "-fprintf" => {
                scene.write_all(arguments.next(), FILE, "find");
            }
            _ => {}
        }
    }
}
