//! Help, completions and manual pages of every verb, and a reader who goes away.

use std::fs::File;
use std::process::Stdio;

use dos_tests::Running;

use crate::{API_WEB, configured, empty};

/// Every verb as it is typed, and whether it is one that does something itself.
fn verbs() -> Vec<(Vec<String>, bool)> {
    let mut pending = vec![(Vec::new(), dos_cli::command())];
    let mut found = Vec::new();
    while let Some((path, command)) = pending.pop() {
        found.push((path.clone(), command.get_subcommands().next().is_none()));
        for below in command.get_subcommands() {
            // A hidden one is how this program calls itself, and `help` is the parser's own.
            if below.is_hide_set() || below.get_name() == "help" {
                continue;
            }
            let path: Vec<String> = path.iter().cloned().chain([below.get_name().into()]).collect();
            pending.push((path, below.clone()));
        }
    }
    found
}

#[test]
fn every_verb_has_help_with_an_example_or_its_exit_codes() {
    let env = empty();
    let verbs = verbs();
    assert!(verbs.len() > 20, "{verbs:?}");
    let mut bare = Vec::new();
    for (path, is_leaf) in verbs {
        let long = env.run(path.iter().map(String::as_str).chain(["--help"]));
        long.exits(0).is_quiet();
        assert!(long.stdout.contains("Usage: "), "{long:#?}");
        let short = env.run(path.iter().map(String::as_str).chain(["-h"]));
        short.exits(0).is_quiet();
        if is_leaf && !long.stdout.contains("Example") && !long.stdout.contains("Exit codes") {
            bare.push(path.join(" "));
        }
    }
    bare.sort();
    assert_eq!(env.tree(), [""; 0]);
    assert_eq!(bare, [""; 0], "the help of these has neither an example nor exit codes");
}

#[test]
fn no_verb_at_all_shows_the_help() {
    let env = empty();
    let output = env.run([""; 0]);
    output.exits(2);
    assert!(output.stderr.contains("Usage: "), "{output:#?}");
    env.dos("nosuch").exits(2).says("nosuch");
    env.dos("lease-lane").exits(2).says("acquire");
    let version = env.dos("--version");
    assert_eq!(version.exits(0).stdout, format!("dos {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_and_manual_pages_name_every_verb() {
    let env = empty();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = env.dos(&format!("completions {shell}"));
        assert!(script.exits(0).is_quiet().stdout.contains("lease-lane"), "{shell}");
    }
    env.dos("completions nosuch").exits(2).says("bash");
    assert!(env.dos("man").exits(0).stdout.contains("arbitrate"));
    let pages = env.outer().join("pages");
    env.run(["man", "--dir", pages.to_str().unwrap()]).exits(0);
    for (path, _) in verbs() {
        let name: Vec<&str> = ["dos"].into_iter().chain(path.iter().map(String::as_str)).collect();
        let page = pages.join(format!("{}.1", name.join("-")));
        assert!(page.is_file(), "there is no {}", page.display());
    }
    // A folder that cannot be made is named.
    env.write("file", "");
    env.dos("man --dir file/x").exits(2).says("file/x");
}

#[test]
fn a_reader_who_goes_away_changes_no_exit_code() {
    for (command, code) in [
        ("arbitrate --lane api", 1),
        ("arbitrate --lane web", 0),
        ("lease-lane acquire --lane api --owner b", 1),
        ("lease-lane acquire --lane web --owner b", 0),
        ("lease-lane heartbeat --lane api --owner a", 0),
        ("lease-lane release --lane api --owner z", 1),
        ("lease-lane live", 0),
        ("lease-lane check --lane api --token 99", 1),
        ("journal tail 0", 0),
        ("journal replay", 0),
        ("journal verify", 1),
        ("journal compact", 0),
        ("halt --handle h", 0),
        ("exit-codes", 0),
        ("completions bash", 0),
        ("man", 0),
        ("--help", 0),
        ("--version", 0),
        ("arbitrate --lane api --kind bogus", 2),
    ] {
        for reader in ["a closed pipe", "/dev/full"] {
            let env = configured(API_WEB);
            env.dos("lease-lane acquire --lane api --owner a").exits(0);
            let mut journal = env.journal();
            journal.extend_from_slice(b"bad\n");
            // Longer than what a pipe holds.
            journal.extend_from_slice("{\"op\": \"SPAWN\"}\n".repeat(20_000).as_bytes());
            env.write_journal(journal);
            let stdout = match reader {
                "/dev/full" => Stdio::from(File::options().write(true).open(reader).unwrap()),
                _ => Stdio::from(std::io::pipe().unwrap().1),
            };
            let mut command_line = env.command(command.split_whitespace());
            command_line.stdout(stdout).stderr(Stdio::null());
            let status = Running::start_as_is(command_line).status();
            assert_eq!(status.code(), Some(code), "{command} into {reader}: {status}");
        }
    }
}
