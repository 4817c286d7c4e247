//! `dos quickstart`: real workers race for a throwaway repository, and the journal and git say
//! whether any two collided.

use anyhow::{Context as _, ensure};
use camino::{Utf8Path, Utf8PathBuf};
use dos_drivers::quickstart::{self, Audit, Orders, Plan, Progress, Role};
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::Exit;
use crate::output::{self, Paint, paint};

/// How many collisions are told one by one.
const TOLD_MAX: usize = 20;

/// Watch real workers race for a throwaway repository
///
/// Makes a git repository with a few folders and starts worker processes that ask for lanes, some
/// of which overlap, write files only under a grant, commit, and give the lane back. One is killed
/// while it holds a lane, and another takes that lane over once the death is proven. Then every
/// commit is held against the leases of that moment, by the journal and git, not by what the
/// workers say. The repository is removed at the end. Needs git.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  dos quickstart
  dos quickstart --keep /tmp/race                 look at the repository and the journal afterwards
  dos quickstart --workers 32 --seconds 20

Exit codes: 0 no collision, 1 a collision, 2 it could not be run.")]
pub struct Args {
    /// Work in this folder, which must be empty or absent, and keep it
    #[arg(long, value_name = "DIR")]
    keep: Option<Utf8PathBuf>,
    /// How many workers
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(2..=64))]
    workers: u32,
    /// How long they ask for lanes, in seconds
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// What the workers' choices follow from [default: random]
    #[arg(long)]
    seed: Option<u64>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    inner: Inner,
}

/// How this program calls itself for one worker.
#[derive(Debug, clap::Args)]
struct Inner {
    #[arg(long, hide = true, requires_all = ["role", "parent", "seed"])]
    worker: Option<String>,
    #[arg(long, hide = true, value_parser = role)]
    role: Option<Role>,
    #[arg(long, hide = true)]
    parent: Option<u32>,
    #[arg(long, hide = true)]
    throwaway: bool,
}

fn role(name: &str) -> Result<Role, String> {
    Role::named(name).ok_or_else(|| "there is no such role".to_string())
}

/// Runs it, or one of its workers.
pub fn run(context: &Context, args: &Args) -> anyhow::Result<Exit> {
    let inner = &args.inner;
    if let (Some(name), Some(role), Some(parent)) = (&inner.worker, inner.role, inner.parent) {
        let orders = Orders {
            name: name.clone(),
            role,
            seed: args.seed.unwrap_or_default(),
            seconds: args.seconds,
            parent,
            throwaway: inner.throwaway,
        };
        quickstart::work(&context.current, &orders, context.clock)?;
        return Ok(Exit::Yes);
    }
    let seed = match args.seed {
        Some(seed) => seed,
        None => getrandom::u32().context("the system gives no random bytes")?.into(),
    };
    // Removes the folder when it goes out of scope.
    let mut temporary = None;
    let folder = match &args.keep {
        Some(keep) => kept_folder(&context.current.join(keep))?,
        None => {
            let made = tempfile::Builder::new().prefix("dos-quickstart-").tempdir();
            let made = temporary.insert(made.context("failed to create a temporary folder")?);
            utf8(made.path())?.to_owned()
        }
    };
    let program = std::env::current_exe().context("failed to find this program")?;
    let plan = Plan {
        folder,
        program: utf8(&program)?.to_owned(),
        workers: args.workers,
        seconds: args.seconds,
        seed,
        throwaway: args.keep.is_none(),
    };
    output::remark(&format!(
        "{} workers race for {} s in {}",
        plan.workers, plan.seconds, plan.folder
    ));
    let audit = quickstart::run(&plan, context.clock, &mut tell)?;
    match args.json {
        true => output::answer(&as_json(&plan, &audit), false),
        false => {
            let no_color = context.first_variable(&["NO_COLOR"])?;
            show(&plan, &audit, output::wants_colour(no_color));
        }
    }
    Ok(if audit.collisions.is_empty() { Exit::Yes } else { Exit::No })
}

fn utf8(path: &std::path::Path) -> anyhow::Result<&Utf8Path> {
    Utf8Path::from_path(path)
        .with_context(|| format!("the path {} is not UTF-8; use another one", path.display()))
}

