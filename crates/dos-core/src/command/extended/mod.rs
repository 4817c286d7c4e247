//! Further ways to run any code: what the profile `extended` adds to the closed set.
//!
//! The list is open by nature. It holds interpreters, programs that run what a project keeps, files
//! that are run by their path, commands that are carried in options and variables, and containers.

mod git;
mod table;

use super::capability::{Capability, Cause, ExecPolicy, Grant, Profile, classify_command};
use super::interpreter;
use super::program::{Program, bare, unversioned};
use super::run::{Invocation, Role};
use super::scripts;
use super::text::{Field, Text};

const SCRIPT_ENDINGS: [&str; 8] = [".sh", ".bash", ".zsh", ".py", ".pl", ".rb", ".js", ".ps1"];
/// Where a system keeps its programs. What lies there is judged by its name.
const SYSTEM_FOLDERS: [&str; 9] = [
    "/bin/",
    "/sbin/",
    "/usr/bin/",
    "/usr/sbin/",
    "/usr/local/bin/",
    "/usr/local/sbin/",
    "/opt/homebrew/bin/",
    "/snap/bin/",
    "/run/current-system/sw/bin/",
];

/// Does a command grant execution by a way outside the closed set?
pub(super) fn granted(invocation: &Invocation) -> Option<Grant> {
    let Some(Program::Named(name)) = &invocation.program else {
        return None;
    };
    let grant = |how| {
        let (via, cause) = (Some(name.clone()), Cause::Extended(how));
        Some(Grant { via, cause, span: invocation.span })
    };
    let path = invocation.path.as_str();
    let system = SYSTEM_FOLDERS.iter().any(|folder| path.starts_with(folder));
    let drive = path.as_bytes().get(1) == Some(&b':');
    let by_path = path.contains('/') && !(system || drive || path.ends_with("/."));
    let script = SCRIPT_ENDINGS.iter().any(|ending| name.ends_with(ending)) && !name.contains(' ');
    if by_path || script {
        return grant("is a file that is run by its path, and may hold any code");
    }
    if loaded(invocation) {
        return grant("is given a variable that runs code");
    }
    let bare = bare(name);
    let short = unversioned(bare);
    let is =
        |names: &str| names.split_ascii_whitespace().any(|known| known == bare || known == short);
    let arguments = invocation.arguments.as_slice();
    let asks = |field: &Field| matches!(field.as_str(), "--version" | "--help");
    if is(table::ALWAYS) && !(arguments.len() == 1 && arguments.iter().all(asks)) {
        return grant("runs code that is kept in files or given to it");
    }
    let verb = table::VERBS.iter().find(|(names, _)| is(names));
    let only_asks = matches!(arguments, [_, last] if asks(last));
    let told = |verbs: &str| has_verb(arguments, verbs) && (verbs == "*" || !only_asks);
    if verb.is_some_and(|(_, verbs)| told(verbs)) {
        return grant("is told by its verb to run code");
    }
    let option = table::OPTIONS.iter().filter(|(names, _)| is(names));
    if option.into_iter().any(|(_, options)| has_option(arguments, options)) {
        return grant("is given a command to run in an option");
    }
    if special(bare, short, invocation) {
        return grant("is given code to run in its arguments");
    }
    None
}

/// Might a text that cannot be read name a way to run code?
pub(super) fn mentioned(text: &str) -> bool {
    text.contains(['/', '.', '=', '!', '|'])
        || table::ALWAYS.split_ascii_whitespace().any(|name| text.contains(name))
        || table::VERBS.iter().any(|(names, _)| names.split(' ').any(|name| text.contains(name)))
        || table::OPTIONS.iter().any(|(names, _)| names.split(' ').any(|name| text.contains(name)))
}

/// Does a carried text grant execution?
fn carries(text: &Text) -> bool {
    let policy = ExecPolicy { profile: Profile::Extended, extra: alloc::vec::Vec::new() };
    !text.settled()
        || classify_command(&text.text, &policy).capability == Capability::GrantsArbitraryExec
}

fn loaded(invocation: &Invocation) -> bool {
    let listed = |list: &str, name: &str| list.split_ascii_whitespace().any(|known| known == name);
    invocation.environment.iter().any(|(name, value)| {
        if name == "PATH" && starts_anywhere(value) {
            return true;
        }
        let known = listed(table::VARIABLES, name) && !value.text.trim().is_empty();
        // To name a shell as the shell runs nothing yet.
        let shell = name == "SHELL" && value.settled() && is_system_shell(&value.text);
        known && !shell && (listed(table::LOADING, name) || carries(value))
    })
}

