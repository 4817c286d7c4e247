//! The commands of a script, one after the other: lists, conditions, loops, and what runs in words.

use alloc::collections::BTreeSet;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;

use super::super::expand::Expander;
use super::super::shell::{Directory, Shell, VALUES_MAX, Value};
use super::super::syntax::{
    self, Assigned, Assignment, Command, Link, Parameter, Part, Redirect, Script, Shape, Span,
    SyntaxError, Word,
};
use super::super::text::{Field, Text};
use super::{Invocation, Redirection, Role, Run};
use crate::limits;

pub(in super::super) type Followed = Result<(), SyntaxError>;

#[derive(Default)]
pub(in super::super) struct Walker {
    pub(in super::super) shell: Shell,
    pub(super) run: Run,
    pub(super) depth: usize,
    /// The functions that are being followed, with what they were called with.
    pub(super) calls: Vec<(Rc<Command>, Vec<Field>)>,
    /// How many programs deep: a shell that is started knows a function only if it was exported.
    pub(super) programs: usize,
    /// The aliases that are being followed: inside of itself a name is that of the program.
    pub(super) aliases: Vec<String>,
    /// What traps run, and where it stands.
    pub(super) traps: Vec<(Text, Span)>,
    /// Is the body of a loop being followed for the second time?
    again: bool,
    produced: Cell<usize>,
    pub(super) steps: usize,
    /// Which of the pipelines of the text is followed.
    pub(super) step: usize,
}

impl Walker {
    pub(in super::super) fn script(&mut self, script: &Script) -> Followed {
        // Where what runs only if something before it succeeded, or failed, started.
        let mut chain = None;
        for step in &script.steps {
            if step.link != Link::And {
                self.end_chain(&mut chain);
            }
            if self.depth == 0 {
                self.step += 1;
            }
            let mark = self.shell.mark();
            if step.link != Link::Then {
                chain.get_or_insert(mark);
            }
            let before = Rc::clone(self.shell.directory());
            for command in &step.stages {
                let mark = self.shell.mark();
                self.command(command)?;
                if step.stages.len() > 1 {
                    self.shell.forget(mark);
                }
            }
            if step.background || step.stages.len() > 1 {
                self.shell.forget(mark);
            }
            if step.link == Link::Or {
                self.doubt_directory(&before);
                self.end_chain(&mut chain);
            }
        }
        self.end_chain(&mut chain);
        Ok(())
    }

    fn end_chain(&mut self, chain: &mut Option<usize>) {
        if let Some(mark) = chain.take() {
            self.perhaps(mark);
        }
    }

    /// What was done since a mark may not have been done.
    fn perhaps(&mut self, mark: usize) {
        let bytes = self.shell.merge(mark);
        self.produced.set(self.produced.get().saturating_add(bytes));
    }

    /// Follows what runs only in some cases.
    fn branch(&mut self, script: &Script) -> Followed {
        let mark = self.shell.mark();
        self.script(script)?;
        self.perhaps(mark);
        Ok(())
    }

    /// Follows the body of a loop: twice where it changes what it starts from, as with `shift`. A
    /// loop inside another one is followed twice by that.
    fn turns(&mut self, body: &Script) -> Followed {
        let mark = self.shell.mark();
        self.branch(body)?;
        if self.again || self.shell.mark() == mark {
            return Ok(());
        }
        self.again = true;
        let followed = self.anew(|walker| walker.branch(body));
        self.again = false;
        followed
    }

    /// Follows the traps once more: what they call may have been defined behind them.
    pub(super) fn traps(&mut self) -> Followed {
        let traps = core::mem::take(&mut self.traps);
        self.anew(|walker| {
            traps.iter().try_for_each(|(text, span)| walker.new_shell(text, Vec::new(), *span))
        })
    }

