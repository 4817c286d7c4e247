//! The command line.

use std::ffi::OsString;

use camino::Utf8PathBuf;
use clap::{CommandFactory, Parser, Subcommand};

use crate::context::Context;
use crate::exit::Exit;
use crate::verbs;

/// Referee a fleet of coding agents that work on one repository
///
/// The exit code is the answer; `dos exit-codes` lists what each one means.
#[derive(Debug, Parser)]
#[command(name = "dos", version, arg_required_else_help = true, after_help = EXAMPLES)]
pub struct Cli {
    /// The workspace folder [default: $DISPATCH_WORKSPACE, else the current folder]
    #[arg(long, global = true, value_name = "DIR")]
    pub workspace: Option<Utf8PathBuf>,
    /// Record the verdict in the verdict journal, as $DISPATCH_OBSERVE=1 does; see `dos observe`
    #[arg(long, global = true)]
    pub observe: bool,
    /// What to do
    #[command(subcommand)]
    pub verb: Verb,
}

impl Cli {
    /// Reads the arguments of a process.
    ///
    /// Building the arguments of every verb takes a third of a millisecond, so at first only the
    /// verb that is asked for builds its own; help and a mistake are shown with all of them.
    pub fn read(arguments: &[OsString]) -> Result<Self, clap::Error> {
        Self::try_parse_from(arguments)
            .map_err(|lean| Self::whole().try_get_matches_from(arguments).err().unwrap_or(lean))
    }

    /// The command line with every verb built.
    pub fn whole() -> clap::Command {
        let mut command = Self::command();
        command.build();
        command
    }
}

const EXAMPLES: &str = "\
Examples:
  dos quickstart                                     watch eight workers race, none colliding
  dos init                                           derive lanes from this repository's folders
  dos lease-lane acquire --lane api --owner me       take a lane
  dos lease-lane acquire --lane api --owner me --wait 10m
  dos lease-lane release --lane api --owner me       give it back
  dos lanes                                          who owns what, and which lanes meet
  dos doctor                                         what is configured, what is wrong";

/// The verbs. What each does stands with its arguments, which are built for the one that is asked.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum Verb {
    Arbitrate(verbs::arbitrate::Args),
    Attest(verbs::attest::Args),
    AttestKey(verbs::attest::KeyArgs),
    Completions(verbs::completions::Args),
    Doctor(verbs::doctor::Args),
    ExecCapability(verbs::exec_capability::Args),
    ExitCodes(verbs::exit_codes::Args),
    Export(verbs::export::Args),
    Forget(verbs::forget::Args),
    Gate(verbs::gate::Args),
    Halt(verbs::halt::Args),
    #[command(subcommand)]
    Hook(verbs::hook::Verb),
    Init(verbs::init::Args),
    #[command(subcommand)]
    Journal(verbs::journal::Verb),
    Keeper(verbs::keeper::Args),
    Learn(verbs::learn::Args),
    #[command(subcommand)]
    Lease(verbs::lease::Verb),
    #[command(subcommand)]
    LeaseLane(verbs::lease_lane::Verb),
    Lanes(verbs::lanes::Args),
    Lint(verbs::lint::Args),
    Liveness(verbs::liveness::Args),
    Loop(verbs::loop_plan::Args),
    Man(verbs::man::Args),
    Notify(verbs::notify::Args),
    Observe(verbs::observe::Args),
    Overlap(verbs::overlap::Args),
    Projects(verbs::projects::Args),
    Quickstart(verbs::quickstart::Args),
    Reap(verbs::reap::Args),
    Reindex(verbs::reindex::Args),
    Run(verbs::run::Args),
    #[command(subcommand)]
    RunId(verbs::run_id::Verb),
    #[command(subcommand)]
    Snapshot(verbs::snapshot::Verb),
    StateDiff(verbs::state_diff::Args),
    Supervise(verbs::supervise::Args),
    Top(verbs::top::Args),
    VerifyReceipt(verbs::verify_receipt::Args),
    Watch(verbs::watch::Args),
}

impl Verb {
    /// Runs the verb.
    pub fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        match self {
            Self::Arbitrate(args) => verbs::arbitrate::run(context, args),
            Self::Attest(args) => verbs::attest::run(context, args),
            Self::AttestKey(args) => verbs::attest::make_key(context, args),
            Self::Completions(args) => verbs::completions::run(args),
            Self::Doctor(args) => verbs::doctor::run(context, args),
            Self::ExecCapability(args) => verbs::exec_capability::run(context, args),
            Self::ExitCodes(args) => verbs::exit_codes::run(args),
            Self::Export(args) => verbs::export::run(context, args),
            Self::Forget(args) => verbs::forget::run(context, args),
            Self::Gate(args) => verbs::gate::run(context, args),
            Self::Halt(args) => verbs::halt::run(context, args),
            Self::Hook(verb) => verb.run(context),
            Self::Init(args) => verbs::init::run(context, args),
            Self::Journal(verb) => verb.run(context),
            Self::Keeper(_) => Ok(verbs::keeper::run()),
            Self::Learn(args) => verbs::learn::run(context, args),
            Self::Lease(verb) => verb.run(context),
            Self::LeaseLane(verb) => verb.run(context),
            Self::Lanes(args) => verbs::lanes::run(context, args),
            Self::Lint(args) => verbs::lint::run(context, args),
            Self::Liveness(args) => verbs::liveness::run(context, args),
            Self::Loop(args) => verbs::loop_plan::run(context, args),
            Self::Overlap(args) => verbs::overlap::run(context, args),
            Self::Man(args) => verbs::man::run(args),
            Self::Notify(args) => verbs::notify::run(context, args),
            Self::Observe(args) => verbs::observe::run(context, args),
            Self::Projects(args) => verbs::projects::run(context, args),
            Self::Quickstart(args) => verbs::quickstart::run(context, args),
            Self::Reap(args) => verbs::reap::run(context, args),
            Self::Reindex(args) => verbs::reindex::run(context, args),
            Self::Run(args) => verbs::run::run(context, args),
            Self::RunId(verb) => verb.run(context),
            Self::Snapshot(verb) => verb.run(context),
            Self::StateDiff(args) => verbs::state_diff::run(context, args),
            Self::Supervise(args) => verbs::supervise::run(context, args),
            Self::Top(args) => verbs::top::run(context, args),
            Self::VerifyReceipt(args) => verbs::verify_receipt::run(context, args),
            Self::Watch(args) => verbs::watch::run(context, args),
        }
    }
}
