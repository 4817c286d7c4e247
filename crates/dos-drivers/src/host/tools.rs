//! What the tools of the hosts do to files, by their names and arguments.
//!
//! The names of all hosts are in one table: none means two things, and a host takes over the names
//! of another one often enough.

use dos_core::command::patch;
use dos_core::hook::Act;
use serde_json::Value;

/// Tools that write the files that their arguments name.
const WRITES: &[&str] = &[
    "createfile",
    "deletefile",
    "delete",
    "edit",
    "editfile",
    "editnotebook",
    "insertedit",
    "movefile",
    "multiedit",
    "multireplacefilecontent",
    "notebookedit",
    "renamefile",
    "replace",
    "replacefilecontent",
    "searchreplace",
    "strreplace",
    "strreplacebasededittool",
    "strreplaceeditor",
    "tabwrite",
    "write",
    "writefile",
    "writetofile",
];
/// Tools that apply a patch.
const PATCHES: &[&str] = &["applypatch", "patch"];
/// Tools that run a shell command.
const SHELLS: &[&str] = &[
    "bash",
    "exec",
    "execcommand",
    "executecommand",
    "localshell",
    "monitor",
    "powershell",
    "runcommand",
    "runshellcommand",
    "runterminalcmd",
    "runterminalcommand",
    "shell",
    "shellcommand",
    "terminal",
    "unifiedexec",
];
/// Tools that write nothing.
const READS: &[&str] = &[
    "codebasesearch",
    "fetch",
    "filesearch",
    "findbyname",
    "glob",
    "googlewebsearch",
    "grep",
    "grepsearch",
    "listdir",
    "listdirectory",
    "ls",
    "notebookread",
    "read",
    "readfile",
    "readmanyfiles",
    "search",
    "searchfilecontent",
    "searchfiles",
    "todowrite",
    "view",
    "viewfile",
    "webfetch",
    "websearch",
    "writetodos",
];
/// What the names of tools start with that show something.
const SHOWS: &[&str] = &["describe", "get", "list", "read", "search", "show", "view"];
/// Words in the names of tools that change something, whatever the name starts with.
const CHANGES: &[&str] = &[
    "apply", "create", "delete", "edit", "insert", "move", "patch", "remove", "rename", "replace",
    "update", "write",
];
/// Arguments that name files.
const PATHS: &[&str] = &[
    "absolutepath",
    "destination",
    "destinationpath",
    "file",
    "filepath",
    "files",
    "newpath",
    "notebookpath",
    "oldpath",
    "path",
    "paths",
    "relativepath",
    "source",
    "sourcepath",
    "target",
    "targetfile",
    "targetnotebook",
];
/// Arguments that hold a command.
const COMMANDS: &[&str] = &["cmd", "command", "commandline", "script"];
/// Arguments that name the folder a command starts in.
const FOLDERS: &[&str] = &["cwd", "dirpath", "directory", "workdir", "workingdirectory"];
/// Arguments that hold a patch.
const PATCH_TEXTS: &[&str] = &["command", "input", "patch", "patchtext"];

/// What the call does.
pub fn act(tool: &str, input: &Value) -> Act {
    // `mcp__server__tool` is a tool of a server, which may see other files than we do.
    let served = tool.starts_with("mcp__") || tool.starts_with("MCP:");
    let name = tool.rsplit("__").next().unwrap_or(tool);
    let name = plain(name.rsplit(':').next().unwrap_or(name));
    let is = |names: &[&str]| names.contains(&name.as_str());
    // Tools of servers are named after what they do.
    let changes = is(WRITES) || is(PATCHES) || CHANGES.iter().any(|word| name.contains(word));
    let shows = served && !changes && SHOWS.iter().any(|start| name.starts_with(start));
    if is(READS) || shows || reads(&name, input) {
        return Act::Reads;
    }
    let mut paths = Vec::new();
    collect(input, PATHS, &mut paths);
    if is(WRITES) {
        return match served && !paths.iter().all(|path| path.starts_with('/')) {
            true => Act::Unknown(paths),
            false if paths.is_empty() => Act::Unknown(paths),
            false => Act::Writes(paths),
        };
    }
    if is(PATCHES) {
        let mut texts = Vec::new();
        collect(input, PATCH_TEXTS, &mut texts);
        if let Some(text) = input.as_str() {
            texts.push(text.to_string());
        }
        paths.extend(texts.iter().flat_map(|text| patch::files(text, None)));
        return if paths.is_empty() { Act::Unknown(paths) } else { Act::Writes(paths) };
    }
    if is(SHELLS) {
        let folder = first(input, FOLDERS);
        return match command(input) {
            Some(command) => Act::Runs { command, folder, elsewhere: served },
            None => Act::Unknown(paths),
        };
    }
    Act::Unknown(paths)
}

