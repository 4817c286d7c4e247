//! One simple command: what the shell hands over, and the commands inside it.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::program::{Program, bare};
use super::super::shell::{Directory, Value};
use super::super::syntax::{self, Redirect, Simple, Span};
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
            (Program::Named(name), None) => wrapper::inner(bare(name), &arguments),
            _ => Vec::new(),
        };
        let role = match (&function, inner.is_empty()) {
            (Some(_), _) => Role::Function,
            // What `exec` runs takes the place of the shell, and so is its own affair.
            (None, false) if program.name().map(bare) != Some("exec") => Role::Wrapper,
            (None, _) => Role::Program,
        };
        let body = redirections.iter().rev().find_map(|redirection| redirection.body.clone());
        self.run.invocations.push(Invocation {
            program: Some(program.clone()),
            path: first.as_str().into(),
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
                self.inner(inner, body.as_ref(), &environment, first.span)?;
            }
            // `command cd x` goes to x.
            if !matches!(named, "command" | "builtin") {
                self.shell.forget(mark);
            }
        }
        match &program {
            // It may be empty, and then the next word is the program.
            Program::Unsettled if !first.text.settled() && first.as_str().is_empty() => {
                self.nested(first.span, |walker| walker.invoke(arguments, Vec::new(), environment))
            }
            Program::Named(name) => {
                let name = bare(name);
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