/// Does a search for programs look in a folder that depends on where one is?
fn starts_anywhere(path: &Text) -> bool {
    let mut at = 0;
    path.text.split(':').any(|folder| {
        let start = at;
        at += folder.len() + 1;
        !folder.starts_with(['/', '~']) && !path.holes.contains(&start)
    })
}

fn is_system_shell(path: &str) -> bool {
    let folder = SYSTEM_FOLDERS.iter().find_map(|folder| path.strip_prefix(folder));
    interpreter::is_shell(folder.unwrap_or(path))
}

/// Is the first operand one of these verbs? An operand behind an option may be that option's value.
fn has_verb(arguments: &[Field], verbs: &str) -> bool {
    if verbs == "*" {
        return !arguments.is_empty();
    }
    let known = |text: &str| verbs.split_ascii_whitespace().any(|verb| verb == text);
    let mut behind_option = false;
    for field in arguments {
        let text = field.as_str();
        if known(text) || !field.text.settled() {
            return true;
        }
        if text.starts_with(['-', '+']) {
            behind_option = !text.contains('=') && !text.starts_with('+');
        } else if behind_option {
            behind_option = false;
        } else {
            return false;
        }
    }
    false
}

/// What stands behind a verb, if it is one of these.
fn behind_verb<'f>(arguments: &'f [Field], verbs: &str) -> Option<&'f [Field]> {
    let verb = arguments.iter().position(|field| !field.as_str().starts_with('-'))?;
    let known =
        verbs.split(' ').any(|known| known == arguments.get(verb).map_or("", Field::as_str));
    arguments.get(verb + 1..).filter(|_| known)
}

fn has_option(arguments: &[Field], options: &str) -> bool {
    let given = |text: &str, option: &str| match option.len() {
        1 => {
            let cluster = text.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
            cluster.is_some_and(|rest| rest.contains(option))
        }
        _ => {
            let rest = text.trim_start_matches('-');
            let dashes = text.len() - rest.len();
            let name = rest.split('=').next().unwrap_or_default();
            (dashes > 0 && name == option) || (option.starts_with('+') && text.starts_with(option))
        }
    };
    let options = options.split_ascii_whitespace();
    options.into_iter().any(|option| arguments.iter().any(|field| given(field.as_str(), option)))
}

/// What needs a closer look at the arguments.
fn special(name: &str, short: &str, invocation: &Invocation) -> bool {
    let arguments = invocation.arguments.as_slice();
    let texts = || arguments.iter().map(Field::as_str);
    match short {
        "git" => git::runs(arguments),
        "awk" | "gawk" | "mawk" | "nawk" | "original-awk" => awk(arguments),
        "sed" | "gsed" | "ssed" => sed(arguments),
        "vi" | "vim" | "nvim" | "gvim" | "ex" | "view" | "vimdiff" | "rvim" => {
            texts().any(|text| vim_runs(text.trim_start_matches(['+', '-'])))
        }
        "cmake" => {
            texts().any(|text| matches!(text, "--build" | "-P" | "-E" | "--workflow" | "--install"))
        }
        "tar" | "gtar" | "bsdtar" => packer(arguments),
        "zig" => zig(arguments),
        "scp" | "sftp" => texts().any(|text| {
            text.to_ascii_lowercase().contains("proxycommand")
                || text.to_ascii_lowercase().contains("localcommand")
        }),
        "socat" => texts().any(|text| {
            let text = text.to_ascii_lowercase();
            ["exec:", "system:", "shell:"].iter().any(|kind| text.starts_with(kind))
        }),
        "psql" | "mysql" | "mariadb" => {
            texts().any(|text| text.contains("\\!") || text.contains("system "))
        }
        "sqlite" => texts().any(|text| text.contains(".shell") || text.contains(".system")),
        "docker" | "podman" | "nerdctl" | "finch" => behind_verb(arguments, "compose container")
            .is_some_and(|rest| has_verb(rest, "run exec up")),
        "aws" => {
            texts().any(|text| matches!(text, "start-session" | "send-command" | "execute-command"))
        }
        "gcloud" => texts().any(|text| text == "ssh"),
        "gh" => {
            let words: alloc::vec::Vec<&str> = texts().filter(|it| !it.starts_with('-')).collect();
            matches!(
                words.as_slice(),
                ["extension" | "ext", "exec", ..] | ["codespace" | "cs", "ssh", ..]
            ) || (words.starts_with(&["alias", "set"])
                && texts().any(|it| it.starts_with('!') || it == "--shell"))
        }
        "crontab" => {
            let user = usize::from(texts().next() == Some("-u")) * 2;
            texts().nth(user).is_some_and(|text| text == "-" || !text.starts_with('-'))
        }
        "dc" => texts().any(|text| text.contains('!')),
        "screen" => {
            texts().any(|text| !text.starts_with('-') || matches!(text, "-X" | "-dm" | "-dmS"))
        }
        "su" | "doas" | "chroot" | "unshare" | "nsenter" | "newgrp" | "script" | "sg"
        | "parallel" | "sem" => {
            // Without a command they start a shell, or run what they read.
            invocation.role == Role::Program
                && !texts().any(|text| matches!(text, "--help" | "--version"))
        }
        "mapfile" | "readarray" => texts().any(|text| text.starts_with("-C")),
        "fc" => true,
        "swift" => texts().any(|text| text.ends_with(".swift")),
        _ => name == "nix-build" || name == "nix-instantiate",
    }
}