/// Is it the one tool of several commands, asked to show something?
fn reads(name: &str, input: &Value) -> bool {
    let views = input.get("command").and_then(Value::as_str) == Some("view");
    views && matches!(name, "strreplaceeditor" | "strreplacebasededittool")
}

/// Letters and digits in one case: `write_file`, `WriteFile` and `writeFile` are one name.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The texts of the arguments with these names, at any level.
fn collect(value: &Value, names: &[&str], found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if names.contains(&plain(name).as_str()) {
                    texts(value, found);
                }
                if matches!(value, Value::Array(_) | Value::Object(_)) {
                    collect(value, names, found);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, names, found)),
        _ => {}
    }
}

fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if !text.trim().is_empty() => found.push(text.clone()),
        Value::Array(items) => {
            let items = items.iter().filter(|item| item.is_string());
            items.for_each(|item| texts(item, found));
        }
        _ => {}
    }
}

fn first(input: &Value, names: &[&str]) -> Option<String> {
    let mut found = Vec::new();
    collect(input, names, &mut found);
    found.into_iter().next()
}

/// The command, as one text. A list is the words of one, unless it asks a shell to run a text.
fn command(input: &Value) -> Option<String> {
    let fields = input.as_object()?;
    let value = fields.iter().find(|(name, _)| COMMANDS.contains(&plain(name).as_str()))?.1;
    let words: Vec<&str> = match value {
        Value::String(text) => return Some(text.clone()),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => return None,
    };
    let quoted: Vec<String> =
        words.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect();
    (!words.is_empty()).then(|| quoted.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tools_of_all_hosts_are_known() {
        let writes = |path: &str| Act::Writes(vec![path.to_string()]);
        let unknown = |path: &str| Act::Unknown(vec![path.to_string()]);
        let runs = |command: &str, folder: Option<&str>| Act::Runs {
            command: command.to_string(),
            folder: folder.map(str::to_string),
            elsewhere: false,
        };
        for (tool, input, act) in [
            ("Write", json!({"file_path": "a", "content": "path"}), writes("a")),
            ("Edit", json!({"file_path": "a", "old_string": "x"}), writes("a")),
            ("NotebookEdit", json!({"notebook_path": "a.ipynb"}), writes("a.ipynb")),
            ("write_file", json!({"path": "a"}), writes("a")),
            ("replace", json!({"file_path": "a"}), writes("a")),
            ("write_to_file", json!({"TargetFile": "/r/a"}), writes("/r/a")),
            ("Bash", json!({"command": "ls"}), runs("ls", None)),
            ("run_shell_command", json!({"command": "ls", "dir_path": "d"}), runs("ls", Some("d"))),
            ("run_command", json!({"CommandLine": "ls", "Cwd": "/r"}), runs("ls", Some("/r"))),
            ("terminal", json!({"command": "ls", "workdir": "d"}), runs("ls", Some("d"))),
            ("shell", json!({"command": ["cp", "a b", "c"]}), runs("'cp' 'a b' 'c'", None)),
            ("Read", json!({"file_path": "a"}), Act::Reads),
            ("read_file", json!({"path": "a"}), Act::Reads),
            ("mcp__fs__read_file", json!({"path": "a"}), Act::Reads),
            ("mcp__fs__search_replace", json!({"path": "/r/a"}), writes("/r/a")),
            ("mcp__fs__search_and_replace", json!({"path": "a"}), unknown("a")),
            ("mcp__fs__read_write", json!({"path": "a"}), unknown("a")),
            ("mcp__fs__get_or_create_file", json!({"path": "a"}), unknown("a")),
            ("str_replace_editor", json!({"command": "view", "path": "a"}), Act::Reads),
            ("str_replace_editor", json!({"command": "create", "path": "a"}), writes("a")),
            ("mcp__fs__write_file", json!({"path": "/r/a"}), writes("/r/a")),
            ("mcp__fs__write_file", json!({"path": "a"}), Act::Unknown(vec!["a".to_string()])),
            ("Write", json!({}), Act::Unknown(vec![])),
            ("Task", json!({"prompt": "write a file"}), Act::Unknown(vec![])),
        ] {
            assert_eq!(super::act(tool, &input), act, "{tool} {input}");
        }
    }
}
