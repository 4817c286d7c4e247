//! The one place that starts processes: the folder, the environment and the input are always said.

use std::process::{Command, Stdio};

use camino::Utf8Path;

/// A command in that folder, with nothing on its standard input.
#[expect(clippy::disallowed_methods, reason = "the one place that starts processes")]
pub fn command(program: &str, folder: &Utf8Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).stdin(Stdio::null());
    command
}
