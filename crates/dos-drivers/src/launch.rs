//! A command that is started at once, and runs only when its process is on record.
//!
//! What is started first is this program itself. It waits at a gate, and becomes the command when the
//! gate is opened; the number of the process stays. When whoever holds the gate dies before that, it
//! ends without having run anything. So there is never a worker that nobody knows of.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::time::Duration;

use camino::Utf8Path;
use dos_core::json::canonical;
use dos_core::lane::lease::ProcessId;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::socket_peercred;
use rustix::process::{
    Pid, PidfdFlags, Signal, getppid, pidfd_open, set_parent_process_death_signal,
};
use serde_json::{Map, Value};

use crate::process;
use crate::spawn;

/// The hidden verb under which this program waits at a gate.
pub const VERB: &str = "gate";
/// How long a process that was started may take to come to the gate.
const PATIENCE: Duration = Duration::from_secs(20);
/// This program, also when its file has been replaced meanwhile.
pub(crate) const OURSELVES: &str = "/proc/self/exe";

/// What is to be started.
pub struct Launch<'a> {
    /// The folder that it runs in.
    pub folder: &'a Utf8Path,
    /// The program and its arguments.
    pub command: &'a [String],
    /// Where it prints to, instead of to where we do. Then it reads nothing, and is the first of a
    /// group of its own.
    pub output: Option<File>,
    /// Is it asked to end when we die?
    pub ends_with_us: bool,
}

/// A process that waits at its gate. Dropped, it ends.
pub struct Gated {
    /// What it is known by.
    pub process: ProcessId,
    child: Option<Child>,
    gate: UnixStream,
}

impl Launch<'_> {
    /// Starts it.
    pub fn start(self) -> io::Result<Gated> {
        let random = getrandom::u64().map_err(io::Error::other)?;
        let name = format!("dos-gate-{}-{random:016x}", std::process::id());
        let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
        let mut command = spawn::command(OURSELVES, self.folder);
        command.arg0("dos").args([VERB, "--at", &name]);
        if self.ends_with_us {
            command.args(["--ends-with", &std::process::id().to_string()]);
        }
        command.arg("--").args(self.command);
        match self.output {
            Some(output) => {
                command.stdout(output.try_clone()?).stderr(output).process_group(0);
            }
            None => {
                command.stdin(Stdio::inherit());
            }
        }
        let mut child = command.spawn()?;
        match Self::at_gate(&listener, &child) {
            Ok((process, gate)) => Ok(Gated { process, child: Some(child), gate }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// Waits until the child, and nobody else, has come to the gate.
    fn at_gate(listener: &UnixListener, child: &Child) -> io::Result<(ProcessId, UnixStream)> {
        let unknown = || io::Error::other("the process table of this host cannot be read");
        let number = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or_else(unknown)?;
        let ends = pidfd_open(number, PidfdFlags::empty())?;
        let patience = Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
        loop {
            let mut ready = [
                PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN),
                PollFd::from_borrowed_fd(ends.as_fd(), PollFlags::IN),
            ];
            match poll(&mut ready, Some(&patience)) {
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
                Ok(0) => return Err(io::Error::other("the process that was started hangs")),
                Ok(_) => {}
            }
            let [comes, ended] = ready.map(|file| !file.revents().is_empty());
            if comes {
                let (gate, _) = listener.accept()?;
                if socket_peercred(&gate)?.pid == number {
                    return Ok((process::identify(child.id()).ok_or_else(unknown)?, gate));
                }
            } else if ended {
                return Err(io::Error::other("the process that was started ended at once"));
            }
        }
    }
}

impl Gated {
    /// Lets it become the command, with these variables besides those that we have. One that was killed
    /// at the gate is given back as well, ended.
    pub fn open(mut self, variables: &[(String, String)]) -> io::Result<Child> {
        let pairs = variables.iter().map(|(name, value)| (name.clone(), value.as_str().into()));
        let mut message = canonical(&Value::Object(pairs.collect()));
        message.push('\n');
        let written = self.gate.write_all(message.as_bytes());
        let child = self.child.take();
        let mut child = child.ok_or_else(|| io::Error::other("it was let through already"))?;
        if written.is_err() {
            child.wait()?;
        }
        Ok(child)
    }
}

impl Drop for Gated {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = self.gate.shutdown(std::net::Shutdown::Both);
            let _ = child.wait();
        }
    }
}

/// The other side of the gate: waits, and becomes the command. Comes back only when it does not.
pub fn wait_and_become(
    name: &str,
    ends_with: Option<u32>,
    folder: &Utf8Path,
    command: &[String],
) -> io::Error {
    let gone = || io::Error::other("whoever started this is gone; nothing was run");
    if let Some(parent) = ends_with {
        if let Err(error) = set_parent_process_death_signal(Some(Signal::TERM)) {
            return error.into();
        }
        // It may have died before that was asked for.
        let now = getppid().and_then(|pid| u32::try_from(pid.as_raw_nonzero().get()).ok());
        if now != Some(parent) {
            return gone();
        }
    }
    let message = SocketAddr::from_abstract_name(name)
        .and_then(|address| UnixStream::connect_addr(&address))
        .and_then(|mut gate| {
            let mut message = String::new();
            let mut byte = [0];
            // To the end of the line: the gate stays open while whoever holds it lives.
            let mut bytes = Vec::new();
            while gate.read(&mut byte)? == 1 && byte != *b"\n" {
                bytes.push(byte[0]);
            }
            if byte == *b"\n" {
                message = String::from_utf8(bytes).map_err(io::Error::other)?;
            }
            Ok(message)
        });
    let variables: Map<String, Value> = match message.map(|text| serde_json::from_str(&text)) {
        Ok(Ok(variables)) => variables,
        _ => return gone(),
    };
    let Some((program, arguments)) = command.split_first() else {
        return io::Error::other("there is no command");
    };
    let mut becomes = spawn::command(program, folder);
    becomes.args(arguments).stdin(Stdio::inherit());
    for (name, value) in &variables {
        becomes.env(name, value.as_str().unwrap_or_default());
    }
    becomes.exec()
}
