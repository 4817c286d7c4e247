//! Git: the paths that it writes, and what it does to a whole checkout.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::super::run::Invocation;
use super::super::syntax::Span;
use super::super::text::{Field, TOP};
use super::options::Parsed;
use super::{FILE, INSIDE, Scene, TREE};

/// Notes what a call of git writes.
pub(super) fn git<'f>(scene: &mut Scene<'f>, invocation: &'f Invocation) {
    let (arguments, span) = (invocation.arguments.as_slice(), invocation.span);
    let valued = "C c git-dir work-tree namespace exec-path super-prefix config-env";
    let own = Parsed::in_order(arguments, valued);
    let folders: Vec<Field> = own.values("C").cloned().collect();
    folders.iter().for_each(|folder| scene.within(folder));
    // Paths start at the top of the tree that is named, for whoever is not in it.
    let variable = || {
        let mut set = invocation.environment.iter().rev();
        let (_, text) = set.find(|(name, _)| name == "GIT_WORK_TREE")?;
        Some(Field { text: text.clone(), span, ..Field::default() })
    };
    if let Some(tree) = own.value("work-tree").cloned().or_else(variable) {
        scene.within(&tree);
    }
    let Some((verb, rest)) = own.operands.split_first() else {
        return;
    };
    if rest.iter().any(|field| matches!(field.as_str(), "-h" | "--help")) {
        return;
    }
    match verb.as_str() {
        "checkout" => checkout(scene, rest, span),
        "switch" => switch(scene, rest, span),
        "restore" => restore(scene, rest, span),
        "reset" => reset(scene, rest, span),
        "stash" => stash(scene, rest, span),
        "clean" => clean(scene, rest, span),
        "apply" => {
            let parsed = Parsed::new(rest, "p C exclude include directory");
            let looks = parsed.has("check stat numstat summary") && !parsed.has("apply");
            let body = scene.input(invocation).filter(|_| parsed.operands.iter().all(is_input));
            match body {
                _ if looks || parsed.has("cached build-fake-ancestor") => {}
                Some(body) => {
                    let strip = parsed.value("p").and_then(|parts| parts.as_str().parse().ok());
                    if let Some(folder) = parsed.value("directory") {
                        scene.within(folder);
                    }
                    scene.patched(body, Some(strip.unwrap_or(1)), "git apply", span);
                }
                None => scene.checkout("git apply", span),
            }
        }
        "merge" | "rebase" | "cherry-pick" | "revert" | "am" => {
            let parsed = Parsed::new(rest, "m s X S onto strategy strategy-option exec x F");
            if !parsed.has("quit show-current-patch edit-todo") {
                scene.checkout(name(verb.as_str()), span);
            }
        }
        "pull" if Parsed::new(rest, "s X").has("dry-run") => {}
        "pull" => scene.checkout("git pull", span),
        "bisect" => {
            let first = rest.first().map(Field::as_str).unwrap_or_default();
            if !matches!(first, "" | "log" | "view" | "visualize" | "terms" | "help") {
                scene.checkout("git bisect", span);
            }
        }
        "read-tree" if Parsed::new(rest, "").has("u") => scene.checkout("git read-tree -u", span),
        "checkout-index" => scene.checkout("git checkout-index", span),
        "filter-branch" => scene.checkout("git filter-branch", span),
        "sparse-checkout" if rest.first().is_some_and(|it| it.as_str() != "list") => {
            scene.checkout("git sparse-checkout", span);
        }
        "subtree" => scene.checkout("git subtree", span),
        "submodule" => {
            let first = rest.iter().find(|it| !it.as_str().starts_with('-'));
            if first.is_some_and(|it| matches!(it.as_str(), "update" | "add" | "deinit" | "sync")) {
                scene.checkout("git submodule", span);
            }
        }
        "lfs" if rest.first().is_some_and(|it| matches!(it.as_str(), "pull" | "checkout")) => {
            scene.checkout("git lfs", span);
        }
        "add" | "stage" => add(scene, rest, span),
        "commit" => commit(scene, rest, span),
        "mv" => {
            let parsed = Parsed::new(rest, "");
            if let Some((target, sources)) = parsed.operands.split_last()
                && !parsed.has("n dry-run")
            {
                scene.write_all(sources, TREE, "git mv");
                scene.put(sources, target, sources.len() > 1, true, "git mv");
            }
        }
        "rm" => {
            let parsed = Parsed::new(rest, "pathspec-from-file");
            if !parsed.has("cached n dry-run") {
                Paths::of(scene, &parsed.operands, "git rm", span).written(scene, "git rm");
            }
        }
        "clone" => {
            let valued = "b o u c j depth branch origin config reference separate-git-dir filter \
                          template upload-pack jobs shallow-since shallow-exclude server-option";
            let parsed = Parsed::new(rest, valued);
            match (parsed.operands.get(1), parsed.operands.first()) {
                (Some(folder), _) => scene.write(folder, TREE, "git clone"),
                (None, Some(url)) => match name_of_repository(url) {
                    Some(folder) => scene.write(&folder, TREE, "git clone"),
                    None => scene.unknown("a folder that git clone names", url.span),
                },
                (None, None) => {}
            }
        }
        "worktree" => worktree(scene, rest),
        "init" => {
            scene.write_all(Parsed::new(rest, "b template").operands.first(), FILE, "git init")
        }
        "archive" => {
            let parsed = Parsed::new(rest, "o output format prefix remote exec");
            scene.write_all(parsed.value("o output"), FILE, "git archive");
        }
        "bundle" if rest.first().is_some_and(|it| it.as_str() == "create") => {
            scene.write_all(Parsed::new(rest, "").operands.get(1), FILE, "git bundle");
        }
        "format-patch" => {
            let parsed = Parsed::new(rest, "o output-directory v subject-prefix in-reply-to");
            let here = Field::known(".", verb.span);
            if !parsed.has("stdout") {
                let folder = parsed.value("o output-directory").unwrap_or(&here);
                scene.write(
                    folder,
                    super::Manner { recursive: false, ..INSIDE },
                    "git format-patch",
                );
            }
        }
        "diff" | "log" | "show" => {
            let parsed = Parsed::new(rest, "output");
            scene.write_all(parsed.value("output"), FILE, "git");
        }
        _ => {}
    }
}

