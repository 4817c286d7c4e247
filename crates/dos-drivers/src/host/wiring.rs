//! How the hooks of a host are wired: in which file, in which form, by which command.

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;

use super::{Moment, json_settings, toml_settings};

/// How a settings file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// JSON, perhaps with comments.
    Json {
        /// The object that holds the events.
        under: &'static str,
        /// The format's version, where the file must name it.
        version: Option<u32>,
        /// Does each hook say of itself that it is a command?
        typed: bool,
    },
    /// TOML.
    Toml {
        /// The table that holds the events.
        under: &'static str,
    },
    /// YAML, which people edit themselves: nothing that we know of keeps its comments.
    Yaml {
        /// The mapping that holds the events.
        under: &'static str,
    },
}

/// The host's own option to refuse a call when the hook fails.
#[derive(Clone, Debug, PartialEq)]
pub struct Strict {
    /// Its name.
    pub field: &'static str,
    /// The value that turns it on.
    pub value: Value,
}

/// Where and how the hooks of a host are wired.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The file, from the workspace, or from the home folder when it starts with `~/`.
    pub path: &'static str,
    /// How it is written.
    pub form: Form,
    /// The host's events, when they happen, and whether hooks are listed in groups there.
    pub events: &'static [(&'static str, Moment, bool)],
    /// What `--dialect` says; the default dialect needs no word.
    pub dialect: Option<&'static str>,
    /// The host's fail-closed option, if it has one.
    pub strict: Option<Strict>,
    /// What else its users have to know.
    pub note: &'static str,
}

/// A hook of ours that is wired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wired {
    /// The host's event.
    pub event: String,
    /// The command.
    pub command: String,
}

/// Why a settings file cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// It cannot be read as what it should be.
    #[error("it is no valid {form} ({problem}); mend it first")]
    Unreadable {
        /// JSON or TOML.
        form: &'static str,
        /// What the parser says.
        problem: String,
    },
    /// Something else is where the hooks belong.
    #[error("`{place}` in it is no {wanted}; mend it first")]
    WrongKind {
        /// Where.
        place: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// It has to be edited by hand.
    #[error("it is YAML, which is not edited here; {what}")]
    ByHand {
        /// What to do.
        what: String,
    },
}

impl Settings {
    /// The file's place.
    pub fn file(&self, root: &Utf8Path, home: Option<&Utf8Path>) -> Option<Utf8PathBuf> {
        match self.path.strip_prefix("~/") {
            Some(rest) => Some(home?.join(rest)),
            None => Some(root.join(self.path)),
        }
    }

    /// The command that is wired for a moment.
    pub fn command(&self, moment: Moment) -> String {
        let verb = moment.verb();
        match self.dialect {
            Some(dialect) => format!("dos hook {verb} --workspace . --dialect {dialect}"),
            None => format!("dos hook {verb} --workspace ."),
        }
    }

    /// The file's text with our hooks in it, each once. `strict` turns the host's fail-closed option
    /// on for the hook that may refuse.
    pub fn merged(&self, text: &str, strict: bool) -> Result<String, SettingsError> {
        match self.form {
            Form::Json { .. } => changed(text, |text| json_settings::merged(self, text, strict)),
            Form::Toml { .. } => changed(text, |text| toml_settings::merged(self, text)),
            Form::Yaml { .. } => {
                let what = format!("add to {}:\n{}", self.path, self.yaml(strict));
                Err(SettingsError::ByHand { what })
            }
        }
    }

    /// The file's text without our hooks, and without what only held them.
    pub fn without(&self, text: &str) -> Result<String, SettingsError> {
        match self.form {
            Form::Json { .. } => changed(text, |text| json_settings::without(self, text)),
            Form::Toml { .. } => changed(text, |text| toml_settings::without(self, text)),
            Form::Yaml { .. } => {
                let what = format!("remove the lines with `dos hook` from {}", self.path);
                Err(SettingsError::ByHand { what })
            }
        }
    }

