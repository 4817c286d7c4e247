//! Log records and counters for a collector of OpenTelemetry, over HTTP.

mod settings;

use std::io::Write;

use dos_core::export::otlp::{Encoding, Signal, partial_success, request};
use dos_core::verdict::VerdictEvent;
use dos_store::clock::{Clock, RealClock};
use flate2::Compression;
use flate2::write::GzEncoder;

pub use settings::{Given, Settings};

use super::{Again, Exporter, NotTaken, Taken};

/// A collector.
pub struct Otlp {
    settings: Settings,
    destination: String,
    clock: RealClock,
}

impl Otlp {
    /// The collector that these settings name.
    pub fn new(settings: Settings, clock: RealClock) -> Self {
        // Logs and metrics may go to one URL, and each has come as far as it has.
        let signal = match settings.signal {
            Signal::Logs => "logs",
            Signal::Metrics => "metrics",
        };
        let destination = format!("{} {signal}", settings.endpoint.url());
        Self { settings, destination, clock }
    }
}

impl Exporter for Otlp {
    fn transport(&self) -> &str {
        "otlp"
    }

    fn destination(&self) -> &str {
        &self.destination
    }

    fn shown(&self) -> &str {
        self.settings.endpoint.shown()
    }

    fn export(&mut self, events: &[VerdictEvent]) -> Result<Taken, NotTaken> {
        let Settings { endpoint, signal, encoding, gzip, resource, .. } = &self.settings;
        let now = self.clock.now().map_err(|error| NotTaken::until_mended(error.to_string()))?;
        let mut body = request(events, *signal, *encoding, resource, now);
        let kind = match encoding {
            Encoding::Json => "application/json",
            Encoding::Protobuf => "application/x-protobuf",
        };
        let mut headers = vec![("content-type", kind)];
        if *gzip {
            body = zipped(&body).map_err(|error| NotTaken::until_mended(error.to_string()))?;
            headers.push(("content-encoding", "gzip"));
        }
        let answer = endpoint.post(&body, &headers, now)?;
        let answer = endpoint.accepted(answer).map_err(|failure| match failure.again {
            // One row cannot be made smaller.
            Again::Smaller if events.len() < 2 => NotTaken { again: Again::Mended, ..failure },
            _ => failure,
        })?;
        let said = partial_success(&answer.body, *encoding).ok_or_else(|| {
            NotTaken::until_mended(format!(
                "{} answered {} with what is no answer of OTLP; is it a collector?",
                endpoint.shown(),
                answer.status
            ))
        })?;
        // Points stand for many rows each: that any was rejected says so much and no more.
        let most = events.len() as u64;
        Ok(Taken { rejected: said.rejected.min(most), remark: said.message })
    }
}

fn zipped(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

/// The signal by its name.
pub fn signal(name: &str) -> Option<Signal> {
    match name {
        "logs" => Some(Signal::Logs),
        "metrics" => Some(Signal::Metrics),
        _ => None,
    }
}
