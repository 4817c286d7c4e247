//! Commands that git is told to run: in its configuration, in options, by its verbs.

use super::super::text::Field;

/// Keys of the configuration whose value is run. A `*` stands for a name.
const KEYS: [&str; 30] = [
    "alias.*",
    "browser.*.cmd",
    "browser.*.path",
    "core.askpass",
    "core.editor",
    "core.fsmonitor",
    "core.gitproxy",
    "core.hookspath",
    "core.pager",
    "core.sshcommand",
    "credential.helper",
    "credential.*.helper",
    "diff.external",
    "diff.*.command",
    "diff.*.textconv",
    "difftool.*.cmd",
    "filter.*.clean",
    "filter.*.process",
    "filter.*.smudge",
    "gpg.program",
    "gpg.*.program",
    "init.templatedir",
    "interactive.difffilter",
    "man.*.cmd",
    "merge.*.driver",
    "mergetool.*.cmd",
    "pager.*",
    "remote.*.uploadpack",
    "sequence.editor",
    "uploadpack.packobjectshook",
];

/// Does a call of git run a command that it is given?
pub(super) fn runs(arguments: &[Field]) -> bool {
    let mut rest = arguments;
    while let Some((first, behind)) = rest.split_first() {
        let text = first.as_str();
        match text {
            "-c" | "--config-env" => {
                if behind.first().is_some_and(configures) {
                    return true;
                }
                rest = behind.get(1..).unwrap_or_default();
            }
            "-C" | "--git-dir" | "--work-tree" | "--namespace" | "--exec-path" => {
                rest = behind.get(1..).unwrap_or_default();
            }
            _ if text.starts_with("--config-env=") => return true,
            _ if text.starts_with("--exec-path=") => return true,
            _ if text.starts_with("-c") && configures(&first.behind(2)) => return true,
            _ if text.starts_with('-') => rest = behind,
            verb => return of_verb(verb, behind),
        }
    }
    false
}

fn configures(field: &Field) -> bool {
    let text = field.as_str();
    let Some((key, value)) = text.split_once('=') else {
        return false;
    };
    let key = key.to_ascii_lowercase();
    let allowed = key == "protocol.ext.allow" && !matches!(value, "never" | "user");
    let known = KEYS.iter().any(|pattern| super::super::glob::matches(pattern, &key));
    let value = field.behind(text.len() - value.len()).text;
    let shown = matches!(key.as_str(), "core.pager" | "core.editor" | "sequence.editor")
        || key.starts_with("pager.")
        || key == "interactive.difffilter";
    match (known, key.as_str()) {
        (true, _) if value.text.is_empty() && value.settled() => false,
        // A pager or an editor is mostly a harmless one.
        (true, _) if shown => super::carries(&value),
        (true, "core.fsmonitor") => !matches!(value.text.as_str(), "true" | "false"),
        (true, alias) if alias.starts_with("alias.") => {
            value.text.starts_with('!') || !value.settled()
        }
        (true, "credential.helper") => value.text.starts_with(['!', '/', '.']),
        (known, _) => known || allowed,
    }
}

fn of_verb(verb: &str, rest: &[Field]) -> bool {
    let texts = || rest.iter().map(Field::as_str);
    let has = |options: &str| super::has_option(rest, options);
    let remote = texts().any(|text| text.starts_with("ext::"));
    match verb {
        "bisect" => texts().next() == Some("run"),
        "submodule" => texts().any(|text| text == "foreach"),
        "rebase" => texts()
            .any(|text| text == "--exec" || text.starts_with("--exec=") || text.starts_with("-x")),
        "filter-branch" | "filter-repo" => {
            texts().any(|text| text.contains("-filter") || text.contains("-callback"))
        }
        "difftool" => has("x extcmd"),
        "grep" => {
            texts().any(|text| text.starts_with("-O") || text.starts_with("--open-files-in-pager"))
        }
        "fetch" | "pull" | "clone" | "ls-remote" | "fetch-pack" => {
            remote
                || texts().any(|text| text.starts_with("--upload-pack"))
                || (verb == "clone" && texts().any(|text| text == "-u"))
                || (verb == "clone" && configured(rest))
        }
        "push" | "send-pack" => {
            remote
                || texts()
                    .any(|text| text.starts_with("--receive-pack") || text.starts_with("--exec"))
        }
        "archive" => texts().any(|text| text.starts_with("--exec")),
        "hook" => texts().next() == Some("run"),
        "remote" | "config" => false,
        "for-each-repo" | "shell" | "daemon" | "instaweb" | "web--browse" => true,
        "send-email" => texts().any(|text| {
            text.starts_with("--to-cmd")
                || text.starts_with("--cc-cmd")
                || text.starts_with("--sendmail-cmd")
        }),
        _ => remote,
    }
}

/// `git clone -c key=value`.
fn configured(rest: &[Field]) -> bool {
    let mut pairs = rest.windows(2);
    pairs.any(|pair| match pair {
        [option, value] => matches!(option.as_str(), "-c" | "--config") && configures(value),
        _ => false,
    })
}
