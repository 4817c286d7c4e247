//! One path pattern, parsed once: which repo-relative paths does a lane's tree own?
//!
//! A pattern is read in three passes: characters to symbols, braces to branches, and each branch to
//! a small automaton over characters that [`Pattern::matches`] and
//! [`shared_path`](super::intersect::shared_path) both walk, so that they cannot disagree.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use crate::limits::{BRANCHES_MAX, PATTERN_BYTES_MAX, SYMBOLS_MAX};
use automaton::{Branch, Literal, SEPARATOR, Step};
pub use class::Case;
use class::{Class, composed};

pub(super) mod automaton;
pub(super) mod class;
#[cfg(test)]
pub(super) mod tests;

/// How much of a pattern an error repeats, in characters.
const SHOWN_CHARACTERS_MAX: usize = 200;

/// A set of repo-relative paths, written as a glob.
///
/// `?` is one character and `*` any run of them inside one component; `**` as a whole component
/// crosses components; `[a-z]` and `[!a-z]` are classes; `{a,b/c}` lists alternatives. A branch
/// without wildcards, or with a trailing slash, owns everything below what it names too.
///
/// `/` and `\` both separate components, so that `src\**` means the same everywhere. A special
/// character stands for itself in a class: `[*]`, and there `\` escapes: `[\]\-]`. `\!` and `\#`
/// start a name that a [`Region`](super::region::Region) would read otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    branches: Vec<Branch>,
    case: Case,
}

/// Why a text is not a pattern, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.sentence())]
pub struct PatternError {
    /// The pattern as written, cut short if it is very long.
    pub pattern: String,
    /// Where the problem is, in characters from 1.
    pub column: usize,
    /// What is wrong and what to write instead.
    pub problem: PatternProblem,
}

/// What is wrong with a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternProblem {
    /// Nothing is left of the pattern, or of one of its brace alternatives.
    #[error("it names nothing; write `.` for the whole repository")]
    Empty,
    /// A tree of nothing but comments and blanks.
    #[error("there are only comments; add a pattern, such as `src/**`")]
    NothingAdded,
    /// The pattern starts at the root of a file system.
    #[error("it is absolute; write the path from the root of the repository")]
    Absolute,
    /// A `!` with nothing to take away from.
    #[error(
        "`!` takes away from the patterns before it, and there is none; write `\\!` for a name that starts so"
    )]
    NothingBefore,
    /// A `..` component.
    #[error("`..` is not followed; write the path from the root of the repository")]
    Parent,
    /// A control character, such as a line break.
    #[error("a control character; remove it")]
    Control,
    /// A `[` without its `]`.
    #[error("this `[` is never closed; add a `]`, or write `[[]` for a bracket in a name")]
    UnclosedClass,
    /// A `{` without its `}`.
    #[error("this `{{` is never closed; add a `}}`, or write `[{{]` for a brace in a name")]
    UnclosedBrace,
    /// A range whose ends are in the wrong order.
    #[error("the range `{low}-{high}` is reversed; write `{high}-{low}`")]
    ReversedRange {
        /// The end that is written first.
        low: char,
        /// The end that is written last.
        high: char,
    },
    /// A class without a character that a name can have in its place.
    #[error("this class can match no character of a name; add one, or remove the class")]
    EmptyClass,
    /// A named class, which other programs have.
    #[error("`[[:name:]]` is not known; write the characters out, such as `[0-9]` or `[a-z]`")]
    NamedClass,
    /// More than [`PATTERN_BYTES_MAX`] bytes.
    #[error("it is longer than {PATTERN_BYTES_MAX} bytes; split it into several patterns")]
    TooLong,
    /// More than [`BRANCHES_MAX`] branches.
    #[error("its braces list too many alternatives (at most {BRANCHES_MAX}); split the pattern")]
    TooManyAlternatives,
    /// The braces and classes of a tree stand for more than [`SYMBOLS_MAX`] symbols.
    #[error(
        "the braces and classes of these patterns stand for more than {SYMBOLS_MAX} characters; \
         use fewer or shorter ones"
    )]
    TooMuch,
}

impl Pattern {
    /// Reads a pattern. Whatever could only match nothing is an error.
    pub fn parse(text: &str, case: Case) -> Result<Pattern, PatternError> {
        Self::parse_within(text, case, &mut Symbols::default())
    }

    /// Reads a pattern of a tree, whose patterns share the room for what they stand for.
    pub(super) fn parse_within(
        text: &str,
        case: Case,
        room: &mut Symbols,
    ) -> Result<Pattern, PatternError> {
        match branches_of(&composed(text), case, room) {
            Ok(branches) => Ok(Pattern { text: String::from(text), branches, case }),
            Err((column, problem)) => Err(PatternError::new(text, column, problem)),
        }
    }

