//! Several processes that append to one file for a while, through the ledger or bare.
//!
//! `writers ledger|bare FOLDER PROCESSES SECONDS` prints how many durable appends they made. Bare is
//! what the machine can do: open, write 300 bytes, `fdatasync`, and no lock at all.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dos_core::journal::entry::Record;
use dos_core::timestamp::Timestamp;
use dos_store::clock::RealClock;
use dos_store::disk::RealDisk;
use dos_store::{Ledger, StoreError};
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, folder, processes, seconds] = arguments.as_slice() else {
        return Err("usage: writers ledger|bare FOLDER PROCESSES SECONDS".into());
    };
    let most = Duration::from_secs_f64(seconds.parse()?);
    let count = match processes.parse::<usize>()? {
        1 => appends(mode, folder, most)?,
        many => spawned(mode, folder, many, seconds)?,
    };
    writeln!(std::io::stdout(), "{count}")?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "it starts itself, and nothing else")]
fn spawned(mode: &str, folder: &str, many: usize, seconds: &str) -> Result<u64, Failure> {
    let program = std::env::current_exe()?;
    let one = |_| {
        let arguments = [mode, folder, "1", seconds];
        Command::new(&program).args(arguments).stdout(Stdio::piped()).spawn()
    };
    let children: Vec<_> = (0..many).map(one).collect::<Result<_, _>>()?;
    let mut total = 0;
    for child in children {
        let output = child.wait_with_output()?;
        total += String::from_utf8(output.stdout)?.trim().parse::<u64>()?;
    }
    Ok(total)
}

#[expect(clippy::disallowed_methods, reason = "it measures")]
fn appends(mode: &str, folder: &str, most: Duration) -> Result<u64, Failure> {
    let started = Instant::now();
    let mut count = 0;
    match mode {
        "bare" => {
            while started.elapsed() < most {
                let path = format!("{folder}/bare");
                let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path)?;
                file.write_all(&[b'x'; 300])?;
                file.sync_data()?;
                count += 1;
            }
        }
        "ledger" => {
            let clock = RealClock::start();
            let journal = format!("{folder}/journal.jsonl");
            let lock = format!("{folder}/.lane-lease.lock");
            let ledger = Ledger::new(RealDisk, clock, journal, lock, "host");
            while started.elapsed() < most {
                ledger.transact(Duration::from_secs(60), |live| {
                    Ok::<_, StoreError>((vec![beat(live.next_seq())], ()))
                })?;
                count += 1;
            }
        }
        _ => return Err("the mode is ledger or bare".into()),
    }
    Ok(count)
}

/// A record of about 300 bytes.
fn beat(seq: u64) -> Record {
    let pad = "x".repeat(150);
    let record = json!({"op": "HEARTBEAT", "lane": "lane", "loop_ts": "t", "holder": pad});
    let object = match record {
        Value::Object(object) => object,
        _ => serde_json::Map::new(),
    };
    let record = Record::from_object(object);
    match Timestamp::from_millis(1_767_268_800_000) {
        Ok(now) => record.stamped(seq, now),
        Err(_) => record,
    }
}
