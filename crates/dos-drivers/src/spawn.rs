//! The one place that starts processes: the folder, the environment and the input are always said.

use std::process::{Command, Stdio};

use camino::Utf8Path;

/// Takes from a command all variables that we have whose name begins so.
#[expect(clippy::disallowed_methods, reason = "which there are, to leave them out")]
pub fn without_variables(command: &mut Command, prefix: &str) {
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(prefix.as_bytes()) {
            command.env_remove(name);
        }
    }
}

/// A command in that folder, with nothing on its standard input.
#[expect(clippy::disallowed_methods, reason = "the one place that starts processes")]
pub fn command(program: &str, folder: &Utf8Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).stdin(Stdio::null());
    command
}
