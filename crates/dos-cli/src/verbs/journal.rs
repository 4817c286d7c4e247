//! `dos journal`: read, check and compact the lane journal.

use std::collections::VecDeque;

use camino::Utf8PathBuf;
use dos_core::journal::decode::{Line, decode_line};
use dos_core::journal::entry::{self, op};
use dos_core::verdict::VerdictEvent;
use dos_drivers::RefereeError;
use dos_store::archive::segments;
use dos_store::chain::ChainCheck;
use dos_store::disk::{Disk, RealDisk};
use dos_store::journal::History;
use dos_store::ledger::WAIT_DEFAULT;
use dos_store::log::{Log, RawLine};
use dos_store::poison::marker_path;
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::Exit;
use crate::output;
use crate::verbs::lease_lane::or_busy;
use crate::verbs::shared::{JsonAnswer, listed};

/// Read, check and compact the lane journal
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Put the live leases in place of the history, which moves to the archive
    #[command(after_help = "\
A writer does this by itself once the journal has more records than `journal_max_entries` under
[retention] in dos.toml (5000 unless told otherwise, \"none\" for never).

Examples:
  dos journal compact
  dos journal compact --discard     drop the history

Exit codes: 0 done, 2 the disk failed, 4 the lock stayed busy.")]
    Compact(Compact),
    /// Make a journal usable again after a write did not reach the disk
    #[command(after_help = "\
When the disk fails to make a record durable, the journal is marked and every command that reads
leases from it refuses: what a read shows might be gone after a crash. This copies the journal to a
new file, makes that durable, compares the two and takes the mark away.

Exit codes: 0 repaired, or there was nothing to repair; 2 the disk failed, 4 the lock stayed busy.")]
    Repair(Repair),
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
With `chain = true` under [journal] in dos.toml each record names the hash of the one before it, and
the first one that does not is named here, in the archive or in the journal. Keep the hash of the last
record elsewhere: a change of the end shows by it alone.

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

/// What becomes of the history.
#[derive(Debug, clap::Args)]
pub struct Compact {
    /// Drop the history instead of moving it to the archive
    #[arg(long)]
    discard: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// When to repair.
#[derive(Debug, clap::Args)]
pub struct Repair {
    /// Also a journal that is not marked
    #[arg(long)]
    force: bool,
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
            Self::Compact(args) => compact(context, args),
            Self::Repair(args) => repair(context, args),
            Self::Replay(_) => replay(context),
            Self::Seq(args) => seq(context, args.json),
            Self::Tail(args) => tail(context, args.count),
            Self::Verify(args) => verify(context, args.json),
        }
    }
}

fn compact(context: &Context, args: &Compact) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let referee = context.referee(&workspace);
    // A journal that is not there needs no lock, and no folder to put one in.
    if RealDisk.stat(&workspace.journal).is_ok_and(|stat| stat.is_none()) {
        let shown = json!({"entries_before": 0, "entries_after": 0, "bytes_reclaimed": 0});
        output::answer(&shown, false);
        return Ok(Exit::Yes);
    }
    let history = if args.discard { History::Discard } else { History::Archive { may_copy: true } };
    let compacted = referee.compact(WAIT_DEFAULT, history);
    let compacted = match or_busy("", compacted.map_err(anyhow::Error::from))? {
        Ok(compacted) => compacted,
        Err(exit) => return Ok(exit),
    };
    let shown = json!({
        "entries_before": compacted.entries_before,
        "entries_after": compacted.entries_after,
        "bytes_reclaimed": compacted.bytes_reclaimed,
        "archived": compacted.archived.as_ref().map(|segment| segment.as_str()),
    });
    output::answer(&shown, false);
    Ok(Exit::Yes)
}

