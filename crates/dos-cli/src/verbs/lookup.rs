//! Settings of exports by flag, variable and the `.env` of the workspace, in this order.

use std::collections::BTreeMap;

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use dos_drivers::export::dotenv;
use dos_store::Workspace;
use dos_store::workspace::Environment;

use crate::context::Context;

/// Looks settings up.
pub struct Lookup<'a> {
    context: &'a Context,
    root: &'a Utf8Path,
}

/// A setting.
pub struct Found {
    /// Its value.
    pub value: String,
    /// Is it from `.env`? Then whoever wrote the repository has chosen it, and no secret of the user goes
    /// where it points.
    pub by_repository: bool,
}

impl<'a> Lookup<'a> {
    /// For that workspace.
    pub fn new(context: &'a Context, workspace: &'a Workspace) -> Self {
        Self { context, root: &workspace.root }
    }

    /// What was given, else what the variable is set to. What is empty counts as not set.
    pub fn first(&self, given: Option<&str>, variable: &str) -> anyhow::Result<Option<Found>> {
        let user = match given.filter(|text| !text.trim().is_empty()) {
            Some(given) => Some(given.to_string()),
            None => self.context.first_variable(&[variable])?,
        };
        if let Some(value) = user {
            return Ok(Some(Found { value, by_repository: false }));
        }
        let value = self.dotenv()?.remove(variable).filter(|text| !text.is_empty());
        Ok(value.map(|value| Found { value, by_repository: true }))
    }

    /// All that `.env` sets.
    pub fn dotenv(&self) -> anyhow::Result<BTreeMap<String, String>> {
        dotenv::read(self.root).with_context(|| format!("cannot read {}", self.root.join(".env")))
    }
}

/// What the files of all cursors begin with: beside the verdict journal, or where a variable says.
pub fn cursor_base(context: &Context, workspace: &Workspace) -> anyhow::Result<Utf8PathBuf> {
    let given = context.environment.variable("DISPATCH_EXPORT_CURSOR_PATH")?;
    Ok(match given.filter(|path| !path.is_empty()) {
        Some(path) => context.current.join(path),
        None => workspace.verdicts.with_file_name("export-cursor"),
    })
}
