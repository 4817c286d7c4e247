//! What reading a journal costs at least: each line parsed into a typed record, nothing folded.
//!
//! `typed-parse FILE` prints how many lines were records.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};

use serde::Deserialize;

#[derive(Deserialize)]
#[expect(dead_code, reason = "parsing is what is measured")]
struct Entry<'a> {
    op: &'a str,
    seq: u64,
    lane: Option<&'a str>,
    loop_ts: Option<&'a str>,
    ts: Option<&'a str>,
    heartbeat_at: Option<&'a str>,
    holder: Option<&'a str>,
    reason: Option<&'a str>,
    #[serde(borrow)]
    lease: Option<Lease<'a>>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "parsing is what is measured")]
struct Lease<'a> {
    lane: &'a str,
    loop_ts: &'a str,
    holder: Option<&'a str>,
    host_id: Option<&'a str>,
    acquired_at: Option<&'a str>,
    #[serde(borrow)]
    tree: Vec<&'a str>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: typed-parse FILE")?;
    let mut reader = BufReader::with_capacity(256 * 1024, File::open(path)?);
    let (mut line, mut records) = (Vec::new(), 0);
    while reader.read_until(b'\n', &mut line)? > 0 {
        records += u64::from(serde_json::from_slice::<Entry<'_>>(&line).is_ok());
        line.clear();
    }
    writeln!(std::io::stdout(), "{records}")?;
    Ok(())
}
