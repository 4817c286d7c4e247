//! Everything that is printed: answers on stdout, talk on stderr. Nobody else prints.

use std::io::{IsTerminal, Write};

use dos_core::json;
use dos_drivers::runner::RunError;
use dos_drivers::{RefereeError, terminal};
use dos_store::StoreError;
use dos_store::workspace::Environment;
use serde_json::{Value, json};

use crate::exit::Exit;

/// Prints an answer as one line of JSON, or indented.
pub fn answer(value: &Value, pretty: bool) {
    line(&if pretty { json::pretty(value) } else { json::canonical(value) });
}

/// Prints one line of an answer. A closed pipe never turns an answer into another one.
pub fn line(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes());
    let _ = stdout.write_all(b"\n");
}

/// Prints one line of many, at once. False when nobody reads any more.
pub fn is_read(text: &str) -> bool {
    let mut stdout = std::io::stdout().lock();
    let line = format!("{text}\n");
    stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush()).is_ok()
}

/// Prints many lines, each with its newline.
pub fn lines(lines: impl Iterator<Item = String>) {
    let mut stdout = std::io::BufWriter::new(std::io::stdout().lock());
    for line in lines {
        // Whoever has gone away needs no more of them.
        if stdout.write_all(line.as_bytes()).is_err() {
            return;
        }
    }
    let _ = stdout.flush();
}

/// Prints bytes of an answer as they are.
pub fn raw(bytes: &[u8]) {
    let _ = std::io::stdout().lock().write_all(bytes);
}

/// Says something beside the answer.
pub fn note(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes());
    let _ = stderr.write_all(b"\n");
}

/// Says something beside the answer where a person looks on.
pub fn remark(text: &str) {
    if std::io::stderr().is_terminal() {
        note(text);
    }
}

/// How a text is set off.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// Good news.
    Green,
    /// Bad news.
    Red,
    /// Something to look at.
    Yellow,
    /// A heading.
    Bold,
}

/// The text in colour where a person looks at stdout and has not asked for none.
pub fn paint(text: &str, paint: Paint, colour: bool) -> String {
    if !colour {
        return text.to_string();
    }
    let code = match paint {
        Paint::Green => "32",
        Paint::Red => "31",
        Paint::Yellow => "33",
        Paint::Bold => "1",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// A text of somebody else's, without characters that would move the cursor or colour the screen.
pub fn printable(text: &str) -> String {
    let shown = |character: char| match character.is_control() {
        true => character.escape_default().to_string(),
        false => character.to_string(),
    };
    text.chars().map(shown).collect()
}

/// Is stdout a terminal whose user has not asked for plain text?
pub fn wants_colour(no_color: Option<String>) -> bool {
    no_color.is_none_or(|value| value.is_empty()) && std::io::stdout().is_terminal()
}

/// How wide the terminal is, in columns: what `COLUMNS` says, or the terminal itself; `None` where
/// the output goes elsewhere.
pub fn width(environment: &dyn Environment) -> Result<Option<usize>, StoreError> {
    let said = environment.variable("COLUMNS")?.and_then(|text| text.trim().parse().ok());
    Ok(said.filter(|columns| *columns > 0).or_else(terminal::width))
}

/// Prints a failure with what to do about it, and chooses the code.
pub fn failure(error: &anyhow::Error) -> Exit {
    note(&format!("error: {error:#}"));
    if let Some(hint) = store_error(error).map(StoreError::hint) {
        note(&format!("hint: {hint}"));
    }
    match is_busy(error) {
        true => Exit::Busy,
        false => Exit::Contract,
    }
}

/// Did the lock stay busy?
pub fn is_busy(error: &anyhow::Error) -> bool {
    store_error(error).is_some_and(StoreError::is_busy)
}

/// The answer of a verb whose lock stayed busy: one JSON line on stderr.
pub fn busy(lane: &str, error: &anyhow::Error) -> Exit {
    let answer = json!({"outcome": "lock-busy", "lane": lane, "reason": format!("{error:#}")});
    note(&json::canonical(&answer));
    Exit::Busy
}

fn store_error(error: &anyhow::Error) -> Option<&StoreError> {
    match error.downcast_ref::<RefereeError>() {
        Some(RefereeError::Store(store)) => Some(store),
        _ => match error.downcast_ref::<RunError>() {
            Some(RunError::Referee(RefereeError::Store(store))) => Some(store),
            _ => error.downcast_ref::<StoreError>(),
        },
    }
}