fn awk(arguments: &[Field]) -> bool {
    let mut rest = arguments;
    while let Some((first, behind)) = rest.split_first() {
        let text = first.as_str();
        rest = behind;
        match text {
            "-F" | "-v" | "--field-separator" | "--assign" => {
                rest = rest.get(1..).unwrap_or_default()
            }
            "-f" | "--file" | "-i" | "--include" | "-l" | "--load" | "-E" | "--exec" => {
                return true;
            }
            "-e" | "--source" => {
                let script = rest.first().is_some_and(|script| scripts::awk(script.as_str()).runs);
                if script {
                    return true;
                }
                rest = rest.get(1..).unwrap_or_default();
            }
            "--" => {}
            _ if text.starts_with("-f") || text.starts_with("--file=") => return true,
            _ if text.starts_with('-') => {}
            _ => return scripts::awk(text).runs || (text.is_empty() && !first.text.settled()),
        }
    }
    false
}

fn sed(arguments: &[Field]) -> bool {
    let mut script_given = false;
    let mut rest = arguments;
    let mut first_operand = None;
    while let Some((first, behind)) = rest.split_first() {
        let text = first.as_str();
        rest = behind;
        let script = match text {
            "-f" | "--file" | "-l" | "--line-length" => {
                script_given |= text != "-l";
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            "--expression" => rest.first().map(Field::as_str),
            _ if text.starts_with("--expression=") => text.get("--expression=".len()..),
            _ if text.starts_with("--") => None,
            _ if text.starts_with('-') && text.ends_with('e') => rest.first().map(Field::as_str),
            _ if text.starts_with("-e") => text.get(2..),
            _ if text.starts_with('-') => None,
            _ => {
                first_operand = first_operand.or(Some(text));
                None
            }
        };
        script_given |= script.is_some();
        if script.is_some_and(|script| scripts::sed(script).runs) {
            return true;
        }
    }
    !script_given && first_operand.is_some_and(|script| scripts::sed(script).runs)
}

/// A command of vim that leaves it: `!`, an interpreter, a script.
fn vim_runs(text: &str) -> bool {
    let mut before = ':';
    for (at, character) in text.char_indices() {
        // The `!` of `q!` only insists.
        if character == '!' && !before.is_alphanumeric() {
            return true;
        }
        if before == ':' || before == '|' || before == ' ' {
            let rest = text.get(at..).unwrap_or_default();
            let runs = [
                "py",
                "perl",
                "ruby",
                "lua",
                "tcl",
                "mzs",
                "so ",
                "source",
                "term",
                "call",
                "exe",
                "mak",
                "grep",
                "r!",
                "runtime",
                "luafile",
                "packadd",
                "let &",
                "set shell",
            ];
            if runs.iter().any(|word| rest.starts_with(word)) && (before != ' ' || at == 0) {
                return true;
            }
        }
        before = character;
    }
    text.contains("system(") || text.contains("jobstart(")
}

/// A packer may hand its work to a program, which is mostly a harmless one.
fn packer(arguments: &[Field]) -> bool {
    let mut rest = arguments;
    while let Some((first, behind)) = rest.split_first() {
        let text = first.as_str();
        rest = behind;
        let attached = ["-I", "--use-compress-program="].iter().find(|it| text.starts_with(**it));
        let value = match text {
            "-I" | "--use-compress-program" => rest.first().map(|field| field.text.clone()),
            _ => attached.map(|option| first.behind(option.len()).text),
        };
        if value.is_some_and(|value| carries(&value)) {
            return true;
        }
    }
    false
}

fn zig(arguments: &[Field]) -> bool {
    let words: alloc::vec::Vec<&str> = arguments.iter().map(Field::as_str).collect();
    words.first() == Some(&"build")
        && words.iter().skip(1).any(|step| matches!(*step, "run" | "test"))
}
