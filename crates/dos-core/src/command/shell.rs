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

impl Value {
    /// How long it is, roughly.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.text.len() + 8,
            Self::List(fields) => 8 + fields.iter().map(|it| it.as_str().len() + 8).sum::<usize>(),
        }
    }
}

/// Most values of one variable that are told apart.
pub const VALUES_MAX: usize = 64;

/// The memory of a shell.
#[derive(Default)]
pub struct Shell {
    variables: BTreeMap<String, Vec<Value>>,
    functions: BTreeMap<String, Vec<Option<Rc<Command>>>>,
    aliases: BTreeMap<String, Text>,
    directory: Rc<Directory>,
    undo: Vec<Undo>,
}

enum Undo {
    Variable(String, Option<Vec<Value>>),
    Function(String, Option<Vec<Option<Rc<Command>>>>),
    Alias(String, Option<Text>),
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
                Some(Undo::Directory(old)) => self.directory = old,
                None => return,
            }
        }
    }

    /// The values that a variable may have; none where the command does not set it.
    pub fn values(&self, name: &str) -> &[Value] {
        self.variables.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Sets a variable.
    pub fn set(&mut self, name: &str, value: Value) {
        self.replace(name, Vec::from([value]));
    }

    /// Forgets a variable.
    pub fn unset(&mut self, name: &str) {
        let old = self.variables.remove(name);
        self.undo.push(Undo::Variable(name.into(), old));
    }

    /// The bodies that a function may have. `None` among them says that it may not be one.
    pub fn functions(&self, name: &str) -> &[Option<Rc<Command>>] {
        self.functions.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Defines a function.
    pub fn define(&mut self, name: &str, body: Rc<Command>) {
        self.replace_functions(name, Vec::from([Some(body)]));
    }

    fn replace_functions(&mut self, name: &str, bodies: Vec<Option<Rc<Command>>>) {
        let old = self.functions.insert(name.into(), bodies);
        self.undo.push(Undo::Function(name.into(), old));
    }

    /// What was done since may not have been done: everything may be as it was before, too. Returns
    /// how many values were put together.
    pub fn merge(&mut self, mark: usize) -> usize {
        let mut variables = BTreeMap::new();
        let mut functions = BTreeMap::new();
        for undo in self.undo.get(mark..).unwrap_or_default() {
            match undo {
                Undo::Variable(name, old) => {
                    variables.entry(name.clone()).or_insert_with(|| old.clone());
                }
                Undo::Function(name, old) => {
                    functions.entry(name.clone()).or_insert_with(|| old.clone());
                }
                Undo::Alias(..) | Undo::Directory(_) => {}
            }
        }
        let mut bytes = 0;
        for (name, old) in variables {
            // A variable that is not set stands for nothing.
            let nothing = || Vec::from([Value::List(Vec::new())]);
            let mut values = self.variables.get(&name).cloned().unwrap_or_else(nothing);
            let old = old.unwrap_or_else(nothing);
            bytes += values.iter().chain(&old).map(Value::bytes).sum::<usize>();
            values.extend(old);
            let mut kept: Vec<Value> = Vec::new();
            for value in values {
                if !kept.contains(&value) {
                    kept.push(value);
                }
            }
            if kept.len() > VALUES_MAX {
                kept = Vec::from([Value::Text(Text::hole())]);
            }
            self.replace(&name, kept);
        }
        for (name, old) in functions {
            let mut bodies = self.functions(&name).to_vec();
            let same = |one: &Option<Rc<Command>>, other: &Option<Rc<Command>>| match (one, other) {
                (Some(one), Some(other)) => Rc::ptr_eq(one, other),
                (one, other) => one.is_none() && other.is_none(),
            };
            for body in old.unwrap_or_else(|| Vec::from([None])) {
                if !bodies.iter().any(|known| same(known, &body)) {
                    bodies.push(body);
                }
            }
            bodies.truncate(VALUES_MAX);
            self.replace_functions(&name, bodies);
        }
        bytes
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

    /// The positional parameters, in one reading. They are kept as the array `@`.
    pub fn positional(&self, reading: usize) -> &[Field] {
        let values = self.values("@");
        match values.get(reading).or_else(|| values.last()) {
            Some(Value::List(fields)) => fields,
            _ => &[],
        }
    }

    /// Sets a variable to what it may be, and returns what it might be before.
    pub fn replace(&mut self, name: &str, values: Vec<Value>) -> Vec<Value> {
        let old = self.variables.insert(name.into(), values);
        self.undo.push(Undo::Variable(name.into(), old.clone()));
        old.unwrap_or_default()
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
