//! `dos notify`: tell a webhook of refusals, halts and stalls.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use dos_core::export::alarm::Alarm;
use dos_drivers::export::Again;
use dos_drivers::export::drain::{Backoff, Retry};
use dos_drivers::export::http::Endpoint;
use dos_drivers::export::notify::{Format, Memory, Messenger, message};
use dos_drivers::signals::{ENDING, Signals};
use dos_store::Workspace;
use dos_store::clock::{Clock, RealClock};
use dos_store::disk::RealDisk;
use dos_store::export_cursor::{ExportCursor, Reached, Resume};
use dos_store::verdicts::From;
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::Exit;
use crate::output;
use crate::verbs::lookup::{Lookup, cursor_base};
use crate::verbs::shared::duration;

const TIMEOUT: Duration = Duration::from_secs(10);
/// For so long another one with the same webhook is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(2);
/// Between two looks at most so long, so that what stops is told of soon after.
const INTERVAL: Duration = Duration::from_secs(2);

/// Tell a webhook of refusals, halts and stalls
///
/// Goes by recorded verdicts, from where the last message ended. All news since then are one message;
/// what was told is not told again for a while. A message that was not taken is sent again.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  dos notify --url http://localhost:9000/hook           one message, if there is news
  dos notify --to slack --follow                        $DOS_SLACK_WEBHOOK_URL, until interrupted
  dos notify --on stalls --every 5m --repeat-after 4h --follow
  dos notify --to slack --dry-run                       print the message, send nothing

Exit codes: 0 there was no news or it was taken, 1 it was not taken, 2 the input is wrong, 4 another
one is at work.")]
pub struct Args {
    /// How the message is written: webhook (plain JSON) or slack
    #[arg(long, default_value = "webhook", value_parser = ["webhook", "slack"])]
    to: String,
    /// The webhook [default: $DOS_WEBHOOK_URL, or $DOS_SLACK_WEBHOOK_URL; also from .env]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// What to tell of
    #[arg(long, value_delimiter = ',', value_parser = ["refusals", "halts", "stalls"],
        default_value = "refusals,halts,stalls")]
    on: Vec<String>,
    /// At most one message in this time
    #[arg(long, default_value = "1m", value_parser = duration, value_name = "SPAN")]
    every: Duration,
    /// What was told is news again after this time
    #[arg(long, default_value = "1h", value_parser = duration, value_name = "SPAN")]
    repeat_after: Duration,
    /// For how long to try again when the webhook cannot take a message right now
    #[arg(long, default_value = "10s", value_parser = duration, value_name = "SPAN")]
    retry_for: Duration,
    /// Go on as verdicts are recorded, until interrupted
    #[arg(long)]
    follow: bool,
    /// Stop after so many looks
    #[arg(long, value_name = "N")]
    follow_max: Option<u64>,
    /// Print the message; send and remember nothing
    #[arg(long, conflicts_with = "follow")]
    dry_run: bool,
    /// Print JSON: one object, or with --follow one a line
    #[arg(long)]
    json: bool,
}

/// What came of a look.
enum Told {
    Nothing,
    Held(Duration),
    Sent,
    Failed { why: String, wait: Option<Duration> },
}

/// Notifies.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    let format = if args.to == "slack" { Format::Slack } else { Format::Webhook };
    let endpoint = endpoint(context, &workspace, args, format)?;
    let base = cursor_base(context, &workspace)?;
    let transport = format!("notify-{}", args.to);
    let (url, shown) = endpoint.as_ref().map_or(("", ""), |it| (it.url(), it.shown()));
    let wanted: Vec<Alarm> =
        Alarm::ALL.into_iter().filter(|it| args.on.iter().any(|on| on == it.names().1)).collect();
    // Each choice has come as far as it has: what one passes over is still news for another.
    let mut destination = url.to_string();
    if wanted.len() < Alarm::ALL.len() {
        for alarm in &wanted {
            destination = format!("{destination} {}", alarm.names().1);
        }
    }
    let cursor = ExportCursor::new(RealDisk, &base, &transport, &destination, shown);
    let _lock = match args.dry_run {
        true => None,
        false => {
            workspace.prepare_write(&RealDisk, cursor.path())?;
            let lock = cursor.lock(&context.clock, LOCK_WAIT);
            Some(lock.with_context(|| format!("another notifier of {shown} is at work"))?)
        }
    };
    let (from, seq, memory) = match cursor.read()? {
        Resume::Start => (From::Oldest, 0, Memory::default()),
        Resume::Seq(seq) => (From::AfterSeq(seq), seq, Memory::default()),
        Resume::At(reached) => {
            (From::At(reached.position), reached.seq, Memory::read(&reached.memory))
        }
    };
    let journal = workspace.verdict_journal(RealDisk);
    let messenger = Messenger::start(&journal, from, seq, wanted)?;
    let label = workspace.root.file_name().unwrap_or("/");
    let mut notifier =
        Notifier { args, clock: context.clock, format, label, endpoint, cursor, memory, messenger };
    notifier.run()
}

