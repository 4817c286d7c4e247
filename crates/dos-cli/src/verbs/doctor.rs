//! `dos doctor`: the report.
use crate::{context::Context, exit::Exit};
/// Report the workspace, its lanes and what is wrong
#[derive(Debug, clap::Args)]
pub struct Args {}
/// Reports.
pub fn run(_: &Context, _: &Args) -> anyhow::Result<Exit> {
    Ok(Exit::Yes)
}