fn name(verb: &str) -> &'static str {
    match verb {
        "merge" => "git merge",
        "rebase" => "git rebase",
        "cherry-pick" => "git cherry-pick",
        "revert" => "git revert",
        _ => "git am",
    }
}

/// Does an operand stand for the standard input?
pub(super) fn is_input(field: &Field) -> bool {
    field.as_str() == "-"
}

/// Does a pathspec name everything?
fn is_all(field: &Field) -> bool {
    matches!(field.as_str(), "." | "./" | ":/" | ":/." | "*" | ":(top)" | ":")
}

/// What git is told to take, and what to leave out.
struct Paths {
    taken: Vec<Field>,
    spares: Vec<String>,
}

impl Paths {
    /// Where all of them only leave something out, git takes the rest of what lies here, or for most of
    /// its verbs of the checkout.
    fn of(scene: &Scene<'_>, paths: &[Field], how: &str, span: Span) -> Self {
        let spares = paths.iter().filter_map(left_out).flatten();
        let spares = spares.map(|path| scene.directory.join(&path, false).path).collect();
        let mut taken: Vec<Field> =
            paths.iter().filter(|field| left_out(field).is_none()).cloned().collect();
        if taken.is_empty() && !paths.is_empty() {
            let here = matches!(how, "git clean" | "git rm");
            taken.push(Field::known(if here { "." } else { ":/" }, span));
        }
        Self { taken, spares }
    }

    /// Notes them as paths.
    fn written(&self, scene: &mut Scene<'_>, how: &str) {
        let before = scene.found.writes.len();
        scene.write_all(&self.taken.iter().map(from_top).collect::<Vec<_>>(), TREE, how);
        let noted = scene.found.writes.iter_mut().skip(before);
        noted.for_each(|write| write.spares.clone_from(&self.spares));
    }
}

/// Does a pathspec leave something out, and if so, which path? Only a plain one is told: what else git
/// would leave out is taken for written.
fn left_out(field: &Field) -> Option<Option<String>> {
    let text = field.settled()?.strip_prefix(':')?;
    let (leaves_out, top, path) = match text.strip_prefix('(') {
        Some(long) => {
            let (magic, path) = long.split_once(')')?;
            let known = magic.split(',').all(|word| matches!(word, "exclude" | "top"));
            let has = |wanted: &str| magic.split(',').any(|word| word == wanted);
            (has("exclude"), has("top"), Some(path).filter(|_| known))
        }
        None => {
            let path = text.trim_start_matches(['!', '^', '/']);
            let magic = text.strip_suffix(path).unwrap_or_default();
            (magic.contains(['!', '^']), magic.contains('/'), Some(path))
        }
    };
    let from = |path: &str| if top { format!("{TOP}/{path}") } else { path.to_string() };
    leaves_out.then(|| path.filter(|path| is_plain(path)).map(from))
}

