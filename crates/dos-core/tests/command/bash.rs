//! Real bash as the judge: what it runs must have been found, what it accepts must be read.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use dos_core::command::program::Program;
use dos_core::command::run::run;
use dos_core::command::syntax::{Source, parse};

use crate::corpus;

/// Numbers that are the same every time.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, below: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }

    pub fn pick<'t>(&mut self, choices: &[&'t str]) -> &'t str {
        choices[self.roll(choices.len())]
    }
}

/// Random scripts whose programs are all unknown: `r1`, `r2`, .. are run if the shell gets there,
/// `z1`, `z2`, .. are only mentioned.
struct Writer {
    dice: Dice,
    count: usize,
    /// Inside backticks another backtick would end them.
    in_backticks: usize,
}

impl Writer {
    fn number(&mut self) -> usize {
        self.count += 1;
        self.count
    }

    fn script(&mut self, depth: usize) -> String {
        let mut text = self.statement(depth);
        for _ in 0..self.dice.roll(3) {
            let link = self
                .dice
                .pick(&["; ", "\n", " && ", " || ", " | ", " & ", " |& ", "\n\n", " &&\n"]);
            // What stands behind a here-document's line starts behind its body.
            let link = match (text.contains("<<"), text.ends_with('\n')) {
                (true, true) => "",
                (true, false) => "\n",
                _ => link,
            };
            text.push_str(link);
            text.push_str(&self.statement(depth));
        }
        if self.dice.roll(6) == 0 && !text.contains("<<") && self.in_backticks == 0 {
            let mention = self.number();
            text.push_str(&format!(" # z{mention}; `z{mention}` \\\n"));
        }
        text
    }