    /// Our hooks in the file.
    pub fn wired(&self, text: &str) -> Result<Vec<Wired>, SettingsError> {
        let text = text.trim_start_matches(BYTE_ORDER_MARK);
        match self.form {
            Form::Json { .. } => json_settings::wired(self, text),
            Form::Toml { .. } => toml_settings::wired(self, text),
            Form::Yaml { .. } => Ok(self.wired_in_yaml(text)),
        }
    }

    /// What belongs into a YAML file.
    fn yaml(&self, strict: bool) -> String {
        let Form::Yaml { under } = self.form else { return String::new() };
        let mut lines = vec![format!("{under}:")];
        for (event, moment, _) in self.events {
            lines.push(format!("  {event}:"));
            lines.push(format!("    - command: \"{}\"", self.command(*moment)));
            if let Some(option) = self.strict.as_ref().filter(|_| strict && *moment == Moment::Pre)
            {
                lines.push(format!("      {}: {}", option.field, option.value));
            }
        }
        lines.join("\n")
    }

    /// Our commands in a YAML file, by its lines.
    fn wired_in_yaml(&self, text: &str) -> Vec<Wired> {
        let mut event = String::new();
        let mut found = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            let bare = line.trim_start_matches("- ").trim_start();
            if let Some(command) = bare.strip_prefix("command:") {
                let command = command.trim().trim_matches(['"', '\'']);
                if verb_of(command).is_some() {
                    found.push(Wired { event: event.clone(), command: command.to_string() });
                }
            } else if let Some(name) = line.strip_suffix(':') {
                event = name.to_string();
            }
        }
        found
    }
}

/// What editors of some systems put at the start of a file.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The text with a change made to it, and with the mark and the line ends that it had.
fn changed(
    text: &str,
    change: impl FnOnce(&str) -> Result<String, SettingsError>,
) -> Result<String, SettingsError> {
    let bare = text.trim_start_matches(BYTE_ORDER_MARK);
    let mark = text.get(..text.len() - bare.len()).unwrap_or_default();
    let wide = bare.contains("\r\n") && !bare.replace("\r\n", "").contains('\n');
    if !wide {
        return Ok(format!("{mark}{}", change(bare)?));
    }
    let narrow = bare.replace("\r\n", "\n");
    Ok(format!("{mark}{}", change(&narrow)?.replace('\n', "\r\n")))
}

/// The verb when a command runs `dos hook VERB`, by whatever path and with whatever variables.
pub fn verb_of(command: &str) -> Option<&str> {
    let is_assignment = |word: &&str| {
        word.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        })
    };
    let mut words = command.split_whitespace().skip_while(is_assignment);
    let program = words.next()?.trim_matches(['"', '\'']);
    let name = program.rsplit(['/', '\\']).next()?;
    if !matches!(name, "dos" | "dos.exe") || words.next()? != "hook" {
        return None;
    }
    words.next()
}

#[cfg(test)]
mod tests {
    use super::verb_of;
    use crate::host;

    #[test]
    fn our_commands_are_told_from_others() {
        for (command, verb) in [
            ("dos hook pretool --workspace .", Some("pretool")),
            ("/usr/local/bin/dos hook stop", Some("stop")),
            ("DOS_X=1 \"/opt/dos\" hook marker", Some("marker")),
            ("dos doctor", None),
            ("echo dos hook pretool", None),
            ("mydos hook pretool", None),
            ("", None),
        ] {
            assert_eq!(verb_of(command), verb, "{command}");
        }
    }

    #[test]
    fn yaml_is_shown_and_found_again() {
        let hermes = host::named("hermes").unwrap().settings();
        let yaml = hermes.yaml(true);
        let wired = hermes.wired(&yaml).unwrap();
        let events: Vec<&str> = wired.iter().map(|wired| wired.event.as_str()).collect();
        assert_eq!(events, ["pre_tool_call", "post_tool_call"]);
        assert!(yaml.contains("fail_closed: true"));
    }
}
