//! `dos reap`: drops what runs left behind, beyond the caps of `[retention]`.

use std::collections::BTreeSet;

use camino::Utf8Path;
use dos_core::journal::decode::{Line, decode_line, object_of};
use dos_core::json::Object;
use dos_core::lane::Lease;
use dos_core::retention::{JournalSize, Past, RetentionPolicy, plan_reap};
use dos_drivers::worker_log::WorkerLog;
use dos_drivers::{Referee, fleet};
use dos_store::journal::History;
use dos_store::ledger::WAIT_DEFAULT;
use dos_store::scratch::{self, Scratch};
use dos_store::{StoreError, Workspace};
use serde_json::{Map, Value, json};

use super::doctor::plain;
use crate::context::Context;
use crate::exit::Exit;
use crate::output;

/// Drop what runs left behind, beyond the caps
///
/// Says what it would drop; drops it with --apply. The caps are in [retention] in dos.toml, and count
/// the newest. The folder of a run whose lease is live, whose worker runs, or which is parked, is never
/// dropped.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  dos reap                     what would go?
  dos reap --apply
  dos reap --journal --apply   and compact the journal when it is too long or too old

Exit codes: 0 done, or there is nothing to do; 2 something cannot be read or removed; 4 the lock
stayed busy.")]
pub struct Args {
    /// Drop, instead of saying what would be dropped
    #[arg(long)]
    apply: bool,
    /// Also compact the journal, when it is past its caps
    #[arg(long)]
    journal: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// So many folders are taken away before others get their turn to write.
const AT_ONCE: usize = 32;

/// One kind of what is left behind.
struct Class {
    scratch: Scratch,
    cap: Option<u64>,
    data_class: &'static str,
    kept: usize,
    dropped: Vec<String>,
    /// Those that are beyond the cap and stay, with the reason.
    spared: Vec<(String, &'static str)>,
}

/// What became of the journal.
enum Journal {
    Under { entries: u64 },
    WouldCompact { entries: u64, past: Past },
    Compacted { before: u64, after: u64, bytes: u64 },
}

/// Reaps.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let workspace = context.workspace()?;
    workspace.trusted()?;
    let referee = context.referee(&workspace);
    let mut classes = Vec::new();
    for scratch in Scratch::ALL {
        classes.push(plan(&workspace, &referee, scratch)?);
    }
    if args.apply {
        for class in &mut classes {
            drop_all(&workspace, &referee, class)?;
        }
    }
    let journal = match args.journal {
        true => Some(journal(context, &workspace, &referee, args.apply)?),
        false => None,
    };
    if args.json {
        output::answer(&answer(&workspace, &classes, journal.as_ref(), args.apply), true);
    } else {
        lines(&classes, journal.as_ref(), args.apply).iter().for_each(|line| output::line(line));
    }
    Ok(Exit::Yes)
}

fn cap(policy: &RetentionPolicy, scratch: Scratch) -> Option<u64> {
    match scratch {
        Scratch::Audits => policy.audits_keep_last,
        Scratch::Verdicts => policy.verdicts_keep_last,
        Scratch::Runs => policy.runs_keep_last,
    }
}

fn plan(workspace: &Workspace, referee: &Referee<'_>, scratch: Scratch) -> anyhow::Result<Class> {
    let dot_dos = workspace.dot_dos();
    let config = &workspace.config;
    let cap = cap(&config.retention, scratch);
    let entries = scratch.list(workspace)?;
    let mut beyond = plan_reap(&entries, cap);
    beyond.sort();
    let mut spared = Vec::new();
    if scratch == Scratch::Runs && !beyond.is_empty() {
        let running = running(workspace)?;
        let view = referee.view()?;
        let live = names_of(&view.leases());
        spared.extend(beyond.iter().filter_map(|name| spare(&dot_dos, name, &live, &running)));
        beyond.retain(|name| !spared.iter().any(|(spared, _)| spared == name));
    }
    let kept = entries.len() - beyond.len();
    let dropped = [scratch.set_aside_earlier(workspace)?, beyond].concat();
    let data_class = config.data_class.classify(&format!(".dos/{}", scratch.token())).token();
    Ok(Class { scratch, cap, data_class, kept, dropped, spared })
}

/// The names by which these leases may know the folders of their runs.
fn names_of(leases: &[&Lease]) -> BTreeSet<String> {
    let names = leases.iter().flat_map(|lease| {
        // A worker's child that holds for its parent works in the parent's folder.
        let named = [lease.run_id(), lease.parent_id(), lease.holder()].into_iter().flatten();
        named.map(str::to_string).chain([lease.loop_ts().into_owned()]).collect::<Vec<_>>()
    });
    names.collect()
}

/// The runs whose worker is not known to have ended: it may hold nothing yet, or nothing any more.
fn running(workspace: &Workspace) -> anyhow::Result<BTreeSet<String>> {
    let crew = WorkerLog::of(workspace).crew(&workspace.config.worker)?;
    let ended: Vec<String> = fleet::out_of_sight(&crew)
        .into_iter()
        .filter_map(|(run_id, proven)| proven.then_some(run_id))
        .collect();
    let workers = crew.workers().map(|worker| worker.run_id.clone());
    Ok(workers.filter(|run_id| !ended.contains(run_id)).collect())
}

/// Why a folder stays although it is beyond the cap.
fn spare(
    dot_dos: &Utf8Path,
    folder: &str,
    live: &BTreeSet<String>,
    running: &BTreeSet<String>,
) -> Option<(String, &'static str)> {
    let names = scratch::run_names(dot_dos, folder);
    let is_one_of = |known: &BTreeSet<String>| names.iter().any(|name| known.contains(name));
    let why = match () {
        () if is_one_of(live) => "live",
        () if is_one_of(running) => "its worker runs",
        () if scratch::is_parked(dot_dos, folder) => "parked",
        () => return None,
    };
    Some((folder.to_string(), why))
}

fn drop_all(workspace: &Workspace, referee: &Referee<'_>, class: &mut Class) -> anyhow::Result<()> {
    let dot_dos = workspace.dot_dos();
    let doomed = match class.scratch {
        Scratch::Runs => set_aside(workspace, referee, class)?,
        Scratch::Audits | Scratch::Verdicts => class.dropped.clone(),
    };
    for name in &doomed {
        class.scratch.remove(&dot_dos, name)?;
    }
    if !doomed.is_empty() {
        scratch::settle(&dot_dos, class.scratch)?;
    }
    Ok(())
}

/// Takes the folders of runs away while nobody can take a lease for one of them: who does so from then
/// on finds none, and makes it anew. Those that somebody has a lease for meanwhile stay. Returns what
/// is to be removed, which nobody has to wait for.
fn set_aside(
    workspace: &Workspace,
    referee: &Referee<'_>,
    class: &mut Class,
) -> anyhow::Result<Vec<String>> {
    let dot_dos = &workspace.dot_dos();
    let (mut doomed, folders): (Vec<String>, Vec<String>) =
        class.dropped.iter().cloned().partition(|name| scratch::is_set_aside(name));
    for some in folders.chunks(AT_ONCE) {
        let running = running(workspace)?;
        let spared = referee.alone(WAIT_DEFAULT, |leases| {
            let live = names_of(leases);
            let mut spared = Vec::new();
            for folder in some {
                match spare(dot_dos, folder, &live, &running) {
                    Some(why) => spared.push(why),
                    None => doomed.extend(class.scratch.set_aside(dot_dos, folder)?),
                }
            }
            Ok(spared)
        })?;
        class.dropped.retain(|name| !spared.iter().any(|(spared, _)| spared == name));
        class.kept += spared.len();
        class.spared.extend(spared);
    }
    Ok(doomed)
}

/// What of the journal says whether it is to be compacted.
pub fn journal_size(referee: &Referee<'_>) -> Result<JournalSize, StoreError> {
    let mut size = JournalSize::default();
    referee.ledger().log().scan(|line| match decode_line(line.bytes, line.complete) {
        Line::Entry(_) => size.see(&object_of(line.bytes).unwrap_or_default()),
        Line::Corrupt => size.see(&Object::new()),
        Line::Blank | Line::Foreign | Line::Torn => {}
    })?;
    Ok(size)
}

fn journal(
    context: &Context,
    workspace: &Workspace,
    referee: &Referee<'_>,
    apply: bool,
) -> anyhow::Result<Journal> {
    use dos_store::clock::Clock;
    let size = journal_size(referee)?;
    let Some(past) = size.past(&workspace.config.retention, context.clock.now()?) else {
        return Ok(Journal::Under { entries: size.records });
    };
    if !apply {
        return Ok(Journal::WouldCompact { entries: size.records, past });
    }
    let done = referee.compact(WAIT_DEFAULT, History::Archive { may_copy: true })?;
    Ok(Journal::Compacted {
        before: done.entries_before,
        after: done.entries_after,
        bytes: done.bytes_reclaimed,
    })
}

fn answer(
    workspace: &Workspace,
    classes: &[Class],
    journal: Option<&Journal>,
    applied: bool,
) -> Value {
    let mut answer = Map::new();
    for class in classes {
        let spared = class.spared.iter().map(|(name, why)| json!({"name": name, "why": why}));
        let fields = json!({
            "dir": workspace.dot_dos().join(class.scratch.token()).as_str(),
            "data_class": class.data_class,
            "cap": class.cap,
            "kept": class.kept,
            "dropped": class.dropped,
            "spared": spared.collect::<Value>(),
        });
        let Value::Object(mut fields) = fields else { continue };
        if class.cap.is_none() {
            fields.insert("unbounded".to_string(), true.into());
        }
        answer.insert(class.scratch.token().to_string(), fields.into());
    }
    answer.insert("_applied".to_string(), applied.into());
    if let Some(journal) = journal {
        answer.insert("journal".to_string(), journal.json(workspace));
    }
    Value::Object(answer)
}

impl Journal {
    fn json(&self, workspace: &Workspace) -> Value {
        match self {
            Self::Under { entries } => json!({"compacted": false, "entries": entries}),
            Self::WouldCompact { entries, past } => json!({
                "would_compact": true,
                "entries": entries,
                "threshold": workspace.config.retention.journal_max_entries,
                "why": past.to_string(),
            }),
            Self::Compacted { before, after, bytes } => json!({
                "compacted": true,
                "entries_before": before,
                "entries_after": after,
                "bytes_reclaimed": bytes,
            }),
        }
    }

