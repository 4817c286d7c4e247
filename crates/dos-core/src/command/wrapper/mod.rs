//! Programs that run another command: where it starts behind their options.

mod special;
mod table;

use alloc::vec::Vec;

use super::text::{Field, Text, joined};
use special::{
    found, of_callback, of_capsh, of_debugger, of_fd, of_ip, of_parallel, of_perf, of_setarch,
    of_sg, of_start_stop, of_su, of_trap, of_xargs,
};
use table::WRAPPERS;

/// A command inside another one.
#[derive(Clone, Debug)]
pub enum Inner {
    /// A program and its arguments.
    Words(Vec<Field>),
    /// A text for a shell.
    Script(Text),
}

/// What stands behind the options and operands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tail {
    /// A program and its arguments.
    Words,
    /// Words that are joined to a text for a shell.
    Joined,
    /// Texts for a shell, one a word.
    Each,
}

/// How a program is told what to run.
struct Wrapper {
    names: &'static str,
    /// Its options. One letter is a short one. `x=` takes a value and `x==` two; `x?` takes one only
    /// when it is attached; with `x!` nothing runs; `x$` takes a text for a shell; `x@` takes words
    /// in one text, with the rest behind them.
    options: &'static str,
    /// Operands before the command.
    operands: usize,
    /// May assignments stand before the command?
    assignments: bool,
    tail: Tail,
}

const fn words(names: &'static str, options: &'static str, operands: usize) -> Wrapper {
    Wrapper { names, options, operands, assignments: false, tail: Tail::Words }
}

const fn tail(names: &'static str, options: &'static str, operands: usize, tail: Tail) -> Wrapper {
    Wrapper { names, options, operands, assignments: false, tail }
}

/// The commands that a program runs, which it is told in its arguments. Nothing if it runs none.
pub fn inner(name: &str, arguments: &[Field]) -> Vec<Inner> {
    match name {
        "find" | "gfind" | "bfs" => return found(arguments),
        "capsh" => return of_capsh(arguments),
        "compgen" | "mapfile" | "readarray" => return of_callback(arguments),
        "fd" | "fdfind" => return of_fd(arguments),
        "su" | "runuser" => return of_su(name, arguments),
        "sg" => return of_sg(arguments),
        "parallel" | "sem" => return of_parallel(arguments),
        "ip" => return of_ip(arguments),
        "perf" => return of_perf(arguments),
        "setarch" => return of_setarch(arguments),
        "trap" => return of_trap(arguments),
        "gdb" | "cgdb" | "lldb" => return of_debugger(arguments),
        "xargs" | "gxargs" => return of_xargs(arguments),
        "start-stop-daemon" => return of_start_stop(arguments),
        "entr" if arguments.iter().any(|it| cluster_has(it, 's')) => {
            return shell_words(arguments.iter().filter(|it| !it.as_str().starts_with('-')));
        }
        "watch" if arguments.iter().any(|it| it.as_str() == "-x" || it.as_str() == "--exec") => {
            let inner = WRAPPERS.iter().find(|wrapper| wrapper.has("watch"));
            return inner.map(|it| it.read(arguments, Tail::Words)).unwrap_or_default();
        }
        _ => {}
    }
    // The loader has the name of its machine.
    let loader = name.contains(".so") && (name.starts_with("ld-") || name.starts_with("ld64."));
    let name = if loader { "ld.so" } else { name };
    match WRAPPERS.iter().find(|wrapper| wrapper.has(name)) {
        Some(wrapper) => wrapper.read(arguments, wrapper.tail),
        None => Vec::new(),
    }
}

/// Where a program runs its command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moves {
    /// Where it runs itself.
    Nowhere,
    /// Perhaps in another folder.
    Folder,
    /// Perhaps in another root.
    Root,
}

/// Where a program runs its command, by its arguments.
pub fn moves(name: &str, arguments: &[Field]) -> Moves {
    let starts = |prefixes: &[&str]| {
        let mut texts = arguments.iter().map(Field::as_str);
        texts.any(|text| prefixes.iter().any(|prefix| text.starts_with(prefix)))
    };
    let is = |words: &[&str]| arguments.iter().any(|field| words.contains(&field.as_str()));
    match name {
        "chroot" | "bwrap" | "nsenter" | "proot" | "firejail" | "capsh" | "fakechroot" => {
            Moves::Root
        }
        "unshare" if starts(&["-R", "--root"]) => Moves::Root,
        "sudo" if starts(&["-R", "--chroot"]) => Moves::Root,
        "env" | "genv" if starts(&["-C", "--chdir"]) => Moves::Folder,
        "env" | "genv" if arguments.iter().any(|field| cluster_has(field, 'C')) => Moves::Folder,
        "sudo" if starts(&["-D", "--chdir", "-i", "--login"]) => Moves::Folder,
        "su" | "runuser" if is(&["-", "-l", "--login"]) => Moves::Folder,
        "unshare" if starts(&["-w", "--wd"]) => Moves::Folder,
        "find" | "gfind" | "bfs" if is(&["-execdir", "-okdir"]) => Moves::Folder,
        "fd" | "fdfind" if starts(&["-C", "--base-directory"]) => Moves::Folder,
        "parallel" if starts(&["--wd", "--workdir", "-S", "--sshlogin"]) => Moves::Folder,
        "systemd-run" | "start-stop-daemon" | "daemonize" | "envdir" => Moves::Folder,
        _ => Moves::Nowhere,
    }
}

