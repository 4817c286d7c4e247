//! The two programs: the original in its environment and behind its driver, and our release build.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::original;

const DRIVER: &str = include_str!("driver.py");

/// What a command line said.
#[derive(Clone, Debug)]
pub struct Said {
    /// The exit code; -1 for a signal.
    pub code: i32,
    /// Standard output.
    pub text: String,
    /// Standard error.
    pub talk: String,
}

impl Said {
    /// Standard output as one JSON value, or null.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// Standard output as one JSON value a line.
    pub fn lines(&self) -> Value {
        let parsed = |line: &str| serde_json::from_str(line).unwrap_or(json!({"unreadable": line}));
        self.text.lines().map(parsed).collect()
    }
}

/// Both programs, ready to be asked.
pub struct World {
    dos: PathBuf,
    original: PathBuf,
    home: PathBuf,
    driver: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl World {
    /// Installs the original, builds ours, starts the driver.
    pub fn new(scratch: &Path) -> anyhow::Result<Self> {
        let venv = original::install()?;
        let dos = original::build_dos()?;
        let script = scratch.join("driver.py");
        std::fs::create_dir_all(scratch)?;
        std::fs::write(&script, DRIVER)?;
        let home = scratch.join("home");
        std::fs::create_dir_all(&home)?;
        let mut driver = surrounded(&venv.join("bin/python"), scratch, &home)
            .arg("-B")
            .arg(&script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("failed to start the driver")?;
        let questions = driver.stdin.take().context("the driver has no stdin")?;
        let answers = BufReader::new(driver.stdout.take().context("the driver has no stdout")?);
        Ok(Self { dos, original: venv.join("bin/dos"), home, driver, questions, answers })
    }

    /// Asks the original's functions. What they raise is an answer like any other.
    pub fn ask(&mut self, mut question: Value, what: &str) -> anyhow::Result<Value> {
        question["do"] = what.into();
        writeln!(self.questions, "{question}")?;
        self.questions.flush()?;
        let mut line = String::new();
        ensure!(self.answers.read_line(&mut line)? > 0, "the driver ended: {question}");
        let mut said: Value = serde_json::from_str(&line)
            .with_context(|| format!("the driver said {line:?} to {question}"))?;
        match said.get_mut("answer") {
            Some(answer) => Ok(answer.take()),
            None => Ok(said),
        }
    }

    /// Runs our program.
    pub fn ours(&self, workspace: &Path, arguments: &[String]) -> anyhow::Result<Said> {
        run(surrounded(&self.dos, workspace, &self.home).args(arguments))
    }

    /// The home registry of both.
    pub fn home(&self) -> PathBuf {
        self.home.join("dispatch")
    }

    /// Runs our program with another home registry.
    pub fn ours_at(
        &self,
        home: &Path,
        workspace: &Path,
        arguments: &[String],
    ) -> anyhow::Result<Said> {
        let mut command = surrounded(&self.dos, workspace, &self.home);
        run(command.env("DISPATCH_HOME", home).args(arguments))
    }

    /// Runs the original's program.
    pub fn original(&self, workspace: &Path, arguments: &[String]) -> anyhow::Result<Said> {
        run(surrounded(&self.original, workspace, &self.home).args(arguments))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// A command in a workspace, with nothing of our own surroundings but what programs need to start.
fn surrounded(program: &Path, workspace: &Path, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", home).env("DISPATCH_HOME", home.join("dispatch"));
    command.env("DISPATCH_HOST_ID", "oracle-host").env("DISPATCH_WORKSPACE", workspace);
    command.env("PYTHONUTF8", "1").env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null());
    command
}

fn run(command: &mut Command) -> anyhow::Result<Said> {
    let output = command.output().with_context(|| format!("failed to run {command:?}"))?;
    Ok(Said {
        code: output.status.code().unwrap_or(-1),
        text: String::from_utf8_lossy(&output.stdout).into_owned(),
        talk: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
