//! The time, as the store sees it. The only place that reads a clock or sleeps.

use std::time::Duration;

use dos_core::timestamp::{OutOfRange, Timestamp};

/// Reads the time and waits.
pub trait Clock {
    /// The wall clock.
    fn now(&self) -> Result<Timestamp, OutOfRange>;
    /// A clock that never goes back, for deadlines.
    fn elapsed(&self) -> Duration;
    /// Waits.
    fn sleep(&self, span: Duration);
}

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
        std::thread::sleep(span);
    }
}