fn cluster_has(field: &Field, letter: char) -> bool {
    let text = field.as_str();
    text.starts_with('-') && !text.starts_with("--") && text.contains(letter)
}

/// Is an option known, and what does it take?
enum Known {
    Flag,
    Values(usize),
    Attached,
    Stops,
    Script,
    Split,
    Unknown,
}

impl Wrapper {
    fn has(&self, name: &str) -> bool {
        self.names.split(' ').any(|known| known == name)
    }

    fn option(&self, name: &str) -> Known {
        let mut longer = Known::Unknown;
        for option in self.options.split_ascii_whitespace() {
            let known = option.trim_end_matches(['=', '?', '!', '$', '@']);
            let exact = known == name;
            // Long options may be shortened.
            let shortened = name.len() > 2 && known.starts_with(name);
            if !(exact || shortened) {
                continue;
            }
            let marks = option.get(known.len()..).unwrap_or_default();
            let found = match marks.chars().next() {
                None => Known::Flag,
                Some('?') => Known::Attached,
                Some('!') => Known::Stops,
                Some('$') => Known::Script,
                Some('@') => Known::Split,
                Some(_) => Known::Values(marks.len()),
            };
            if exact {
                return found;
            }
            longer = found;
        }
        longer
    }

    /// Reads options and operands; what is behind them is the command.
    fn read(&self, arguments: &[Field], tail: Tail) -> Vec<Inner> {
        let mut found = Vec::new();
        let (mut doubt, mut scripted, mut ended) = (false, false, false);
        let mut operands = self.operands;
        let mut at = 0;
        while let Some(field) = arguments.get(at) {
            let text = field.as_str();
            let dashes = text.len() - text.trim_start_matches('-').len();
            at += 1;
            if text == "--" {
                ended = true;
            } else if ended || dashes == 0 || (text.len() == dashes && field.text.settled()) {
                let skipped = self.assignments && (text == "-" || is_assignment(text));
                if skipped {
                    continue;
                }
                if operands == 0 {
                    at -= 1;
                    break;
                }
                operands -= 1;
            } else {
                let rest = text.get(dashes..).unwrap_or_default();
                let next = arguments.get(at);
                let (taken, read) = match dashes > 1 || self.single_dash_words() {
                    true => self.long(rest, dashes, field, next),
                    false => self.short(rest, field, next),
                };
                at += taken;
                match read {
                    Read::Plain => {}
                    Read::Stops => return found,
                    Read::Doubt => doubt = true,
                    Read::Script(text) => {
                        scripted = true;
                        found.push(Inner::Script(text));
                    }
                    Read::Split(text) => {
                        let rest = arguments.get(at..).unwrap_or_default();
                        found.push(Inner::Words(split(&text, rest)));
                        return found;
                    }
                }
            }
        }
        if scripted && tail == Tail::Words {
            return found;
        }
        let rest = arguments.get(at..).unwrap_or_default();
        found.extend(command(rest, tail));
        if doubt {
            // An option that is not known may have taken the first word.
            found.extend(command(rest.get(1..).unwrap_or_default(), tail));
        }
        found
    }

    /// Programs whose long options have one dash.
    fn single_dash_words(&self) -> bool {
        self.has("winpty") || self.has("arch")
    }

    fn long(
        &self,
        rest: &str,
        dashes: usize,
        field: &Field,
        next: Option<&Field>,
    ) -> (usize, Read) {
        let (name, attached) = match rest.find('=') {
            Some(at) => (rest.get(..at).unwrap_or_default(), Some(dashes + at + 1)),
            None => (rest, None),
        };
        let value = |next: Option<&Field>| match attached {
            Some(start) => (0, field.behind(start).text),
            None => (1, next.map(|next| next.text.clone()).unwrap_or_default()),
        };
        match self.option(name) {
            Known::Flag | Known::Attached => (0, Read::Plain),
            Known::Values(_) if attached.is_some() => (0, Read::Plain),
            Known::Values(count) => (count, Read::Plain),
            Known::Stops => (0, Read::Stops),
            Known::Script => {
                let (taken, text) = value(next);
                (taken, Read::Script(text))
            }
            Known::Split => {
                let (taken, text) = value(next);
                (taken, Read::Split(text))
            }
            Known::Unknown => (0, if attached.is_some() { Read::Plain } else { Read::Doubt }),
        }
    }

