//! What a command would write, told from its text.
//!
//! Start with [`footprint`]. A [`Write`] names a path that the command writes if it gets there; what
//! cannot be told is an [`Unknown`], which is never a proof of anything. Reads leave no trace here.

mod find;
mod git;
mod near;
mod options;
mod programs;
mod transfer;

use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::capability::{ExecPolicy, Profile, granted};
use super::program::{Program, bare};
use super::run::{Invocation, Role, run};
use super::shell::Directory;
use super::syntax::Span;
use super::text::{Field, Text};
use super::{interpreter, patch, wrapper};
use near::Step;

/// What a command would touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Paths that it writes, creates, removes or changes.
    pub writes: Vec<Write>,
    /// What it does to a whole checkout.
    pub checkout_ops: Vec<CheckoutOp>,
    /// Where the text does not say what is written.
    pub unknown: Vec<Unknown>,
}

/// A path that is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The path as the program gets it, without quotes. `~` at its start is the home folder.
    pub path: String,
    /// Where a relative path starts, from where the command starts: what `cd` and `git -C` say.
    /// Empty where nothing does.
    pub directory: String,
    /// Does it depend on something that the text does not settle where the path lies, as behind
    /// `cd "$x"` or in another root? Then it proves nothing.
    pub doubtful: bool,
    /// What is written in the path if it is a folder, as by `cp a b folder`. Empty where a folder of
    /// this name would be no target.
    pub names: Vec<String>,
    /// Is the path a folder for sure, so that only what is inside is written? Without `names`, what
    /// that is is not told.
    pub inside: bool,
    /// Is all that is below written too, as by `rm -r`?
    pub recursive: bool,
    /// Has the path wildcards that the shell expands?
    pub pattern: bool,
    /// Paths that are left out of that, from where the command starts.
    pub spares: Vec<String>,
    /// Is it a path only where there is something of that name, as in `git checkout name path`?
    pub if_there: bool,
    /// How it is written: "redirection", or the program.
    pub how: String,
    /// Where the path stands in the command.
    pub span: Span,
}

impl Write {
    /// The path from where the command starts: absolute, or relative to that.
    pub fn full_path(&self) -> String {
        let directory = Directory { path: self.directory.clone(), ..Directory::default() };
        directory.join(&self.path, false).path
    }
}

/// An operation that may change any file of a checkout, such as `git reset --hard`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckoutOp {
    /// Its name, such as `git checkout` or `git add -A`.
    pub name: String,
    /// The folder that it runs in, as in [`Write::directory`].
    pub directory: String,
    /// As in [`Write::doubtful`].
    pub doubtful: bool,
    /// Does it take all there is in the checkout, so that nothing of it is left as it was?
    pub sweeps: bool,
    /// What of that is left out, as in [`Write::spares`].
    pub spares: Vec<String>,
    /// What it writes instead, where there is such a path: `git checkout name`.
    pub or_path: Option<Write>,
    /// Where it stands.
    pub span: Span,
}

/// Something that may write, and the text does not say what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// What it is: a program that runs code, a path with a variable, a text that is no shell.
    pub what: String,
    /// Is it code, whose words are names of files only where they look like them?
    pub code: bool,
    /// The texts that it may take names of files from: what it is handed, and what is piped to it as
    /// names.
    pub near: Arc<[String]>,
    /// The folder that these start from, as in [`Write::directory`].
    pub directory: String,
    /// Where it stands.
    pub span: Span,
}

/// What a command would write. Pure: no file is looked at.
pub fn footprint(text: &str) -> Footprint {
    let run = run(text);
    let mut found = Footprint::default();
    let mut links = Vec::new();
    let mut step = Step::default();
    for (at, invocation) in run.invocations.iter().enumerate() {
        let known = found.unknown.len();
        let directory = Rc::clone(&invocation.directory);
        let before = run.invocations.get(..at).unwrap_or_default();
        let mut scene = Scene { directory, found: &mut found, links: &mut links, before };
        scene.redirections(invocation);
        let by_redirection = scene.found.unknown.len();
        scene.program(invocation);
        if found.unknown.len() > known {
            if step.number != Some(invocation.step) {
                step = Step::of(invocation.step, &run.invocations);
            }
            let near = step.near(invocation);
            let unknown = found.unknown.iter_mut().skip(by_redirection);
            unknown.for_each(|unknown| unknown.near = Arc::clone(&near));
        }
    }
    if let Some(error) = run.refused {
        let span = Span { start: error.at, end: text.len().min(error.at + 1) };
        let rest = text.get(run.read..).unwrap_or(text);
        found.unknown.push(Unknown {
            what: format!("text that is no shell: {error}"),
            code: false,
            near: Arc::from([rest.to_string()]),
            directory: String::new(),
            span,
        });
    }
    found
}

