//! `dos snapshot`: a state that is read now and compared later.

use anyhow::{Context as _, bail};
use dos_core::witness::taken::{self, Origin, Seal, SnapshotName};
use dos_core::witness::{Snapshot, Unreadable};
use dos_drivers::snapshot::{Reading, Source, TakenSnapshot};
use dos_store::Workspace;
use dos_store::clock::Clock;
use dos_store::disk::RealDisk;
use dos_store::taken::{Found, Kept, Names, Row, Taken};
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::Exit;
use crate::output;
use crate::verbs::shared::{Readable, with};

/// Take, list and show snapshots of states
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// List the snapshots that were taken, and whether they are still what they were
    #[command(after_help = "\
Examples:
  dos snapshot list
  dos snapshot list --json

Exit codes: 0 all are as they were taken, 1 one was changed or is gone.")]
    List(List),
    /// Show a state, an entry a line: [key, value]
    #[command(after_help = "\
Examples:
  dos snapshot show before
  dos snapshot show sqlite:orders.db#orders
  dos snapshot show git:HEAD~1

Exit codes: 0 shown, 3 it cannot be read.")]
    Show(Show),
    /// Read a state now and keep it under a name
    ///
    /// It is kept in .dos/snapshots under its SHA-256, so that a later change of it shows. Write that
    /// down where the agent cannot write, and name the snapshot by it, to be sure that the name was
    /// not given to another one.
    #[command(after_help = "\
Examples:
  dos snapshot take before --from sqlite:orders.db
  dos snapshot take before --from tree:src --replace
  dos snapshot take api --from 'command:curl -fsS https://shop.example/orders' --key id --third-party
  dos state-diff orders:42 --before before --after sqlite:orders.db

Exit codes: 0 taken, 1 the name is in use, 3 the state cannot be read, 4 busy.")]
    Take(Take),
}

