//! `cargo xtask together`: one workspace, written by the original and by us, in turn and at once.
//!
//! In turn: after every operation both read the journal, and have to agree on who is live, and the
//! answer has to follow from who was live before. At once: several writers of each program write
//! as they please; then both read every prefix of the journal that this left. Then they share a home
//! registry, in turn.

mod homes;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};

use crate::oracle::rng::Rng;
use crate::oracle::world::{Said, World};

const CONFIG: &str = "[lanes]\nconcurrent = [\"api\", \"web\", \"docs\", \"etc\"]\n[lanes.trees]\n\
    api = [\"api/**\"]\nweb = [\"web/**\"]\ndocs = [\"docs/**\"]\netc = [\"etc/**\"]\n";
const LANES: [&str; 4] = ["api", "web", "docs", "etc"];
const OWNERS: [&str; 2] = ["alice", "Zoë"];
/// So many writers of each program at once.
const WRITERS: u64 = 2;
/// The original's command line takes a tenth of a second: its functions are asked far more often.
const COMMAND_LINE_PERCENT: usize = 2;

/// Who carries out an operation.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Who {
    Ours,
    Original,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Verb {
    Acquire,
    Release,
    Heartbeat,
    Spawn,
    Halt,
    Compact,
}

#[derive(Debug)]
struct Operation {
    verb: Verb,
    lane: &'static str,
    owner: String,
    stamp: String,
}

/// How an operation was answered.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    Yes,
    No,
    /// The lock stayed busy: nothing was done.
    Busy,
}

impl Operation {
    /// `whose` sets the owners of one writer apart: the original lets a second process of the same
    /// owner into its mutex, so that two of its own may grant one lane.
    fn random(rng: &mut Rng, whose: &str, stamp: String, compacting: bool) -> Self {
        let verb = match rng.weighted(&[35, 30, 20, 8, 5, if compacting { 2 } else { 0 }]) {
            0 => Verb::Acquire,
            1 => Verb::Release,
            2 => Verb::Heartbeat,
            3 => Verb::Spawn,
            4 => Verb::Halt,
            _ => Verb::Compact,
        };
        let owner = format!("{}{whose}", rng.pick(&OWNERS));
        Self { verb, lane: *rng.pick(&LANES), owner, stamp }
    }

    fn words(&self) -> Vec<String> {
        let tree = format!("{}/**", self.lane);
        let about = |verb| vec!["lease-lane", verb, "--lane", self.lane, "--owner", &self.owner];
        let words = match self.verb {
            // A cluster lane that is held would have another one picked in its place.
            Verb::Acquire => {
                let lane = ["--kind", "keyword", "--tree", tree.as_str()];
                [about("acquire"), vec!["--loop-ts", &self.stamp], lane.to_vec()].concat()
            }
            Verb::Release => about("release"),
            Verb::Heartbeat => about("heartbeat"),
            Verb::Spawn => about("spawn"),
            Verb::Halt => vec!["halt", "--handle", &self.stamp, "--lane", self.lane],
            Verb::Compact => vec!["journal", "compact"],
        };
        words.into_iter().map(String::from).collect()
    }

    /// The same, as the driver of the original is asked.
    fn question(&self, workspace: &Path) -> (Value, &'static str) {
        let mut question = json!({
            "workspace": workspace, "lane": self.lane, "kind": "keyword",
            "tree": [format!("{}/**", self.lane)],
            "owner": self.owner, "loop_ts": "", "run_id": "", "reason": "", "coalesce": 0,
            "handle": self.stamp, "command": "", "journal": journal(workspace),
        });
        let verb = match self.verb {
            Verb::Acquire => {
                question["loop_ts"] = self.stamp.as_str().into();
                "acquire"
            }
            Verb::Release => "release",
            Verb::Heartbeat => "heartbeat",
            Verb::Spawn => "spawn",
            Verb::Halt => "halt",
            Verb::Compact => "compact",
        };
        (question, verb)
    }

