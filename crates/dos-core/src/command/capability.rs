//! Does a command grant arbitrary code execution? And what in it does, where?

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::extended;
use super::glob;
use super::program::{Program, bare, unversioned};
use super::run::{Invocation, Role, run};
use super::syntax::{Span, SyntaxError};

/// Programs whose mere invocation lets any code run: interpreters, shells, package runners, and
/// what runs its arguments elsewhere or as somebody else.
pub const CLOSED_SET: [&str; 25] = [
    "python", "python2", "python3", "node", "deno", "tsx", "ruby", "perl", "php", "lua", "npx",
    "bunx", "npm", "yarn", "pnpm", "bun", "bash", "sh", "zsh", "fish", "eval", "exec", "xargs",
    "ssh", "sudo",
];

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// It can run any code.
    GrantsArbitraryExec,
    /// No program in it is known to. This is no promise that the command is harmless.
    Bounded,
    /// It names no program.
    Empty,
}

impl Capability {
    /// The stable word.
    pub fn token(self) -> &'static str {
        match self {
            Self::GrantsArbitraryExec => "GRANTS_ARBITRARY_EXEC",
            Self::Bounded => "BOUNDED",
            Self::Empty => "EMPTY",
        }
    }
}

/// Which programs count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// The closed set, as the original has it.
    #[default]
    Closed,
    /// Also what runs code by other ways: further interpreters, build tools, scripts, commands that
    /// are carried in options, containers.
    Extended,
}

impl Profile {
    /// The names, the default first.
    pub const NAMES: [&str; 2] = ["closed", "extended"];

    /// The profile of a name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "closed" => Some(Self::Closed),
            "extended" => Some(Self::Extended),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Extended => "extended",
        }
    }
}

/// What counts as arbitrary execution.
#[derive(Clone, Debug, Default)]
pub struct ExecPolicy {
    /// Which programs count.
    pub profile: Profile,
    /// Programs that count besides, in small letters.
    pub extra: Vec<String>,
}

impl ExecPolicy {
    /// The policy with further programs. Blanks around a name and its case do not count.
    pub fn with_extra<T: AsRef<str>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        let names = names.into_iter().map(|name| name.as_ref().trim().to_lowercase());
        self.extra.extend(names.filter(|name| !name.is_empty()));
        self
    }

    /// The member of the set that a name is, by itself or without its ending and version.
    fn member(&self, name: &str) -> Option<String> {
        let bare = bare(name);
        let forms = [name, bare, unversioned(bare)];
        let known = |form: &&&str| {
            CLOSED_SET.contains(form) || self.extra.iter().any(|extra| extra.as_str() == **form)
        };
        if let Some(form) = forms.iter().find(known) {
            return Some(form.to_string());
        }
        // `C:\tools\python.exe` without quotes loses its backslashes.
        let drive = name.as_bytes().get(1) == Some(&b':') && name.is_ascii();
        let tail = |set: &&&str| drive && unversioned(bare).ends_with(**set);
        CLOSED_SET.iter().find(tail).map(|set| set.to_string())
    }

    /// The member of the set that a pattern may match.
    fn matched(&self, pattern: &str) -> Option<String> {
        let extra = self.extra.iter().map(String::as_str);
        let mut names = CLOSED_SET.into_iter().chain(extra);
        names.find(|name| glob::matches(pattern, name)).map(ToString::to_string)
    }
}

/// Why a command grants execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It invokes a program of the set.
    Member,
    /// A pattern may name a program of the set.
    Pattern,
    /// The program's name is not in the text.
    Unsettled,
    /// It runs code in another way that the extended profile knows.
    Extended(&'static str),
    /// It could not be read, or not followed to its end.
    Refused(SyntaxError),
}

impl Cause {
    /// The stable word.
    pub fn token(&self) -> &'static str {
        match self {
            Self::Member => "program",
            Self::Pattern => "pattern",
            Self::Unsettled => "unsettled",
            Self::Extended(_) => "extended",
            Self::Refused(_) => "unreadable",
        }
    }
}

/// What grants execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The program as it is written, in small letters; nothing if the text does not name it.
    pub via: Option<String>,
    /// Why.
    pub cause: Cause,
    /// Where it stands.
    pub span: Span,
}