fn repair(context: &Context, args: &Repair) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let referee = context.referee(&workspace);
    let marked = RealDisk.stat(&marker_path(&workspace.journal))?.is_some();
    let repaired = match marked || args.force {
        // Without a mark there is nothing to lock.
        false => None,
        true => {
            let repaired = referee.repair(WAIT_DEFAULT, args.force);
            match or_busy("", repaired.map_err(anyhow::Error::from))? {
                Ok(repaired) => repaired,
                Err(exit) => return Ok(exit),
            }
        }
    };
    if args.json {
        output::answer(&json!({"repaired": repaired.is_some(), "bytes": repaired}), false);
        return Ok(Exit::Yes);
    }
    let journal = &workspace.journal;
    output::line(&match repaired {
        Some(bytes) => format!("{journal} is usable again: {bytes} bytes, copied and synced"),
        None => format!("{journal} needs no repair"),
    });
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
    context.referee(&workspace).ledger().log().scan(|line: RawLine<'_>| {
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
    if RealDisk.stat(&marker_path(&workspace.journal))?.is_some() {
        output::note("a write did not reach the disk; run `dos journal repair`");
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
    /// The hash chain.
    pub chain: ChainCheck,
    last_seq: u64,
}

impl Health {
    /// Looks at every line of the journal, after the chain of these archive segments. Locks nothing,
    /// writes nothing.
    pub fn of(
        referee: &dos_drivers::Referee<'_>,
        segments: &[Utf8PathBuf],
    ) -> Result<Self, RefereeError> {
        let mut health = Self::default();
        for segment in segments {
            Log::new(RealDisk, segment).scan(|line| health.chain.look(line))?;
            health.chain.next_file();
        }
        health.bytes = referee.ledger().log().scan(|line| health.look(line))?;
        Ok(health)
    }

    fn look(&mut self, line: RawLine<'_>) {
        self.chain.look(line);
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
    let chained = workspace.config.journal.chain;
    let segments = if chained { segments(&RealDisk, &workspace.journal)? } else { Vec::new() };
    let health = Health::of(&context.referee(&workspace), &segments)?;
    let broken_at = health.chain.broken_at(chained).map(|place| {
        let file = segments.get(place.file).unwrap_or(&workspace.journal);
        (file.as_str(), place.line + 1)
    });
    let poisoned = RealDisk.stat(&marker_path(&workspace.journal))?.is_some();
    let intact = health.corrupt == 0 && broken_at.is_none() && !poisoned;
    if as_json {
        let shown = json!({
            "intact": intact,
            "records": health.records,
            "corrupt": health.corrupt,
            "corrupt_lines": health.corrupt_lines,
            "evidence": health.evidence,
            "seq_out_of_order": health.out_of_order,
            "torn_tail": health.torn_tail,
            "poisoned": poisoned,
            "chain": {
                "linked": health.chain.linked(),
                "last": health.chain.last(),
                "broken_in": broken_at.map(|(file, _)| file),
                "broken_at_line": broken_at.map(|(_, line)| line),
            },
            "bytes": health.bytes,
            "journal": workspace.journal.as_str(),
        });
        output::answer(&shown, false);
    } else {
        output::line(&format!("journal   {}", workspace.journal));
        output::line(&format!("records   {}", health.records));
        output::line(&format!("bytes     {}", health.bytes));
        output::line(&format!("corrupt   {}", health.corrupt));
        if health.corrupt > 0 {
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
        if let Some(last) = health.chain.last() {
            let linked = health.chain.linked();
            output::line(&format!("chain     {linked} records linked, the last one is {last}"));
        }
        if let Some((file, line)) = broken_at {
            output::line(&format!(
                "broken    line {line} of {file} does not follow from the record before it: it, or \
                 what is before it, was changed or written by another program"
            ));
        }
        if poisoned {
            output::line("poisoned  a write did not reach the disk; run `dos journal repair`");
        }
        if health.torn_tail {
            output::line("tail      torn: a write that never finished; the next one closes it");
        }
    }
    context.record(&workspace, || {
        VerdictEvent::new("journal_verify", if intact { "intact" } else { "corrupt" })
            .with("records", health.records)
            .with("corrupt", health.corrupt)
    });
    Ok(if intact { Exit::Yes } else { Exit::No })
}
