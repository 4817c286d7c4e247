//! `dos keeper`: how this program calls itself to end a command that it leaves behind when it is killed.

use dos_drivers::bounded;

use crate::exit::Exit;

/// Wait until whoever started this is gone, and end the command that it left
#[derive(Debug, clap::Args)]
#[command(hide = true, after_help = "Exit codes: 0 nothing is left.")]
pub struct Args {}

/// Waits.
pub fn run() -> Exit {
    bounded::keep(std::io::stdin().lock());
    Exit::Yes
}
