//! One simple command: what the shell hands over, and the commands inside it.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::program::{Program, bare};
use super::super::shell::{Directory, Value};
use super::super::syntax::{self, Command, Redirect, Simple, Span};
use super::super::text::{Field, Text};
use super::super::wrapper::{self, Inner, Moves};
use super::super::{builtin, interpreter};
use super::{Followed, Invocation, Redirection, Role, Walker};

impl Walker {
    pub(super) fn simple(&mut self, simple: &Simple, redirects: &[Redirect]) -> Followed {
        self.inside_words(&simple.words)?;
        self.inside_redirects(redirects)?;
        let declares = simple.words.iter().any(|word| word.array.is_some());
        if declares {
            builtin::declare_arrays(self, &simple.words);
        }
        let mut environment = Vec::new();
        let readings: Vec<Vec<Field>> = (0..self.readings(&simple.words))
            .map(|reading| self.expander(reading).fields(&simple.words))
            .collect();
        let mark = self.shell.mark();
        for assignment in &simple.assignments {
            self.assignment(assignment)?;
            if let Some(Value::Text(text)) = self.shell.values(&assignment.name).last() {
                environment.push((assignment.name.clone(), text.clone()));
            }
        }
        if readings.iter().all(Vec::is_empty) {
            if !redirects.is_empty() {
                let redirections = self.redirections(redirects, 0);
                self.bare(redirections);
            }
            return Ok(());
        }
        // The words are expanded before the assignments count.
        self.shell.forget(mark);
        for (reading, fields) in readings.into_iter().enumerate() {
            let redirections = self.redirections(redirects, reading);
            self.invoke(fields, redirections, environment.clone(), true)?;
        }
        Ok(())
    }

