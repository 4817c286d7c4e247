//! A writer that takes its time over a decision: it goes on when the file `hold` is gone.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use dos_core::journal::entry::{self, About};
use dos_core::timestamp::Timestamp;
use dos_store::clock::{Clock, RealClock};
use dos_store::disk::RealDisk;
use dos_store::{Ledger, StoreError};

fn main() -> ExitCode {
    let clock = RealClock::start();
    let (journal, lock) = (".dos/lane-journal.jsonl", ".dos/.lane-lease.lock");
    let ledger = Ledger::new(RealDisk, clock, journal, lock, "host");
    let written = ledger.transact(Duration::from_secs(10), |live| {
        while Path::new("hold").exists() {
            clock.sleep(Duration::from_millis(1));
        }
        let now = Timestamp::from_millis(0)?;
        let record = entry::halt(&About::default(), "slow", "it took its time", None);
        Ok::<_, StoreError>((vec![record.stamped(live.next_seq(), now)], ()))
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(4)
        }
    }
}
