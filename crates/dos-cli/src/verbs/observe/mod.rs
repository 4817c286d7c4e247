//! `dos observe`: the verdict journal, counted, listed or followed.

mod text;

use std::collections::VecDeque;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::time::Duration;

use dos_core::timestamp::Timestamp;
use dos_core::verdict::{Dimension, Rollup, VerdictEvent};
use dos_drivers::signals::{ENDING, Signals};
use dos_drivers::watch::Watch;
use dos_store::clock::Clock;
use dos_store::disk::RealDisk;
use dos_store::verdicts::{Batch, From, Reader};
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::Exit;
use crate::output;
use crate::verbs::shared::duration;

/// How many rows are read at once.
const ROWS: usize = 1024;
/// How many rows `--follow` shows of those that are there, unless `--tail` says.
const SHOWN_BEFORE: usize = 10;
/// How long nobody looks, where the system does not say that the journal has changed.
const PAUSE: Duration = Duration::from_secs(1);

/// Count what was decided, list it, or watch it being decided
///
/// Verdicts are recorded in .dos/verdict-journal.jsonl by every verb and hook that decides, when
/// that is asked for: with --observe, with DISPATCH_OBSERVE=1, or with `enabled = true` under
/// [observe] in dos.toml.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  dos observe                              how often each question got each answer
  dos observe --by lane --since 24h        the last day, lane by lane
  dos observe --run RID-1M89PYD52D6YY80    all that was decided about one run
  dos observe --tail 20
  dos observe --follow --syscall pretool   what the guard decides, as it decides
  dos observe --follow --json | jq .       one object for each verdict, as it comes

Exit codes: 0 shown, 1 there are lines that nobody can read, 2 the input is wrong.")]
pub struct Args {
    /// Only verdicts about this run, listed
    #[arg(long, default_value = "", hide_default_value = true, value_name = "RID")]
    run: String,
    /// Only answers to this question: liveness, arbitrate, pretool
    #[arg(long, default_value = "", hide_default_value = true, value_name = "NAME")]
    syscall: String,
    /// Count by syscall, verdict, run_id, lane or source
    #[arg(long, default_value = "syscall", value_name = "DIM", value_parser = dimension)]
    by: Dimension,
    /// Only what came after this: a number of a row (1042), a span (2h), or a time (2026-01-10T14:00Z)
    #[arg(long, value_name = "WHEN", value_parser = since, allow_negative_numbers = true)]
    since: Option<Since>,
    /// List the last N verdicts instead of counting
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    tail: usize,
    /// List each verdict as it is recorded, until interrupted; first the last ten, or --tail N
    #[arg(long)]
    follow: bool,
    /// Print JSON: one object, or with --follow one for each verdict
    #[arg(long)]
    json: bool,
}

/// What verdicts have to come after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Since {
    Seq(i64),
    Span(Duration),
    Time(Timestamp),
}

fn dimension(text: &str) -> Result<Dimension, String> {
    Dimension::named(text).ok_or_else(|| format!("use one of {}", Dimension::NAMES.join(", ")))
}

fn since(text: &str) -> Result<Since, String> {
    let time = || Timestamp::parse(text).or_else(|| Timestamp::parse(&format!("{text}T00:00Z")));
    match (text.parse(), time()) {
        (Ok(seq), _) => Ok(Since::Seq(seq)),
        (_, Some(time)) => Ok(Since::Time(time)),
        _ => duration(text).map(Since::Span).map_err(|_| {
            "write the number of a row (1042), a span (90s, 2h, 7d) or a time in UTC \
             (2026-01-10, 2026-01-10T14:00:00Z)"
                .to_string()
        }),
    }
}

/// Which rows are wanted.
struct Filter<'a> {
    run: &'a str,
    syscall: &'a str,
    from: Option<Timestamp>,
    /// When the row before was decided: one without a time was decided no earlier.
    last: Option<Timestamp>,
}

impl Filter<'_> {
    fn takes(&mut self, event: &VerdictEvent) -> bool {
        self.last = event.at().or(self.last);
        let late = self.from.is_none_or(|from| self.last.is_some_and(|at| at >= from));
        let of_run = self.run.is_empty() || event.run_id == self.run;
        late && of_run && (self.syscall.is_empty() || event.syscall == self.syscall)
    }
}

/// What was read.
struct Seen {
    rollup: Rollup,
    events: VecDeque<VerdictEvent>,
    /// So many rows are kept, the latest.
    kept: usize,
}

impl Seen {
    fn take(&mut self, batch: Batch, filter: &mut Filter<'_>) {
        self.rollup.corrupt += batch.corrupt;
        for event in batch.events.into_iter().filter(|event| filter.takes(event)) {
            self.rollup.feed(&event);
            if self.kept > 0 {
                if self.events.len() == self.kept {
                    self.events.pop_front();
                }
                self.events.push_back(event);
            }
        }
    }
}

