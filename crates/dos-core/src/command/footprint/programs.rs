//! Programs that write files: which of their arguments those are.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::program::unversioned;
use super::super::run::Invocation;
use super::super::scripts;
use super::super::text::Field;
use super::options::Parsed;
use super::{FILE, INSIDE, Manner, Scene, TREE, find, git, transfer};

/// Notes what a program writes. False if it is none that is known here.
pub(super) fn writes<'f>(scene: &mut Scene<'f>, name: &str, invocation: &'f Invocation) -> bool {
    let arguments = invocation.arguments.as_slice();
    let bare = match name.strip_prefix('g') {
        // The names of the GNU programs beside others.
        Some(rest) if GNU.contains(&rest) => rest,
        _ => name,
    };
    match bare {
        "tee" => {
            let parsed = Parsed::new(arguments, "output-error");
            scene.write_all(&parsed.operands, FILE, name);
        }
        "cp" | "mv" | "ln" | "install" => copies(scene, bare, arguments),
        "rm" | "unlink" | "shred" | "rmdir" | "mkdir" | "touch" | "mkfifo" | "mknod"
        | "truncate" | "sponge" | "ed" | "red" => {
            operands(scene, bare, arguments);
        }
        "chmod" | "chown" | "chgrp" | "setfacl" | "chattr" => changes(scene, bare, arguments),
        "sed" => sed(scene, arguments),
        "mount" | "umount" => {
            let parsed = Parsed::new(arguments, "o t L U O N options types");
            scene.write_all(parsed.operands.last(), FILE, name);
            if let [leads, name_of] = parsed.operands.as_slice() {
                scene.link(name_of.as_str(), leads.as_str(), invocation.span);
            }
        }
        "dd" => {
            for field in arguments.iter().filter(|field| field.as_str().starts_with("of=")) {
                scene.write(&field.behind("of=".len()), FILE, name);
            }
        }
        "patch" => patch(scene, invocation),
        "apply_patch" | "applypatch" => {
            let given = arguments.iter().map(|field| &field.text).chain(scene.input(invocation));
            for patch in given {
                scene.patched(patch, None, name, invocation.span);
            }
        }
        "awk" | "gawk" | "mawk" | "nawk" | "original-awk" => {
            awk(scene, arguments);
            // Its code may run more.
            return false;
        }
        "link" => {
            scene.write_all(arguments.get(1), FILE, name);
            if let [leads, name_of] = arguments {
                hard_link(scene, leads, name_of.as_str());
            }
        }
        "script" => {
            let parsed =
                Parsed::in_order(arguments, "c I O B T m o E command log-io log-out log-timing");
            let own = Field::known("typescript", invocation.span);
            scene.write(parsed.operands.first().unwrap_or(&own), FILE, name);
            scene.write_all(parsed.values("B O T log-io log-out log-timing"), FILE, name);
        }
        "time" | "gtime" | "strace" | "ltrace" => {
            let valued = match bare.ends_with("time") {
                true => "f o format output",
                false => "a b e E I n o O p P s S u U X output attach string-limit trace",
            };
            scene.write_all(Parsed::in_order(arguments, valued).value("o output"), FILE, name);
            return false;
        }
        _ if COMPILERS.contains(&unversioned(bare)) => {
            let mut rest = arguments.iter();
            while let Some(field) = rest.next() {
                match field.as_str().strip_prefix("-o") {
                    Some("") => scene.write_all(rest.next(), FILE, name),
                    Some(_) => scene.write(&field.behind(2), FILE, name),
                    None => {}
                }
            }
            return false;
        }
        "rsync" => transfer::rsync(scene, arguments),
        "scp" => transfer::scp(scene, arguments),
        "tar" | "bsdtar" => transfer::tar(scene, arguments),
        "unzip" => transfer::unzip(scene, arguments),
        "zip" => {
            let parsed = Parsed::new(arguments, "x i b t n P exclude include temp-path");
            scene.write_all(parsed.operands.first(), FILE, name);
        }
        "gzip" | "gunzip" | "bzip2" | "bunzip2" | "xz" | "unxz" | "zstd" | "unzstd" | "lz4" => {
            transfer::compress(scene, name, arguments);
        }
        "curl" => transfer::curl(scene, arguments),
        "wget" => transfer::wget(scene, arguments),
        "sort" => {
            let parsed = Parsed::new(arguments, "o k t S T output key field-separator");
            scene.write_all(parsed.value("o output"), FILE, name);
        }
        "split" | "csplit" => transfer::split(scene, bare, arguments),
        "find" => find::find(scene, invocation),
        "git" => git::git(scene, invocation),
        "gh" => gh(scene, invocation),
        "perl" | "ruby" if in_place(arguments) => {
            let parsed = Parsed::in_order(arguments, "e E I M m r x C");
            let skip = usize::from(!parsed.has("e E"));
            scene.write_all(parsed.operands.iter().skip(skip), FILE, name);
            // Its code may write more.
            return false;
        }
        _ => return false,
    }
    true
}