fn endpoint(
    context: &Context,
    workspace: &Workspace,
    args: &Args,
    format: Format,
) -> anyhow::Result<Option<Endpoint>> {
    let settings = Lookup::new(context, workspace);
    let variable = match format {
        Format::Webhook => "DOS_WEBHOOK_URL",
        Format::Slack => "DOS_SLACK_WEBHOOK_URL",
    };
    let url = match settings.first(args.url.as_deref(), variable)? {
        Some(url) => url,
        None if args.dry_run => return Ok(None),
        None => bail!("which webhook? Give --url URL, or set {variable}, also in .env"),
    };
    let mut endpoint = Endpoint::new(url.value.trim(), TIMEOUT, true)?;
    // The URL of Slack is the secret itself.
    if format == Format::Webhook
        && let Some(token) = settings.first(None, "DOS_WEBHOOK_TOKEN")?
    {
        ensure!(
            !url.by_repository || token.by_repository,
            "DOS_WEBHOOK_TOKEN is not sent to a webhook that the .env of the workspace has chosen; \
             give --url, or set {variable} yourself"
        );
        let value = format!("Bearer {}", token.value);
        endpoint.header("authorization", &value, "DOS_WEBHOOK_TOKEN")?;
    }
    Ok(Some(endpoint))
}

/// One who looks and tells.
struct Notifier<'a> {
    args: &'a Args,
    clock: RealClock,
    format: Format,
    label: &'a str,
    endpoint: Option<Endpoint>,
    cursor: ExportCursor<RealDisk>,
    memory: Memory,
    messenger: Messenger<'a>,
}

impl Notifier<'_> {
    fn run(&mut self) -> anyhow::Result<Exit> {
        if !self.args.follow {
            let clock = self.clock;
            let told = self.look(self.args.retry_for, &mut |span| {
                clock.sleep(span);
                true
            })?;
            self.say(&told, true);
            return Ok(exit(&told));
        }
        let signals = Signals::on(&ENDING).context("cannot take note of signals")?;
        let mut left = self.args.follow_max.filter(|most| *most > 0);
        let mut backoff = Backoff::new(INTERVAL);
        loop {
            let mut stopped = false;
            let mut pause = |span: Duration| {
                signals.wait(&[], span);
                stopped |= !signals.taken().is_empty();
                !stopped
            };
            let told = self.look(self.args.retry_for, &mut pause)?;
            self.say(&told, false);
            left = left.map(|left| left - 1);
            let span = match &told {
                Told::Held(wait) => (*wait).min(backoff.usual()),
                Told::Failed { wait, .. } => backoff.longer(*wait),
                Told::Nothing | Told::Sent => backoff.usual(),
            };
            if left == Some(0) || !pause(span) {
                return Ok(exit(&told));
            }
        }
    }

    /// Looks once, and tells what is new, if it is time.
    fn look(
        &mut self,
        patience: Duration,
        pause: &mut dyn FnMut(Duration) -> bool,
    ) -> anyhow::Result<Told> {
        let (every, repeat_after) = (self.args.every, self.args.repeat_after);
        let now = self.clock.now()?;
        let found = self.messenger.look(&self.memory, now, repeat_after)?;
        if found.gap {
            output::note("warning: rows may have been removed from the verdict journal unread");
        }
        if found.corrupt > 0 {
            let lines = found.corrupt;
            output::note(&format!("warning: {lines} line(s) of the verdict journal are corrupt"));
        }
        if self.messenger.news().is_empty() {
            if found.rows > 0 {
                self.keep()?;
            }
            return Ok(Told::Nothing);
        }
        let message = message(self.messenger.news(), self.format, self.label);
        let Some(endpoint) = self.endpoint.as_ref().filter(|_| !self.args.dry_run) else {
            output::answer(&message, true);
            return Ok(Told::Nothing);
        };
        if let Some(wait) = self.memory.wait(now, every) {
            return Ok(Told::Held(wait));
        }
        let body = message.to_string();
        let mut retry = Retry::default();
        loop {
            let now = self.clock.now()?;
            let sent = self.messenger.send(endpoint, &body, &mut self.memory, now, repeat_after);
            match sent {
                Ok(()) => break,
                Err(failure) if retry.may(failure.again, patience, self.clock.elapsed(), pause) => {
                }
                Err(failure) => {
                    let wait = match failure.again {
                        Again::Later(wait) => wait,
                        Again::Mended | Again::Smaller => None,
                    };
                    return Ok(Told::Failed { why: failure.reason, wait });
                }
            }
        }
        self.keep()?;
        Ok(Told::Sent)
    }

    fn keep(&self) -> anyhow::Result<()> {
        let Some(position) = self.messenger.position.filter(|_| !self.args.dry_run) else {
            return Ok(());
        };
        let (seq, memory) = (self.messenger.seq, self.memory.object());
        Ok(self.cursor.keep(&Reached { position, seq, memory })?)
    }

    fn say(&self, told: &Told, always: bool) {
        if self.args.dry_run {
            if always && self.messenger.news().is_empty() {
                output::remark("there is no news");
            }
            return;
        }
        let shown = self.endpoint.as_ref().map_or("", Endpoint::shown);
        let (delivered, detail) = match told {
            Told::Nothing if !always => return,
            Told::Held(_) if !always => return,
            Told::Nothing => (false, "no news".to_string()),
            Told::Held(wait) => {
                let seconds = wait.as_secs() + 1;
                (false, format!("news, held for {seconds} s: one message in that time at most"))
            }
            Told::Sent => (true, format!("told {shown}")),
            Told::Failed { why, .. } => (false, format!("not told: {}", output::printable(why))),
        };
        if self.args.json {
            let result = json!({"delivered": delivered, "detail": detail});
            let answer: Value = json!({"notifier": self.args.to, "result": result});
            output::answer(&answer, always);
        } else {
            output::line(&format!("{}: {detail}", self.args.to));
        }
    }
}

fn exit(told: &Told) -> Exit {
    match told {
        Told::Failed { .. } => Exit::No,
        Told::Nothing | Told::Held(_) | Told::Sent => Exit::Yes,
    }
}
