//! `dos run-id`: mint an id, show the id of a run folder.

use anyhow::Context as _;
use camino::Utf8PathBuf;
use dos_core::fleet::run_id::mint;
use dos_store::clock::Clock;
use serde_json::Value;

use crate::context::Context;
use crate::exit::Exit;
use crate::output;
use crate::verbs::shared::JsonAnswer;

/// Mint and show run ids
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Mint the id of a new run
    #[command(after_help = "Example:\n  dos run-id mint nightly --parent RID-1M7YBFKKP0S1T00")]
    Mint(Mint),
    /// Show the run.json of a run folder
    #[command(after_help = "Exit codes: 0 shown, 1 the folder has none.")]
    Show(Show),
}

/// What a new id is made of.
#[derive(Debug, clap::Args)]
pub struct Mint {
    /// The process that this is a run of
    process: String,
    /// The run that starts this one
    #[arg(long)]
    parent: Option<String>,
    /// The first run of the tree
    #[arg(long)]
    root: Option<String>,
    #[command(flatten)]
    json: JsonAnswer,
}

/// Which folder.
#[derive(Debug, clap::Args)]
pub struct Show {
    /// The run folder
    dir: Utf8PathBuf,
    #[command(flatten)]
    json: JsonAnswer,
}

impl Verb {
    /// Runs it.
    pub fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        match self {
            Self::Mint(args) => {
                let entropy = getrandom::u64().context("the system gives no random bytes")?;
                let (parent, root) = (args.parent.as_deref(), args.root.as_deref());
                let run = mint(&args.process, parent, root, context.clock.now()?, entropy)?;
                output::answer(&run.to_json(), true);
                Ok(Exit::Yes)
            }
            Self::Show(args) => {
                let path = args.dir.join("run.json");
                let Ok(text) = std::fs::read_to_string(&path) else {
                    output::note(&format!("there is no readable {path}"));
                    return Ok(Exit::No);
                };
                let value: Value = serde_json::from_str(&text)
                    .with_context(|| format!("{path} is no JSON; mint a new run id"))?;
                output::answer(&value, true);
                Ok(Exit::Yes)
            }
        }
    }
}