/// Programs that write what `-o` names, beside it or attached to it.
const COMPILERS: [&str; 13] = [
    "as", "c++", "cc", "clang", "clang++", "g++", "gcc", "gfortran", "ghc", "ld", "nasm", "rustc",
    "tcc",
];

const GNU: [&str; 15] = [
    "tee", "cp", "mv", "ln", "install", "rm", "rmdir", "mkdir", "touch", "chmod", "sed", "dd",
    "tar", "truncate", "sort",
];

fn in_place(arguments: &[Field]) -> bool {
    let short = |field: &Field| {
        let text = field.as_str();
        // In `-pi.bak -e code` letters before the `i` take no value.
        text.starts_with('-')
            && text
                .trim_start_matches(['-', 'p', 'n', 'l', 'a', 'w', '0', '7', 's'])
                .starts_with('i')
    };
    arguments.iter().take_while(|field| field.as_str().starts_with('-')).any(short)
}

fn copies(scene: &mut Scene<'_>, name: &str, arguments: &[Field]) {
    let valued = "t S g o m suffix target-directory group owner mode strip-program";
    let parsed = Parsed::new(arguments, valued);
    let moves = name == "mv";
    let recursive = moves || (name == "cp" && parsed.has("r R a recursive archive"));
    if name == "install" && parsed.has("d directory") {
        return scene.write_all(&parsed.operands, FILE, name);
    }
    let folder = parsed.value("t target-directory");
    let (sources, target) = match (folder, parsed.operands.split_last()) {
        (Some(folder), _) => (parsed.operands.as_slice(), Some(folder)),
        (None, Some((target, sources))) if !sources.is_empty() => (sources, Some(target)),
        // `ln -s target` makes a link in this folder.
        (None, Some((source, _))) if name == "ln" => {
            let span = source.span;
            let here = Field::known(".", span);
            return scene.put(core::slice::from_ref(source), &here, true, false, name);
        }
        _ => (parsed.operands.as_slice(), None),
    };
    if moves {
        scene.write_all(sources, TREE, name);
    }
    let hard = match name {
        "ln" => !parsed.has("s symbolic"),
        _ => name == "cp" && parsed.has("l link"),
    };
    let links = hard || name == "ln";
    if let Some(target) = target {
        let exact = parsed.has("T no-target-directory");
        let inside = folder.is_some() || sources.len() > 1;
        match exact {
            // What is in the one folder is put into the other.
            true if recursive && !moves => {
                let names = [String::from("*")];
                scene.write(target, Manner { names: &names, inside: false, recursive }, name);
            }
            true => scene.put(&[], target, false, recursive, name),
            false => scene.put(sources, target, inside, recursive, name),
        }
        for source in sources.iter().filter(|_| links) {
            linked(scene, source, target, hard);
        }
        let settled = sources.iter().all(|field| field.text.settled());
        if inside && !settled {
            scene.unknown(&format!("names of what {name} writes"), target.span);
        }
    }
}