    fn carry_out(
        &self,
        world: &mut World,
        who: Who,
        by_command_line: bool,
        workspace: &Path,
    ) -> anyhow::Result<Answer> {
        match (who, by_command_line) {
            (Who::Ours, _) => answered(self, &world.ours(workspace, &self.words())?),
            // It has no verb for it that takes the same words.
            (Who::Original, true) if !matches!(self.verb, Verb::Compact | Verb::Halt) => {
                answered(self, &world.original(workspace, &self.words())?)
            }
            (Who::Original, _) => {
                let (question, verb) = self.question(workspace);
                let said = world.ask(question, verb)?;
                if let Some(raised) = said["raised"].as_str() {
                    ensure!(raised.contains("lock busy"), "{self:?}: the original says {raised}");
                    return Ok(Answer::Busy);
                }
                let yes = match self.verb {
                    Verb::Acquire => said["outcome"] == "acquire" && said["journaled"] == true,
                    Verb::Release => said["released"] == true,
                    Verb::Heartbeat => said["beat"] == true,
                    _ => true,
                };
                Ok(if yes { Answer::Yes } else { Answer::No })
            }
        }
    }

    /// What the answer has to be when these leases are live.
    fn expected(&self, live: &Value) -> Answer {
        let mut of_lane =
            live.as_array().into_iter().flatten().filter(|lease| lease["lane"] == self.lane);
        let holder = of_lane.next().map(|lease| lease["holder"].clone());
        let yes = match self.verb {
            Verb::Acquire => holder.is_none(),
            Verb::Release | Verb::Heartbeat => holder == Some(self.owner.as_str().into()),
            _ => true,
        };
        if yes { Answer::Yes } else { Answer::No }
    }
}

fn answered(operation: &Operation, said: &Said) -> anyhow::Result<Answer> {
    Ok(match said.code {
        0 => Answer::Yes,
        1 => Answer::No,
        4 => Answer::Busy,
        _ => bail!("{operation:?} was answered by {said:?}"),
    })
}

fn journal(workspace: &Path) -> PathBuf {
    workspace.join(".dos/lane-journal.jsonl")
}

/// What both programs say of a journal: the live set and the highest sequence number.
fn agreed(world: &mut World, workspace: &Path) -> anyhow::Result<Value> {
    let said = |words: [&str; 2]| world.ours(workspace, &words.map(String::from));
    let (replay, seq) = (said(["journal", "replay"])?.json(), said(["journal", "seq"])?.json());
    let ours = json!({"replay": replay, "seq": seq});
    let theirs = world.ask(json!({"journals": [journal(workspace)]}), "live")?;
    ensure!(ours == theirs[0], "they disagree:\n  ours     {ours}\n  original {}", theirs[0]);
    let mut lanes: Vec<&Value> =
        replay.as_array().into_iter().flatten().map(|l| &l["lane"]).collect();
    lanes.sort_by_key(|lane| lane.to_string());
    let held = lanes.len();
    lanes.dedup();
    ensure!(lanes.len() == held, "a lane is held twice: {replay}");
    Ok(ours)
}

/// Runs the command.
pub fn run(arguments: &[String]) -> anyhow::Result<()> {
    let (mut ops, mut seed) = (1000_u64, 1_u64);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let number = rest.next().and_then(|text| text.parse().ok());
        let number = number.with_context(|| format!("{argument} needs a number"))?;
        match argument.as_str() {
            "--ops" => ops = number,
            "--seed" => seed = number,
            _ => bail!(
                "together has no {argument}; usage: cargo xtask together [--ops N] [--seed S]"
            ),
        }
    }
    let scratch = tempfile::Builder::new().prefix("dos-together-").tempdir()?;
    in_turn(scratch.path(), ops, seed)?;
    at_once(scratch.path(), ops, seed)?;
    homes::in_turn(scratch.path(), ops / 3, seed)
}

fn workspace(scratch: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let workspace = scratch.join(name);
    std::fs::create_dir_all(workspace.join(".dos"))?;
    std::fs::write(workspace.join("dos.toml"), CONFIG)?;
    Ok(workspace)
}