    /// The pattern that owns everything.
    pub(super) fn everything(case: Case) -> Pattern {
        Pattern { text: String::from("."), branches: vec![Branch::everything()], case }
    }

    /// The pattern as written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Does this pattern own the path?
    ///
    /// The path is relative to the root of the repository: an absolute one, one with a `..`
    /// component and the root itself belong to no pattern.
    pub fn matches(&self, path: &str) -> bool {
        RepoPath::new(path, self.case).is_some_and(|path| self.owns(&path))
    }

    /// Does this pattern own the path, which was read under the same rule of case?
    pub fn owns(&self, path: &RepoPath) -> bool {
        self.branches.iter().any(|branch| branch.owns(&path.0))
    }

    /// Do letters of different case count as one?
    pub fn case(&self) -> Case {
        self.case
    }

    /// The alternatives that the braces stand for; at least one.
    pub(super) fn branches(&self) -> &[Branch] {
        &self.branches
    }
}

/// How many symbols the braces and classes of a tree may still stand for.
#[derive(Debug)]
pub(super) struct Symbols(usize);

impl Default for Symbols {
    fn default() -> Self {
        Self(SYMBOLS_MAX)
    }
}

impl Symbols {
    fn take(&mut self, symbols: usize) -> Result<(), PatternProblem> {
        self.0 = self.0.checked_sub(symbols).ok_or(PatternProblem::TooMuch)?;
        Ok(())
    }

    /// How many were taken.
    pub(super) fn taken(&self) -> usize {
        SYMBOLS_MAX - self.0
    }
}

impl PatternError {
    pub(super) fn new(text: &str, column: usize, problem: PatternProblem) -> Self {
        let mut pattern: String = text.chars().take(SHOWN_CHARACTERS_MAX).collect();
        if pattern.len() < text.len() {
            pattern.push('…');
        }
        Self { pattern, column, problem }
    }

    fn sentence(&self) -> String {
        let Self { column, problem, .. } = self;
        match problem {
            PatternProblem::NothingAdded => format!("bad tree: {problem}"),
            _ => format!("bad pattern `{}` at column {column}: {problem}", self.shown()),
        }
    }

    /// The pattern for people, as it was written so that the column fits, but for what would not be
    /// shown as it is.
    pub fn shown(&self) -> String {
        let mut shown = String::with_capacity(self.pattern.len());
        for character in self.pattern.chars() {
            match character.is_control() {
                true => shown.extend(character.escape_default()),
                false => shown.push(character),
            }
        }
        shown
    }
}

/// A path below the root of the repository, ready to be compared: `/` between components and
/// nothing else, accents composed, one spelling for all cases.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RepoPath(String);

impl RepoPath {
    /// Reads a path; `None` if it is no name of something below the root.
    pub fn new(path: &str, case: Case) -> Option<RepoPath> {
        if path.starts_with(['/', '\\']) {
            return None;
        }
        let path = case.spelling(path);
        let mut folded = String::with_capacity(path.len());
        for component in path.split(['/', '\\']) {
            match component {
                "" | "." => {}
                ".." => return None,
                name => {
                    if !folded.is_empty() {
                        folded.push('/');
                    }
                    folded.push_str(name);
                }
            }
        }
        (!folded.is_empty()).then_some(RepoPath(folded))
    }

    /// The path as it is compared.
    pub fn folded(&self) -> &str {
        &self.0
    }
}

/// One element of a pattern's text and the column it starts at. Separators, braces and commas are
/// characters: those of a class are inside [`Element::Class`].
#[derive(Debug)]
struct Symbol {
    element: Element,
    column: usize,
}

#[derive(Debug)]
enum Element {
    Character(char),
    Any,
    Star,
    Class(Arc<Class>),
}

impl Symbol {
    fn is(&self, character: char) -> bool {
        matches!(self.element, Element::Character(own) if own == character)
    }

    /// Can it stand for nothing but a dot?
    fn is_dot_at_most(&self) -> bool {
        match &self.element {
            Element::Class(class) => class.ranges() == [('.', '.')],
            _ => self.is('.'),
        }
    }
}

fn branches_of(
    text: &str,
    case: Case,
    room: &mut Symbols,
) -> Result<Vec<Branch>, (usize, PatternProblem)> {
    if text.len() > PATTERN_BYTES_MAX {
        return Err((1, PatternProblem::TooLong));
    }
    let symbols = symbols_of(text, case, room)?;
    expand(&symbols, room)?.iter().map(|branch| compile(branch, case)).collect()
}

