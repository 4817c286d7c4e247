//! `dos journal`: read, check and compact the lane journal.

use std::collections::VecDeque;

use dos_core::journal::decode::{Line, decode_line};
use dos_core::journal::entry::{self, op};
use dos_drivers::RefereeError;
use dos_store::disk::{Disk, RealDisk};
use dos_store::ledger::WAIT_DEFAULT;
use dos_store::log::RawLine;
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::Exit;
use crate::output;
use crate::verbs::lease_lane::or_busy;
use crate::verbs::shared::{JsonAnswer, listed};

/// Read, check and compact the lane journal
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Put a snapshot of the live leases in place of the history
    #[command(after_help = "Exit codes: 0 done, 2 the disk failed, 4 the lock stayed busy.")]
    Compact(Plain),
    /// Print the leases that the journal says are held, dead holders included
    #[command(after_help = "Example:\n  dos journal replay | jq length")]
    Replay(Plain),
    /// Print the highest sequence number
    #[command(after_help = "Example:\n  dos journal seq --json")]
    Seq(Plain),
    /// Print the last records, one a line
    #[command(after_help = "Examples:\n  dos journal tail\n  dos journal tail 0      all of them")]
    Tail(Tail),
    /// Look for damage
    #[command(after_help = "\
A torn last line is no damage: it is a write that never finished, and was never acknowledged.

Exit codes: 0 intact, 1 corrupt, 2 the journal cannot be read.")]
    Verify(Plain),
}

/// No arguments but the form of the answer.
#[derive(Debug, clap::Args)]
pub struct Plain {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How many records.
#[derive(Debug, clap::Args)]
pub struct Tail {
    /// How many; 0 or less for all
    #[arg(default_value_t = 20, allow_negative_numbers = true)]
    count: i64,
    #[command(flatten)]
    json: JsonAnswer,
}

impl Verb {
    /// Runs it.
    pub fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        match self {
            Self::Compact(_) => compact(context),
            Self::Replay(_) => replay(context),
            Self::Seq(args) => seq(context, args.json),
            Self::Tail(args) => tail(context, args.count),
            Self::Verify(args) => verify(context, args.json),
        }
    }
}

fn compact(context: &Context) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let referee = context.referee(&workspace);
    // A journal that is not there needs no lock, and no folder to put one in.
    if RealDisk.stat(&workspace.journal).is_ok_and(|stat| stat.is_none()) {
        let shown = json!({"entries_before": 0, "entries_after": 0, "bytes_reclaimed": 0});
        output::answer(&shown, false);
        return Ok(Exit::Yes);
    }
    let compacted = referee.compact(WAIT_DEFAULT);
    let compacted = match or_busy("", compacted.map_err(anyhow::Error::from))? {
        Ok(compacted) => compacted,
        Err(exit) => return Ok(exit),
    };
    let shown = json!({
        "entries_before": compacted.entries_before,
        "entries_after": compacted.entries_after,
        "bytes_reclaimed": compacted.bytes_reclaimed,
    });
    output::answer(&shown, false);
    Ok(Exit::Yes)
}

fn replay(context: &Context) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let live = context.referee(&workspace).ledger().read()?;
    let leases: Value = live.leases().map(|lease| Value::Object(lease.object().clone())).collect();
    output::answer(&leases, true);
    Ok(Exit::Yes)
}

fn seq(context: &Context, as_json: bool) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let last = context.referee(&workspace).ledger().read()?.last_seq();
    match as_json {
        true => output::answer(&json!({"seq": last}), false),
        false => output::line(&last.to_string()),
    }
    Ok(Exit::Yes)
}