/// Most names that a command makes which are followed.
const LINKS_MAX: usize = 64;
/// Where so many places are written, names that lead elsewhere are followed no more.
const WRITES_MAX: usize = 4096;

/// What a program writes, while it is found out.
struct Scene<'f> {
    directory: Rc<Directory>,
    found: &'f mut Footprint,
    /// Names that the command made, and where they lead.
    links: &'f mut Vec<(String, String)>,
    /// The commands before it.
    before: &'f [Invocation],
}

/// How a path is written, where it is not as one file.
#[derive(Clone, Copy, Default)]
struct Manner<'n> {
    names: &'n [String],
    inside: bool,
    recursive: bool,
}

/// One file.
const FILE: Manner<'static> = Manner { names: &[], inside: false, recursive: false };
/// A path and all below it.
const TREE: Manner<'static> = Manner { names: &[], inside: false, recursive: true };
/// Something in a folder, nobody says what.
const INSIDE: Manner<'static> = Manner { names: &[], inside: true, recursive: true };

impl<'f> Scene<'f> {
    /// The text on the standard input of a command: its own, or that of the `cat` before it in its
    /// pipeline.
    fn input(&self, invocation: &'f Invocation) -> Option<&'f Text> {
        if invocation.redirections.iter().any(|it| it.operator.starts_with('<')) {
            return invocation.body();
        }
        let mut before = self.before.iter().rev().take_while(|it| it.step == invocation.step);
        let source = before.find(|it| it.role == Role::Program && it.path != "cd")?;
        let redirected = source.redirections.iter().any(|it| it.operator.contains('>'));
        let is_cat = source.path == "cat" && source.arguments.iter().all(git::is_input);
        let is_cat = is_cat && !redirected;
        source.body().filter(|_| is_cat)
    }

    fn redirections(&mut self, invocation: &Invocation) {
        for redirection in &invocation.redirections {
            let target = &redirection.target;
            let duplicates = target.as_str() == "-"
                || (!target.as_str().is_empty()
                    && target.as_str().bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'));
            match redirection.operator {
                ">" | ">>" | ">|" | "&>" | "&>>" | "<>" => self.write(target, FILE, "redirection"),
                ">&" if !duplicates => self.write(target, FILE, "redirection"),
                _ => {}
            }
        }
    }

    fn program(&mut self, invocation: &'f Invocation) {
        let name = match (&invocation.program, invocation.role) {
            (None, _) | (_, Role::Function) => return,
            (Some(Program::Named(name)), _) => bare(name),
            (Some(_), _) => {
                return self.unknown("a program that the text does not name", invocation.span);
            }
        };
        if programs::writes(self, name, invocation) {
            return;
        }
        let body = invocation.body();
        let followed = invocation.role == Role::Wrapper
            || name == "eval"
            || interpreter::script(name, &invocation.arguments, body).is_some()
            || (matches!(name, "exec" | "xargs" | "gxargs")
                && !wrapper::inner(name, &invocation.arguments).is_empty())
            || (name == "exec" && invocation.arguments.is_empty());
        let policy = ExecPolicy { profile: Profile::Extended, extra: Vec::new() };
        if !followed && granted(invocation, &policy).is_some() {
            self.unknown(&format!("code that {name} runs"), invocation.span);
            self.found.unknown.iter_mut().last().into_iter().for_each(|last| last.code = true);
        }
    }

    fn unknown(&mut self, what: &str, span: Span) {
        let what = what.to_string();
        let (near, directory) = (Arc::default(), self.directory.path.clone());
        self.found.unknown.push(Unknown { what, code: false, near, directory, span });
    }

    fn checkout(&mut self, name: &str, span: Span) {
        self.found.checkout_ops.push(CheckoutOp {
            name: name.to_string(),
            directory: self.directory.path.clone(),
            doubtful: self.directory.doubtful || self.directory.elsewhere,
            sweeps: false,
            spares: Vec::new(),
            or_path: None,
            span,
        });
    }

    /// An operation that takes all there is in the checkout but what it is told to leave out.
    fn sweep(&mut self, name: &str, spares: &[String], span: Span) {
        self.checkout(name, span);
        self.found.checkout_ops.iter_mut().last().into_iter().for_each(|last| {
            last.sweeps = true;
            last.spares = spares.to_vec();
        });
    }

    /// An operation on the whole checkout, if what it names is no path.
    fn checkout_or_path(&mut self, name: &str, field: &Field, span: Span) {
        let before = self.found.writes.len();
        if field.text.settled() {
            self.write(field, TREE, name);
        }
        let or_path = self.found.writes.drain(before..).next();
        self.checkout(name, span);
        self.found.checkout_ops.iter_mut().last().into_iter().for_each(|last| {
            last.or_path.clone_from(&or_path);
        });
    }

    /// Notes a path that is written.
    fn write(&mut self, field: &Field, manner: Manner<'_>, how: &str) {
        let text = field.as_str();
        if matches!(text, "/dev/null" | "/dev/stdout" | "/dev/stderr" | "/dev/tty" | "-")
            || text.starts_with("/dev/fd/")
            || (text.is_empty() && field.text.settled())
        {
            return;
        }
        if !field.text.settled() {
            let what = match text.is_empty() {
                true => format!("a path that {how} writes"),
                false => {
                    format!("a path that {how} writes, {text:?} and something that is not settled")
                }
            };
            return self.unknown(&what, field.span);
        }
        // In quotes, a `~` is the start of a name.
        let path = match text.strip_prefix('~') {
            Some(_) if !field.tilde => format!("./{text}"),
            // Where the shell is.
            Some(rest) if rest == "+" || rest.starts_with("+/") => {
                format!(".{}", rest.trim_start_matches('+'))
            }
            _ => text.to_string(),
        };
        let anchored = path.starts_with(['/', '~']);
        let doubtful = self.directory.elsewhere || (self.directory.doubtful && !anchored);
        self.found.writes.push(Write {
            path,
            directory: self.directory.path.clone(),
            doubtful,
            names: manner.names.to_vec(),
            inside: manner.inside || text.ends_with('/'),
            recursive: manner.recursive,
            pattern: field.pattern,
            spares: Vec::new(),
            if_there: false,
            how: how.to_string(),
            span: field.span,
        });
        self.follow_links();
    }

    /// Notes where the last write leads through names that the command itself made.
    fn follow_links(&mut self) {
        let Some(write) = self.found.writes.last().filter(|_| !self.links.is_empty()).cloned()
        else {
            return;
        };
        let full = write.full_path();
        let behind = |name: &str| {
            let rest = plain(&full).strip_prefix(plain(name))?;
            (rest.is_empty() || rest.starts_with('/')).then(|| rest.to_string())
        };
        for (name, leads) in self.links.iter() {
            if self.found.writes.len() >= WRITES_MAX {
                return self.unknown("more places than are told apart", write.span);
            }
            if let Some(rest) = behind(name) {
                let (path, directory) = (format!("{leads}{rest}"), String::new());
                self.found.writes.push(Write { path, directory, ..write.clone() });
            }
        }
    }

    /// Remembers a name that leads elsewhere, both from where the command starts.
    fn link(&mut self, name: &str, leads: &str, span: Span) {
        let full = |path: &str| self.directory.join(path, false).path;
        let pair = (full(name), full(leads));
        match self.links.len() < LINKS_MAX {
            _ if self.links.contains(&pair) => {}
            true => self.links.push(pair),
            false => self.unknown("more names that lead elsewhere than are followed", span),
        }
    }

    fn write_all<'a>(
        &mut self,
        fields: impl IntoIterator<Item = &'a Field>,
        manner: Manner<'_>,
        how: &str,
    ) {
        fields.into_iter().for_each(|field| self.write(field, manner, how));
    }

    /// Notes the files that a patch names.
    fn patched(&mut self, patch: &Text, strip: Option<usize>, how: &str, span: Span) {
        let files = patch::files(&patch.text, strip);
        if files.is_empty() || !patch.settled() {
            self.unknown("files that a patch names", span);
        }
        for file in files {
            self.write(&Field::known(&file, span), FILE, how);
        }
    }

    /// What is put into a file or, under its own name, into a folder.
    fn put(&mut self, sources: &[Field], target: &Field, inside: bool, recursive: bool, how: &str) {
        let mut names: Vec<String> = sources.iter().filter_map(base_name).collect();
        if names.len() < sources.len() {
            // Something is put there: what is not settled, or what is in `from/.`.
            names.push("*".to_string());
        }
        self.write(target, Manner { names: &names, inside, recursive }, how);
    }

    /// Goes to a folder, for this program alone.
    fn within(&mut self, folder: &Field) {
        let doubtful = !folder.text.settled() || folder.pattern;
        self.directory = Rc::new(self.directory.join(folder.as_str(), doubtful));
    }
}

/// A path without the dot that it may start with.
fn plain(path: &str) -> &str {
    path.strip_prefix("./").unwrap_or(path).trim_end_matches('/')
}

/// The last part of a path; nothing where it is not settled.
fn base_name(field: &Field) -> Option<String> {
    let text = field.settled()?.trim_end_matches('/');
    let name = text.rsplit('/').next()?;
    // What a pattern names is told by its last part as a pattern.
    (!matches!(name, "" | "." | "..")).then(|| name.to_string())
}