    fn statement(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.simple(0);
        }
        let below = depth - 1;
        let number = self.number();
        match self.dice.roll(19) {
            0 => format!("( {} )", self.script(below)),
            1 => format!("{{ {}\n}}", self.script(below)),
            2 => format!(
                "if {}\nthen {}\nelse {}\nfi",
                self.script(below),
                self.script(below),
                self.script(below)
            ),
            3 => format!(
                "for v{number} in {} {}; do {}\ndone",
                self.word(below),
                self.word(below),
                self.script(below)
            ),
            4 => format!(
                "case {} in a) {};; *) {}\nesac",
                self.word(below),
                self.simple(below),
                self.simple(below)
            ),
            5 => {
                format!("f{number}() {{ {}\n}}\nf{number} {}", self.script(below), self.word(below))
            }
            6 => format!("f{number}() {{ \"$@\"; }}\nf{number} r{number} {}", self.word(below)),
            7 => format!("! {}", self.simple(below)),
            8 => format!("time {}", self.simple(below)),
            9 => format!("{{ v{number}=r{number}; ${{v{number}}} {}\n}}", self.word(below)),
            10 => format!("[[ -n {} && {} == z{number} ]]", self.word(below), self.word(below)),
            11 => format!("eval {}", quoted(&self.script(below))),
            12 => format!("while {}; do break; done", self.simple(below)),
            13 => {
                format!("{{ v{number}=(r{number} {}); \"${{v{number}[@]}}\"\n}}", self.word(below))
            }
            14 => format!("(( 1 + {} ))", self.substitution(below, "1")),
            15 => {
                let end = format!("E{number}");
                {
                    let name = self.simple(0);
                    let inner = self.substitution(below, "z");
                    format!("{name} <<{end}\nz{number} {inner} 'z'\n{end}\n")
                }
            }
            16 => {
                let end = format!("E{number}");
                format!("{} <<'{end}' <<<z\nz{number} $(z{number})\n`z`\n{end}\n", self.simple(0))
            }
            17 => format!("{{ set -- r{number} {}; \"$@\"\n}}", self.word(below)),
            _ => self.simple(below),
        }
    }

    fn simple(&mut self, depth: usize) -> String {
        let name = self.name();
        let before = self.dice.pick(&[
            "",
            "",
            "",
            "A=1 ",
            "A='z; z' B=\"$u\" ",
            ">/dev/null ",
            "command ",
            "2>&1 ",
            "builtin command ",
            "\\\n",
        ]);
        let mut text = format!("{before}{name}");
        for _ in 0..self.dice.roll(3) {
            text.push(' ');
            text.push_str(&self.word(depth));
        }
        text.push_str(self.dice.pick(&[
            "",
            "",
            "",
            " >/dev/null",
            " 2>&1",
            " </dev/null",
            " \\\n z",
            " &>/dev/null",
        ]));
        text
    }

    /// A program's name in some disguise.
    fn name(&mut self) -> String {
        let number = self.number();
        match self.dice.roll(16) {
            0 => format!("r\\{number}"),
            1 => format!("'r'{number}"),
            2 => format!("\"r{number}\""),
            3 => format!("$'\\x72{number}'"),
            4 => format!("{{r{number},z}}"),
            5 => format!("${{nope}}r{number}"),
            6 => format!("${{nope:-r{number}}}"),
            7 => format!("$(echo r{number})"),
            8 => format!("\"$(printf '%s' r{number})\""),
            9 if self.in_backticks == 0 => format!("`echo r{number}`"),
            10 => format!("r${{nope-}}{number}"),
            11 => format!("\"\"r{number}''"),
            _ => format!("r{number}"),
        }
    }

    fn substitution(&mut self, depth: usize, output: &str) -> String {
        let inner = match depth {
            0 => self.simple(0),
            _ => self.script(depth - 1),
        };
        format!("$({inner}\necho {output})")
    }

    fn word(&mut self, depth: usize) -> String {
        let number = self.number();
        if depth == 0 {
            let words = [
                "z",
                "\"z; z\"",
                "'z | z'",
                "z\\;z",
                "$u",
                "\"$u\"",
                "z{a,b}",
                "'$(z)'",
                "\"\\$(z)\"",
                "z#z",
                "$'z\\'z'",
            ];
            return self.dice.pick(&words).replace('z', &format!("z{number}"));
        }
        match self.dice.roll(9) {
            0 => self.substitution(depth, "z"),
            1 => format!("\"{}\"", self.substitution(depth, "z")),
            2 => format!("${{u:-{}}}", self.substitution(depth, "z")),
            3 => format!("\"${{u:-{}}}\"", self.substitution(depth, "z")),
            4 if self.in_backticks == 0 => {
                self.in_backticks += 1;
                let inner = self.simple(0);
                self.in_backticks -= 1;
                match inner.contains(['\\', '`']) {
                    true => "z".to_string(),
                    false => format!("`{inner}`"),
                }
            }
            5 => format!("$(( {} ))", self.substitution(depth, "1")),
            6 => format!("z\"z\"{}'z'", self.substitution(depth, "z")),
            _ => self.word(0),
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn have_bash() -> bool {
    let there = bash("exit 0", Path::new("/"), &[]).is_some();
    if !there {
        println!("there is no bash here: nothing was judged");
    }
    there
}

/// Runs bash over a script on its standard input; what it said, and whether it was content.
#[expect(clippy::disallowed_methods, reason = "the judge is a real bash")]
fn bash(script: &str, folder: &Path, arguments: &[&str]) -> Option<(String, bool)> {
    let mut running = Command::new("/bin/bash")
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/nonexistent")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    running.stdin.take()?.write_all(script.as_bytes()).ok()?;
    let output = running.wait_with_output().ok()?;
    Some((String::from_utf8_lossy(&output.stdout).into_owned(), output.status.success()))
}

#[test]
fn what_bash_runs_was_found_and_what_it_does_not_was_not() {
    if !have_bash() {
        return;
    }
    let mut ran_at_all = 0;
    for seed in 0..300 {
        let mut writer = Writer { dice: Dice(seed * 7919 + 1), count: 0, in_backticks: 0 };
        let depth = 1 + seed as usize % 3;
        let script = writer.script(depth);
        let found = run(&script);
        assert_eq!(found.refused, None, "{script}");
        let programs = found.invocations.iter().filter_map(|it| it.program.as_ref());
        let names: Vec<&str> = programs.filter_map(Program::name).collect();
        assert!(!names.iter().any(|name| name.starts_with('z')), "{names:?}\n{script}");
        // Every unknown program says its name, and now and then succeeds.
        let prepared = format!(
            "exec 9>&1\ncommand_not_found_handle() {{ echo \"$1\" >&9; [ $((RANDOM % 2)) = 0 ]; }}\n\
             RANDOM={seed}\n{{ {script}\n}} >/dev/null\nwait\n"
        );
        let (said, _) = bash(&prepared, Path::new("/"), &[]).unwrap();
        let whole = |name: &&str| {
            let number = name.strip_prefix('r').unwrap_or_default();
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        };
        for name in said.lines().filter(whole) {
            ran_at_all += 1;
            assert!(names.contains(&name), "bash ran {name}, found were {names:?}\n{script}");
        }
    }
    assert!(ran_at_all > 1000, "bash ran only {ran_at_all} commands");
}

/// What is inserted into commands, so that they are no longer what they were.
const INSERTED: [&str; 44] = [
    "'",
    "\"",
    "`",
    "$",
    "(",
    ")",
    "{",
    "}",
    ";",
    "&",
    "|",
    "<",
    ">",
    "#",
    "\\",
    "\n",
    " ",
    "!",
    "=",
    "$(",
    "${",
    "<<EOF\n",
    "\nEOF\n",
    "<(",
    "((",
    "))",
    "[[ ",
    " ]]",
    "if ",
    "; then ",
    "; fi",
    "do ",
    "; done",
    "case x in ",
    " esac",
    ";;",
    "&&",
    "||",
    "<<<",
    "$((",
    "{ ",
    "; }",
    "f() ",
    "time ",
];

#[test]
fn what_bash_accepts_is_read() {
    if !have_bash() {
        return;
    }
    let mut commands: Vec<String> = Vec::new();
    for file in ["vectors/exec_corpus.jsonl", "vectors/exec_adversarial.jsonl"] {
        let entries = corpus::labelled(file, dos_core::command::Profile::Closed);
        commands.extend(entries.into_iter().map(|entry| entry.command));
    }
    let mut dice = Dice(4711);
    let whole = commands.len();
    for _ in 0..1000 {
        let mut command: Vec<char> = commands[dice.roll(whole)].chars().collect();
        let at = dice.roll(command.len() + 1);
        command.splice(at..at, dice.pick(&INSERTED).chars());
        commands.push(command.into_iter().collect());
    }
    let (mut refused, mut accepted) = (0, 0);
    for command in &commands {
        let content = [&["-n"][..], &["-O", "extglob", "-n"]]
            .iter()
            .any(|arguments| bash(command, Path::new("/"), arguments).unwrap().1);
        let read = parse(&Source::outermost(command));
        match (content, read.is_ok()) {
            (true, false) => {
                refused += 1;
                println!("refused: {command:?}: {}", read.unwrap_err());
            }
            (false, true) => {
                accepted += 1;
                println!("accepted: {command:?}");
            }
            _ => {}
        }
    }
    // `bash -n` does not look into substitutions and `[[`, and stops at the end of the text where
    // here-documents stand open; and it is lenient there. More than a few would be a habit of ours.
    println!("{} commands: {refused} refused, {accepted} accepted", commands.len());
    assert!(refused <= 12 && accepted <= 6, "refused {refused}, accepted {accepted}");
}
