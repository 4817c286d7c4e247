//! `dos export`: bring the rows of the verdict journal to where people look.

mod report;
mod transport;

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};
use dos_core::export::Since;
use dos_drivers::export::Exporter;
use dos_drivers::export::drain::{Backoff, Drain, Effort, Round};
use dos_drivers::signals::{ENDING, Signals};
use dos_store::Workspace;
use dos_store::clock::{Clock, RealClock};
use dos_store::disk::RealDisk;
use dos_store::export_cursor::{ExportCursor, Reached, Resume};
use dos_store::verdicts::{From, VerdictJournal};

use self::report::Report;
use crate::context::Context;
use crate::exit::Exit;
use crate::output;
use crate::verbs::lookup::cursor_base;
use crate::verbs::shared::duration;

/// For so long another export to the same destination is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(2);
/// What goes on being recorded is told of after so long.
const LOOK_MAX: Duration = Duration::from_secs(5);
/// Who asks for no pause at all gets this one.
const INTERVAL_MIN: Duration = Duration::from_millis(10);
const INTERVAL_MAX: Duration = Duration::from_secs(366 * 86_400);

/// Bring recorded verdicts to a file, StatsD, OpenTelemetry or a program
///
/// Rows arrive in order, each at least once. With `--since auto` an export goes on where the last one to
/// the same destination ended, and gets further only past what was acknowledged.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  dos export                                            how many verdicts there are to export
  dos export --to file --path verdicts.jsonl --since auto
  dos export --to statsd --host 127.0.0.1 --since auto
  dos export --to otlp --endpoint http://localhost:4318 --follow
  dos export --to otlp --signal metrics --follow        counters instead of log records
  dos export --to loki --since auto -- --tenant 7       through the program dos-export-loki

Exit codes: 0 all was delivered, 1 something was not, 2 the input is wrong, 4 another export to the
same destination is at work.")]
pub struct Args {
    /// Where to: null (report only), file, statsd, otlp, or NAME for a program dos-export-NAME on PATH
    #[arg(long, default_value = "null", value_name = "NAME")]
    to: String,
    /// The file [default: $DOS_EXPORT_FILE, also from .env]; relative to the workspace
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// Put the file aside, as PATH.1, PATH.2 ..., once it is so long
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    rotate: Option<u64>,
    /// The StatsD server: a name, an address, or unix:///PATH [default: $DOS_STATSD_HOST, 127.0.0.1]
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Its port [default: $DOS_STATSD_PORT, 8125]
    #[arg(long)]
    port: Option<u16>,
    /// The name of the StatsD counter [default: dos.verdict]
    #[arg(long, value_name = "NAME")]
    metric: Option<String>,
    /// The OpenTelemetry collector [default: $DOS_OTLP_ENDPOINT, $OTEL_EXPORTER_OTLP_ENDPOINT,
    /// http://localhost:4318]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// What an OpenTelemetry collector gets: logs or metrics
    #[arg(long, default_value = "logs", value_parser = ["logs", "metrics"])]
    signal: String,
    /// Only rows behind this number, or `auto`: from where the last export there ended
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "SEQ|auto",
        allow_hyphen_values = true
    )]
    since: String,
    /// Only the last rows
    #[arg(long, value_name = "N")]
    tail: Option<usize>,
    /// Most rows at once
    #[arg(long, default_value_t = 512, value_name = "N")]
    batch: usize,
    /// For how long to try again when a destination cannot take rows right now
    #[arg(long, default_value = "10s", value_parser = duration, value_name = "SPAN")]
    retry_for: Duration,
    /// Go on as rows are recorded, until interrupted; implies --since auto unless a number is given, from
    /// which nothing is remembered
    #[arg(long)]
    follow: bool,
    /// Seconds between two looks
    #[arg(long, default_value_t = 2.0, value_name = "SECS")]
    follow_interval: f64,
    /// Stop after so many looks
    #[arg(long, value_name = "N")]
    follow_max: Option<u64>,
    /// Say what would be exported, and where to; send nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON: one object, or with --follow one a line
    #[arg(long)]
    json: bool,
    /// Arguments for a program of your own
    #[arg(last = true, value_name = "ARGUMENTS")]
    arguments: Vec<String>,
}

