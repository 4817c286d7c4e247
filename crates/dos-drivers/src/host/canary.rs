//! Does a wired hook run, and does it refuse what it must?

use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::time::Duration;

use camino::Utf8Path;
use dos_store::clock::Clock;
use serde_json::{Value, json};

use super::wiring::verb_of;
use super::{Host, Moment, Word};
use crate::hook::CANARY;
use crate::spawn;

/// A hook that takes longer hangs.
const HANGS_AFTER: Duration = Duration::from_secs(5);
/// How often it is looked at.
const POLL: Duration = Duration::from_millis(2);
/// Characters by which a command could do something else than run one program.
const META: &str = ";&|<>$`()\\*?{}[]!#~\n\r";
/// The file that the made-up call writes: one that is always protected.
const FILE: &str = ".dos/canary";
/// What every refusal of it says.
const REFUSAL: &str = "no agent may write";

/// Why nothing was tried, or what went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The command is none that is run on trust.
    NotRun(String),
    /// It ran, and did not do what it should.
    Failed(String),
}

/// Runs a wired command as the host would, with a made-up event, and looks at its answer.
pub fn run(
    command: &str,
    host: &dyn Host,
    moment: Moment,
    root: &Utf8Path,
    clock: &impl Clock,
) -> Result<(), Trouble> {
    trusted(command).map_err(|why| Trouble::NotRun(why.to_string()))?;
    let event = match moment {
        Moment::Pre => json!({
            "session_id": CANARY,
            "hook_event_name": "canary",
            "tool_name": "Write",
            "tool_input": {"file_path": root.join(FILE).as_str(), "content": ""},
            "cwd": root.as_str(),
        }),
        Moment::Post | Moment::Stop => json!({}),
    };
    let failed = |what: String| Trouble::Failed(what);
    let started = spawn::command("sh", root)
        .args(["-c", command])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = started.map_err(|error| failed(format!("it could not be started: {error}")))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that is not there reads nothing: its exit code says so.
        let _ = stdin.write_all(event.to_string().as_bytes());
    }
    let code = ended(&mut child, clock).map_err(failed)?;
    let stdout = read(child.stdout.take());
    if code != Some(0) {
        let said = read(child.stderr.take());
        let said = said.lines().next().unwrap_or_default().to_string();
        let code = code.map_or("a signal".to_string(), |code| format!("exit code {code}"));
        return Err(failed(format!("it ended with {code}: {said}")));
    }
    match moment {
        Moment::Pre => refuses(host, &stdout).map_err(failed),
        Moment::Post | Moment::Stop => Ok(()),
    }
}

/// Says why a command from a settings file is not run here.
fn trusted(command: &str) -> Result<(), &'static str> {
    if verb_of(command).is_none() {
        return Err("it is not a hook of dos");
    }
    if command.contains(|c: char| META.contains(c)) {
        return Err("it is more than one plain command");
    }
    let program = command.split_whitespace().find(|word| !word.contains('='));
    match program.map(|program| program.trim_matches(['"', '\''])) {
        Some(program) if program == "dos" || program.starts_with('/') => Ok(()),
        _ => Err("its program is neither `dos` nor an absolute path"),
    }
}

/// Waits for the end of a process, which is killed if it hangs.
fn ended(child: &mut Child, clock: &impl Clock) -> Result<Option<i32>, String> {
    let deadline = clock.elapsed() + HANGS_AFTER;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.code()),
            Ok(None) if clock.elapsed() < deadline => clock.sleep(POLL),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("it did not end within {} seconds", HANGS_AFTER.as_secs()));
            }
            Err(error) => return Err(format!("it could not be waited for: {error}")),
        }
    }
}

fn read(pipe: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        let _ = pipe.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Is this the host's word for a refusal?
fn refuses(host: &dyn Host, stdout: &str) -> Result<(), String> {
    if stdout.trim().is_empty() {
        return Err("it let a call pass that writes the referee's own files".to_string());
    }
    let said: Value = serde_json::from_str(stdout)
        .map_err(|_| "it answered something that is no JSON".to_string())?;
    let reason = refusal_in(&said);
    let expected = reason.and_then(|reason| host.say(Word::Deny(reason), Moment::Pre));
    match expected == Some(said) {
        true => Ok(()),
        false => Err(format!(
            "it let a call pass that writes the referee's own files, or did not say no in words that \
             {} understands",
            host.name()
        )),
    }
}

fn refusal_in(said: &Value) -> Option<&str> {
    match said {
        Value::String(text) if text.contains(REFUSAL) => Some(text),
        Value::Object(fields) => fields.values().find_map(refusal_in),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_commands_are_run() {
        for (command, run) in [
            ("dos hook pretool --workspace .", true),
            ("/usr/bin/dos hook pretool", true),
            ("DOS_X=1 dos hook pretool", true),
            ("./dos hook pretool", false),
            ("bin/dos hook pretool", false),
            ("dos hook pretool; rm -rf x", false),
            ("dos hook pretool $(touch x)", false),
            ("touch x", false),
        ] {
            assert_eq!(trusted(command).is_ok(), run, "{command}");
        }
    }
}
