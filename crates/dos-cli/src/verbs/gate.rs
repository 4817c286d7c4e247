//! `dos gate`: how this program calls itself to wait until a command's process is on record.

use dos_drivers::launch;

use crate::context::Context;
use crate::exit::Exit;
use crate::output;

/// Wait at a gate, and become the command
#[derive(Debug, clap::Args)]
#[command(
    hide = true,
    after_help = "Exit codes: those of the command; 125 nothing was run, 126 it cannot be run, 127 \
                  there is no such command."
)]
pub struct Args {
    /// The gate
    #[arg(long)]
    at: String,
    /// The process with which this one ends
    #[arg(long)]
    ends_with: Option<u32>,
    /// The command
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

/// Waits.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let Args { at, ends_with, command } = args;
    let error = launch::wait_and_become(at, *ends_with, &context.current, command);
    let program = command.first().map_or("", String::as_str);
    Ok(match error.kind() {
        std::io::ErrorKind::Other => Exit::Of(125),
        kind => {
            output::note(&format!("error: failed to run {program:?}: {error}"));
            Exit::Of(if kind == std::io::ErrorKind::NotFound { 127 } else { 126 })
        }
    })
}
