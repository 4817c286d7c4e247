//! The time, as the store sees it. The only place that reads a clock or sleeps.

use std::time::Duration;

use dos_core::timestamp::{OutOfRange, Timestamp};

/// Reads the time and waits.
pub trait Clock {
    /// The wall clock.
    fn now(&self) -> Result<Timestamp, OutOfRange>;
    /// A clock that never goes back, for deadlines.
    fn elapsed(&self) -> Duration;
    /// Waits. For a few microseconds it lets others go first, and that is all.
    fn sleep(&self, span: Duration);
}

/// No machine wakes anybody sooner.
const SHORTEST: Duration = Duration::from_micros(10);

/// The machine's clocks.
#[derive(Clone, Copy, Debug)]
pub struct RealClock {
    started: std::time::Instant,
}

impl RealClock {
    /// A clock whose elapsed time starts here.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    pub fn start() -> Self {
        Self { started: std::time::Instant::now() }
    }
}

impl Clock for RealClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    fn now(&self) -> Result<Timestamp, OutOfRange> {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_err(|_| OutOfRange)?;
        Timestamp::from_millis(i64::try_from(since.as_millis()).map_err(|_| OutOfRange)?)
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that waits")]
    fn sleep(&self, span: Duration) {
        match span < SHORTEST {
            true => std::thread::yield_now(),
            false => std::thread::sleep(span),
        }
    }
}
