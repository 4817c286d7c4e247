//! A command that still runs.

use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use crate::{Output, poll_until};

/// A command that takes longer than this hangs. It is killed, and its answer has no exit code.
const HANGS_AFTER: Duration = Duration::from_secs(60);

/// A command that was started. Killed when it is dropped.
#[must_use = "a command that nobody waits for is killed at once"]
pub struct Running {
    command: String,
    child: Option<Child>,
}

impl Running {
    /// Starts it, with its output kept for [`Running::finish`].
    pub fn start(mut command: Command) -> Self {
        let shown = format!("{command:?}").chars().take(2000).collect();
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {shown}: {error}"));
        Self { command: shown, child: Some(child) }
    }

    /// Starts it with nothing kept of its output, which goes to where the command says.
    pub fn start_as_is(mut command: Command) -> Self {
        let shown = format!("{command:?}");
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {shown}: {error}"));
        Self { command: shown, child: Some(child) }
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// Has it not ended yet?
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Waits until it sleeps in a watch for the journal to change.
    #[track_caller]
    pub fn until_it_watches(&self) {
        let pid = self.pid();
        poll_until("the waiter watches the journal", Duration::from_secs(10), || {
            let mut open = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
            let watches = open.any(|file| {
                let target = file.ok().and_then(|file| fs::read_link(file.path()).ok());
                target.is_some_and(|target| target.to_string_lossy().contains("inotify"))
            });
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let sleeps = stat.rsplit(") ").next()?.starts_with('S');
            (watches && sleeps).then_some(())
        });
    }

    /// Sends it a signal by name, for example `STOP`.
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Kills it and waits until it is gone.
    pub fn kill(mut self) {
        self.end();
    }

    /// Waits until it has ended.
    pub fn finish(mut self) -> Output {
        let child = self.child.take().expect("a command that was started");
        let output = watched(child.id(), || child.wait_with_output());
        Output::new(self.command.clone(), output.expect("the output of a command"))
    }

    /// Waits until it has ended and says only how.
    pub fn status(mut self) -> ExitStatus {
        let mut child = self.child.take().expect("a command that was started");
        watched(child.id(), || child.wait()).expect("the status of a command")
    }

    /// Was it killed before it ended by itself? Its answer, if it was not.
    pub fn kill_unless_done(mut self) -> Option<Output> {
        let mut child = self.child.take()?;
        let _ = child.kill();
        let output = child.wait_with_output().ok()?;
        let killed = output.status.signal().is_some();
        (!killed).then(|| Output::new(self.command.clone(), output))
    }

    fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Sends a process a signal by name.
pub fn signal(pid: u32, name: &str) {
    let _ = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status();
}

fn watched<T>(pid: u32, wait: impl FnOnce() -> T) -> T {
    let (done, is_done) = channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if is_done.recv_timeout(HANGS_AFTER) == Err(RecvTimeoutError::Timeout) {
                signal(pid, "KILL");
            }
        });
        let answer = wait();
        drop(done);
        answer
    })
}

/// A shell that sends signals: starting a program for each would take longer than what is stopped.
pub struct Signals(Child);

impl Signals {
    /// Starts the shell.
    #[expect(clippy::new_without_default, reason = "it starts a process")]
    pub fn new() -> Self {
        let mut shell = Command::new("sh");
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(shell.spawn().expect("a shell"))
    }

    /// Stops a process; false when it ended first.
    pub fn stop(&mut self, pid: u32) -> bool {
        let stdin = self.0.stdin.as_mut().expect("the shell's stdin");
        writeln!(stdin, "kill -STOP {pid}").expect("a shell that listens");
        loop {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            match stat.rsplit(") ").next().and_then(|rest| rest.chars().next()) {
                Some('T') => return true,
                None | Some('Z' | 'X') => return false,
                _ => std::thread::yield_now(),
            }
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