/// Exports.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let since =
        Since::parse(&args.since).map_err(|error| anyhow!("--since {:?}: {error}", args.since))?;
    // From a number on it is a look at some rows: to remember it would leave out those before.
    let remembers = since == Since::Cursor || args.follow && since == Since::Start;
    ensure!(
        args.tail.is_none() || !(remembers || args.follow),
        "--tail would leave out rows that no later export would bring, as --since auto and --follow \
         remember how far they came; use --batch to send fewer at once"
    );
    ensure!(args.batch > 0, "--batch must be above 0");
    let interval =
        Duration::try_from_secs_f64(args.follow_interval).context("--follow-interval")?;
    ensure!(interval <= INTERVAL_MAX, "--follow-interval is longer than a year");
    let workspace = context.workspace()?;
    let journal = workspace.verdict_journal(RealDisk);
    let exporter = transport::of(context, &workspace, args)?;
    let Some(mut exporter) = exporter else {
        let mut drain = Drain::start(&journal, from(since, None), args.batch)?;
        let report = Report::new(args, None, seq_of(since, None), remembers);
        report.counted(&drain.count(args.tail)?);
        return Ok(Exit::Yes);
    };
    let cursor = cursor(context, &workspace, exporter.as_ref())?;
    let _lock =
        match remembers && !args.dry_run {
            true => {
                workspace.prepare_write(&RealDisk, cursor.path())?;
                Some(cursor.lock(&context.clock, LOCK_WAIT).with_context(|| {
                    format!("another export to {} is at work", exporter.shown())
                })?)
            }
            false => None,
        };
    let since = if args.follow && since == Since::Start { Since::Cursor } else { since };
    let resume = match since {
        Since::Cursor => Some(checked(&journal, &cursor, cursor.read()?)?),
        _ => None,
    };
    let mut drain = Drain::start(&journal, from(since, resume.as_ref()), args.batch)?;
    let report =
        Report::new(args, Some(exporter.as_ref()), seq_of(since, resume.as_ref()), remembers);
    if args.dry_run {
        report.counted(&drain.count(args.tail)?);
        return Ok(Exit::Yes);
    }
    if let Some(most) = args.tail {
        report.remarks(&drain.last(most)?);
    }
    let mut export = Export {
        args,
        interval: interval.max(INTERVAL_MIN),
        cursor: remembers.then_some(&cursor),
        clock: context.clock,
        seq: seq_of(since, resume.as_ref()).max(0),
    };
    let ended = export.run(&mut drain, exporter.as_mut(), &report);
    if remembers {
        // The original's file is a courtesy: that it cannot be written changes nothing of ours.
        if let Err(error) = cursor.tell_original(&context.clock) {
            output::note(&format!("warning: {error:#}"));
        }
    }
    ended
}

/// One export at work.
struct Export<'a> {
    args: &'a Args,
    interval: Duration,
    cursor: Option<&'a ExportCursor<RealDisk>>,
    clock: RealClock,
    /// The highest number that was acknowledged.
    seq: i64,
}

