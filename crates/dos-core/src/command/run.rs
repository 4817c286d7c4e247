//! What would run: every simple command, in order, with what the shell would hand to it.
//!
//! Whatever depends on exit codes or data counts as run. Functions run where they are called.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;

use super::expand::Expander;
use super::program::Program;
use super::shell::{Directory, Shell, Value};
use super::syntax::{
    self, Assigned, Assignment, Command, Link, Part, Redirect, Script, Shape, Simple, Source, Span,
    SyntaxError, Word,
};
use super::text::{Field, Text};
use super::wrapper::{self, Inner};
use super::{builtin, interpreter};
use crate::limits;

/// One simple command that would run.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// What it starts, and where that stands. Nothing for bare redirections.
    pub program: Option<Program>,
    /// What is handed to it.
    pub arguments: Vec<Field>,
    /// Its redirections.
    pub redirections: Vec<Redirection>,
    /// The variables that are set for it alone, and for what follows if it exports them.
    pub environment: Vec<(String, Text)>,
    /// Where it runs.
    pub directory: Rc<Directory>,
    /// Where the word stands that names the program.
    pub span: Span,
    /// What it is beside others.
    pub role: Role,
}

/// What a command is beside others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A program or a builtin.
    Program,
    /// A program that runs the next one, and is looked through.
    Wrapper,
    /// A function of the same text, whose body follows.
    Function,
}

/// One redirection.
#[derive(Clone, Debug)]
pub struct Redirection {
    /// The operator, such as `>>`.
    pub operator: &'static str,
    /// The file or descriptor.
    pub target: Field,
    /// The text of a here-document or here-string.
    pub body: Option<Text>,
}

/// Everything that would run.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// The commands, outer ones before those inside them.
    pub invocations: Vec<Invocation>,
    /// Why something could not be read or followed. What was found before is there.
    pub refused: Option<SyntaxError>,
    /// Does anything stand there but assignments, comments and bare redirections?
    pub names_program: bool,
}

/// Follows a text.
pub fn run(text: &str) -> Run {
    let mut walker = Walker::default();
    match syntax::parse(&Source::outermost(text)) {
        Ok(parsed) => {
            if let Err(error) = walker.script(&parsed.script) {
                walker.run.refused = Some(error);
            }
        }
        Err(error) => walker.run.refused = Some(error),
    }
    walker.run
}

pub(super) type Followed = Result<(), SyntaxError>;

#[derive(Default)]
pub(super) struct Walker {
    pub(super) shell: Shell,
    run: Run,
    depth: usize,
    /// How many conditions what is followed depends on.
    conditions: usize,
    /// The functions that are being followed, with what they were called with.
    calls: Vec<(String, Rc<Vec<Field>>)>,
    produced: Cell<usize>,
    steps: usize,
}

impl Walker {
    pub(super) fn script(&mut self, script: &Script) -> Followed {
        for step in &script.steps {
            let mark = self.shell.mark();
            let before = Rc::clone(self.shell.directory());
            let own_shell = step.background || step.stages.len() > 1;
            let conditional = usize::from(step.link != Link::Then);
            self.conditions += conditional;
            for command in &step.stages {
                let mark = self.shell.mark();
                self.command(command)?;
                if step.stages.len() > 1 {
                    self.shell.forget(mark);
                }
            }
            self.conditions -= conditional;
            if own_shell {
                self.shell.forget(mark);
            }
            if step.link == Link::Or {
                self.doubt_directory(&before);
            }
        }
        Ok(())
    }

    /// Whether the folder was left depends on something.
    fn doubt_directory(&mut self, before: &Rc<Directory>) {
        if self.shell.directory() != before {
            let directory = Directory { doubtful: true, ..(**self.shell.directory()).clone() };
            self.shell.go(directory);
        }
    }

    fn subshell(&mut self, script: &Script) -> Followed {
        let mark = self.shell.mark();
        let followed = self.nested(Span::default(), |walker| walker.script(script));
        self.shell.forget(mark);
        followed
    }