fn tail(context: &Context, count: i64) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let keep = usize::try_from(count).ok().filter(|count| *count > 0);
    let mut last: VecDeque<Value> = VecDeque::new();
    context.referee(&workspace).ledger().log().scan(0, |line: RawLine<'_>| {
        let shown = match decode_line(line.bytes, line.complete) {
            Line::Entry(_) => listed(line.bytes),
            Line::Corrupt => {
                let record = entry::corrupt(line.bytes, line.number);
                Some(Value::Object(record.object().clone()))
            }
            Line::Blank | Line::Foreign | Line::Torn => None,
        };
        let Some(shown) = shown else { return };
        match keep {
            // Everything was asked for: nothing has to be kept to print it.
            None => output::answer(&shown, false),
            Some(keep) => {
                if last.len() == keep {
                    last.pop_front();
                }
                last.push_back(shown);
            }
        }
    })?;
    for shown in last {
        output::answer(&shown, false);
    }
    Ok(Exit::Yes)
}

/// What a look at every line found.
#[derive(Default)]
pub struct Health {
    /// Records that can be read.
    pub records: u64,
    /// Lines that cannot, by number from 1, the first few.
    pub corrupt_lines: Vec<u64>,
    /// How many there are.
    pub corrupt: u64,
    /// Records that a compaction wrote in place of such lines.
    pub evidence: u64,
    /// Lines whose sequence number is not above all before them.
    pub out_of_order: u64,
    /// Is the last line the rest of a write that never finished?
    pub torn_tail: bool,
    /// How long the journal is, in bytes.
    pub bytes: u64,
    last_seq: u64,
}

impl Health {
    /// Looks at every line of the journal. Locks nothing, writes nothing.
    pub fn of(referee: &dos_drivers::Referee<'_>) -> Result<Self, RefereeError> {
        let mut health = Self::default();
        health.bytes = referee.ledger().log().scan(0, |line| health.look(line))?;
        Ok(health)
    }

    fn look(&mut self, line: RawLine<'_>) {
        let corrupt = match decode_line(line.bytes, line.complete) {
            Line::Entry(entry) => {
                self.records += 1;
                if entry.seq > 0 && entry.seq <= self.last_seq {
                    self.out_of_order += 1;
                }
                self.last_seq = self.last_seq.max(entry.seq);
                self.evidence += u64::from(entry.op == op::CORRUPT);
                false
            }
            Line::Corrupt => true,
            Line::Torn => {
                self.torn_tail = true;
                false
            }
            Line::Blank | Line::Foreign => false,
        };
        if corrupt {
            self.corrupt += 1;
            if self.corrupt_lines.len() < 20 {
                self.corrupt_lines.push(line.number + 1);
            }
        }
    }
}

fn verify(context: &Context, as_json: bool) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let health = Health::of(&context.referee(&workspace))?;
    let intact = health.corrupt == 0;
    if as_json {
        let shown = json!({
            "intact": intact,
            "records": health.records,
            "corrupt": health.corrupt,
            "corrupt_lines": health.corrupt_lines,
            "evidence": health.evidence,
            "seq_out_of_order": health.out_of_order,
            "torn_tail": health.torn_tail,
            "bytes": health.bytes,
            "journal": workspace.journal.as_str(),
        });
        output::answer(&shown, false);
    } else {
        output::line(&format!("journal   {}", workspace.journal));
        output::line(&format!("records   {}", health.records));
        output::line(&format!("bytes     {}", health.bytes));
        output::line(&format!("corrupt   {}", health.corrupt));
        if !intact {
            let lines: Vec<String> = health.corrupt_lines.iter().map(u64::to_string).collect();
            output::line(&format!("at line   {}", lines.join(", ")));
            output::line(
                "They change no lease and stay as evidence; `dos journal tail 0` shows them.",
            );
        }
        if health.evidence > 0 {
            let count = health.evidence;
            output::line(&format!("evidence  {count} corrupt lines that a compaction set aside"));
        }
        if health.out_of_order > 0 {
            output::line(&format!("seq       {} not above those before them", health.out_of_order));
        }
        if health.torn_tail {
            output::line("tail      torn: a write that never finished; the next one closes it");
        }
    }
    Ok(if intact { Exit::Yes } else { Exit::No })
}
