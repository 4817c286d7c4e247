//! What a shell remembers between commands: variables, functions, the folder. Forgets on demand.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use super::syntax::Command;
use super::text::{Field, Text};

/// Where relative paths start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    /// The path, from where the command was started; empty there.
    pub path: String,
    /// Is it not settled by the command?
    pub doubtful: bool,
    /// May it be in another root, or on another machine?
    pub elsewhere: bool,
}

/// One value that a variable may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(Text),
    /// An array.
    List(Vec<Field>),
}

/// Most values of one variable that are told apart.
pub const VALUES_MAX: usize = 64;

/// The memory of a shell.
#[derive(Default)]
pub struct Shell {
    variables: BTreeMap<String, Vec<Value>>,
    functions: BTreeMap<String, Rc<Command>>,
    aliases: BTreeMap<String, Text>,
    positional: Rc<Vec<Field>>,
    directory: Rc<Directory>,
    undo: Vec<Undo>,
}

enum Undo {
    Variable(String, Option<Vec<Value>>),
    Function(String, Option<Rc<Command>>),
    Alias(String, Option<Text>),
    Positional(Rc<Vec<Field>>),
    Directory(Rc<Directory>),
}

impl Shell {
    /// A point to come back to.
    pub fn mark(&self) -> usize {
        self.undo.len()
    }

    /// Forgets what was done since, as the end of a subshell does.
    pub fn forget(&mut self, mark: usize) {
        while self.undo.len() > mark {
            match self.undo.pop() {
                Some(Undo::Variable(name, old)) => restore(&mut self.variables, name, old),
                Some(Undo::Function(name, old)) => restore(&mut self.functions, name, old),
                Some(Undo::Alias(name, old)) => restore(&mut self.aliases, name, old),
                Some(Undo::Positional(old)) => self.positional = old,
                Some(Undo::Directory(old)) => self.directory = old,
                None => return,
            }
        }
    }

    /// The values that a variable may have; none where the command does not set it.
    pub fn values(&self, name: &str) -> &[Value] {
        self.variables.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Sets a variable, or adds to what it may be.
    pub fn set(&mut self, name: &str, value: Value, maybe: bool) {
        let mut values = if maybe { self.values(name).to_vec() } else { Vec::new() };
        if !values.contains(&value) {
            values.push(value);
        }
        if values.len() > VALUES_MAX {
            values = Vec::from([Value::Text(Text::hole())]);
        }
        let old = self.variables.insert(name.into(), values);
        self.undo.push(Undo::Variable(name.into(), old));
    }

    /// Forgets a variable.
    pub fn unset(&mut self, name: &str) {
        let old = self.variables.remove(name);
        self.undo.push(Undo::Variable(name.into(), old));
    }

    /// The body of a function.
    pub fn function(&self, name: &str) -> Option<Rc<Command>> {
        self.functions.get(name).cloned()
    }

    /// Defines a function.
    pub fn define(&mut self, name: &str, body: Rc<Command>) {
        let old = self.functions.insert(name.into(), body);
        self.undo.push(Undo::Function(name.into(), old));
    }

    /// What an alias stands for.
    pub fn alias(&self, name: &str) -> Option<&Text> {
        self.aliases.get(name)
    }

    /// Defines an alias.
    pub fn set_alias(&mut self, name: &str, text: Text) {
        let old = self.aliases.insert(name.into(), text);
        self.undo.push(Undo::Alias(name.into(), old));
    }

    /// The positional parameters.
    pub fn positional(&self) -> &[Field] {
        &self.positional
    }

    /// Sets the positional parameters; returns those before.
    pub fn set_positional(&mut self, fields: Rc<Vec<Field>>) -> Rc<Vec<Field>> {
        let old = core::mem::replace(&mut self.positional, fields);
        self.undo.push(Undo::Positional(Rc::clone(&old)));
        old
    }

    /// The folder.
    pub fn directory(&self) -> &Rc<Directory> {
        &self.directory
    }

    /// Goes to another folder.
    pub fn go(&mut self, directory: Directory) {
        let old = core::mem::replace(&mut self.directory, Rc::new(directory));
        self.undo.push(Undo::Directory(old));
    }
}

fn restore<V>(map: &mut BTreeMap<String, V>, name: String, old: Option<V>) {
    match old {
        Some(old) => map.insert(name, old),
        None => map.remove(&name),
    };
}

impl Directory {
    /// The folder that a path leads to from here.
    pub fn join(&self, path: &str, doubtful: bool) -> Self {
        let absolute = path.starts_with(['/', '~']);
        let doubtful = doubtful || (self.doubtful && !absolute);
        if absolute || self.path.is_empty() {
            return Self { path: path.into(), doubtful, elsewhere: self.elsewhere };
        }
        let mut joined = String::from(self.path.trim_end_matches('/'));
        joined.push('/');
        joined.push_str(path);
        Self { path: joined, doubtful, elsewhere: self.elsewhere }
    }
}
