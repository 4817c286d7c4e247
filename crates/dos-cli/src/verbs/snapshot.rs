//! `dos snapshot`: a state that is read now and compared later.

use anyhow::bail;
use dos_core::json;
use dos_core::witness::taken::{self, Origin, Seal, SnapshotName};
use dos_core::witness::value::canonical;
use dos_core::witness::{Snapshot, Unreadable, WitnessRung};
use dos_drivers::snapshot::{Reading, Source, TakenSnapshot};
use dos_store::Workspace;
use dos_store::clock::Clock;
use dos_store::disk::RealDisk;
use dos_store::taken::{Broken, Dropped, Found, Kept, Names, Taken};
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{self, printable};
use crate::verbs::shared::{Readable, with};

/// So often is looked whether a snapshot that is being taken has its name.
const LOOKS: u32 = 50;
const BETWEEN_LOOKS: std::time::Duration = std::time::Duration::from_millis(20);

/// Take, list and show snapshots of states
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Give up a name, and remove what no other name has
    ///
    /// Gone are the snapshot and those that had the name before it. That it was dropped, when, and the
    /// SHA-256 of each stay in names.jsonl, and a file of that name is not taken for it.
    #[command(after_help = "\
Example:
  dos snapshot drop before

Exit codes: 0 dropped, 1 there is no snapshot of this name, or names.jsonl was changed, 4 busy.")]
    Drop(Drop),
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

/// Which name is given up.
#[derive(Debug, clap::Args)]
pub struct Drop {
    /// The name
    name: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
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
            Self::Drop(args) => drop_name(context, &workspace, args),
            Self::List(args) => list(&workspace, args),
            Self::Show(args) => show(context, &workspace, args),
            Self::Take(args) => take(context, &workspace, args),
        }
    }
}