/// Is it a path that means itself, as a pathspec and as a rule of what git ignores?
fn is_plain(path: &str) -> bool {
    path.split('/').all(|part| !matches!(part, "" | "." | ".."))
        && !path.contains(['*', '?', '[', ']', '{', '}', '\\', '!', ':', '#', ' '])
}

/// Is it a path for sure, and no commit?
fn is_pathspec(field: &Field) -> bool {
    is_all(field) || left_out(field).is_some()
}

/// Paths that are written, or the whole checkout where they name it.
fn paths(scene: &mut Scene<'_>, paths: &[Field], how: &str, span: Span) {
    let paths = Paths::of(scene, paths, how, span);
    match paths.taken.iter().any(is_all) {
        true => {
            if paths.taken.iter().any(|field| field.as_str().starts_with(':')) {
                scene.within(&Field::known(TOP, span));
            }
            scene.sweep(how, &paths.spares, span);
        }
        false => paths.written(scene, how),
    }
}

/// A path, also where git is told to start at the top of the checkout.
fn from_top(field: &Field) -> Field {
    let rest = |start: &str| field.settled()?.strip_prefix(start);
    match rest(":/").or_else(|| rest(":(top)")) {
        Some(rest) => Field::known(&format!("{TOP}/{rest}"), field.span),
        None => field.clone(),
    }
}

fn checkout(scene: &mut Scene<'_>, rest: &[Field], span: Span) {
    let how = "git checkout";
    let parsed = Parsed::new(rest, "b B orphan conflict pathspec-from-file");
    let creates = parsed.has("b B orphan");
    match (parsed.before_dashes, parsed.operands.len()) {
        (Some(before), all) if all > before => {
            paths(scene, parsed.operands.get(before..).unwrap_or_default(), how, span);
        }
        // A new branch where we are changes no file.
        (_, 0) if creates => {}
        (_, 1) if creates && parsed.operands.iter().any(|it| it.as_str() == "HEAD") => {}
        (None, _) if parsed.operands.first().is_some_and(is_pathspec) => {
            paths(scene, &parsed.operands, how, span);
        }
        (None, count) if count > 1 && !creates => {
            // The first may be a commit.
            let before = scene.found.writes.len();
            scene.write_all(parsed.operands.first(), TREE, how);
            let noted = scene.found.writes.iter_mut().skip(before);
            noted.for_each(|write| write.if_there = true);
            paths(scene, parsed.operands.get(1..).unwrap_or_default(), how, span);
        }
        (_, 0)
            if !parsed.has("f force p patch m merge pathspec-from-file - ") && rest.is_empty() => {}
        (None, 1) if !creates => {
            let named = parsed.operands.iter().map(from_top);
            named.for_each(|named| scene.checkout_or_path(how, &named, span));
        }
        _ => scene.checkout(how, span),
    }
}

fn switch(scene: &mut Scene<'_>, rest: &[Field], span: Span) {
    let parsed = Parsed::new(rest, "c C create force-create orphan conflict");
    let creates = parsed.has("c C create force-create");
    let here = parsed.operands.first().is_none_or(|start| start.as_str() == "HEAD");
    let stays = rest.is_empty() || (creates && here);
    if !stays {
        scene.checkout("git switch", span);
    }
}

fn restore(scene: &mut Scene<'_>, rest: &[Field], span: Span) {
    let parsed = Parsed::new(rest, "s source conflict pathspec-from-file");
    let index_only = parsed.has("S staged") && !parsed.has("W worktree");
    if index_only {
        return;
    }
    match parsed.operands.is_empty() {
        true if rest.is_empty() => {}
        true => scene.checkout("git restore", span),
        false => paths(scene, &parsed.operands, "git restore", span),
    }
}

fn reset(scene: &mut Scene<'_>, rest: &[Field], span: Span) {
    let parsed = Parsed::new(rest, "pathspec-from-file U");
    if parsed.has("hard merge keep") {
        return scene.checkout("git reset --hard", span);
    }
    let of_paths = match parsed.before_dashes {
        Some(before) => parsed.operands.len() > before,
        None => parsed.operands.len() > 1 || parsed.operands.first().is_some_and(is_path),
    };
    if !of_paths && !parsed.has("p patch") {
        scene.checkout("git reset", span);
    }
}

/// Is the one operand of `git reset` rather a path than a commit?
fn is_path(field: &Field) -> bool {
    let text = field.as_str();
    let hash = text.len() >= 7 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let commit = text.starts_with("HEAD")
        || text.starts_with('@')
        || text.contains(['~', '^'])
        || text.starts_with("origin/")
        || matches!(text, "main" | "master" | "ORIG_HEAD" | "FETCH_HEAD")
        || hash
        || !field.text.settled();
    !commit && !is_all(field)
}