    fn line(&self) -> String {
        match self {
            Self::Under { entries } => format!("under its caps ({entries} records)"),
            Self::WouldCompact { past, .. } => format!("would be compacted: {past}"),
            Self::Compacted { before, after, bytes } => {
                format!("compacted from {before} to {after} records, {bytes} bytes less")
            }
        }
    }
}

fn lines(classes: &[Class], journal: Option<&Journal>, applied: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for class in classes {
        let cap = class.cap.map_or("no cap".to_string(), |cap| format!("at most {cap}"));
        let verb = if applied { "dropped" } else { "would drop" };
        lines.push(format!(
            "{:<9} [{}] {cap}: keeps {}, {verb} {}",
            class.scratch.token(),
            class.data_class,
            class.kept,
            class.dropped.len()
        ));
        lines.extend(class.dropped.iter().map(|name| match scratch::is_set_aside(name) {
            true => format!("  - {} (left by an earlier reap)", plain(name)),
            false => format!("  - {}", plain(name)),
        }));
        let spared = class.spared.iter();
        lines.extend(spared.map(|(name, why)| format!("  + {} stays: {why}", plain(name))));
    }
    lines.extend(journal.map(|journal| format!("journal   {}", journal.line())));
    if !applied && classes.iter().any(|class| !class.dropped.is_empty()) {
        lines.push("nothing was dropped; to do so: dos reap --apply".to_string());
    }
    lines
}
