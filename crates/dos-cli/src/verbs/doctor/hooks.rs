//! Which agent hosts are wired, and whether their hooks answer.

use camino::{Utf8Path, Utf8PathBuf};
use dos_drivers::host::canary::{self, Trouble};
use dos_drivers::host::{HOSTS, Host, Moment, Wired};
use dos_store::disk::{RealDisk, read_small};
use serde_json::{Value, json};

use super::findings::{Finding, Severity};
use super::text::{plain, shell};
use crate::context::Context;

/// A settings file is written by people.
const SETTINGS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A host whose settings hold hooks of ours.
pub struct WiredHost {
    host: &'static dyn Host,
    path: Utf8PathBuf,
    hooks: Vec<(Wired, Result<(), Trouble>)>,
}

/// Looks at the settings of every host, and runs each of our hooks once with a made-up event.
pub fn gather(context: &Context, root: &Utf8Path, findings: &mut Vec<Finding>) -> Vec<WiredHost> {
    let home = context.first_variable(&["HOME"]).ok().flatten().map(Utf8PathBuf::from);
    HOSTS
        .into_iter()
        .filter_map(|host| wired_host(context, host, root, home.as_deref(), findings))
        .collect()
}

fn wired_host(
    context: &Context,
    host: &'static dyn Host,
    root: &Utf8Path,
    home: Option<&Utf8Path>,
    findings: &mut Vec<Finding>,
) -> Option<WiredHost> {
    let settings = host.settings();
    let path = settings.file(root, home)?;
    // What cannot be read is the host's to complain about.
    let text = String::from_utf8(read_small(&RealDisk, &path, SETTINGS_BYTES_MAX).ok()??).ok()?;
    let wired = match settings.wired(&text) {
        Ok(wired) => wired,
        Err(error) => {
            // Only one that we are named in is our affair.
            if text.contains("dos hook") {
                let what = format!("{}: {error}", host.name());
                let fix = "mend it; until then none of its hooks may run".to_string();
                let finding = Finding::new(Severity::Error, "HOOK_SETTINGS", what, fix);
                findings.push(Finding { file: Some(path), ..finding });
            }
            return None;
        }
    };
    if wired.is_empty() {
        return None;
    }
    let name = host.name();
    let rewire = format!("dos init --hooks {name}{}", at(context, root));
    let missing: Vec<&str> = settings
        .events
        .iter()
        .map(|(event, ..)| *event)
        .filter(|event| !wired.iter().any(|hook| hook.event == *event))
        .collect();
    if !missing.is_empty() {
        let what = format!("{name}: nothing of ours is wired for {}", missing.join(", "));
        let finding =
            Finding::new(Severity::Warning, "HOOK_INCOMPLETE", what, format!("wire it: {rewire}"));
        findings.push(Finding { file: Some(path.clone()), ..finding });
    }
    let hooks = wired.into_iter().map(|hook| {
        let moment = settings.events.iter().find(|(event, ..)| *event == hook.event);
        let moment = moment.map_or(Moment::Stop, |(_, moment, _)| *moment);
        let answer = canary::run(&hook.command, host, moment, root, &context.clock);
        (hook, answer)
    });
    let hooks: Vec<(Wired, Result<(), Trouble>)> = hooks.collect();
    for (hook, answer) in &hooks {
        let command = plain(&hook.command);
        let (severity, code, what) = match answer {
            Ok(()) => continue,
            Err(Trouble::Failed(why)) => (
                Severity::Error,
                "HOOK_SILENT",
                format!("{name}: `{command}` does not guard: {}", plain(why)),
            ),
            Err(Trouble::NotRun(why)) => (
                Severity::Note,
                "HOOK_NOT_TRIED",
                format!("{name}: `{command}` was not tried: {why}"),
            ),
        };
        let fix = format!("see that `dos` is on the host's PATH, or wire it anew: {rewire}");
        let finding = Finding::new(severity, code, what, fix);
        findings.push(Finding { file: Some(path.clone()), ..finding });
    }
    Some(WiredHost { host, path, hooks })
}

/// The folder as an argument of the commands that are suggested.
fn at(context: &Context, root: &Utf8Path) -> String {
    match root == context.current {
        true => String::new(),
        false => format!(" {}", shell(root.as_str())),
    }
}

impl WiredHost {
    /// One row for people.
    pub fn row(&self) -> Vec<String> {
        let answered = self.hooks.iter().filter(|(_, answer)| answer.is_ok()).count();
        let events: Vec<&str> = self.hooks.iter().map(|(hook, _)| hook.event.as_str()).collect();
        let state = match answered == self.hooks.len() {
            true => "each answered a canary".to_string(),
            false => format!("{answered} of {} answered a canary", self.hooks.len()),
        };
        vec![self.host.name().to_string(), plain(&events.join(", ")), state]
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let hooks = self.hooks.iter().map(|(hook, answer)| {
            let (state, why) = match answer {
                Ok(()) => ("answers", None),
                Err(Trouble::Failed(why)) => ("silent", Some(why)),
                Err(Trouble::NotRun(why)) => ("not_tried", Some(why)),
            };
            json!({"event": hook.event, "command": hook.command, "state": state, "why": why})
        });
        json!({
            "host": self.host.name(),
            "path": self.path.as_str(),
            "hooks": hooks.collect::<Value>(),
        })
    }
}
