//! Runs a command to its end, within a bound of time and of output.
//!
//! A program that cannot be left behind by its commands, whatever ends it, says so with
//! [`keep_commands`]: then another process of it waits until it is gone, and ends what it left.

use std::io::{self, BufRead, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use camino::Utf8Path;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::launch::OURSELVES;
use crate::signals::{self, ENDING, Signals};
use crate::spawn;

/// The hidden verb under which this program waits until we are gone.
pub const KEEPER_VERB: &str = "keeper";

/// So much of what a command complains about is kept, in bytes.
const COMPLAINT_BYTES: usize = 64 * 1024;

/// A command that has ended.
#[derive(Debug)]
pub struct Ended {
    /// How.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: Vec<u8>,
    /// The beginning of what it complained about.
    pub stderr: Vec<u8>,
}

/// A command without an answer.
#[derive(Debug, thiserror::Error)]
pub enum NotEnded {
    /// It could not be started.
    #[error("it cannot be started: {0}")]
    NotStarted(io::Error),
    /// It took too long, and was ended with all that it had started.
    #[error("it did not end within {} s", .0.as_secs_f64())]
    TooLong(Duration),
    /// It printed more than can be taken.
    #[error("it printed more than {0} bytes")]
    TooMuch(usize),
    /// Its output could not be read.
    #[error("its output cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// The group that is ended before a signal ends us.
static WITH_US: Mutex<Option<Pid>> = Mutex::new(None);
/// Has this program the verb of a keeper?
static KEEPS: AtomicBool = AtomicBool::new(false);
/// Where the keeper is told which group is running, once there is one.
static KEEPER: Mutex<Option<ChildStdin>> = Mutex::new(None);

/// From now on, [`run_with_us`] leaves no command behind even when we are killed. Only for a program
/// that calls [`keep`] under the verb [`KEEPER_VERB`]: it is started anew under that.
pub fn keep_commands() {
    KEEPS.store(true, Ordering::Relaxed);
}

/// What a keeper does: learns which group is running, and ends it when whoever told it is gone.
pub fn keep(told: impl BufRead) {
    let mut running = None;
    for line in told.lines().map_while(Result::ok) {
        running = line.parse().ok().and_then(Pid::from_raw);
    }
    end(running);
}

/// Tells the keeper, which is started when there is none.
fn tell_keeper(group: Option<Pid>) -> io::Result<()> {
    if !KEEPS.load(Ordering::Relaxed) {
        return Ok(());
    }
    let mut keeper = KEEPER.lock().unwrap_or_else(PoisonError::into_inner);
    if keeper.is_none() {
        let mut command = spawn::command(OURSELVES, Utf8Path::new("/"));
        command.arg0("dos").arg(KEEPER_VERB).stdin(Stdio::piped());
        command.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        *keeper = command.spawn()?.stdin;
    }
    let number = group.map_or(0, |group| group.as_raw_nonzero().get());
    let told = keeper.as_mut().map(|keeper| keeper.write_all(format!("{number}\n").as_bytes()));
    match told {
        Some(Ok(())) => Ok(()),
        // Somebody has ended it; the next command has another one.
        _ => {
            *keeper = None;
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
}

/// Runs a command as [`run`] does, for a program that does nothing else meanwhile: a signal that ends
/// us ends the command first. See [`keep_commands`] for SIGKILL, which nobody can catch.
pub fn run_with_us(
    command: Command,
    within: Duration,
    most: Option<usize>,
) -> Result<Ended, NotEnded> {
    static WATCHED: Mutex<bool> = Mutex::new(false);
    let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    if !*watched {
        let signals = Signals::on(&ENDING)?;
        thread::spawn(move || {
            loop {
                signals.wait(&[], Duration::from_secs(3600));
                for signal in signals.taken() {
                    let group = WITH_US.lock().unwrap_or_else(PoisonError::into_inner);
                    end(*group);
                    signals::die_of(signal);
                }
            }
        });
        *watched = true;
    }
    started(command, within, most, true)
}

/// Ends a group. It outlives its leader as long as it has members; else this finds nobody.
fn end(group: Option<Pid>) {
    if let Some(group) = group {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Runs a command in a process group of its own. What is left of the group afterwards is ended. Its
/// output is kept when it is at most so many bytes; with `None` it goes nowhere.
pub fn run(command: Command, within: Duration, most: Option<usize>) -> Result<Ended, NotEnded> {
    started(command, within, most, false)
}

fn started(
    mut command: Command,
    within: Duration,
    most: Option<usize>,
    with_us: bool,
) -> Result<Ended, NotEnded> {
    let stdout = if most.is_some() { Stdio::piped() } else { Stdio::null() };
    let most = most.unwrap_or(0);
    command.process_group(0).stdout(stdout).stderr(Stdio::piped());
    // Held until it is known what was started: a signal waits for that.
    let mut ends_with_us = WITH_US.lock().unwrap_or_else(PoisonError::into_inner);
    let mut child = command.spawn().map_err(NotEnded::NotStarted)?;
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if with_us {
        *ends_with_us = group;
        if let Err(error) = tell_keeper(group) {
            end(group);
            let _ = child.wait();
            *ends_with_us = None;
            return Err(NotEnded::NotStarted(error));
        }
    }
    drop(ends_with_us);
    let stdout = collected(child.stdout.take(), most.saturating_add(1), false);
    let stderr = collected(child.stderr.take(), COMPLAINT_BYTES, true);
    let (sender, ended) = channel();
    thread::spawn(move || sender.send(child.wait()));
    let status = ended.recv_timeout(within);
    end(group);
    if with_us {
        *WITH_US.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let _ = tell_keeper(None);
    }
    let status = status.map_err(|_| NotEnded::TooLong(within))??;
    // Whoever left the group may hold the output open; nobody waits for it for ever.
    let taken = |from: Receiver<io::Result<Vec<u8>>>| {
        from.recv_timeout(within).map_err(|_| NotEnded::TooLong(within))
    };
    let (stdout, stderr) = (taken(stdout)??, taken(stderr)?.unwrap_or_default());
    match stdout.len() > most {
        true => Err(NotEnded::TooMuch(most)),
        false => Ok(Ended { status, stdout, stderr }),
    }
}

/// Reads at most so many bytes beside the caller. What is beyond is read and dropped, or else the
/// pipe is closed, which ends most writers.
fn collected(
    from: Option<impl Read + Send + 'static>,
    most: usize,
    read_on: bool,
) -> Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = from.map_or(Ok(0), |mut from| {
            let read = from.by_ref().take(most as u64).read_to_end(&mut bytes)?;
            if read_on {
                io::copy(&mut from, &mut io::sink())?;
            }
            Ok(read)
        });
        sender.send(read.map(|_| bytes))
    });
    receiver
}