    /// Goes one level down, and up again.
    fn nested(&mut self, span: Span, follow: impl FnOnce(&mut Self) -> Followed) -> Followed {
        if self.depth >= limits::COMMAND_NESTING_MAX {
            return Err(SyntaxError { at: span.start, what: "commands that nest too deep" });
        }
        self.depth += 1;
        let followed = follow(self);
        self.depth -= 1;
        followed
    }

    fn count(&mut self, span: Span) -> Followed {
        self.steps += 1;
        match self.steps > limits::COMMAND_STEPS_MAX {
            true => Err(SyntaxError { at: span.start, what: "more commands than are followed" }),
            false => Ok(()),
        }
    }

    fn command(&mut self, command: &Command) -> Followed {
        self.count(Span::default())?;
        if !matches!(command.shape, Shape::Simple(_)) {
            self.compound_redirects(&command.redirects)?;
        }
        let before = Rc::clone(self.shell.directory());
        let conditional = matches!(
            command.shape,
            Shape::If(_)
                | Shape::While(..)
                | Shape::For { .. }
                | Shape::ForArithmetic(..)
                | Shape::Case(..)
        );
        self.conditions += usize::from(conditional);
        self.nested(Span::default(), |walker| walker.shape(&command.shape, &command.redirects))?;
        self.conditions -= usize::from(conditional);
        if conditional {
            self.doubt_directory(&before);
        }
        Ok(())
    }

    fn shape(&mut self, shape: &Shape, redirects: &[Redirect]) -> Followed {
        self.run.names_program |= !matches!(shape, Shape::Simple(_));
        match shape {
            Shape::Simple(simple) => self.simple(simple, redirects),
            Shape::Subshell(script) => self.subshell(script),
            Shape::Group(script) => self.script(script),
            Shape::If(branches) => branches.iter().try_for_each(|(condition, body)| {
                self.script(condition)?;
                self.script(body)
            }),
            Shape::While(condition, body) => {
                self.script(condition)?;
                self.script(body)
            }
            Shape::For { name, words, body } => {
                let walked = match words {
                    Some(words) => {
                        self.inside_words(words)?;
                        self.expander(0).fields(words)
                    }
                    None => self.shell.positional().to_vec(),
                };
                self.shell.unset(name);
                for field in walked {
                    self.assign(name, Value::Text(field.text), true);
                }
                self.script(body)
            }
            Shape::ForArithmetic(header, body) => {
                self.arithmetic(header)?;
                self.script(body)
            }
            Shape::Case(subject, arms) => {
                self.inside_words(core::slice::from_ref(subject))?;
                arms.iter().try_for_each(|(patterns, body)| {
                    self.inside_words(patterns)?;
                    self.script(body)
                })
            }
            Shape::Test(words) => {
                self.inside_words(words)?;
                let fields: Vec<Field> =
                    words.iter().map(|word| self.expander(0).single(word)).collect();
                self.evaluated(&fields)
            }
            Shape::Arithmetic(parts) => self.arithmetic(parts),
            Shape::Function(name, body) => {
                self.shell.define(name, Rc::clone(body));
                Ok(())
            }
            Shape::Coprocess(command) => {
                let mark = self.shell.mark();
                let followed = self.command(command);
                self.shell.forget(mark);
                followed
            }
        }
    }

    /// Follows what runs inside words: substitutions, wherever they stand.
    fn inside_words(&mut self, words: &[Word]) -> Followed {
        words.iter().try_for_each(|word| {
            self.inside(&word.parts)?;
            word.array.iter().try_for_each(|array| self.inside_words(array))
        })
    }

    fn inside(&mut self, parts: &[Part]) -> Followed {
        parts.iter().try_for_each(|part| match part {
            Part::Text { .. } => Ok(()),
            Part::Output { script, .. } | Part::Process(script) => self.subshell(script),
            Part::Arithmetic(parts) => self.arithmetic(parts),
            Part::Parameter(parameter) => {
                if let Some(subscript) = &parameter.subscript {
                    self.arithmetic(subscript)?;
                }
                self.inside(&parameter.operand)?;
                let (name, operator) = (parameter.name.as_str(), parameter.operator);
                if matches!(operator, ":=" | "=") && self.shell.values(name).is_empty() {
                    let text = self.expander(0).text(&parameter.operand);
                    self.assign(name, Value::Text(text), true);
                }
                let prompt = operator == "@"
                    && matches!(parameter.operand.first(), Some(Part::Text { text, .. }) if text == "P");
                if prompt {
                    let values = self.shell.values(name).to_vec();
                    for value in values {
                        if let Value::Text(text) = value {
                            self.substitutions(&text)?;
                        }
                    }
                }
                Ok(())
            }
        })
    }

