//! The labelled corpus: no missed grant, at most one false one in a hundred.

use dos_core::command::{Capability, ExecPolicy, Profile, classify_command};
use serde_json::Value;

/// One labelled command.
pub struct Labelled {
    pub command: String,
    pub label: String,
    /// The answers that count as right.
    pub accepted: Vec<String>,
}

/// A corpus, labelled for one profile.
pub fn labelled(path: &str, profile: Profile) -> Vec<Labelled> {
    let path = format!("{}/../../fixtures/{path}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    let (label, accept) = match profile {
        Profile::Closed => ("label", "accept"),
        Profile::Extended => ("label_extended", "accept_extended"),
    };
    let text_of = |value: &Value| value.as_str().map(str::to_string);
    let line = |line: &str| {
        let entry: Value = serde_json::from_str(line).unwrap();
        let label = text_of(&entry[label]).unwrap();
        let accepted = match entry[accept].as_array() {
            Some(list) => list.iter().filter_map(text_of).collect(),
            None => vec![label.clone()],
        };
        Labelled { command: text_of(&entry["command"]).unwrap(), label, accepted }
    };
    text.lines().map(line).collect()
}

/// Classifies a corpus; prints and counts what is missed, what is flagged falsely, and the rest.
pub fn judge(entries: &[Labelled], profile: Profile) -> (usize, usize, usize) {
    let policy = ExecPolicy { profile, extra: Vec::new() };
    let grants = Capability::GrantsArbitraryExec.token();
    let (mut missed, mut flagged, mut other) = (0, 0, 0);
    for entry in entries {
        let verdict = classify_command(&entry.command, &policy);
        let token = verdict.capability.token();
        if entry.accepted.iter().any(|accepted| accepted == token) {
            continue;
        }
        let kind = match (entry.label == grants, token == grants) {
            (true, false) => &mut missed,
            (false, true) => &mut flagged,
            _ => &mut other,
        };
        *kind += 1;
        println!("{token} for {} {:?} {verdict:?}", entry.label, entry.command);
    }
    (missed, flagged, other)
}

#[test]
fn the_closed_set_is_found_and_nothing_else() {
    let entries = labelled("vectors/exec_corpus.jsonl", Profile::Closed);
    let benign = entries.iter().filter(|entry| entry.label != "GRANTS_ARBITRARY_EXEC").count();
    let (missed, flagged, other) = judge(&entries, Profile::Closed);
    println!("{} entries: missed {missed}, flagged {flagged} of {benign}, {other}", entries.len());
    assert_eq!((missed, flagged, other), (0, 0, 0));
}

#[test]
fn the_extended_profile_finds_the_rest() {
    let entries = labelled("vectors/exec_corpus.jsonl", Profile::Extended);
    assert_eq!(judge(&entries, Profile::Extended), (0, 0, 0));
}

fn grants(command: &str, profile: Profile) -> bool {
    let policy = ExecPolicy { profile, extra: Vec::new() };
    classify_command(command, &policy).capability == Capability::GrantsArbitraryExec
}

#[test]
fn a_function_or_an_alias_stands_for_a_program_only_where_the_shell_looks_it_up() {
    for command in [
        "alias t='timeout 5'\nt bash x",
        "alias s=sudo\ns ls",
        "alias w='env -i'\nw 'bash' \"it's\"",
        "python() { command python -u \"$@\"; }; python x",
        "npm() { echo x; command npm \"$@\"; }; npm i",
        "sudo() { :; }; command sudo ls",
        "bash() { echo; }; env bash x",
        "node() { :; }; timeout 5 node x",
        "python() { ls; }; su -c 'python x'",
        "f() { python x; }; export -f f; parallel f ::: 1",
        "f() { python x; }; trap f EXIT",
        "f() { python x; }; time f",
    ] {
        assert!(grants(command, Profile::Closed), "{command}");
    }
    for command in [
        "alias t='timeout 5'\nt ls bash",
        "alias ls='ls --color=auto' ll='ls -l'\nll bash",
        "alias a=b b=a; a",
        "alias grep='grep --color'; grep python x | grep bash",
        "ls() { command ls --color \"$@\"; }; ls bash",
        "cd() { builtin cd \"$@\" && ls; }; cd node",
        "git() { command git --no-pager \"$@\"; }; git log python",
        "python() { ls; }; python x; time python x",
    ] {
        assert!(!grants(command, Profile::Extended), "{command}");
    }
}

#[test]
fn programs_that_are_reached_in_odd_ways() {
    for command in [
        "gdb -q --args python x",
        "lldb -- node x",
        "hash -p /bin/sh x; x",
        "env -S '${PY} x'",
        "rr record python x",
        "ls | xargs -0 -n1 sudo -u a sh",
        "/lib64/ld-linux-x86-64.so.2 --library-path /x /bin/bash -c ls",
        "/lib/ld-musl-x86_64.so.1 -- /usr/bin/python3 x",
        "nice -$N python x",
        "mispipe ls 'bash x'",
        "coproc X { bash; }",
        "x=b?sh; /bin/$x y",
        "py$@thon x",
    ] {
        assert!(grants(command, Profile::Closed), "{command}");
    }
    for command in [
        "gdb -p 1",
        "lldb",
        "hash -r",
        "env -S 'ls ${HOME}'",
        "hash -p /bin/ls x; x",
        "ld.so --list /bin/sh",
        "ld.so --verify bash",
    ] {
        assert!(!grants(command, Profile::Closed), "{command}");
    }
    for command in [
        "ed x",
        "nix-shell",
        "dc -e '!ls'",
        "m4 x",
        "find . -execdir ./x {} \\;",
        "crontab x",
        "crontab -u bob -",
        "pip3 install x",
        "PATH=.:$PATH ls",
        "PATH=:/bin ls",
        "make -n",
        "source x --help",
        "docker run x --help",
        "watch ./x",
        "ld.so ./x",
    ] {
        assert!(grants(command, Profile::Extended), "{command}");
    }
    for command in [
        "crontab -l",
        "crontab -u bob -l",
        "pip list",
        "PATH=$PATH:/opt/bin ls",
        "PATH=~/bin:/bin ls",
        "make --version",
        "gradle --help",
        "dc -e '1 2+p'",
        "less x",
        "docker run --help",
        "cargo test --help",
        "parallel --version",
        "watch -n1 'ps aux | grep node'",
        "hyperfine 'ls node' 'ls bash'",
        "entr -c ls",
    ] {
        assert!(!grants(command, Profile::Extended), "{command}");
    }
}

#[test]
fn further_commands_are_judged_as_labelled() {
    let entries = labelled("vectors/exec_adversarial.jsonl", Profile::Closed);
    assert!(entries.len() > 1000);
    assert_eq!(judge(&entries, Profile::Closed), (0, 0, 0));
}

#[test]
fn what_was_written_without_a_look_at_the_classifier_is_judged_as_labelled() {
    for profile in [Profile::Closed, Profile::Extended] {
        let entries = labelled("vectors/exec_examined.jsonl", profile);
        assert!(entries.len() > 2000);
        assert_eq!(judge(&entries, profile), (0, 0, 0));
    }
}