fn in_turn(scratch: &Path, ops: u64, seed: u64) -> anyhow::Result<()> {
    let started = Instant::now();
    let workspace = workspace(scratch, "in-turn")?;
    let mut world = World::new(&scratch.join("world"))?;
    let mut rng = Rng::new(seed, 0);
    let mut before = json!({"replay": [], "seq": 0});
    let (mut yes, mut by_original) = (0, 0);
    for number in 0..ops {
        let operation = Operation::random(&mut rng, "", format!("t{number}"), true);
        let who = if rng.chance(50) { Who::Ours } else { Who::Original };
        let by_command_line = rng.chance(COMMAND_LINE_PERCENT);
        let step = || format!("in operation {number} of seed {seed}: {who:?} {operation:?}");
        let answer = operation.carry_out(&mut world, who, by_command_line, &workspace);
        let answer = answer.with_context(step)?;
        let expected = operation.expected(&before["replay"]);
        ensure!(expected == answer, "{}: {answer:?} instead of {expected:?} on {before}", step());
        before = agreed(&mut world, &workspace).with_context(step)?;
        yes += u64::from(answer == Answer::Yes);
        by_original += u64::from(who == Who::Original);
    }
    println!(
        "in turn: {ops} operations, {by_original} by the original, {yes} done, agreed after each; {:.0?}",
        started.elapsed()
    );
    ensure!(yes > ops / 4 && by_original > ops / 4, "too little was done to prove anything");
    Ok(())
}

/// How often each program was answered yes, and how often the lock stayed busy.
#[derive(Default)]
struct Tally {
    yes: u64,
    busy: u64,
}

fn at_once(scratch: &Path, ops: u64, seed: u64) -> anyhow::Result<()> {
    let started = Instant::now();
    let workspace = workspace(scratch, "at-once")?;
    let mut tallies = Vec::new();
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let mut writers = Vec::new();
        for number in 0..2 * WRITERS {
            let mut world = World::new(&scratch.join(format!("world-{number}")))?;
            let who = if number < WRITERS { Who::Ours } else { Who::Original };
            let workspace = &workspace;
            writers.push(scope.spawn(move || {
                let mut rng = Rng::new(seed, 1 + number);
                let mut tally = Tally::default();
                let whose = number.to_string();
                for step in 0..ops / (2 * WRITERS) {
                    // Without compactions every prefix of the journal is a state that once was.
                    let operation =
                        Operation::random(&mut rng, &whose, format!("w{number}-{step}"), false);
                    let by_command_line = rng.chance(COMMAND_LINE_PERCENT);
                    let answer =
                        operation.carry_out(&mut world, who, by_command_line, workspace)?;
                    tally.yes += u64::from(answer == Answer::Yes);
                    tally.busy += u64::from(answer == Answer::Busy);
                }
                anyhow::Ok((who, tally))
            }));
        }
        for writer in writers {
            match writer.join() {
                Ok(result) => tallies.push(result?),
                Err(_) => bail!("a writer panicked"),
            }
        }
        Ok(())
    })?;
    let wrote = started.elapsed();
    let records = prefixes(scratch, &workspace)?;
    let sum = |who: Who, what: fn(&Tally) -> u64| -> u64 {
        tallies.iter().filter(|(one, _)| *one == who).map(|(_, tally)| what(tally)).sum()
    };
    let (ours, theirs) = (sum(Who::Ours, |t| t.yes), sum(Who::Original, |t| t.yes));
    let busy = sum(Who::Ours, |t| t.busy) + sum(Who::Original, |t| t.busy);
    println!(
        "at once: {ops} operations in {wrote:.0?}, {ours} of ours and {theirs} of the original's \
         done, {busy} found the lock busy; agreed on each of {records} prefixes; {:.0?}",
        started.elapsed()
    );
    ensure!(ours > ops / 20 && theirs > ops / 20, "too little was done to prove anything");
    Ok(())
}

/// Both read the journal as it was after every record.
fn prefixes(scratch: &Path, workspace: &Path) -> anyhow::Result<usize> {
    let whole = std::fs::read(journal(workspace))?;
    let copy = self::workspace(scratch, "prefix")?;
    let mut world = World::new(&scratch.join("world-prefix"))?;
    let (mut end, mut count) = (0, 0);
    for line in whole.split_inclusive(|byte| *byte == b'\n') {
        (end, count) = (end + line.len(), count + 1);
        std::fs::write(journal(&copy), &whole[..end])?;
        agreed(&mut world, &copy).with_context(|| format!("after record {count}"))?;
    }
    Ok(count)
}
