//! What every verb works with: the environment, the clock, the workspace.

use std::env::VarError;

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use dos_core::config::Config;
use dos_drivers::Referee;
use dos_store::clock::RealClock;
use dos_store::disk::RealDisk;
use dos_store::home::Home;
use dos_store::registry::Registry;
use dos_store::workspace::{Environment, host_name};
use dos_store::{StoreError, Workspace};

use crate::cli::Cli;
use crate::output;

/// The environment, read once where it is asked for.
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    fn variable(&self, name: &str) -> Result<Option<String>, StoreError> {
        match std::env::var(name) {
            Ok(value) => Ok(Some(value)),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => Err(StoreError::BadVariable { name: name.to_string() }),
        }
    }
}

/// The surroundings of one command.
pub struct Context {
    /// The clock.
    pub clock: RealClock,
    /// The environment.
    pub environment: ProcessEnvironment,
    /// The current folder.
    pub current: Utf8PathBuf,
    /// The name that this host goes by.
    host: String,
    workspace_flag: Option<Utf8PathBuf>,
    observe_flag: bool,
}

impl Context {
    /// Gathers what the command line and the process say.
    pub fn gather(cli: &Cli) -> anyhow::Result<Self> {
        Self::of_process(cli.workspace.clone(), cli.observe)
    }

    /// Gathers what the process says, for a command line that names this workspace and may ask for
    /// verdicts to be recorded.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks for the current folder")]
    pub fn of_process(
        workspace_flag: Option<Utf8PathBuf>,
        observe_flag: bool,
    ) -> anyhow::Result<Self> {
        let current = std::env::current_dir().context("failed to find the current folder")?;
        let current = Utf8PathBuf::from_path_buf(current).map_err(|path| {
            anyhow::anyhow!("the current folder {} is not UTF-8; use another one", path.display())
        })?;
        Ok(Self {
            host: host_name(),
            clock: RealClock::start(),
            environment: ProcessEnvironment,
            current,
            workspace_flag,
            observe_flag,
        })
    }

    /// The workspace that the command line names.
    pub fn workspace_flag(&self) -> Option<&Utf8Path> {
        self.workspace_flag.as_deref()
    }

    /// Does the command line ask for verdicts to be recorded?
    pub fn observes(&self) -> bool {
        self.observe_flag
    }

    /// The program that runs, where the system says so.
    pub fn program(&self) -> Option<Utf8PathBuf> {
        Utf8PathBuf::from_path_buf(std::env::current_exe().ok()?).ok()
    }

    /// Opens the workspace, and says what is wrong with its `dos.toml`.
    pub fn workspace(&self) -> anyhow::Result<Workspace> {
        let workspace = self.quiet_workspace()?;
        warn(&workspace.config, &workspace.root.join("dos.toml"));
        Ok(workspace)
    }

    /// Opens the workspace without a word about its `dos.toml`.
    pub fn quiet_workspace(&self) -> anyhow::Result<Workspace> {
        let flag = self.workspace_flag.as_deref();
        Ok(Workspace::open(&RealDisk, &self.environment, flag, &self.current)?)
    }

    /// The home registry, for those who need one.
    pub fn home(&self) -> anyhow::Result<Home> {
        let home = Home::find(&self.environment, None, &self.current)?;
        Ok(home.ok_or(StoreError::NoHome)?)
    }

    /// The registry of a home.
    pub fn registry<'a>(&'a self, home: &'a Home) -> Registry<'a, RealDisk, RealClock> {
        Registry::new(&RealDisk, &self.clock, home, &self.host)
    }

    /// Says so where this folder declares nothing and one above it does.
    pub fn point_above(&self, workspace: &Workspace) {
        let declares = |folder: &Utf8Path| folder.join("dos.toml").is_file();
        if declares(&workspace.root) {
            return;
        }
        if let Some(above) = workspace.root.ancestors().skip(1).find(|above| declares(above)) {
            output::note(&format!(
                "note: {} has no dos.toml; for the one above it, use --workspace {above}",
                workspace.root
            ));
        }
    }

    /// The referee of a workspace.
    pub fn referee<'a>(&self, workspace: &'a Workspace) -> Referee<'a> {
        Referee::new(workspace, self.clock)
    }

    /// The first of these variables that is set and not empty.
    pub fn first_variable(&self, names: &[&str]) -> anyhow::Result<Option<String>> {
        for name in names {
            let value = self.environment.variable(name)?.unwrap_or_default();
            if !value.trim().is_empty() {
                return Ok(Some(value.trim().to_string()));
            }
        }
        Ok(None)
    }
}

fn warn(config: &Config, path: &camino::Utf8Path) {
    for finding in config.findings.iter().filter(|finding| finding.severe) {
        output::note(&format!("warning: {path}:{finding}"));
    }
}