/// How they are listed.
#[derive(Debug, clap::Args)]
pub struct List {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What is shown.
#[derive(Debug, clap::Args)]
pub struct Show {
    /// A file, KIND:SOURCE, or the name or SHA-256 of a snapshot that was taken
    source: String,
    #[command(flatten)]
    readable: Readable,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What is taken.
#[derive(Debug, clap::Args)]
pub struct Take {
    /// The name
    name: String,
    /// What is read: a file, or KIND:SOURCE
    #[arg(long, value_name = "SOURCE")]
    from: String,
    /// Give the name to this snapshot, whoever has it now
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    readable: Readable,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Verb {
    /// Runs it.
    pub fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        let workspace = context.workspace()?;
        match self {
            Self::List(args) => list(&workspace, args),
            Self::Show(args) => show(context, &workspace, args),
            Self::Take(args) => take(context, &workspace, args),
        }
    }
}

/// Reads a state: from where it is now, or as it was taken.
pub fn read(
    workspace: &Workspace,
    reading: &Reading<'_>,
    text: &str,
) -> anyhow::Result<Result<Snapshot, Unreadable>> {
    let source = Source::parse(text)?;
    let store = Taken::of(workspace, &RealDisk);
    let kept = match &source {
        Source::Taken(name) => match seal_of(&store, name)? {
            Some(seal) => Some((name, seal)),
            None => {
                let reason = format!("no snapshot of this name was taken; {}", known(&store)?);
                return Ok(Err(Unreadable { origin: format!("snapshot:{name}"), reason }));
            }
        },
        Source::Bare(name) => {
            let seal = seal_of(&store, name)?;
            if seal.is_some() && reading.folder.join(name).exists() {
                bail!(
                    "{name} is both a file and a snapshot that was taken; write json:{name} or \
                     snapshot:{name}"
                );
            }
            seal.map(|seal| (name, seal))
        }
        _ => None,
    };
    if let Some((name, seal)) = kept {
        return Ok(Snapshot::read(&mut TakenSnapshot::new(&store, name, seal)));
    }
    match source.reader(reading) {
        Some(mut reader) => Ok(Snapshot::read(&mut *reader)),
        None => bail!("{text} cannot be read"),
    }
}

/// The SHA-256 of a snapshot by its name, or by its SHA-256.
fn seal_of(store: &Taken<RealDisk>, name: &str) -> anyhow::Result<Option<Seal>> {
    if let Some(seal) = Seal::parse(name) {
        return Ok(Some(seal));
    }
    if SnapshotName::parse(name).is_err() {
        return Ok(None);
    }
    Ok(store.names()?.of(name).map(|row| row.seal.clone()))
}

fn known(store: &Taken<RealDisk>) -> anyhow::Result<String> {
    let names = store.names()?;
    let names: Vec<&str> = names.current().iter().map(|row| row.name.as_str()).collect();
    Ok(match names.is_empty() {
        true => "none was taken yet, see `dos snapshot take --help`".to_string(),
        false => format!("these were: {}", names.join(", ")),
    })
}

fn take(context: &Context, workspace: &Workspace, args: &Take) -> anyhow::Result<Exit> {
    let name = SnapshotName::parse(&args.name)?;
    let reading = args.readable.reading(context)?;
    let now = context.clock.now()?;
    let snapshot = match read(workspace, &reading, &args.from)? {
        Ok(snapshot) => snapshot,
        Err(unreadable) => return Ok(unwitnessed(&unreadable, args.json)),
    };
    if snapshot.seal().is_some() {
        bail!("{} is a snapshot already; name where its state is now", args.from);
    }
    let state = snapshot.state();
    let origin = Origin {
        source: snapshot.source().to_string(),
        rung: snapshot.rung(),
        taken_at: now.to_string(),
        keys: state.len(),
        rules: snapshot.rules().map(str::to_string),
    };
    // Every value was checked when it was read.
    let entries = state.iter().filter_map(|(key, value)| taken::entry_line(key, value).ok());
    let lines = std::iter::once(origin.line()).chain(entries);
    let store = Taken::of(workspace, &RealDisk);
    match store.keep((workspace, &context.clock), &name, lines, now, args.replace)? {
        Kept::New(seal) => {
            let row = Row { name: args.name.clone(), seal, ts: now.to_string() };
            match args.json {
                true => output::answer(&listed(&row, Some(&origin), "intact"), true),
                false => output::line(&format!(
                    "took {}: {} keys of {}, sealed {}",
                    row.name,
                    origin.keys,
                    origin.source,
                    row.seal.as_str()
                )),
            }
            Ok(Exit::Yes)
        }
        Kept::NameTaken(row) => {
            let reason = format!(
                "{} was taken at {}; choose another name, or pass --replace",
                row.name, row.ts
            );
            match args.json {
                true => {
                    let answer = json!({"outcome": "name-taken", "reason": reason});
                    output::answer(&with(answer, "name", row.name), true);
                }
                false => output::note(&reason),
            }
            Ok(Exit::No)
        }
    }
}

/// A state that cannot be read.
fn unwitnessed(unreadable: &Unreadable, as_json: bool) -> Exit {
    match as_json {
        true => {
            let reason = format!("UNWITNESSED: {unreadable}");
            output::answer(&json!({"verdict": "UNWITNESSED", "reason": reason}), true);
        }
        false => {
            output::line("VERDICT   UNWITNESSED");
            output::line(&format!("WHY       {unreadable}"));
        }
    }
    Exit::Unwitnessed
}

fn show(context: &Context, workspace: &Workspace, args: &Show) -> anyhow::Result<Exit> {
    let reading = args.readable.reading(context)?;
    let snapshot = match read(workspace, &reading, &args.source)? {
        Ok(snapshot) => snapshot,
        Err(unreadable) => return Ok(unwitnessed(&unreadable, args.json)),
    };
    if args.json {
        let entries = snapshot
            .state()
            .iter()
            .map(|(key, value)| Ok((key.to_string(), serde_json::from_str::<Value>(value)?)));
        let state: serde_json::Map<String, Value> =
            entries.collect::<serde_json::Result<_>>().context("a number is out of all range")?;
        output::answer(&with(side(&snapshot), "state", state), true);
        return Ok(Exit::Yes);
    }
    let entries = snapshot.state().iter();
    output::lines(entries.filter_map(|(key, value)| taken::entry_line(key, value).ok()));
    Ok(Exit::Yes)
}

/// A snapshot, in answers.
pub fn side(snapshot: &Snapshot) -> Value {
    json!({
        "source": snapshot.source(),
        "keys": snapshot.state().len(),
        "accountability": snapshot.rung().token(),
        "sha256": snapshot.seal(),
    })
}

/// `@SHA256` of a snapshot that was kept; else nothing.
pub fn sealed(snapshot: &Snapshot) -> String {
    // Whoever named it by its SHA-256 has said so.
    let seal = snapshot.seal().filter(|seal| !snapshot.source().ends_with(seal));
    seal.map(|seal| format!("@{seal}")).unwrap_or_default()
}

fn list(workspace: &Workspace, args: &List) -> anyhow::Result<Exit> {
    let store = Taken::of(workspace, &RealDisk);
    let names: Names = store.names()?;
    let mut rows = Vec::new();
    let mut sound = names.broken_at.is_none();
    for row in names.current() {
        let (origin, state) = match store.read(&row.seal)? {
            Found::Whole(text) => (taken::origin(&text).ok(), "intact"),
            Found::Missing => (None, "gone"),
            Found::Changed(_) => (None, "changed"),
        };
        sound &= origin.is_some();
        rows.push((row, origin, state));
    }
    if args.json {
        let listed: Vec<Value> =
            rows.iter().map(|(row, origin, state)| listed(row, origin.as_ref(), state)).collect();
        output::answer(&json!({"snapshots": listed, "names_broken_at": names.broken_at}), true);
    } else {
        for (row, origin, state) in &rows {
            let of = match origin {
                Some(origin) => format!("{} keys of {}", origin.keys, origin.source),
                None => "?".to_string(),
            };
            output::line(&format!(
                "{}  {}  {state}  {}  {of}",
                row.name,
                row.ts,
                row.seal.as_str()
            ));
        }
        if let Some(line) = names.broken_at {
            output::line(&format!("line {line} of names.jsonl was changed after it was written"));
        }
        if rows.is_empty() {
            output::remark("no snapshot was taken yet, see `dos snapshot take --help`");
        }
    }
    Ok(if sound { Exit::Yes } else { Exit::No })
}

fn listed(row: &Row, origin: Option<&Origin>, state: &str) -> Value {
    json!({
        "name": row.name,
        "sha256": row.seal.as_str(),
        "taken_at": origin.map(|origin| origin.taken_at.clone()),
        "named_at": row.ts,
        "state": state,
        "source": origin.map(|origin| origin.source.clone()),
        "keys": origin.map(|origin| origin.keys),
        "accountability": origin.map(|origin| origin.rung.token()),
    })
}
