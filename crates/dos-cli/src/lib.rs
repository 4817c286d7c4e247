//! The `dos` binary as a library: parse, gather, call, print, exit. No rule lives here.

#![forbid(unsafe_code)]

mod cli;
mod context;
mod exit;
mod output;
mod record;
mod tui;
mod verbs;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;

use crate::cli::Cli;
use crate::context::Context;
use crate::exit::Exit;

/// Runs the command line of this process and returns its exit code.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if let Some(exit) = verbs::hook::quick(&arguments) {
        return exit.into();
    }
    let cli = match Cli::read(&arguments) {
        Ok(cli) => cli,
        Err(error) if error.kind() == ErrorKind::InvalidUtf8 => return not_utf8().into(),
        Err(error) => {
            let code = match error.use_stderr() {
                // Hosts take 2 for a refusal, and a mistyped hook must not stop every call.
                true if verbs::hook::is_meant(&arguments) => Exit::No,
                true => Exit::Contract,
                false => Exit::Yes,
            };
            // A closed pipe changes no answer.
            let _ = error.print();
            return code.into();
        }
    };
    dos_drivers::bounded::keep_commands();
    let answered = Context::gather(&cli).and_then(|context| cli.verb.run(&context));
    match answered {
        Ok(exit) => exit.into(),
        Err(error) => output::failure(&error).into(),
    }
}

/// Says which argument is no UTF-8.
fn not_utf8() -> Exit {
    let mut before = String::new();
    for argument in std::env::args_os() {
        match argument.into_string() {
            Ok(text) => before = text,
            Err(bytes) => {
                output::note(&format!(
                    "error: {:?} after {before:?} is not UTF-8",
                    bytes.display()
                ));
                break;
            }
        }
    }
    Exit::Contract
}

/// The command line, for completions, manual pages and tests.
pub fn command() -> clap::Command {
    Cli::whole()
}
