//! How do verdicts look elsewhere? Rows of the verdict journal as counters of StatsD, and as logs and
//! metrics of OpenTelemetry.
//!
//! Everything here is a function of rows; who sends it is in `dos-drivers`.

pub mod alarm;
pub mod counts;
pub mod otlp;
pub mod severity;
pub mod since;
pub mod statsd;

pub use counts::Counts;
pub use severity::Severity;
pub use since::Since;
