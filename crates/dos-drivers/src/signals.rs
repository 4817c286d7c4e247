//! Signals as events: taken note of when they come, and asked for by whoever waits.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::{flag, low_level};

pub use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

/// The signals that end a program, as a person or a service manager sends them.
pub const ENDING: [i32; 3] = [SIGHUP, SIGINT, SIGTERM];

/// Takes note of some signals instead of dying of them, until the process ends.
pub struct Signals {
    seen: Vec<(i32, Arc<AtomicBool>)>,
    wakes: UnixStream,
}

impl Signals {
    /// From now on these signals are taken note of. SIGHUP is left alone where whoever started us has
    /// it ignored, as nohup does.
    pub fn on(signals: &[i32]) -> io::Result<Self> {
        let (wakes, wake) = UnixStream::pair()?;
        wakes.set_nonblocking(true)?;
        let mut seen = Vec::new();
        for signal in signals.iter().filter(|signal| **signal != SIGHUP || !is_ignored(SIGHUP)) {
            let flag = Arc::new(AtomicBool::new(false));
            // The flag before the wake-up: whoever is woken finds it set.
            flag::register(*signal, Arc::clone(&flag))?;
            low_level::pipe::register(*signal, wake.try_clone()?)?;
            seen.push((*signal, flag));
        }
        Ok(Self { seen, wakes })
    }

    /// The signals that have come since this was asked last.
    pub fn taken(&self) -> Vec<i32> {
        let came = self.seen.iter().filter(|(_, flag)| flag.swap(false, Ordering::SeqCst));
        came.map(|(signal, _)| *signal).collect()
    }

    /// Returns when a signal has come, when one of the files can be read, or after `span`. May return
    /// early for no reason.
    pub fn wait(&self, others: &[BorrowedFd<'_>], span: Duration) {
        let timeout = Timespec {
            tv_sec: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(span.subsec_nanos()),
        };
        let all = std::iter::once(self.wakes.as_fd()).chain(others.iter().copied());
        let mut ready: Vec<PollFd<'_>> =
            all.map(|file| PollFd::from_borrowed_fd(file, PollFlags::IN)).collect();
        let _ = poll(&mut ready, Some(&timeout));
        let mut buffer = [0; 64];
        while (&self.wakes).read(&mut buffer).is_ok_and(|count| count > 0) {}
    }
}

/// Does what this signal does to a program that takes no note of it.
pub fn die_of(signal: i32) {
    let _ = low_level::emulate_default_handler(signal);
}

fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}
