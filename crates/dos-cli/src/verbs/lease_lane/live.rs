//! `dos lease-lane live`: who is live.

use super::leases_json;
use crate::context::Context;
use crate::exit::Exit;
use crate::output;
use crate::verbs::shared::Printed;

/// List who is live
///
/// The leases as the journal holds them, without those whose holder is provably dead.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  dos lease-lane live --pretty\n  dos lease-lane live --all")]
pub struct Args {
    /// Show the leases of dead holders too: the bare replay of the journal
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    printed: Printed,
}

/// Lists them.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let view = context.referee(&workspace).view()?;
    let shown = match args.all {
        true => leases_json(view.live.leases()),
        false => leases_json(view.leases().into_iter()),
    };
    output::answer(&shown, args.printed.pretty);
    Ok(Exit::Yes)
}