    /// Arithmetic runs the substitutions that stand in it, and those in the subscripts that its
    /// variables hold.
    fn arithmetic(&mut self, parts: &[Part]) -> Followed {
        self.inside(parts)?;
        let mut names = Vec::new();
        for part in parts {
            if let Part::Text { text, .. } = part {
                let inside = |character: char| character == '_' || character.is_alphanumeric();
                names.extend(text.split(|it| !inside(it)).filter(|name| !name.is_empty()));
            }
        }
        for name in names {
            for value in self.shell.values(name).to_vec() {
                if let Value::Text(text) = value
                    && text.text.contains('[')
                {
                    self.substitutions(&text)?;
                }
            }
        }
        Ok(())
    }

    /// Follows the substitutions in a text that is expanded once more, such as a subscript.
    pub(super) fn substitutions(&mut self, text: &Text) -> Followed {
        if !text.text.contains("$(") && !text.text.contains('`') {
            return Ok(());
        }
        self.count(Span::default())?;
        let parts = syntax::parse_quoted(&text.source(), self.depth)?;
        self.nested(Span::default(), |walker| walker.inside(&parts))
    }

    /// Arguments that a builtin evaluates: a name with a subscript, arithmetic.
    pub(super) fn evaluated(&mut self, fields: &[Field]) -> Followed {
        let evaluated = fields.iter().filter(|field| field.as_str().contains('['));
        evaluated.into_iter().try_for_each(|field| self.substitutions(&field.text))
    }