/// Reads a state: from where it is now, or as it was taken.
pub fn read(
    context: &Context,
    workspace: &Workspace,
    reading: &Reading<'_>,
    text: &str,
) -> anyhow::Result<Result<Snapshot, Unreadable>> {
    let source = Source::parse(text)?;
    if reading.rung == WitnessRung::ThirdParty && !source.is_handed_over() {
        bail!(
            "--third-party is said of a file or of what a command prints; {text} is read by this \
             machine itself"
        );
    }
    let store = Taken::of(workspace, &RealDisk);
    let unreadable = |name: &str, reason| {
        let origin = format!("snapshot:{name}");
        Ok(Err(Unreadable { origin, reason }))
    };
    let kept = match &source {
        Source::Taken(name) => match seal_of(&store, name)? {
            Named::Seal(seal) => Some((name, seal)),
            Named::Unsure(why) => return unreadable(name, why),
            Named::Nothing => {
                let reason = format!("no snapshot of this name was taken; {}", known(&store)?);
                return unreadable(name, reason);
            }
        },
        Source::Bare(name) => {
            let seal = match seal_of(&store, name)? {
                Named::Seal(seal) => Some(seal),
                Named::Unsure(why) => {
                    return unreadable(name, format!("{why}; write json:{name} for a file"));
                }
                Named::Nothing => None,
            };
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
    if let Source::Bare(name) = &source {
        if let Some(reason) = no_file(&store, reading, name)? {
            return Ok(Err(Unreadable { origin: name.clone(), reason }));
        }
        if SnapshotName::parse(name).is_ok() && has_lost_a_name(&store, &context.clock)? {
            let why = format!(
                "there is a snapshot that lost its name (see `dos snapshot list`), and this may \
                 have been it; write json:{name} for the file"
            );
            return unreadable(name, why);
        }
    }
    match source.reader(reading) {
        Some(mut reader) => Ok(Snapshot::read(&mut *reader)),
        None => bail!("{text} cannot be read"),
    }
}

/// Is there a snapshot without a name? One that is being taken gets its own in a moment.
fn has_lost_a_name(store: &Taken<RealDisk>, clock: &impl Clock) -> anyhow::Result<bool> {
    let mut unnamed = store.unnamed(&store.names()?)?;
    for _ in 0..LOOKS {
        if unnamed.is_empty() {
            return Ok(false);
        }
        clock.sleep(BETWEEN_LOOKS);
        let names = store.names()?;
        unnamed.retain(|seal| names.rows.iter().all(|row| row.seal != *seal));
    }
    Ok(!unnamed.is_empty())
}

/// What a name stands for.
enum Named {
    Seal(Seal),
    Nothing,
    /// Nobody can tell, and why.
    Unsure(String),
}

/// The SHA-256 of a snapshot by its name, or by its SHA-256.
fn seal_of(store: &Taken<RealDisk>, name: &str) -> anyhow::Result<Named> {
    if let Some(seal) = Seal::parse(name) {
        return Ok(Named::Seal(seal));
    }
    if SnapshotName::parse(name).is_err() {
        return Ok(Named::Nothing);
    }
    let names = store.names()?;
    if let Some(broken) = names.broken {
        // Any name may have been given to another snapshot, or taken away.
        let why = "so that no name of a snapshot counts; use its SHA-256";
        return Ok(Named::Unsure(format!("{broken}, {why}")));
    }
    Ok(match names.last_of(name) {
        // A file of this name was not meant when it was a snapshot's.
        Some(row) if row.dropped => Named::Unsure(format!(
            "the snapshot of this name was dropped at {} (its SHA-256 was {})",
            row.ts,
            row.seal.as_str()
        )),
        Some(row) => Named::Seal(row.seal.clone()),
        None => Named::Nothing,
    })
}

/// Why a bare name is no file with a state, and what was meant, perhaps.
fn no_file(
    store: &Taken<RealDisk>,
    reading: &Reading<'_>,
    name: &str,
) -> anyhow::Result<Option<String>> {
    let path = reading.folder.join(name);
    Ok(match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => Some(format!("it is a directory; write tree:{name}")),
        Ok(_) if matches!(path.extension(), Some("db" | "sqlite" | "sqlite3")) => {
            Some(format!("it is no JSON; write sqlite:{name}, or json:{name} if it is"))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(format!(
            "No such file, and no snapshot of this name was taken; {}. A revision is git:{name}",
            known(store)?
        )),
        _ => None,
    })
}

fn known(store: &Taken<RealDisk>) -> anyhow::Result<String> {
    let names = store.names()?;
    let names = names.current().into_iter().filter(|row| !row.dropped);
    let names: Vec<&str> = names.map(|row| row.name.as_str()).collect();
    Ok(match names.is_empty() {
        true => "none was taken yet, see `dos snapshot take --help`".to_string(),
        false => format!("these were: {}", names.join(", ")),
    })
}

fn take(context: &Context, workspace: &Workspace, args: &Take) -> anyhow::Result<Exit> {
    let name = SnapshotName::parse(&args.name)?;
    let reading = args.readable.reading(context)?;
    let now = context.clock.now()?;
    let store = Taken::of(workspace, &RealDisk);
    if let Source::Tree(_) = Source::parse(&args.from)? {
        // `.dos` has ignore rules of its own, which are to be there before as well as after.
        store.prepare(workspace)?;
    }
    let snapshot = match read(context, workspace, &reading, &args.from)? {
        Ok(snapshot) => snapshot,
        Err(unreadable) => return Ok(unwitnessed(&unreadable, args.json)),
    };
    if snapshot.seal().is_some() {
        bail!("{} is a snapshot already; name where its state is now", args.from);
    }
    let state = snapshot.state();
    let origin = Origin {
        source: snapshot.source().to_string(),
        shape: snapshot.shape().to_string(),
        rung: snapshot.rung(),
        taken_at: now.to_string(),
        keys: state.len(),
        rules: snapshot.rules().map(str::to_string),
        left_out: snapshot.left_out().map(str::to_string).collect(),
        terms: snapshot.terms().clone(),
    };
    // Every value was checked when it was read.
    let entries = state.iter().filter_map(|(key, value)| taken::entry_line(key, value).ok());
    let lines = std::iter::once(origin.line()).chain(entries);
    let replaced = store.names()?.of(&args.name).map(|row| row.seal.clone());
    match store.keep((workspace, &context.clock), &name, lines, now, args.replace)? {
        Kept::New(seal) => {
            let Origin { keys, source, .. } = &origin;
            let took =
                format!("took {}: {keys} keys of {source}, sealed {}", args.name, seal.as_str());
            let row = Listed {
                name: args.name.clone(),
                replaces: replaced.filter(|earlier| args.replace && *earlier != seal),
                seal,
                named_at: now.to_string(),
                origin: Some(origin),
                state: "intact",
            };
            let broken = store.names()?.broken.map(|broken| broken.to_string());
            match args.json {
                true => output::answer(&with(row.to_json(), "names_broken", broken), true),
                false => {
                    output::line(&printable(&took));
                    if let Some(broken) = broken {
                        output::note(&format!(
                            "this name does not count: {broken}; use its SHA-256, or see `dos \
                             snapshot list`"
                        ));
                    }
                }
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

fn drop_name(context: &Context, workspace: &Workspace, args: &Drop) -> anyhow::Result<Exit> {
    let name = SnapshotName::parse(&args.name)?;
    let store = Taken::of(workspace, &RealDisk);
    let now = context.clock.now()?;
    let (answer, said, exit) = match store.drop_name((workspace, &context.clock), &name, now)? {
        Dropped::Done(row, removed) => {
            let seal = row.seal.as_str();
            let kept = match removed.contains(&row.seal) {
                true => "and removed it",
                false => "which another name has as well",
            };
            let removed: Vec<&str> = removed.iter().map(Seal::as_str).collect();
            let answer = json!({"outcome": "dropped", "name": row.name, "sha256": seal});
            let said = format!("dropped {}, sealed {seal}, {kept}", row.name);
            (with(answer, "removed", removed), said, Exit::Yes)
        }
        Dropped::NoSuchName => {
            let reason = format!("no snapshot has the name {}; {}", args.name, known(&store)?);
            (json!({"outcome": "no-such-name", "reason": reason}), reason, Exit::No)
        }
        Dropped::Broken(broken) => {
            let reason = format!("{broken}, so that nobody can tell what a name stands for");
            (json!({"outcome": "names-changed", "reason": reason}), reason, Exit::No)
        }
    };
    match (args.json, exit) {
        (true, _) => output::answer(&answer, true),
        (false, Exit::Yes) => output::line(&printable(&said)),
        (false, _) => output::note(&printable(&said)),
    }
    Ok(exit)
}

/// A state that cannot be read.
fn unwitnessed(unreadable: &Unreadable, as_json: bool) -> Exit {
    let why = unreadable.to_string();
    let answer = json!({"verdict": "UNWITNESSED", "reason": format!("UNWITNESSED: {why}")});
    say_unwitnessed(&why, as_json.then_some(answer));
    Exit::Unwitnessed
}

/// Says that nothing can be told, and why: with this answer, or to people.
pub fn say_unwitnessed(why: &str, as_json: Option<Value>) {
    match as_json {
        Some(answer) => output::answer(&answer, true),
        None => {
            output::line("VERDICT   UNWITNESSED");
            output::line(&format!("WHY       {}", printable(why)));
        }
    }
}

fn show(context: &Context, workspace: &Workspace, args: &Show) -> anyhow::Result<Exit> {
    let reading = args.readable.reading(context)?;
    let snapshot = match read(context, workspace, &reading, &args.source)? {
        Ok(snapshot) => snapshot,
        Err(unreadable) => return Ok(unwitnessed(&unreadable, args.json)),
    };
    let entries = snapshot.state().iter();
    if args.json {
        // As text: a number would be rounded, or have no place, in a tree of values.
        let head = json::canonical(&side(&snapshot));
        let head = head.strip_suffix('}').unwrap_or_default();
        let separators = std::iter::once("\n  ").chain(std::iter::repeat(",\n  "));
        let entries = separators.zip(entries).filter_map(|(separator, (key, value))| {
            let key = json::canonical(&Value::from(key));
            Some(format!("{separator}{key}: {}", canonical(value).ok()?))
        });
        let first = std::iter::once(format!("{head}, \"state\": {{"));
        output::lines(first.chain(entries).chain(std::iter::once("}}\n".to_string())));
        return Ok(Exit::Yes);
    }
    output::lines(entries.filter_map(|(key, value)| taken::entry_line(key, value).ok()));
    Ok(Exit::Yes)
}

/// A snapshot, in answers.
pub fn side(snapshot: &Snapshot) -> Value {
    json!({
        "source": snapshot.source(),
        "shape": snapshot.shape(),
        "keys": snapshot.state().len(),
        "accountability": snapshot.rung().token(),
        "sha256": snapshot.seal(),
        "taken_at": snapshot.taken_at(),
    })
}

/// A snapshot as what it was found to be, for people.
pub fn resolved(snapshot: &Snapshot) -> String {
    let source = snapshot.source();
    let kind = match Source::parse(source) {
        Ok(Source::Bare(_)) => "json:",
        _ => "",
    };
    let taken = match (snapshot.seal(), snapshot.taken_at()) {
        (Some(seal), Some(at)) => format!(" ({}…, taken {at})", seal.get(..12).unwrap_or(seal)),
        _ => String::new(),
    };
    printable(&format!("{kind}{source}{taken}"))
}

/// `@SHA256` of a snapshot that was kept; else nothing.
pub fn sealed(snapshot: &Snapshot) -> String {
    // Whoever named it by its SHA-256 has said so.
    let seal = snapshot.seal().filter(|seal| !snapshot.source().ends_with(seal));
    seal.map(|seal| format!("@{seal}")).unwrap_or_default()
}

/// A snapshot in the list.
struct Listed {
    name: String,
    seal: Seal,
    named_at: String,
    /// The snapshot that had the name before.
    replaces: Option<Seal>,
    origin: Option<Origin>,
    state: &'static str,
}

fn list(workspace: &Workspace, args: &List) -> anyhow::Result<Exit> {
    let store = Taken::of(workspace, &RealDisk);
    let names: Names = store.names()?;
    let mut rows = Vec::new();
    for row in names.current() {
        // One that cannot be read hides none of the others.
        let (origin, state) = match store.read(&row.seal) {
            _ if row.dropped => (None, "dropped"),
            Ok(Found::Whole(text)) => (taken::origin(&text).ok(), "intact"),
            Ok(Found::Missing) => (None, "gone"),
            Ok(Found::Changed(_)) => (None, "changed"),
            Err(_) => (None, "unreadable"),
        };
        let earlier = names.rows.iter().rev().filter(|earlier| earlier.name == row.name);
        let replaces = earlier.map(|row| row.seal.clone()).find(|seal| *seal != row.seal);
        let (seal, named_at) = (row.seal.clone(), row.ts.clone());
        rows.push(Listed { name: row.name.clone(), seal, named_at, replaces, origin, state });
    }
    let unnamed = store.unnamed(&names)?;
    let all_intact = rows.iter().all(|row| row.origin.is_some() || row.state == "dropped");
    let sound = all_intact && names.broken.is_none() && unnamed.is_empty();
    if args.json {
        let listed: Vec<Value> = rows.iter().map(Listed::to_json).collect();
        let unnamed: Vec<&str> = unnamed.iter().map(Seal::as_str).collect();
        let broken_at = names.broken.map(Broken::first_line);
        let answer = json!({"snapshots": listed, "names_broken_at": broken_at});
        let broken = names.broken.map(|broken| broken.to_string());
        let answer = with(answer, "names_broken", broken);
        output::answer(&with(answer, "unnamed", unnamed), true);
    } else {
        rows.iter().for_each(|row| output::line(&row.shown()));
        for seal in &unnamed {
            let seal = seal.as_str();
            output::line(&format!(
                "{seal} has no name: names.jsonl lost it, or it was put there; remove its file if you know it"
            ));
        }
        if let Some(broken) = names.broken {
            output::line(&format!(
                "{broken}, so that no name counts, only a SHA-256; for names that count, move \
                 .dos/snapshots away and take them anew"
            ));
        }
        if rows.is_empty() && sound {
            output::remark("no snapshot was taken yet, see `dos snapshot take --help`");
        }
    }
    Ok(if sound { Exit::Yes } else { Exit::No })
}

impl Listed {
    fn shown(&self) -> String {
        let Self { name, named_at, state, .. } = self;
        let of = match &self.origin {
            Some(origin) => format!("{} keys of {}", origin.keys, origin.source),
            None if self.state == "dropped" => "its name is free".to_string(),
            None => "?".to_string(),
        };
        let replaces = self.replaces.as_ref().map(|seal| format!(", replaces {}", seal.as_str()));
        let replaces = replaces.unwrap_or_default();
        printable(&format!("{name}  {named_at}  {}  {state}  {of}{replaces}", self.seal.as_str()))
    }

    fn to_json(&self) -> Value {
        let origin = self.origin.as_ref();
        json!({
            "name": self.name,
            "sha256": self.seal.as_str(),
            "taken_at": origin.map(|origin| origin.taken_at.clone()),
            "named_at": self.named_at,
            "replaces": self.replaces.as_ref().map(Seal::as_str),
            "state": self.state,
            "source": origin.map(|origin| origin.source.clone()),
            "keys": origin.map(|origin| origin.keys),
            "accountability": origin.map(|origin| origin.rung.token()),
        })
    }
}
