//! One command under a lease: taken before it starts, kept while it runs, given back when it ends.
//!
//! The lease names the command's process, not ours. When we are killed, the command is asked to end by
//! the kernel, and the lane is free as soon as it has ended, never before.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Child;
use std::time::Duration;

use camino::Utf8Path;
use dos_core::lane::command::{Acquire, Claim};
use dos_core::lane::decide::Grant;
use dos_core::lane::vitality::lapses_at;
use dos_core::lane::{Command, Lease, Outcome, Refusal};
use dos_core::timestamp::Timestamp;
use dos_store::clock::{Clock, RealClock};
use dos_store::ledger::WAIT_DEFAULT;
use rustix::process::{Pid, PidfdFlags, Signal, getpgrp, kill_process, pidfd_open};
use rustix::termios::tcgetpgrp;

use crate::launch::Launch;
use crate::referee::{Referee, RefereeError};
use crate::signals::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, Signals};

/// The signals that are passed on to the command.
const PASSED_ON: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];
/// How long a beat waits for the lock: signals are not passed on meanwhile.
const BEAT_WAIT: Duration = Duration::from_secs(1);
/// How often the wall clock is looked at: while the machine sleeps only that goes on.
const NAP: Duration = Duration::from_secs(5);
/// How soon a beat that failed is tried again, at most.
const RETRY: Duration = Duration::from_secs(5);
/// How long a command that is to stop has to end by itself.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// What is to be run.
pub struct Errand<'a> {
    /// The request; its process is filled in here.
    pub acquire: Acquire,
    /// How long to wait for the lane.
    pub wait: Option<Duration>,
    /// The time between two beats.
    pub beat: Duration,
    /// Is the command stopped when the lease is lost?
    pub stop_when_lost: bool,
    /// The folder that it runs in.
    pub folder: &'a Utf8Path,
    /// The program and its arguments.
    pub command: &'a [String],
    /// Variables that it gets.
    pub variables: Vec<(String, String)>,
}

/// What came of it.
#[derive(Debug)]
pub enum Ended {
    /// The lane was not to be had; nothing ran.
    Refused(Refusal),
    /// The command ended with this code; 128 and the signal's number when one ended it.
    With(u8),
}

/// Something to say while the command runs.
#[derive(Debug)]
pub enum Talk {
    /// The lane is held.
    Taken(Grant),
    /// A beat failed, for this reason.
    NoBeat(String),
    /// A beat succeeded again.
    BeatsAgain,
    /// The lease is lost, for this reason, and whether the command is stopped.
    Lost(String, bool),
    /// The lease could not be given back, for this reason. It names a process that has ended, so that
    /// the lane is free all the same.
    NotReleased(String),
}

/// Why nothing was run, or nobody knows what came of it.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The referee failed; nothing was run.
    #[error(transparent)]
    Referee(#[from] RefereeError),
    /// The command could not be started, or not be waited for.
    #[error("failed to run the command")]
    Io(#[from] io::Error),
}

/// Runs it to its end.
pub fn run(
    referee: &Referee<'_>,
    clock: RealClock,
    errand: Errand<'_>,
    say: &mut dyn FnMut(Talk),
) -> Result<Ended, RunError> {
    let launch =
        Launch { folder: errand.folder, command: errand.command, output: None, ends_with_us: true };
    let gated = launch.start()?;
    let acquire = Acquire { process: Some(gated.process.clone()), ..errand.acquire };
    let grant = match referee.acquire(&acquire, errand.wait, WAIT_DEFAULT)? {
        Outcome::Granted(grant) => grant,
        Outcome::Refused(refusal) => return Ok(Ended::Refused(refusal)),
        other => return Err(io::Error::other(format!("answered by {other:?}")).into()),
    };
    // Until here a signal ends us and the process at the gate; from now on it is the command's.
    let signals = Signals::on(&PASSED_ON)?;
    let mut variables = errand.variables;
    let key = grant.lease.key();
    variables.extend([
        ("DISPATCH_LANE".to_string(), key.lane.clone()),
        ("DISPATCH_LOOP_TS".to_string(), key.loop_ts.clone()),
        ("DISPATCH_OWNER".to_string(), acquire.holder.clone()),
        ("DISPATCH_TOKEN".to_string(), grant.token.to_string()),
    ]);
    let claim = Claim { lane: key.lane, loop_ts: key.loop_ts, holder: acquire.holder };
    let mut watch = Watch {
        referee,
        clock,
        beat: errand.beat,
        stop_when_lost: errand.stop_when_lost,
        claim,
        alive_until: lapses_at(&grant.lease),
        lease: grant.lease.clone(),
        failing: false,
        lost: false,
        kill_at: None,
        tried: clock.now().ok(),
    };
    let child = match gated.open(&variables) {
        Ok(child) => child,
        Err(error) => {
            watch.release(say);
            return Err(error.into());
        }
    };
    say(Talk::Taken(grant));
    let code = watch.until_it_ends(child, &signals, say);
    watch.release(say);
    Ok(Ended::With(code?))
}

struct Watch<'a> {
    referee: &'a Referee<'a>,
    clock: RealClock,
    beat: Duration,
    stop_when_lost: bool,
    claim: Claim,
    lease: Lease,
    /// When the lease lapses, if no beat succeeds before.
    alive_until: Option<Timestamp>,
    failing: bool,
    lost: bool,
    kill_at: Option<Duration>,
    /// When the last beat was tried, by the wall clock.
    tried: Option<Timestamp>,
}

