//! `dos completions`: a completion script for a shell.

use clap_complete::Shell;

use crate::exit::Exit;
use crate::output;

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  dos completions bash > ~/.local/share/bash-completion/completions/dos"
)]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// Prints it.
pub fn run(args: &Args) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::command(), "dos", &mut script);
    output::raw(&script);
    Ok(Exit::Yes)
}