impl Export<'_> {
    fn run(
        &mut self,
        drain: &mut Drain<'_>,
        exporter: &mut dyn Exporter,
        report: &Report<'_>,
    ) -> anyhow::Result<Exit> {
        if !self.args.follow {
            let clock = self.clock;
            let mut pause = |span| {
                clock.sleep(span);
                true
            };
            let mut round = self.round(drain, exporter, self.args.retry_for, &mut pause)?;
            count_pending(drain, &mut round)?;
            report.ended(&round);
            return Ok(exit(&round));
        }
        let signals = Signals::on(&ENDING).context("cannot take note of signals")?;
        let mut left = self.args.follow_max.filter(|most| *most > 0);
        let mut backoff = Backoff::new(self.interval);
        let mut incomplete = false;
        loop {
            let stopping = std::cell::Cell::new(false);
            let (clock, started) = (self.clock, self.clock.elapsed());
            let mut pause = |span: Duration| {
                signals.wait(&[], span);
                stopping.set(stopping.get() || !signals.taken().is_empty());
                // Where rows come without end, one look must end all the same.
                let is_long = span.is_zero() && clock.elapsed() - started > LOOK_MAX;
                !stopping.get() && !is_long
            };
            let mut round = self.round(drain, exporter, self.args.retry_for, &mut pause)?;
            incomplete |= round.rejected > 0 || round.gap;
            left = left.map(|left| left - 1);
            if left == Some(0) {
                count_pending(drain, &mut round)?;
            }
            report.looked(&round);
            let span = match &round.failure {
                None => backoff.usual(),
                Some(_) => backoff.longer(round.wait),
            };
            if left == Some(0) || stopping.get() || !pause(span) {
                // What was recorded until the signal came is still brought, if it goes at once. Who has
                // just failed is left alone: he may have asked for that.
                if stopping.get() && round.failure.is_none() {
                    let started = clock.elapsed();
                    let mut go_on =
                        |span: Duration| span.is_zero() && clock.elapsed() - started < LOOK_MAX;
                    round = self.round(drain, exporter, Duration::ZERO, &mut go_on)?;
                    count_pending(drain, &mut round)?;
                    report.looked(&round);
                } else {
                    count_pending(drain, &mut round)?;
                }
                report.stopped(&round);
                let complete = exit(&round) == Exit::Yes && !incomplete;
                return Ok(if complete { Exit::Yes } else { Exit::No });
            }
        }
    }

    fn round(
        &mut self,
        drain: &mut Drain<'_>,
        exporter: &mut dyn Exporter,
        patience: Duration,
        pause: &mut dyn FnMut(Duration) -> bool,
    ) -> anyhow::Result<Round> {
        let (cursor, seq) = (self.cursor, &mut self.seq);
        let mut arrived = |position, highest: i64| {
            *seq = highest.max(*seq);
            let reached = Reached { position, seq: *seq, memory: Default::default() };
            cursor.map_or(Ok(()), |cursor| cursor.keep(&reached))
        };
        let mut effort = Effort { clock: self.clock, patience, pause, arrived: &mut arrived };
        Ok(drain.round(exporter, &mut effort)?)
    }
}

/// Counts what a round that did not come to the end has left.
fn count_pending(drain: &Drain<'_>, round: &mut Round) -> anyhow::Result<()> {
    if round.cut || round.failure.is_some() {
        round.pending = drain.pending()?;
    }
    Ok(())
}

fn exit(round: &Round) -> Exit {
    let arrived = round.failure.is_none() && round.pending == 0;
    let complete = arrived && round.rejected == 0 && !round.gap;
    if complete { Exit::Yes } else { Exit::No }
}

fn from(since: Since, resume: Option<&Resume>) -> From {
    match (since, resume) {
        (Since::Seq(seq), _) => From::AfterSeq(seq),
        (_, Some(Resume::Seq(seq))) => From::AfterSeq(*seq),
        (_, Some(Resume::At(reached))) => From::At(reached.position),
        _ => From::Oldest,
    }
}

fn seq_of(since: Since, resume: Option<&Resume>) -> i64 {
    match (since, resume) {
        (Since::Seq(seq), _) => seq,
        (_, Some(Resume::Seq(seq))) => *seq,
        (_, Some(Resume::At(reached))) => reached.seq,
        _ => 0,
    }
}

/// The cursor of a destination: beside the verdict journal, or where a variable says.
fn cursor(
    context: &Context,
    workspace: &Workspace,
    exporter: &dyn Exporter,
) -> anyhow::Result<ExportCursor<RealDisk>> {
    let base = cursor_base(context, workspace)?;
    let (transport, destination) = (exporter.transport(), exporter.destination());
    Ok(ExportCursor::new(RealDisk, &base, transport, destination, exporter.shown()))
}

/// A number of the original that the journal has not reached tells of another journal: to go on behind
/// it would leave out all that is there.
fn checked(
    journal: &VerdictJournal<RealDisk>,
    cursor: &ExportCursor<RealDisk>,
    resume: Resume,
) -> anyhow::Result<Resume> {
    let Resume::Seq(seq) = resume else { return Ok(resume) };
    let there = Drain::start(journal, From::Oldest, 4096)?.count(None)?;
    let last = there.seq.unwrap_or(0);
    if seq > last && there.pending > 0 {
        bail!(
            "{} says that rows up to {seq} were exported, but the verdict journal ends at {last}, so \
             that it is of another journal; remove the file to export every row that is there",
            cursor.plain()
        );
    }
    Ok(Resume::Seq(seq))
}