fn stash(scene: &mut Scene<'_>, rest: &[Field], span: Span) {
    let verb = rest.first().map(Field::as_str).unwrap_or_default();
    match verb {
        "list" | "show" | "drop" | "clear" | "create" | "store" => {}
        _ if matches!(verb, "push" | "save") || verb.starts_with('-') => {
            let named = usize::from(!verb.starts_with('-'));
            let rest = rest.get(named..).unwrap_or_default();
            let parsed = Parsed::new(rest, "m message pathspec-from-file");
            match parsed.operands.as_slice() {
                [] if takes_new(&parsed) => whole(scene, span),
                [] => scene.checkout("git stash", span),
                // What `save` is given is a message.
                _ if verb == "save" && takes_new(&parsed) => whole(scene, span),
                _ if verb == "save" => scene.checkout("git stash", span),
                operands => paths(scene, operands, "git stash", span),
            }
        }
        _ => scene.checkout("git stash", span),
    }
}

/// A stash takes what is in the whole checkout, wherever in it that is asked for.
fn whole(scene: &mut Scene<'_>, span: Span) {
    scene.within(&Field::known(TOP, span));
    scene.sweep("git stash", &[], span);
}

/// Does a stash take what is not committed yet?
fn takes_new(parsed: &Parsed) -> bool {
    parsed.has("a all u include-untracked")
}

/// What `git clean` is told to keep: names, which count here, and paths from the top.
fn kept(scene: &Scene<'_>, parsed: &Parsed) -> Vec<String> {
    let patterns: Option<Vec<&str>> = parsed.values("e exclude").map(Field::settled).collect();
    // A later one may take back what an earlier one keeps.
    let patterns = patterns.filter(|them| them.iter().all(|it| !it.starts_with('!')));
    let path = |pattern: &str| {
        let path = pattern.strip_prefix('/').unwrap_or(pattern);
        let from = if pattern.contains('/') { format!("{TOP}/{path}") } else { path.to_string() };
        is_plain(path).then(|| scene.directory.join(&from, false).path)
    };
    patterns.unwrap_or_default().into_iter().filter_map(path).collect()
}

fn clean(scene: &mut Scene<'_>, rest: &[Field], span: Span) {
    let parsed = Parsed::new(rest, "e exclude");
    if parsed.has("n dry-run") {
        return;
    }
    let spares = kept(scene, &parsed);
    let before = (scene.found.writes.len(), scene.found.checkout_ops.len());
    match parsed.operands.as_slice() {
        // What git is told to ignore goes too.
        [] if parsed.has("x X") => scene.sweep("git clean", &[], span),
        [] => scene.checkout("git clean", span),
        operands => paths(scene, operands, "git clean", span),
    }
    let writes = scene.found.writes.iter_mut().skip(before.0).map(|it| &mut it.spares);
    let sweeps = scene.found.checkout_ops.iter_mut().skip(before.1).map(|it| &mut it.spares);
    writes.chain(sweeps).for_each(|known| known.extend_from_slice(&spares));
}

fn add(scene: &mut Scene<'_>, rest: &[Field], span: Span) {
    let parsed = Parsed::new(rest, "chmod pathspec-from-file");
    let all = parsed.has("A all u update no-ignore-removal") && parsed.operands.is_empty();
    if (all || parsed.operands.iter().any(is_all)) && !parsed.has("n dry-run") {
        scene.checkout("git add -A", span);
    }
}

fn commit(scene: &mut Scene<'_>, rest: &[Field], span: Span) {
    let valued = "m F c C t author date message file reuse-message reedit-message template fixup \
                  squash cleanup trailer pathspec-from-file";
    let parsed = Parsed::new(rest, valued);
    if parsed.has("a all") && !parsed.has("dry-run") {
        scene.checkout("git commit -a", span);
    }
}

fn worktree(scene: &mut Scene<'_>, rest: &[Field]) {
    let parsed = Parsed::new(rest, "b B reason");
    let [verb, operands @ ..] = parsed.operands.as_slice() else {
        return;
    };
    match verb.as_str() {
        "add" | "remove" => scene.write_all(operands.first(), TREE, "git worktree"),
        "move" => scene.write_all(operands, TREE, "git worktree"),
        _ => {}
    }
}

/// The folder that a repository is cloned into.
fn name_of_repository(url: &Field) -> Option<Field> {
    let text = url.settled()?.trim_end_matches('/').trim_end_matches(".git");
    let name = text.rsplit(['/', ':']).next()?;
    (!name.is_empty()).then(|| Field::known(name, url.span))
}
