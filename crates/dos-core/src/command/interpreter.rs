//! Shells: the text that they are given to run.

use alloc::vec::Vec;

use super::text::{Field, Text};

/// Shells that read what is read here.
const SHELLS: [&str; 13] = [
    "ash", "bash", "csh", "dash", "fish", "hush", "ksh", "mksh", "rbash", "sh", "tcsh", "yash",
    "zsh",
];
/// Options of theirs that take a value.
const VALUED: [&str; 6] = ["-o", "+o", "-O", "+O", "--rcfile", "--init-file"];

/// Is it a shell?
pub fn is_shell(name: &str) -> bool {
    SHELLS.contains(&super::program::unversioned(name))
}

/// The text that a shell runs, and its positional parameters; nothing if it runs a file.
pub fn script(name: &str, arguments: &[Field], body: Option<&Text>) -> Option<(Text, Vec<Field>)> {
    if !is_shell(name) {
        return None;
    }
    let (mut text, mut from_input) = (false, false);
    let mut rest = arguments;
    while let Some((first, behind)) = rest.split_first() {
        let option = first.as_str();
        if !option.starts_with(['-', '+']) || option.len() < 2 {
            break;
        }
        rest = behind;
        if option == "--" {
            break;
        }
        if VALUED.contains(&option) || (option.ends_with('o') && !option.starts_with("--")) {
            rest = rest.get(1..).unwrap_or_default();
        }
        if option == "--command" {
            text = true;
        }
        if !option.starts_with("--") {
            text |= option.contains('c');
            from_input |= option.contains('s');
        }
    }
    match (text, rest.split_first()) {
        // The first word behind the text is `$0`.
        (true, Some((script, handed))) => {
            Some((script.text.clone(), handed.get(1..).unwrap_or_default().to_vec()))
        }
        (true, None) => None,
        (false, None) => body.map(|body| (body.clone(), Vec::new())),
        (false, Some((first, _))) if from_input || first.as_str() == "-" => {
            body.map(|body| (body.clone(), rest.to_vec()))
        }
        (false, Some(_)) => None,
    }
}