    /// Follows what was followed before; keeps the commands that are new.
    fn anew(&mut self, follow: impl FnOnce(&mut Self) -> Followed) -> Followed {
        let found = self.run.invocations.len();
        let followed = follow(self);
        let again = self.run.invocations.split_off(found);
        let place = |it: &Invocation| (it.span.start, it.span.end, it.path.clone());
        let known: BTreeSet<_> = self.run.invocations.iter().map(place).collect();
        self.run.invocations.extend(again.into_iter().filter(|it| !known.contains(&place(it))));
        followed
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
    pub(super) fn nested(
        &mut self,
        span: Span,
        follow: impl FnOnce(&mut Self) -> Followed,
    ) -> Followed {
        if self.depth >= limits::COMMAND_NESTING_MAX {
            return Err(SyntaxError { at: span.start, what: "commands that nest too deep" });
        }
        self.depth += 1;
        let followed = follow(self);
        self.depth -= 1;
        followed
    }

    pub(super) fn count(&mut self, span: Span) -> Followed {
        self.steps += 1;
        match self.steps > limits::COMMAND_STEPS_MAX {
            true => Err(SyntaxError { at: span.start, what: "more commands than are followed" }),
            false => Ok(()),
        }
    }

    pub(super) fn command(&mut self, command: &Command) -> Followed {
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
        self.nested(Span::default(), |walker| walker.shape(&command.shape, &command.redirects))?;
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
                self.branch(body)
            }),
            Shape::While(condition, body) => {
                self.script(condition)?;
                self.turns(body)
            }
            Shape::For { name, words, body } => {
                let walked = match words {
                    Some(words) => {
                        self.inside_words(words)?;
                        self.expander(0).fields(words)
                    }
                    None => self.shell.positional(0).to_vec(),
                };
                let mut values: Vec<Value> =
                    walked.into_iter().map(|field| Value::Text(field.text)).collect();
                if values.len() > VALUES_MAX {
                    values = Vec::from([Value::Text(Text::hole())]);
                }
                self.shell.replace(name, values);
                self.turns(body)
            }
            Shape::ForArithmetic(header, body) => {
                self.arithmetic(header)?;
                self.turns(body)
            }
            Shape::Case(subject, arms) => {
                self.inside_words(core::slice::from_ref(subject))?;
                arms.iter().try_for_each(|(patterns, body)| {
                    self.inside_words(patterns)?;
                    self.branch(body)
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
    pub(super) fn inside_words(&mut self, words: &[Word]) -> Followed {
        words.iter().try_for_each(|word| {
            self.inside(&word.parts)?;
            word.array.iter().try_for_each(|array| self.inside_words(array))
        })
    }

    pub(super) fn inside(&mut self, parts: &[Part]) -> Followed {
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
                    self.assign(name, Value::Text(text));
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
    pub(in super::super) fn substitutions(&mut self, text: &Text) -> Followed {
        if !text.text.contains("$(") && !text.text.contains('`') {
            return Ok(());
        }
        self.count(Span::default())?;
        let parts = syntax::parse_quoted(&text.source(), self.depth)?;
        self.nested(Span::default(), |walker| walker.inside(&parts))
    }

    /// Arguments that a builtin evaluates: a name with a subscript, arithmetic.
    pub(in super::super) fn evaluated(&mut self, fields: &[Field]) -> Followed {
        let evaluated = fields.iter().filter(|field| field.as_str().contains('['));
        evaluated.into_iter().try_for_each(|field| self.substitutions(&field.text))
    }

    pub(in super::super) fn expander(&self, reading: usize) -> Expander<'_> {
        Expander { shell: &self.shell, reading, produced: &self.produced }
    }

    /// Sets a variable.
    pub(in super::super) fn assign(&mut self, name: &str, value: Value) {
        let spent = self.produced.get().saturating_add(value.bytes());
        self.produced.set(spent);
        let value = match spent > limits::COMMAND_EXPANSION_BYTES_MAX {
            true => Value::Text(Text::hole()),
            false => value,
        };
        self.shell.set(name, value);
    }

    pub(super) fn assignment(&mut self, assignment: &Assignment) -> Followed {
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
            (None, value) => self.assign(name, value),
            // One element more. Which one it is is not looked at.
            (Some(_), Value::Text(text)) => {
                let mut fields = match self.shell.values(name).first() {
                    Some(Value::List(fields)) => fields.clone(),
                    _ => Vec::new(),
                };
                fields.push(Field { text, ..Field::default() });
                self.assign(name, Value::List(fields));
            }
            (Some(_), Value::List(_)) => {}
        }
        Ok(())
    }

    /// The elements of an array, without the subscripts before them.
    pub(in super::super) fn array(&self, words: &[Word]) -> Vec<Field> {
        let fields = self.expander(0).fields(words);
        let bare = |field: Field| match field.as_str().find("]=") {
            Some(at) if field.as_str().starts_with('[') => field.behind(at + 2),
            _ => field,
        };
        fields.into_iter().map(bare).collect()
    }

    /// How many readings there are of words, by the values that their variables may have.
    pub(super) fn readings(&self, words: &[Word]) -> usize {
        let values = words.iter().flat_map(|word| &word.parts).map(|part| match part {
            Part::Parameter(parameter) => match self.shell.values(variable(parameter)).len() {
                0 if matches!(parameter.operator, ":+" | "+") => 2,
                values => values,
            },
            _ => 1,
        });
        values.max().unwrap_or(1).max(1)
    }

    pub(super) fn inside_redirects(&mut self, redirects: &[Redirect]) -> Followed {
        redirects.iter().try_for_each(|redirect| {
            self.inside(&redirect.target.parts)?;
            match redirect.body.as_ref().and_then(|body| body.get()) {
                Some(body) => self.inside(&body.parts),
                None => Ok(()),
            }
        })
    }

    pub(super) fn redirections(&self, redirects: &[Redirect], reading: usize) -> Vec<Redirection> {
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

    pub(super) fn bare(&mut self, redirections: Vec<Redirection>) {
        let span = redirections.first().map_or(Span::default(), |it| it.target.span);
        let directory = Rc::clone(self.shell.directory());
        self.run.invocations.push(Invocation {
            program: None,
            path: String::new(),
            arguments: Vec::new(),
            redirections,
            environment: Vec::new(),
            directory,
            span,
            role: Role::Program,
            step: self.step,
        });
    }
}

/// The variable that a parameter is kept in: the positional ones are an array.
fn variable(parameter: &Parameter) -> &str {
    let name = parameter.name.as_str();
    match name == "*" || (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())) {
        true => "@",
        false => name,
    }
}