/// The folder, made if need be, when nothing is in it.
fn kept_folder(folder: &Utf8Path) -> anyhow::Result<Utf8PathBuf> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("failed to create the folder {folder}"))?;
    let mut entries =
        folder.read_dir_utf8().with_context(|| format!("failed to look into {folder}"))?;
    ensure!(entries.next().is_none(), "{folder} is not empty; name a new folder with --keep");
    folder.canonicalize_utf8().with_context(|| format!("failed to find {folder}"))
}

fn tell(progress: Progress) {
    let Progress { seconds, grants, held, killed } = progress;
    let death = if killed { ", one worker killed" } else { "" };
    output::remark(&format!("{seconds} s: {grants} grants, {held} lanes held{death}"));
}

fn show(plan: &Plan, audit: &Audit, colour: bool) {
    let title = format!("{} workers, {} s, seed {}", plan.workers, plan.seconds, plan.seed);
    output::line(&paint(&title, Paint::Bold, colour));
    output::line("");
    let takeovers = audit.takeovers.len() as u64;
    for (name, count, meaning) in [
        ("grants", audit.grants, "lanes given to a worker"),
        ("refusals", audit.refusals, "requests that met a lane in use"),
        ("waits", audit.waits, "grants that came after another lease had been in the way"),
        ("takeovers", takeovers, "lanes taken from a worker that was proven dead"),
        ("commits", audit.commits, "all of them, as git has them"),
        ("files", audit.files, "changes to a file in these commits"),
        ("collisions", audit.collisions.len() as u64, "see below"),
    ] {
        let bad = name == "collisions" && count > 0;
        let meaning = match (name, count) {
            ("collisions", 0) => "double grants, writes without a lease, lost or foreign lines",
            _ => meaning,
        };
        let row = format!("  {name:<12}{count:>6}   {meaning}");
        output::line(&if bad { paint(&row, Paint::Red, colour) } else { row });
    }
    output::line("");
    for takeover in &audit.takeovers {
        let quickstart::Takeover { lane, from, to, proof } = takeover;
        output::line(&format!(
            "{from} was killed while it held {lane}; {to} took that over: {proof}."
        ));
    }
    for collision in audit.collisions.iter().take(TOLD_MAX) {
        output::line(&paint(&format!("{collision}"), Paint::Red, colour));
    }
    let verdict = match audit.collisions.len() {
        0 => paint("No two workers collided.", Paint::Green, colour),
        1 => paint("There was a collision.", Paint::Red, colour),
        count => paint(&format!("There were {count} collisions."), Paint::Red, colour),
    };
    output::line(&format!(
        "{verdict} Each of the {} commits was held against the leases of its moment, by the {} \
         records of the journal and by git.",
        audit.commits, audit.records
    ));
    output::line("");
    if !plan.throwaway {
        let folder = for_shell(&plan.folder);
        output::line(&format!("Kept in {folder}. Look around:"));
        output::line(&format!("  git -C {folder} log --stat"));
        output::line(&format!("  dos --workspace {folder} journal tail 0"));
    }
    output::line("Next, in your own repository:");
    output::line("  dos init                                        derive lanes from its folders");
    output::line("  dos lease-lane acquire --lane NAME --owner me   take one of them");
}

/// The path as it is typed.
fn for_shell(path: &Utf8Path) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+".contains(c);
    match path.as_str().chars().all(plain) {
        true => path.to_string(),
        false => format!("'{}'", path.as_str().replace('\'', r"'\''")),
    }
}

fn as_json(plan: &Plan, audit: &Audit) -> Value {
    let takeovers: Vec<Value> = audit
        .takeovers
        .iter()
        .map(|takeover| {
            json!({
                "lane": takeover.lane,
                "from": takeover.from,
                "to": takeover.to,
                "proof": takeover.proof,
            })
        })
        .collect();
    let violations: Vec<String> =
        audit.collisions.iter().map(|collision| collision.to_string()).collect();
    json!({
        "workers": plan.workers,
        "seconds": plan.seconds,
        "seed": plan.seed,
        "holders": audit.holders,
        "grants": audit.grants,
        "refusals": audit.refusals,
        "waits": audit.waits,
        "takeovers": audit.takeovers.len(),
        "takeover_list": takeovers,
        "commits": audit.commits,
        "files": audit.files,
        "lines": audit.lines,
        "records": audit.records,
        "still_held": audit.still_held,
        "collisions": violations.len(),
        "collision_list": violations,
        "kept": (!plan.throwaway).then_some(plan.folder.as_str()),
    })
}