/// Remembers what `ln source target` makes: the target, or what is named like the source in it.
fn linked(scene: &mut Scene<'_>, source: &Field, target: &Field, hard: bool) {
    if hard {
        scene.write(source, FILE, "link");
    }
    let (Some(leads), Some(target)) = (source.settled(), target.settled()) else {
        return;
    };
    let target = target.trim_end_matches('/');
    let within = super::base_name(source).map(|name| format!("{target}/{name}"));
    for name in within.into_iter().chain([target.into()]) {
        match name.rfind('/').filter(|_| !hard && !leads.starts_with(['/', '~'])) {
            Some(end) => {
                let folder = name.get(..end).unwrap_or_default();
                scene.link(&name, &format!("{folder}/{leads}"), source.span);
            }
            None => scene.link(&name, leads, source.span),
        }
    }
}

fn operands(scene: &mut Scene<'_>, name: &str, arguments: &[Field]) {
    let valued = match name {
        "touch" => "d r t date reference time",
        "truncate" => "s r size reference",
        "mkdir" | "mkfifo" | "mknod" => "m mode",
        "ed" | "red" => "p prompt",
        "shred" => "n s iterations size random-source",
        _ => "",
    };
    let parsed = Parsed::new(arguments, valued);
    let recursive = name == "rm" && parsed.has("r R recursive");
    scene.write_all(&parsed.operands, if recursive { TREE } else { FILE }, name);
}

fn changes(scene: &mut Scene<'_>, name: &str, arguments: &[Field]) {
    let valued = match name {
        "setfacl" => "m x M X set modify remove",
        _ => "reference from",
    };
    let parsed = Parsed::new(arguments, valued);
    // A mode such as `-x` looks like an option.
    let modes = if name == "chmod" { "r w x X s t" } else { "m x M X set modify remove" };
    let given = parsed.has("reference") || parsed.has(modes);
    let skip = usize::from(!given);
    let recursive = parsed.has("R recursive");
    let manner = if recursive { TREE } else { FILE };
    let mode = arguments.iter().map(Field::as_str).find(|word| is_mode(word));
    // A folder that its owner may use as before is as open as it was.
    let how = match name == "chmod" && !recursive && !parsed.has("reference") {
        true if mode.is_some_and(leaves_open) => "chmod to open",
        _ => name,
    };
    scene.write_all(parsed.operands.iter().skip(skip), manner, how);
}

/// Is the word a mode, and no option?
fn is_mode(word: &str) -> bool {
    !word.starts_with('-') || word.chars().nth(1).is_some_and(|it| "rwxXst".contains(it))
}

/// Does a mode leave its owner all that there is to be done with a folder?
fn leaves_open(mode: &str) -> bool {
    if !mode.is_empty() && mode.bytes().all(|byte| byte.is_ascii_digit()) {
        let digits = mode.trim_start_matches('0');
        return matches!(digits.len(), 3 | 4) && digits.bytes().rev().nth(2) == Some(b'7');
    }
    let clauses = mode.split(',').map(|clause| {
        let (who, rights) = clause.split_at_checked(clause.find(['+', '-', '='])?)?;
        let of_owner = who.is_empty() || who.contains(['u', 'a']);
        let signs = rights.bytes().filter(|byte| b"+-=".contains(byte)).count();
        let all = ['r', 'w', 'x'].iter().all(|right| rights.contains(*right));
        let open = rights.starts_with('+') || (rights.starts_with('=') && all);
        Some(who.chars().all(|it| "ugoa".contains(it)) && signs == 1 && (!of_owner || open))
    });
    clauses.into_iter().all(|open| open == Some(true))
}