    pub(super) fn expander(&self, reading: usize) -> Expander<'_> {
        Expander { shell: &self.shell, reading, produced: &self.produced }
    }

    /// Sets a variable; what depends on a condition is added to what it may be.
    pub(super) fn assign(&mut self, name: &str, value: Value, always_maybe: bool) {
        let length = |value: &Value| match value {
            Value::Text(text) => text.text.len() + 8,
            Value::List(fields) => fields.iter().map(|field| field.as_str().len() + 8).sum(),
        };
        let maybe = always_maybe || self.conditions > 0;
        let held: usize = self.shell.values(name).iter().map(length).sum();
        let spent = self.produced.get() + length(&value) + if maybe { held } else { 0 };
        self.produced.set(spent);
        let value = match spent > limits::COMMAND_EXPANSION_BYTES_MAX {
            true => Value::Text(Text::hole()),
            false => value,
        };
        self.shell.set(name, value, maybe);
    }

    fn assignment(&mut self, assignment: &Assignment) -> Followed {
        if let Some(subscript) = &assignment.subscript {
            self.arithmetic(subscript)?;
        }
        let name = assignment.name.as_str();
        let value = match &assignment.value {
            Assigned::Word(word) => {
                self.inside(&word.parts)?;
                let mut text = self.expander(0).single(word).text;
                if assignment.append
                    && let Some(Value::Text(before)) = self.shell.values(name).first()
                {
                    let mut whole = before.clone();
                    whole.push(&text);
                    text = whole;
                }
                if name == "PS4" {
                    self.substitutions(&text)?;
                }
                Value::Text(text)
            }
            Assigned::Array(words) => {
                self.inside_words(words)?;
                let mut fields = self.array(words);
                if assignment.append
                    && let Some(Value::List(before)) = self.shell.values(name).first()
                {
                    fields.splice(0..0, before.iter().cloned());
                }
                Value::List(fields)
            }
        };
        match (&assignment.subscript, value) {
            (None, value) => self.assign(name, value, false),
            // One element more. Which one it is is not looked at.
            (Some(_), Value::Text(text)) => {
                let mut fields = match self.shell.values(name).first() {
                    Some(Value::List(fields)) => fields.clone(),
                    _ => Vec::new(),
                };
                fields.push(Field { text, ..Field::default() });
                self.assign(name, Value::List(fields), false);
            }
            (Some(_), Value::List(_)) => {}
        }
        Ok(())
    }

    /// The elements of an array, without the subscripts before them.
    pub(super) fn array(&self, words: &[Word]) -> Vec<Field> {
        let fields = self.expander(0).fields(words);
        let bare = |field: Field| match field.as_str().find("]=") {
            Some(at) if field.as_str().starts_with('[') => field.behind(at + 2),
            _ => field,
        };
        fields.into_iter().map(bare).collect()
    }

    /// How many readings there are of words, by the values that their variables may have.
    fn readings(&self, words: &[Word]) -> usize {
        let values = words.iter().flat_map(|word| &word.parts).map(|part| match part {
            Part::Parameter(parameter) => self.shell.values(&parameter.name).len(),
            _ => 1,
        });
        values.max().unwrap_or(1).max(1)
    }

    fn inside_redirects(&mut self, redirects: &[Redirect]) -> Followed {
        redirects.iter().try_for_each(|redirect| {
            self.inside(&redirect.target.parts)?;
            match redirect.body.as_ref().and_then(|body| body.get()) {
                Some(body) => self.inside(&body.parts),
                None => Ok(()),
            }
        })
    }

    fn redirections(&self, redirects: &[Redirect], reading: usize) -> Vec<Redirection> {
        let expander = self.expander(reading);
        let one = |redirect: &Redirect| Redirection {
            operator: redirect.operator,
            target: expander.single(&redirect.target),
            body: expander.body(redirect),
        };
        redirects.iter().map(one).collect()
    }

    fn compound_redirects(&mut self, redirects: &[Redirect]) -> Followed {
        if redirects.is_empty() {
            return Ok(());
        }
        self.inside_redirects(redirects)?;
        let redirections = self.redirections(redirects, 0);
        self.bare(redirections);
        Ok(())
    }

    fn bare(&mut self, redirections: Vec<Redirection>) {
        let span = redirections.first().map_or(Span::default(), |it| it.target.span);
        let directory = Rc::clone(self.shell.directory());
        self.run.invocations.push(Invocation {
            program: None,
            arguments: Vec::new(),
            redirections,
            environment: Vec::new(),
            directory,
            span,
            role: Role::Program,
        });
    }

    fn simple(&mut self, simple: &Simple, redirects: &[Redirect]) -> Followed {
        self.inside_words(&simple.words)?;
        self.inside_redirects(redirects)?;
        let declares = simple.words.iter().any(|word| word.array.is_some());
        if declares {
            builtin::declare_arrays(self, &simple.words);
        }
        let mut environment = Vec::new();
        let persistent = self.expander(0).fields(&simple.words).is_empty();
        let mark = self.shell.mark();
        for assignment in &simple.assignments {
            self.assignment(assignment)?;
            if let Some(Value::Text(text)) = self.shell.values(&assignment.name).last() {
                environment.push((assignment.name.clone(), text.clone()));
            }
        }
        if persistent {
            if !redirects.is_empty() {
                let redirections = self.redirections(redirects, 0);
                self.bare(redirections);
            }
            return Ok(());
        }
        // The words are expanded before the assignments count.
        self.shell.forget(mark);
        for reading in 0..self.readings(&simple.words) {
            let fields = self.expander(reading).fields(&simple.words);
            let redirections = self.redirections(redirects, reading);
            self.invoke(fields, redirections, environment.clone())?;
        }
        Ok(())
    }

    /// Follows one command, given what the shell hands over.
    fn invoke(
        &mut self,
        fields: Vec<Field>,
        redirections: Vec<Redirection>,
        environment: Vec<(String, Text)>,
    ) -> Followed {
        let Some((first, rest)) = fields.split_first() else {
            return Ok(());
        };
        self.count(first.span)?;
        self.run.names_program = true;
        let program = Program::of(first);
        let arguments = rest.to_vec();
        let name = first.settled().unwrap_or_default();
        let function = self.shell.function(name).filter(|_| !name.is_empty());
        let inner = match (&program, &function) {
            (Program::Named(name), None) => wrapper::inner(super::program::bare(name), &arguments),
            _ => Vec::new(),
        };
        let role = match (&function, inner.is_empty()) {
            (Some(_), _) => Role::Function,
            (None, false) if name != "exec" => Role::Wrapper,
            (None, _) => Role::Program,
        };
        let body = redirections.iter().rev().find_map(|redirection| redirection.body.clone());
        self.run.invocations.push(Invocation {
            program: Some(program.clone()),
            arguments: arguments.clone(),
            redirections,
            environment: environment.clone(),
            directory: Rc::clone(self.shell.directory()),
            span: first.span,
            role,
        });
        if function.is_some() {
            return self.call(name, arguments, first.span);
        }
        if let Some(text) = self.shell.alias(name).cloned() {
            return self.text(&text, first.span);
        }
        for inner in inner {
            self.inner(inner, body.as_ref(), &environment, first.span)?;
        }
        match &program {
            // It may be empty, and then the next word is the program.
            Program::Unsettled if !first.text.settled() && first.as_str().is_empty() => {
                self.nested(first.span, |walker| {
                    walker.invoke(arguments, Vec::new(), environment)
                })
            }
            Program::Named(name) => {
                let name = super::program::bare(name);
                builtin::follow(self, name, &arguments)?;
                match interpreter::script(name, &arguments, body.as_ref()) {
                    Some((text, handed)) => self.new_shell(&text, handed, first.span),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    fn inner(
        &mut self,
        inner: Inner,
        body: Option<&Text>,
        environment: &[(String, Text)],
        span: Span,
    ) -> Followed {
        match inner {
            Inner::Script(text) => self.new_shell(&text, Vec::new(), span),
            Inner::Words(words) => {
                // What stands on the standard input of the wrapper is there for the command too.
                let handed = body.map(|body| Redirection {
                    operator: "<<<",
                    target: Field::default(),
                    body: Some(body.clone()),
                });
                self.nested(span, |walker| {
                    walker.invoke(words, handed.into_iter().collect(), environment.to_vec())
                })
            }
        }
    }

    /// A function that calls itself with what it was called with says nothing new.
    fn call(&mut self, name: &str, arguments: Vec<Field>, span: Span) -> Followed {
        let Some(body) = self.shell.function(name) else {
            return Ok(());
        };
        let same = |(called, with): &(String, Rc<Vec<Field>>)| {
            called == name
                && with.len() == arguments.len()
                && with.iter().zip(&arguments).all(|(one, other)| one.as_str() == other.as_str())
        };
        if self.calls.iter().any(same) {
            return Ok(());
        }
        let arguments = Rc::new(arguments);
        self.calls.push((name.into(), Rc::clone(&arguments)));
        let before = self.shell.set_positional(arguments);
        let followed = self.nested(span, |walker| walker.command(&body));
        self.shell.set_positional(before);
        self.calls.pop();
        followed
    }

    /// Follows a text in a shell of its own, which is handed some arguments.
    fn new_shell(&mut self, text: &Text, handed: Vec<Field>, span: Span) -> Followed {
        let mark = self.shell.mark();
        self.shell.set_positional(Rc::new(handed));
        let followed = self.text(text, span);
        self.shell.forget(mark);
        followed
    }

    /// Follows a text in this shell.
    pub(super) fn text(&mut self, text: &Text, span: Span) -> Followed {
        if text.text.trim().is_empty() && !text.settled() {
            self.count(span)?;
            self.run.invocations.push(Invocation {
                program: Some(Program::Unsettled),
                arguments: Vec::new(),
                redirections: Vec::new(),
                environment: Vec::new(),
                directory: Rc::clone(self.shell.directory()),
                span,
                role: Role::Program,
            });
            return Ok(());
        }
        self.count(span)?;
        let parsed = syntax::parse_within(&text.source(), self.depth)?;
        self.nested(span, |walker| walker.script(&parsed.script))
    }
}