/// Shows it.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let journal = workspace.verdict_journal(RealDisk);
    let (start, from) = match args.since {
        None => (From::Oldest, None),
        Some(Since::Seq(seq)) => (From::AfterSeq(seq), None),
        Some(Since::Time(time)) => (From::Oldest, Some(time)),
        Some(Since::Span(span)) => {
            let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
            (From::Oldest, Some(context.clock.now()?.plus_millis(-millis)))
        }
    };
    let (run, syscall) = (args.run.trim(), args.syscall.trim());
    let mut filter = Filter { run, syscall, from, last: None };
    let listed = args.follow || args.tail > 0 || !run.is_empty();
    let kept = match args.tail {
        0 if args.follow => SHOWN_BEFORE,
        0 if args.json || listed => usize::MAX,
        count => count,
    };
    let mut seen = Seen { rollup: Rollup::by(args.by), events: VecDeque::new(), kept };
    let mut reader = journal.read(start)?;
    read_on(&mut reader, &mut seen, &mut filter)?;
    if args.follow {
        let signals = Signals::on(&ENDING)?;
        follow(args, &signals, &mut reader, &mut seen, &mut filter)?;
    } else if args.json {
        output::answer(&answer(args, &seen), true);
    } else if listed {
        output::lines(text::history(&seen.events).into_iter().map(|line| line + "\n"));
    } else {
        let width = output::width(&context.environment)?;
        let width = width.filter(|_| std::io::stdout().is_terminal());
        text::rollup(&seen.rollup, width).iter().for_each(|line| output::line(line));
    }
    Ok(match seen.rollup.corrupt {
        0 => Exit::Yes,
        corrupt => {
            if !args.json {
                let path = journal.path();
                output::note(&format!("warning: {corrupt} lines of {path} cannot be read"));
            }
            Exit::No
        }
    })
}

/// Reads all that is there now.
fn read_on(
    reader: &mut Reader<'_, RealDisk>,
    seen: &mut Seen,
    filter: &mut Filter<'_>,
) -> anyhow::Result<()> {
    loop {
        let batch = reader.next(ROWS)?;
        if batch.gap {
            output::note("warning: older verdicts were dropped before they were read");
        }
        let is_last = batch.events.is_empty();
        seen.take(batch, filter);
        if is_last {
            return Ok(());
        }
    }
}

/// Lists what is there and what comes, until told to end, or until nobody reads any more.
fn follow(
    args: &Args,
    signals: &Signals,
    reader: &mut Reader<'_, RealDisk>,
    seen: &mut Seen,
    filter: &mut Filter<'_>,
) -> anyhow::Result<()> {
    let path = reader.path().to_owned();
    seen.kept = usize::MAX;
    let mut watch = None;
    while signals.taken().is_empty() {
        for event in seen.events.drain(..) {
            let line = match args.json {
                true => dos_core::json::canonical_object(&event.to_object()),
                false => text::event(&event),
            };
            if !output::is_read(&line) {
                return Ok(());
            }
        }
        if watch.is_none() {
            watch = Watch::on(&path);
        }
        let changes = watch.as_ref().map(Watch::as_fd);
        signals.wait(changes.as_slice(), PAUSE);
        // What it saw is forgotten before the journal is read: later changes are told again.
        watch.as_ref().map(Watch::changed);
        read_on(reader, seen, filter)?;
    }
    Ok(())
}

fn answer(args: &Args, seen: &Seen) -> Value {
    let events: Vec<Value> =
        seen.events.iter().map(|event| Value::Object(event.to_object())).collect();
    json!({
        "run": args.run.trim(),
        "syscall_filter": args.syscall.trim(),
        "corrupt": seen.rollup.corrupt,
        "rollup": seen.rollup.to_json(),
        "events": events,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_to_start_is_a_number_a_span_or_a_time() {
        assert_eq!(since("1042"), Ok(Since::Seq(1042)));
        assert_eq!(since("-5"), Ok(Since::Seq(-5)));
        assert_eq!(since("2h"), Ok(Since::Span(Duration::from_secs(7200))));
        let midnight = Timestamp::parse("2026-01-10T00:00:00Z").unwrap();
        assert_eq!(since("2026-01-10"), Ok(Since::Time(midnight)));
        assert_eq!(since("2026-01-10T00:00Z"), Ok(Since::Time(midnight)));
        for other in ["", "yesterday", "1_0", "2 h", "٣", "2026-13-01"] {
            assert!(since(other).is_err(), "{other:?}");
        }
    }
}