    /// Follows one command, given what the shell hands over. Is it the shell that looks up its name,
    /// so that functions and aliases count?
    fn invoke(
        &mut self,
        fields: Vec<Field>,
        redirections: Vec<Redirection>,
        environment: Vec<(String, Text)>,
        by_shell: bool,
    ) -> Followed {
        let Some((first, rest)) = fields.split_first() else {
            return Ok(());
        };
        self.count(first.span)?;
        // Long lists of arguments are handed on from one command to the next.
        self.steps += rest.len() / 8;
        self.run.names_program = true;
        let program = Program::of(first);
        let arguments = rest.to_vec();
        let name = first.settled().unwrap_or_default();
        let bodies = if by_shell { self.shell.functions(name).to_vec() } else { Vec::new() };
        // What may be a function and may not be is a program too.
        let is_function =
            !bodies.is_empty() && bodies.iter().all(Option::is_some) && self.programs == 0;
        let inner = match &program {
            Program::Named(name) if !is_function => wrapper::inner(bare(name), &arguments),
            _ => Vec::new(),
        };
        let role = match (is_function, inner.is_empty()) {
            (true, _) => Role::Function,
            // What `exec` runs takes the place of the shell, and so is its own affair; what `xargs` runs is
            // told by what it reads.
            (false, false)
                if !matches!(program.name().map(bare), Some("exec" | "xargs" | "gxargs")) =>
            {
                Role::Wrapper
            }
            (false, _) => Role::Program,
        };
        let body = redirections.iter().rev().find_map(|redirection| redirection.body.clone());
        self.run.invocations.push(Invocation {
            program: Some(program.clone()),
            path: first.as_str().into(),
            arguments: arguments.clone(),
            redirections,
            environment: self.known_to(&program, &environment),
            directory: Rc::clone(self.shell.directory()),
            span: first.span,
            role,
            step: self.step,
        });
        for body in bodies.iter().flatten() {
            self.call(body, &arguments, first.span)?;
        }
        if is_function {
            return Ok(());
        }
        if let Some(text) = self.shell.alias(name).filter(|_| by_shell).cloned()
            && !self.aliases.iter().any(|alias| alias == name)
        {
            self.aliases.push(name.into());
            let followed = self.text(&in_front(text, &arguments), first.span);
            self.aliases.pop();
            return followed;
        }
        if !inner.is_empty() {
            let mark = self.shell.mark();
            let named = program.name().map(bare).unwrap_or_default();
            match wrapper::moves(named, &arguments) {
                Moves::Nowhere => {}
                Moves::Folder => self
                    .shell
                    .go(Directory { doubtful: true, ..(**self.shell.directory()).clone() }),
                Moves::Root => self
                    .shell
                    .go(Directory { elsewhere: true, ..(**self.shell.directory()).clone() }),
            }
            for inner in inner {
                if let (Inner::Script(text), "trap") = (&inner, named) {
                    self.traps.push((text.clone(), first.span));
                }
                let by_shell = matches!(named, "parallel" | "sem" | "time" | "trap");
                self.inner(inner, body.as_ref(), &environment, first.span, by_shell)?;
            }
            // `command cd x` goes to x.
            if !matches!(named, "command" | "builtin") {
                self.shell.forget(mark);
            }
        }
        match &program {
            // It may be empty, and then the next word is the program.
            Program::Unsettled if !first.text.settled() && first.as_str().is_empty() => self
                .nested(first.span, |walker| {
                    walker.invoke(arguments, Vec::new(), environment, by_shell)
                }),
            Program::Named(name) => {
                let name = bare(name);
                builtin::follow(self, name, &arguments)?;
                match interpreter::script(name, &arguments, body.as_ref()) {
                    Some((text, handed)) => {
                        self.programs += 1;
                        let followed = self.new_shell(&text, handed, first.span);
                        self.programs -= 1;
                        followed
                    }
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// The variables that a program sees: those that are set for it, and of those that the text set
    /// before it the one that says where git works.
    fn known_to(&self, program: &Program, set: &[(String, Text)]) -> Vec<(String, Text)> {
        let mut known = Vec::new();
        let name = "GIT_WORK_TREE";
        if program.name() == Some("git")
            && let Some(Value::Text(text)) = self.shell.values(name).last()
        {
            known.push((name.into(), text.clone()));
        }
        known.extend_from_slice(set);
        known
    }

    fn inner(
        &mut self,
        inner: Inner,
        body: Option<&Text>,
        environment: &[(String, Text)],
        span: Span,
        by_shell: bool,
    ) -> Followed {
        match inner {
            Inner::Script(text) => {
                self.programs += usize::from(!by_shell);
                let followed = self.new_shell(&text, Vec::new(), span);
                self.programs -= usize::from(!by_shell);
                followed
            }
            Inner::Words(words) => {
                // What stands on the standard input of the wrapper is there for the command too.
                let handed = body.map(|body| Redirection {
                    operator: "<<<",
                    target: Field::default(),
                    body: Some(body.clone()),
                });
                self.nested(span, |walker| {
                    walker.invoke(
                        words,
                        handed.into_iter().collect(),
                        environment.to_vec(),
                        by_shell,
                    )
                })
            }
        }
    }

    /// A function that calls itself with what it was called with says nothing new.
    fn call(&mut self, body: &Rc<Command>, arguments: &[Field], span: Span) -> Followed {
        let same = |(called, with): &(Rc<Command>, Vec<Field>)| {
            Rc::ptr_eq(called, body)
                && with.len() == arguments.len()
                && with.iter().zip(arguments).all(|(one, other)| one.as_str() == other.as_str())
        };
        if self.calls.iter().any(same) {
            return Ok(());
        }
        self.calls.push((Rc::clone(body), arguments.to_vec()));
        let list = Vec::from([Value::List(arguments.to_vec())]);
        let before = self.shell.replace("@", list);
        let followed = self.nested(span, |walker| walker.command(body));
        self.shell.replace("@", before);
        self.calls.pop();
        followed
    }

    /// Follows a text in a shell of its own, which is handed some arguments.
    pub(super) fn new_shell(&mut self, text: &Text, handed: Vec<Field>, span: Span) -> Followed {
        let mark = self.shell.mark();
        self.shell.replace("@", Vec::from([Value::List(handed)]));
        let followed = self.text(text, span);
        self.shell.forget(mark);
        followed
    }

    /// Follows a text in this shell.
    pub(in super::super) fn text(&mut self, text: &Text, span: Span) -> Followed {
        if text.text.trim().is_empty() && !text.settled() {
            self.count(span)?;
            self.run.invocations.push(Invocation {
                program: Some(Program::Unsettled),
                path: String::new(),
                arguments: Vec::new(),
                redirections: Vec::new(),
                environment: Vec::new(),
                directory: Rc::clone(self.shell.directory()),
                span,
                role: Role::Program,
                step: self.step,
            });
            return Ok(());
        }
        self.count(span)?;
        match syntax::parse_within(&text.source(), self.depth) {
            Ok(parsed) => self.nested(span, |walker| walker.script(&parsed.script)),
            // What stands behind it runs all the same.
            Err(error) => {
                self.run.refused.get_or_insert(error);
                Ok(())
            }
        }
    }
}

/// The text of an alias, with the words behind it.
fn in_front(mut text: Text, arguments: &[Field]) -> Text {
    for field in arguments {
        let at = field.span.start;
        text.push_str(" '", at);
        match field.as_str().contains('\'') {
            true => text.push_str(&field.as_str().replace('\'', "'\\''"), at),
            false => text.push(&field.text),
        }
        text.push_str("'", at);
    }
    text
}