fn sed(scene: &mut Scene<'_>, arguments: &[Field]) {
    let parsed = Parsed::new(arguments, "e f l expression file line-length");
    // Behind `-i` there may be a suffix, whose letters are no options.
    let in_place =
        parsed.has("i in-place") || arguments.iter().any(|field| field.as_str().starts_with("-i"));
    let script_given = parsed.has("e f expression file");
    let scripts: Vec<&Field> = match script_given {
        true => parsed.values("e expression").collect(),
        false => parsed.operands.first().into_iter().collect(),
    };
    for script in scripts {
        for path in scripts::sed(script.as_str()).writes {
            scene.write(&Field::known(&path, script.span), FILE, "sed");
        }
    }
    if in_place {
        scene.write_all(parsed.operands.iter().skip(usize::from(!script_given)), FILE, "sed -i");
    }
}

fn patch<'f>(scene: &mut Scene<'f>, invocation: &'f Invocation) {
    let valued = "p i d o r D F B V Y z strip input directory output reject-file fuzz";
    let parsed = Parsed::new(&invocation.arguments, valued);
    if parsed.has("dry-run C check help version v") {
        return;
    }
    if let Some(folder) = parsed.value("d directory") {
        scene.within(folder);
    }
    let strip = parsed.value("p strip").and_then(|parts| parts.as_str().parse().ok());
    match (parsed.value("o output"), parsed.operands.first(), scene.input(invocation)) {
        (Some(output), ..) => scene.write(output, FILE, "patch"),
        (None, Some(file), _) => scene.write(file, FILE, "patch"),
        // Without a number the names of folders are left out.
        (None, None, Some(body)) if parsed.value("i input").is_none() => {
            scene.patched(body, Some(strip.unwrap_or(usize::MAX)), "patch", invocation.span);
        }
        (None, None, _) => scene.unknown("files that a patch names", invocation.span),
    }
}

/// Notes the files that the script of awk writes, and those that it changes in place.
fn awk(scene: &mut Scene<'_>, arguments: &[Field]) {
    let valued = "F v f e i l assign field-separator file source include load";
    let parsed = Parsed::in_order(arguments, valued);
    let given = parsed.has("f file e source");
    let operand = parsed.operands.first().filter(|_| !given);
    for script in parsed.values("e source").chain(operand) {
        for path in scripts::awk(script.as_str()).writes {
            match path.as_str() {
                "" => scene.unknown("a path that awk writes", script.span),
                path => scene.write(&Field::known(path, script.span), FILE, "awk"),
            }
        }
    }
    if parsed.values("i include").any(|library| library.as_str() == "inplace") {
        scene.write_all(parsed.operands.iter().skip(usize::from(!given)), FILE, "awk");
    }
}

/// A second name for a file: what is written under it is written there.
fn hard_link(scene: &mut Scene<'_>, leads: &Field, name: &str) {
    scene.write(leads, FILE, "link");
    scene.link(name, leads.as_str(), leads.span);
}

fn gh(scene: &mut Scene<'_>, invocation: &Invocation) {
    let parsed = Parsed::new(&invocation.arguments, "R D O p dir output pattern repo");
    let words: Vec<&str> = parsed.operands.iter().map(Field::as_str).collect();
    match words.as_slice() {
        ["pr", "checkout", ..] | ["co", ..] => scene.checkout("gh pr checkout", invocation.span),
        ["repo", "sync", ..] => scene.checkout("gh repo sync", invocation.span),
        ["repo", "clone", ..] => {
            let folder = parsed.operands.get(3).cloned();
            let folder = folder.or_else(|| parsed.operands.get(2).and_then(transfer::name_of_url));
            scene.write_all(folder.as_ref(), TREE, "gh repo clone");
        }
        ["release" | "run", "download", ..] => match parsed.value("O output") {
            Some(output) => scene.write(output, FILE, "gh"),
            None => {
                let here = Field::known(".", invocation.span);
                let folder = parsed.value("D dir").unwrap_or(&here);
                scene.write(folder, INSIDE, "gh");
            }
        },
        _ => {}
    }
}