impl Watch<'_> {
    fn until_it_ends(
        &mut self,
        mut child: Child,
        signals: &Signals,
        say: &mut dyn FnMut(Talk),
    ) -> io::Result<u8> {
        if let Some(status) = child.try_wait()? {
            return Ok(code_of(status));
        }
        let number = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let number = number.ok_or_else(|| io::Error::other("it has no process number"))?;
        let ends: OwnedFd = pidfd_open(number, PidfdFlags::empty())?;
        let mut next_beat = self.clock.elapsed() + self.beat;
        loop {
            for signal in signals.taken() {
                self.pass_on(signal, number);
            }
            if let Some(status) = child.try_wait()? {
                return Ok(code_of(status));
            }
            let now = self.clock.elapsed();
            if self.kill_at.is_some_and(|at| now >= at) {
                let _ = kill_process(number, Signal::KILL);
                self.kill_at = None;
            }
            if !self.lost && (now >= next_beat || self.overslept()) {
                self.beat(say);
                let pause = if self.failing { self.beat.min(RETRY) } else { self.beat };
                next_beat = self.clock.elapsed() + pause;
                if self.lost && self.stop_when_lost {
                    let _ = kill_process(number, Signal::TERM);
                    self.kill_at = Some(self.clock.elapsed() + STOP_GRACE);
                }
                continue;
            }
            let until_beat = next_beat.saturating_sub(now).min(NAP);
            let span = if self.lost { Duration::from_secs(3600) } else { until_beat };
            let until_kill = self.kill_at.map(|at| at.saturating_sub(now));
            signals.wait(&[ends.as_fd()], until_kill.map_or(span, |kill| kill.min(span)));
        }
    }

    /// What a terminal sends, it sends to the command as well.
    fn pass_on(&self, signal: i32, number: Pid) {
        let from_terminal = matches!(signal, SIGINT | SIGQUIT) && in_foreground();
        if let Some(signal) = Signal::from_named_raw(signal).filter(|_| !from_terminal) {
            let _ = kill_process(number, signal);
        }
    }

    /// Is the last beat too old by the wall clock, which goes on while the machine sleeps?
    fn overslept(&self) -> bool {
        let age = self.clock.now().ok().zip(self.tried).map(|(now, then)| now.millis_since(then));
        age.is_some_and(|age| i128::from(age) > (self.beat + NAP).as_millis() as i128)
    }

    fn beat(&mut self, say: &mut dyn FnMut(Talk)) {
        let command = Command::Heartbeat { claim: self.claim.clone(), coalesce_millis: 0 };
        let now = self.clock.now().ok();
        self.tried = now;
        match self.referee.act(&command, BEAT_WAIT) {
            Ok(Outcome::NotHeld { holders }) => {
                let others: Vec<&str> = holders.iter().filter_map(Lease::holder).collect();
                let why = match others.is_empty() {
                    true => "it is not held any more".to_string(),
                    false => format!("{} holds it", others.join(", ")),
                };
                self.lose(why, say);
            }
            Ok(_) => {
                if std::mem::take(&mut self.failing) {
                    say(Talk::BeatsAgain);
                }
                let held_for = lapses_at(&self.lease).zip(self.lease.newest_stamp());
                self.alive_until = held_for
                    .map(|(end, start)| end.millis_since(start))
                    .zip(now)
                    .map(|(span, now)| now.plus_millis(span));
            }
            Err(error) => {
                if !std::mem::replace(&mut self.failing, true) {
                    say(Talk::NoBeat(error.to_string()));
                }
                if self.alive_until.zip(now).is_some_and(|(end, now)| now > end) {
                    self.lose("no beat could be recorded for its whole time to live".into(), say);
                }
            }
        }
    }

    fn lose(&mut self, why: String, say: &mut dyn FnMut(Talk)) {
        self.lost = true;
        say(Talk::Lost(why, self.stop_when_lost));
    }

    fn release(&mut self, say: &mut dyn FnMut(Talk)) {
        if self.lost {
            return;
        }
        match self.referee.act(&Command::Release(self.claim.clone()), WAIT_DEFAULT) {
            Ok(Outcome::Done(_)) => {}
            Ok(_) => say(Talk::Lost("somebody else gave it back or took it".into(), false)),
            Err(error) => say(Talk::NotReleased(error.to_string())),
        }
    }
}

/// Are we what the terminal's keys reach? Then they reach the command too, which is of our group.
fn in_foreground() -> bool {
    let terminal = File::open("/dev/tty");
    terminal.is_ok_and(|terminal| tcgetpgrp(terminal).is_ok_and(|group| group == getpgrp()))
}

fn code_of(status: std::process::ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}
