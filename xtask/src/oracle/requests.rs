//! Random requests against random live leases: who may take what?

use std::path::Path;

use serde_json::{Value, json};

use super::Case;
use super::lanes::{Lanes, Request, Rewriting};
use super::rng::Rng;
use super::tally::{Mismatch, Tally};
use super::world::{Said, World};

/// What a decision says besides prose.
pub const DECISION: [&str; 7] =
    ["outcome", "lane", "lane_kind", "tree", "auto_picked", "free_clusters", "pick_count"];

/// Compares several requests of one random workspace.
pub fn run(
    world: &mut World,
    tally: &mut Tally,
    rng: &mut Rng,
    case: &Case<'_>,
) -> anyhow::Result<Result<(), Box<Mismatch>>> {
    let lanes = Lanes::random(rng);
    std::fs::write(case.folder.join("dos.toml"), lanes.toml())?;
    let leases = lanes.leases(rng);
    let request = Request::random(rng, &lanes);
    let mut words: Vec<String> = vec!["arbitrate".into()];
    words.extend(["--leases".into(), json!(leases).to_string()]);
    if request.force {
        words.push("--force".into());
    }
    words.extend(request.arguments());
    let input = json!({"dos.toml": lanes.toml(), "arguments": words});
    let ours = decision(&world.ours(case.folder, &words)?, &DECISION);
    if case.sample {
        tally.both_command_lines += 1;
        let said = decision(&world.original(case.folder, &words)?, &DECISION);
        let plain = plain(world, case.folder, &request, &leases)?;
        let check = tally.compare("the driver is not the command line", &input, &plain, &said);
        if check.is_err() {
            return Ok(check);
        }
    }
    let expected = expected(world, tally, case.folder, &lanes, &request, &leases)?;
    Ok(tally.compare("arbitrate", &input, &ours, &expected))
}

/// What the original says to the question as it stands.
pub fn plain(
    world: &mut World,
    workspace: &Path,
    request: &Request,
    leases: &[Value],
) -> anyhow::Result<Value> {
    let answer = world.ask(request.question(workspace, leases), "arbitrate")?;
    Ok(coded(answer))
}

/// What the original says to the question as our rules read it. Counts the rules that mattered.
pub fn expected(
    world: &mut World,
    tally: &mut Tally,
    workspace: &Path,
    lanes: &Lanes,
    request: &Request,
    leases: &[Value],
) -> anyhow::Result<Value> {
    let rewriting = Rewriting::new(lanes, request, leases, None);
    let meant = coded(world.ask(rewriting.question(workspace), "arbitrate")?);
    if meant == plain(world, workspace, request, leases)? {
        return Ok(meant);
    }
    let mut mattered = Vec::new();
    for explanation in &rewriting.applied {
        let without = Rewriting::new(lanes, request, leases, Some(*explanation));
        if coded(world.ask(without.question(workspace), "arbitrate")?) != meant {
            mattered.push(*explanation);
        }
    }
    // Where each one alone is enough, all of them stand for the difference.
    let counted = if mattered.is_empty() { &rewriting.applied } else { &mattered };
    counted.iter().for_each(|one| tally.explain(*one));
    Ok(meant)
}

/// The decision that a command line printed, with its exit code.
pub fn decision(said: &Said, keys: &[&str]) -> Value {
    let answer = said.json();
    if !answer.is_object() {
        return json!({"exit": said.code, "stdout": said.text, "stderr": said.talk});
    }
    let mut shown: Value = keys
        .iter()
        .filter_map(|key| Some(((*key).to_string(), answer.get(*key)?.clone())))
        .collect::<serde_json::Map<String, Value>>()
        .into();
    shown["exit"] = said.code.into();
    shown
}

/// The driver's answer with the exit code that the command line gives it.
pub fn coded(mut answer: Value) -> Value {
    let yes = ["released", "beat", "recorded"].iter().any(|key| answer[*key] == true);
    answer["exit"] = if yes || answer["outcome"] == "acquire" { 0 } else { 1 }.into();
    answer
}