/// The verdict on a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecVerdict {
    /// The answer.
    pub capability: Capability,
    /// The first program behind what only wraps it.
    pub program: Option<String>,
    /// What grants it.
    pub grant: Option<Grant>,
    /// Why the text could not be read, also where it can be told that it grants nothing.
    pub refused: Option<SyntaxError>,
}

/// Classifies a command.
pub fn classify_command(command: &str, policy: &ExecPolicy) -> ExecVerdict {
    let run = run(command);
    let program = program(&run.invocations);
    let grant = run.invocations.iter().find_map(|invocation| granted(invocation, policy));
    let refused = run.refused;
    let grant = grant.or_else(|| match &refused {
        Some(error) if !inert(command, policy) => Some(Grant {
            via: None,
            cause: Cause::Refused(error.clone()),
            span: Span { start: error.at, end: command.len().min(error.at + 1) },
        }),
        _ => None,
    });
    let capability = match (&grant, run.names_program || refused.is_some()) {
        (Some(_), _) => Capability::GrantsArbitraryExec,
        (None, true) => Capability::Bounded,
        (None, false) => Capability::Empty,
    };
    ExecVerdict { capability, program, grant, refused }
}

fn program(invocations: &[Invocation]) -> Option<String> {
    let named = |role: Option<Role>| {
        let mut those = invocations.iter().filter(|it| role.is_none_or(|role| it.role == role));
        those.find_map(|it| it.program.as_ref()).and_then(Program::name).map(ToString::to_string)
    };
    named(Some(Role::Program)).or_else(|| named(None))
}

/// Does one command grant execution by itself?
pub fn granted(invocation: &Invocation, policy: &ExecPolicy) -> Option<Grant> {
    let grant = |via: Option<&str>, cause| {
        Some(Grant { via: via.map(ToString::to_string), cause, span: invocation.span })
    };
    let by_name = match &invocation.program {
        _ if invocation.role == Role::Function => return None,
        None => return None,
        Some(Program::Unsettled) => grant(None, Cause::Unsettled),
        Some(Program::Named(name)) => {
            policy.member(name).and_then(|_| grant(Some(name), Cause::Member))
        }
        Some(Program::Pattern(pattern)) => {
            policy.matched(pattern).and_then(|name| grant(Some(&name), Cause::Pattern))
        }
    };
    match policy.profile {
        Profile::Extended => by_name.or_else(|| extended::granted(invocation)),
        Profile::Closed => by_name,
    }
}

/// Is a text that cannot be read without effect, however it is read? It is if nothing in it expands
/// and no program of the set is named anywhere, quotes and case left aside.
fn inert(command: &str, policy: &ExecPolicy) -> bool {
    let expands = |character: char| "$`*?[{~\0".contains(character) || !character.is_ascii();
    if command.contains(expands) || command.len() > 4096 {
        return false;
    }
    let quotes = |character: &char| !matches!(character, '\'' | '"' | '\\' | '\n' | '\r');
    let plain: String = command.chars().filter(quotes).collect::<String>().to_lowercase();
    let extra = policy.extra.iter().map(String::as_str);
    let named = CLOSED_SET.into_iter().chain(extra).any(|name| plain.contains(name));
    let by_extension = policy.profile == Profile::Extended && extended::mentioned(&plain);
    !named && !by_extension
}

impl fmt::Display for Grant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let via = self.via.as_deref().unwrap_or_default();
        match &self.cause {
            Cause::Member => write!(formatter, "{via:?} can run any code"),
            Cause::Pattern => {
                write!(formatter, "a pattern here may name {via:?}, which can run any code")
            }
            Cause::Unsettled => {
                formatter.write_str("the text does not say which program runs here")
            }
            Cause::Extended(how) => write!(formatter, "{via:?} {how}"),
            Cause::Refused(error) => write!(formatter, "this cannot be read as shell: {error}"),
        }
    }
}

impl fmt::Display for ExecVerdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match (&self.capability, &self.grant, &self.program) {
            (Capability::Empty, ..) => "no program is named".to_string(),
            (_, Some(grant), _) => format!("{grant}"),
            (_, None, Some(program)) => {
                format!(
                    "{program:?} and whatever else runs are not in the set; no promise that it is harmless"
                )
            }
            (_, None, None) => {
                "no program of the set is named; no promise that it is harmless".to_string()
            }
        };
        formatter.write_str(&text)
    }
}