fn symbols_of(
    text: &str,
    case: Case,
    room: &mut Symbols,
) -> Result<Vec<Symbol>, (usize, PatternProblem)> {
    let indented = text.trim_start();
    let indent = text.chars().count() - indented.chars().count();
    let numbered = indented.trim_end().chars().enumerate();
    let mut rest = numbered.map(|(index, character)| (indent + index + 1, character));
    if let Some((column, _)) = rest.clone().find(|(_, character)| character.is_control()) {
        return Err((column, PatternProblem::Control));
    }
    let mut symbols = Vec::with_capacity(indented.len());
    while let Some((column, character)) = rest.next() {
        let element = match character {
            '?' => Element::Any,
            '*' => Element::Star,
            '[' => Element::Class(Arc::new(read_class(column, &mut rest, case, room)?)),
            '\\' => Element::Character(match rest.clone().next() {
                // At the start it separates nothing.
                Some((_, mark @ ('!' | '#'))) if symbols.is_empty() => {
                    rest.next();
                    mark
                }
                _ => '/',
            }),
            _ => Element::Character(character),
        };
        symbols.push(Symbol { element, column });
    }
    Ok(symbols)
}

/// Reads a class from behind its `[` to behind its `]`.
fn read_class(
    open: usize,
    rest: &mut (impl Iterator<Item = (usize, char)> + Clone),
    case: Case,
    room: &mut Symbols,
) -> Result<Class, (usize, PatternProblem)> {
    let mut ahead = rest.clone();
    let negated = matches!(ahead.next(), Some((_, '!' | '^')));
    if negated {
        *rest = ahead;
    }
    let mut ranges = Vec::new();
    loop {
        let member = read_member(rest).ok_or((open, PatternProblem::UnclosedClass))?;
        if member.closes && !ranges.is_empty() {
            break;
        }
        let low = member.character;
        if low == '[' && names_a_class(rest.clone().map(|(_, character)| character)) {
            return Err((member.column, PatternProblem::NamedClass));
        }
        let mut ahead = rest.clone();
        match (ahead.next(), read_member(&mut ahead)) {
            (Some((_, '-')), Some(Member { character: high, closes: false, .. })) => {
                if high < low {
                    let problem = PatternProblem::ReversedRange { low, high };
                    return Err((member.column, problem));
                }
                ranges.push((low, high));
                *rest = ahead;
            }
            _ => ranges.push((low, low)),
        }
    }
    let problem = |problem| (open, problem);
    room.take(ranges.len()).map_err(problem)?;
    let ranges = class::merged(ranges);
    room.take(class::cased_within(&ranges, case) / 8).map_err(problem)?;
    let folded = class::folds_within(&ranges, case);
    room.take(folded.len()).map_err(problem)?;
    let mut ranges = ranges;
    ranges.extend(folded.into_iter().map(|character| (character, character)));
    Class::new(ranges, negated, case).ok_or(problem(PatternProblem::EmptyClass))
}

/// Does `:digit:]` or the like follow?
fn names_a_class(mut rest: impl Iterator<Item = char>) -> bool {
    rest.next() == Some(':')
        && rest.find(|character| !character.is_ascii_alphabetic()) == Some(':')
        && rest.next() == Some(']')
}

/// A character in a class.
struct Member {
    character: char,
    column: usize,
    /// Is it a `]` that is not escaped?
    closes: bool,
}

fn read_member(rest: &mut impl Iterator<Item = (usize, char)>) -> Option<Member> {
    let (column, character) = rest.next()?;
    match character {
        '\\' => {
            let (_, character) = rest.next()?;
            Some(Member { character, column, closes: false })
        }
        _ => Some(Member { character, column, closes: character == ']' }),
    }
}

/// Replaces the outermost braces by their alternatives until none is left, in the order written.
fn expand<'a>(
    symbols: &'a [Symbol],
    room: &mut Symbols,
) -> Result<Vec<Vec<&'a Symbol>>, (usize, PatternProblem)> {
    let mut pending = vec![symbols.iter().collect::<Vec<_>>()];
    let mut branches = Vec::new();
    while let Some(branch) = pending.pop() {
        let mut parts = branch.splitn(2, |symbol| symbol.is('{'));
        let (Some(before), Some(inside)) = (parts.next(), parts.next()) else {
            branches.push(branch);
            continue;
        };
        let column = branch.get(before.len()).map_or(1, |open| open.column);
        let (alternatives, after) =
            alternatives(inside).ok_or((column, PatternProblem::UnclosedBrace))?;
        for alternative in alternatives.iter().rev() {
            let expanded = [before, alternative, after].concat();
            room.take(expanded.len()).map_err(|problem| (column, problem))?;
            pending.push(expanded);
            if branches.len() + pending.len() > BRANCHES_MAX {
                return Err((column, PatternProblem::TooManyAlternatives));
            }
        }
    }
    Ok(branches)
}