    /// A cluster of letters, the last of which may take a value.
    fn short(&self, rest: &str, field: &Field, next: Option<&Field>) -> (usize, Read) {
        let mut buffer = [0; 4];
        let mut result = Read::Plain;
        for (index, letter) in rest.char_indices() {
            let behind = index + letter.len_utf8();
            let attached = behind < rest.len();
            let value = || match attached {
                true => (0, field.behind(behind + 1).text),
                false => (1, next.map(|next| next.text.clone()).unwrap_or_default()),
            };
            match self.option(letter.encode_utf8(&mut buffer)) {
                Known::Flag => {}
                Known::Attached => return (0, result),
                Known::Values(count) if attached => return (count - 1, result),
                Known::Values(count) => return (count, result),
                Known::Stops => return (0, Read::Stops),
                Known::Script => {
                    let (taken, text) = value();
                    return (taken, Read::Script(text));
                }
                Known::Split => {
                    let (taken, text) = value();
                    return (taken, Read::Split(text));
                }
                // `nice -5` and its like.
                Known::Unknown if letter.is_ascii_digit() => return (0, result),
                Known::Unknown => result = if attached { Read::Plain } else { Read::Doubt },
            }
        }
        (0, result)
    }
}

/// What an option was.
enum Read {
    Plain,
    Stops,
    /// It is not known, and may take the next word.
    Doubt,
    Script(Text),
    Split(Text),
}

fn command(rest: &[Field], tail: Tail) -> Vec<Inner> {
    match (tail, rest.is_empty()) {
        (_, true) => Vec::new(),
        (Tail::Words, _) => Vec::from([Inner::Words(rest.to_vec())]),
        (Tail::Joined, _) => Vec::from([Inner::Script(joined(rest))]),
        (Tail::Each, _) => rest.iter().map(|field| Inner::Script(field.text.clone())).collect(),
    }
}

/// Is it `name=value`, as `env` reads it?
pub(super) fn is_assignment(text: &str) -> bool {
    text.find('=').is_some_and(|at| at > 0)
}

/// What `env -S` makes of a text, with the rest behind it.
fn split(text: &Text, rest: &[Field]) -> Vec<Field> {
    let mut fields: Vec<Field> = Vec::from([Field {
        text: Text::known("env", text.places.first().map_or(0, |(_, outer)| *outer)),
        ..Field::default()
    }]);
    let mut start = 0;
    let mut quote = None;
    let mut current: Option<Text> = None;
    let bytes = text.text.as_bytes();
    // A variable, which `env` looks up itself.
    let variable = |at: usize| {
        let rest = text.text.get(at..)?.strip_prefix("${")?;
        Some(at + 2 + rest.find('}')? + 1)
    };
    while start < bytes.len() {
        let at = start;
        let byte = bytes.get(at).copied().unwrap_or_default();
        start += 1;
        match (byte, quote) {
            (b'\\', None | Some(b'"')) => {
                let next = bytes.get(start).copied().unwrap_or(b'\\');
                start += 1;
                let field = current.get_or_insert_with(Text::default);
                match next {
                    b'_' if quote.is_none() => fields.extend(current.take().map(of_text)),
                    b't' => field.push_str("\t", 0),
                    b'n' => field.push_str("\n", 0),
                    b'c' => break,
                    _ => field.push(&text.part(at + 1, at + 2)),
                }
            }
            (byte, Some(open)) if byte == open => quote = None,
            (byte @ (b'"' | b'\''), None) => {
                quote = Some(byte);
                current.get_or_insert_with(Text::default);
            }
            (b' ' | b'\t' | b'\n' | b'\r' | 11 | 12, None) => {
                fields.extend(current.take().map(of_text))
            }
            (b'#', None) if current.is_none() => break,
            (b'$', None | Some(b'"')) if variable(at).is_some() => {
                current.get_or_insert_with(Text::default).push(&Text::hole());
                start = variable(at).unwrap_or(start);
            }
            _ => {
                while start < bytes.len() && !text.text.is_char_boundary(start) {
                    start += 1;
                }
                current.get_or_insert_with(Text::default).push(&text.part(at, start));
            }
        }
    }
    fields.extend(current.take().map(of_text));
    fields.extend(rest.iter().cloned());
    fields
}

fn of_text(text: Text) -> Field {
    let start = text.places.first().map_or(0, |(_, outer)| *outer);
    let last = text.places.last().map_or(start, |(at, outer)| outer + (text.text.len() - at));
    let span = super::syntax::Span { start, end: last.max(start) };
    Field { text, span, ..Field::default() }
}

fn shell_words<'f>(fields: impl Iterator<Item = &'f Field>) -> Vec<Inner> {
    let fields: Vec<Field> = fields.cloned().collect();
    command(&fields, Tail::Joined)
}
