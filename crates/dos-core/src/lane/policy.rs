//! The lane policy of a workspace: which lanes there are, what they cover, how they compare.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::lane::admission::Conditions;
use crate::lane::lease::{Lease, Tree, fold, same_name};
use crate::lane::overlap::{Exact, OverlapPolicy};

/// The `[lanes]` table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lanes {
    /// Lanes that run side by side as far as their trees allow.
    pub concurrent: Vec<String>,
    /// Lanes that run alone.
    pub exclusive: Vec<String>,
    /// Lanes whose holders only read: they may be held together.
    pub shared: Vec<String>,
    /// The order in which a request without a lane walks the lanes.
    pub autopick: Vec<String>,
    /// What each lane covers.
    pub trees: BTreeMap<String, Tree>,
    /// Other names of lanes.
    pub aliases: BTreeMap<String, String>,
}

/// How a lane runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Side by side with others.
    Concurrent,
    /// Side by side with others who only read.
    Shared,
    /// Alone.
    Exclusive,
    /// Only when it is asked for by name: it is in no list.
    Named,
}

impl Role {
    /// The stable word.
    pub fn token(self) -> &'static str {
        match self {
            Self::Concurrent => "concurrent",
            Self::Shared => "shared",
            Self::Exclusive => "exclusive",
            Self::Named => "named",
        }
    }
}

impl Lanes {
    /// The lanes of a workspace that declares none: `main` and `global`, both the whole repository.
    pub fn undeclared() -> Self {
        let all = || Tree::new(["**/*".to_string()]);
        Self {
            concurrent: Vec::from(["main".to_string()]),
            exclusive: Vec::from(["global".to_string()]),
            shared: Vec::new(),
            autopick: Vec::from(["main".to_string()]),
            trees: [("main".to_string(), all()), ("global".to_string(), all())].into(),
            aliases: BTreeMap::new(),
        }
    }

    /// Every declared lane: concurrent, exclusive, shared, auto-picked and those that only have a
    /// tree.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        let lists = [&self.concurrent, &self.exclusive, &self.shared, &self.autopick];
        lists.into_iter().flatten().chain(self.trees.keys())
    }

    /// Every declared lane once, as it is named first, and how it runs.
    pub fn roles(&self) -> Vec<(&String, Role)> {
        let folded = |names: &[String]| names.iter().map(|name| fold(name)).collect();
        let (exclusive, shared): (BTreeSet<String>, BTreeSet<String>) =
            (folded(&self.exclusive), folded(&self.shared));
        let mut concurrent: BTreeSet<String> = folded(&self.concurrent);
        concurrent.extend(self.autopick.iter().map(|name| fold(name)));
        let mut seen = BTreeSet::new();
        let mut roles = Vec::new();
        for name in self.names() {
            let key = fold(name);
            let role = match () {
                () if exclusive.contains(&key) => Role::Exclusive,
                () if shared.contains(&key) => Role::Shared,
                () if concurrent.contains(&key) => Role::Concurrent,
                () => Role::Named,
            };
            if seen.insert(key) {
                roles.push((name, role));
            }
        }
        roles
    }

    /// The lane that a name stands for: the name itself, or the one it is an alias of.
    pub fn resolve<'a>(&'a self, name: &'a str) -> &'a str {
        let alias = self.aliases.iter().find(|(alias, _)| same_name(alias, name));
        match alias {
            Some((_, lane)) if !self.names().any(|known| same_name(known, name)) => lane,
            _ => name,
        }
    }

    /// Is the name a lane of this workspace? `global` always is.
    pub fn knows(&self, name: &str) -> bool {
        let mut known = self.names().chain(self.aliases.keys()).map(String::as_str);
        known.any(|known| same_name(known, name)) || same_name(name, "global")
    }

    /// What the lane covers; empty when nothing is declared.
    pub fn tree(&self, name: &str) -> Tree {
        let exact = self.trees.get(name);
        let found = exact.or_else(|| {
            self.trees.iter().find(|(lane, _)| same_name(lane, name)).map(|(_, tree)| tree)
        });
        found.cloned().unwrap_or_default()
    }

    /// Must the lane run alone?
    pub fn is_exclusive(&self, name: &str) -> bool {
        contains(&self.exclusive, name)
    }

    /// Do the lane's holders only read?
    pub fn is_shared(&self, name: &str) -> bool {
        contains(&self.shared, name)
    }

    /// Is the lane one of those that run side by side?
    pub fn is_concurrent(&self, name: &str) -> bool {
        [&self.concurrent, &self.shared, &self.autopick].iter().any(|names| contains(names, name))
    }
}

fn contains(names: &[String], name: &str) -> bool {
    names.iter().any(|candidate| same_name(candidate, name))
}

/// All that `decide` goes by. Collected from `dos.toml` by [`crate::config`].
pub struct Policy {
    /// The lanes.
    pub lanes: Lanes,
    /// When a lane may be granted beside others.
    pub conditions: Conditions,
    /// How many leases of a kind may be live at once; a kind that is not listed, or listed with
    /// zero, has no bound.
    pub class_budgets: BTreeMap<String, u32>,
}

impl Policy {
    /// Does the lease tolerate no other? It is one of an exclusive lane, by name or by kind.
    pub fn runs_alone(&self, lease: &Lease) -> bool {
        let kind = lease.kind();
        same_name(kind, "global")
            || self.lanes.is_exclusive(kind)
            || self.lanes.is_exclusive(&lease.lane())
    }

    /// A policy of these lanes under the exact overlap policy, without budgets.
    pub fn of_lanes(lanes: Lanes) -> Self {
        Self::new(lanes, Box::new(Exact::default()))
    }

    /// A policy of these lanes under that overlap policy, without budgets.
    pub fn new(lanes: Lanes, overlap: Box<dyn OverlapPolicy>) -> Self {
        let conditions = Conditions { overlap, predicates: Vec::new() };
        Self { lanes, conditions, class_budgets: BTreeMap::new() }
    }
}