/// The alternatives of a brace, and what follows it; `None` if it is not closed.
fn alternatives<'a, 'b>(
    inside: &'a [&'b Symbol],
) -> Option<(Vec<&'a [&'b Symbol]>, &'a [&'b Symbol])> {
    let mut alternatives = Vec::new();
    let mut start = 0;
    let mut depth = 0_usize;
    for (index, symbol) in inside.iter().enumerate() {
        if symbol.is('{') {
            depth += 1;
        } else if symbol.is('}') && depth > 0 {
            depth -= 1;
        } else if depth == 0 && (symbol.is(',') || symbol.is('}')) {
            alternatives.push(inside.get(start..index)?);
            start = index + 1;
            if symbol.is('}') {
                return Some((alternatives, inside.get(start..)?));
            }
        }
    }
    None
}

fn compile(branch: &[&Symbol], case: Case) -> Result<Branch, (usize, PatternProblem)> {
    let [first, ..] = branch else {
        return Err((1, PatternProblem::Empty));
    };
    if first.is('/') || starts_with_drive(branch) {
        return Err((first.column, PatternProblem::Absolute));
    }
    let wild = branch.iter().any(|symbol| !matches!(symbol.element, Element::Character(_)));
    let mut components = Vec::new();
    let mut slash_ends = false;
    for component in branch.split(|symbol| symbol.is('/')) {
        slash_ends = match component {
            [] => true,
            [only] => only.is('.'),
            _ => false,
        };
        if !slash_ends {
            components.push(component);
        }
    }
    // Each symbol is a step, but for what a name or a `**` at the end adds.
    let mut steps = Vec::with_capacity(branch.len() + 2);
    let mut rest = components.into_iter().peekable();
    while let Some(component) = rest.next() {
        if is_double_star(component) {
            match rest.peek() {
                None => steps.push(Step::Anything),
                Some(next) if is_double_star(next) => {}
                Some(_) => steps.extend([Step::Directories, Step::InDirectory]),
            }
            continue;
        }
        compile_component(component, case, &mut steps)?;
        if rest.peek().is_some() {
            steps.push(Step::Literal(SEPARATOR));
        } else if slash_ends || !wild {
            steps.extend([Step::Below, Step::Anything]);
        }
    }
    Ok(if steps.is_empty() { Branch::everything() } else { Branch::new(steps) })
}

fn compile_component(
    component: &[&Symbol],
    case: Case,
    steps: &mut Vec<Step>,
) -> Result<(), (usize, PatternProblem)> {
    if component.len() <= 2 && component.iter().all(|symbol| symbol.is_dot_at_most()) {
        // `.` and `..` are no names, so that `[.]` matches as little as an empty class.
        let class = component.iter().find(|symbol| !symbol.is('.'));
        let problem = class.map_or(PatternProblem::Parent, |_| PatternProblem::EmptyClass);
        let column = class.or(component.first()).map_or(1, |symbol| symbol.column);
        return Err((column, problem));
    }
    let mut spelled = String::with_capacity(component.len());
    for symbol in component {
        match &symbol.element {
            Element::Character(written) => {
                spelled.push(*written);
                continue;
            }
            Element::Any => spell(&mut spelled, Step::Any, case, steps),
            Element::Class(class) => {
                spell(&mut spelled, Step::Class(Arc::clone(class)), case, steps);
            }
            Element::Star if spelled.is_empty() && matches!(steps.last(), Some(Step::Star)) => {}
            Element::Star => spell(&mut spelled, Step::Star, case, steps),
        }
    }
    literals(&spelled, case, steps);
    Ok(())
}

/// Adds the literal text and the step behind it.
fn spell(text: &mut String, then: Step, case: Case, steps: &mut Vec<Step>) {
    literals(text, case, steps);
    text.clear();
    steps.push(then);
}

/// Adds literal text, in which braces may have put an accent behind its letter.
fn literals(text: &str, case: Case, steps: &mut Vec<Step>) {
    let written = composed(text);
    let folded = case.spelling(&written);
    // Where folding changes more than single characters, the witness is spelled folded.
    let one_to_one = written.chars().map(|character| case.fold(character)).eq(folded.chars());
    let written = if one_to_one { &written } else { &folded };
    let literal = |(written, folded)| Step::Literal(Literal { written, folded });
    steps.extend(written.chars().zip(folded.chars()).map(literal));
}

fn is_double_star(component: &[&Symbol]) -> bool {
    let is_star = |symbol: &&Symbol| matches!(symbol.element, Element::Star);
    component.len() == 2 && component.iter().all(is_star)
}

/// Is it `C:` or `C:/...`?
fn starts_with_drive(branch: &[&Symbol]) -> bool {
    let [drive, colon, rest @ ..] = branch else {
        return false;
    };
    matches!(drive.element, Element::Character(letter) if letter.is_ascii_alphabetic())
        && colon.is(':')
        && rest.first().is_none_or(|next| next.is('/'))
}
