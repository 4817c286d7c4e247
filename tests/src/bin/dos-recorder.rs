//! Records verdicts as fast as it may until its standard input ends: `dos-recorder JOURNAL NAME SEGMENT_BYTES`.

use std::io::Read;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dos_core::verdict::{ObservePolicy, VerdictEvent};
use dos_store::clock::{Clock, RealClock};
use dos_store::disk::RealDisk;
use dos_store::verdicts::VerdictJournal;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(journal), Some(name), Some(bytes)) =
        (arguments.next(), arguments.next(), arguments.next().and_then(|text| text.parse().ok()))
    else {
        return ExitCode::from(2);
    };
    let policy =
        ObservePolicy { segment_max_bytes: bytes, segments_keep_last: None, ..Default::default() };
    let journal = VerdictJournal::new(RealDisk, journal.as_str().into(), policy);
    let clock = RealClock::start();
    let ended = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&ended);
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        end.store(true, Ordering::SeqCst);
    });
    let mut count: u64 = 0;
    while !ended.load(Ordering::SeqCst) {
        let mut event = VerdictEvent::new("liveness", ["ADVANCING", "STALLED"][count as usize % 2]);
        event.subject = format!("{name}-{count}");
        if let Err(error) = journal.record(&clock, event, Duration::from_secs(10)) {
            eprintln!("{name}: {error}");
            return ExitCode::FAILURE;
        }
        count += 1;
        // Many writers at their fastest would leave an exporter nothing to wait for.
        clock.sleep(Duration::from_millis(2));
    }
    ExitCode::SUCCESS
}
