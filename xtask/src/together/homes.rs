//! One home registry, read and written by the original and by us in turn: both agree on every row.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::{COMMAND_LINE_PERCENT, Who, workspace};
use crate::oracle::rng::Rng;
use crate::oracle::world::World;

/// What can stand on a line of the original's list of roots.
const NAMES: [&str; 8] = ["plain", "two words", "Zoë", "-dash", "quo'te", "a.b", ".hidden", "ⅷ"];
const LANES: [&str; 3] = ["api", "web", "docs"];
const AXES: [&str; 3] = ["wedge-hotspots", "lane-refusals", "oracle-calibration"];

#[derive(Clone, Copy, Debug)]
enum Step {
    Write,
    Force,
    Reindex,
    Prune,
    Remove,
    /// From here on the two differ in what they make of it: a project that was moved is at home in
    /// its new place with us, and stays moved with the original.
    Move,
    Copy,
    Forget,
}

/// The home, and the folders of the projects.
struct Machine<'a> {
    world: &'a mut World,
    folder: PathBuf,
}

/// Runs so many operations in which projects come and go, and so many in which they also move.
pub fn in_turn(scratch: &Path, ops: u64, seed: u64) -> anyhow::Result<()> {
    for (moving, name) in [(false, "homes"), (true, "homes-moving")] {
        let started = Instant::now();
        let folder = scratch.join(name);
        let mut world = World::new(&folder.join("world"))?;
        let mut machine = Machine { world: &mut world, folder };
        let mut rng = Rng::new(seed, 1000 + u64::from(moving));
        let (mut rows, mut compared, mut by_original) = (0, 0, 0);
        for number in 0..ops {
            let who = if rng.chance(50) { Who::Ours } else { Who::Original };
            let weights: &[usize] = match moving {
                false => &[45, 30, 10, 5, 10],
                true => &[40, 25, 8, 4, 8, 6, 6, 3],
            };
            let step = match rng.weighted(weights) {
                0 => Step::Write,
                1 => Step::Force,
                2 => Step::Reindex,
                3 => Step::Prune,
                4 => Step::Remove,
                5 => Step::Move,
                6 => Step::Copy,
                _ => Step::Forget,
            };
            let at = || format!("in operation {number} of seed {seed}, {name}: {who:?} {step:?}");
            machine.carry_out(&mut rng, who, step).with_context(at)?;
            let home = machine.world.home();
            let seen = machine.agreed(&home).with_context(at)?;
            rows += seen["projects"].as_array().map_or(0, Vec::len);
            by_original += u64::from(who == Who::Original);
            if !moving && matches!(step, Step::Reindex | Step::Prune) {
                machine.made_anew_alike().with_context(at)?;
                compared += 1;
            }
        }
        println!(
            "{name}: {ops} operations, {by_original} by the original, agreed on {rows} rows, and \
             {compared} times on an index made anew; {:.0?}",
            started.elapsed()
        );
        ensure!(rows as u64 > ops && by_original > ops / 4, "too little was done");
        ensure!(moving || compared > ops / 20, "the index was hardly ever made anew");
    }
    Ok(())
}

impl Machine<'_> {
    fn carry_out(&mut self, rng: &mut Rng, who: Who, step: Step) -> anyhow::Result<()> {
        let name = *rng.pick(&NAMES);
        let (lane, other) = (*rng.pick(&LANES), *rng.pick(&NAMES));
        match step {
            Step::Write | Step::Force => {
                let project = workspace(&self.folder, name)?;
                let by_command_line = rng.chance(COMMAND_LINE_PERCENT);
                self.write(
                    who,
                    &project,
                    matches!(step, Step::Force).then_some(lane),
                    by_command_line,
                )
            }
            Step::Reindex | Step::Prune => {
                self.reindex(who, matches!(step, Step::Prune), &self.world.home()).map(drop)
            }
            Step::Remove => gone(&self.folder.join(name)),
            Step::Move | Step::Copy => {
                let (from, to) = (self.folder.join(name), self.folder.join(other));
                if name == other || !from.exists() {
                    return Ok(());
                }
                gone(&to)?;
                match step {
                    Step::Move => fs::rename(from, to).context("to move a project"),
                    _ => copied(&from, &to),
                }
            }
            Step::Forget => {
                let project = self.folder.join(name);
                let words = ["forget", "--", &project.to_string_lossy()].map(String::from);
                let said = self.world.ours(&self.folder, &words)?;
                ensure!(matches!(said.code, 0 | 1), "{said:?}");
                Ok(())
            }
        }
    }

    /// A project that writes, or whose lane is forced.
    fn write(
        &mut self,
        who: Who,
        project: &Path,
        forced: Option<&str>,
        by_command_line: bool,
    ) -> anyhow::Result<()> {
        let held = json!([{"lane": forced, "tree": ["**"]}]).to_string();
        let words: Vec<&str> = match forced {
            Some(lane) => vec!["arbitrate", "--lane", lane, "--force", "--leases", &held],
            None => vec!["lease-lane", "spawn", "--lane", "api", "--owner", "o"],
        };
        let words: Vec<String> = words.into_iter().map(String::from).collect();
        let said = match who {
            Who::Ours => self.world.ours(project, &words)?,
            Who::Original if by_command_line => self.world.original(project, &words)?,
            Who::Original => {
                let question = json!({"workspace": project, "lane": forced});
                let said = self.world.ask(question, "home_write")?;
                ensure!(said.get("raised").is_none(), "the original says {said}");
                return Ok(());
            }
        };
        ensure!(said.code == 0, "{said:?}");
        Ok(())
    }

    fn reindex(&mut self, who: Who, prune: bool, home: &Path) -> anyhow::Result<Value> {
        match who {
            Who::Ours => {
                let mut words = vec!["reindex".to_string(), "--json".to_string()];
                words.extend(prune.then(|| "--prune".to_string()));
                let said = self.world.ours_at(home, &self.folder, &words)?;
                ensure!(said.code == 0, "{said:?}");
                Ok(said.json())
            }
            Who::Original => {
                let said = self.world.ask(json!({"prune": prune, "home": home}), "home_reindex")?;
                ensure!(said.get("raised").is_none(), "the original says {said}");
                Ok(said)
            }
        }
    }

    /// What both say of a home: the projects and what the overrides teach.
    fn agreed(&mut self, home: &Path) -> anyhow::Result<Value> {
        let said = |words: &[&str]| -> anyhow::Result<Value> {
            let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
            let said = self.world.ours_at(home, &self.folder, &words)?;
            ensure!(said.code == 0, "{said:?}");
            Ok(said.json())
        };
        let mut ours = json!({"projects": said(&["projects", "--json"])?});
        for axis in AXES {
            ours[axis] = said(&["learn", axis, "--json"])?;
        }
        let theirs = self.world.ask(json!({"home": home, "axes": AXES}), "home_read")?;
        ensure!(ours == theirs, "they disagree:\n  ours     {ours}\n  original {theirs}");
        Ok(ours)
    }

    /// Each makes the index of a copy of the home anew. The same rows come of it, but for when it was
    /// made and for the family, which the original does not know; and the same overrides of those
    /// who are there: the original drops those of the others.
    fn made_anew_alike(&mut self) -> anyhow::Result<()> {
        let mut made = Vec::new();
        for who in [Who::Ours, Who::Original] {
            let home = self.folder.join("copy");
            gone(&home)?;
            copied(&self.world.home(), &home)?;
            let summary = self.reindex(who, false, &home)?;
            let counts: BTreeMap<&str, &Value> =
                ["active", "stale", "moved", "projects"].map(|key| (key, &summary[key])).into();
            let mut rows = self.agreed(&home)?["projects"].clone();
            let mut present = Vec::new();
            for row in rows.as_array_mut().into_iter().flatten() {
                let row = row.as_object_mut().context("a row is no object")?;
                row.remove("last_indexed");
                row.remove("family");
                if row["status"] == "active" {
                    present.push(row["project_id"].clone());
                }
            }
            let log = fs::read_to_string(home.join("decisions.jsonl")).unwrap_or_default();
            let mut decisions = Vec::new();
            for line in log.lines() {
                let row: Value = serde_json::from_str(line)?;
                if present.contains(&row["project_id"]) {
                    decisions.push(row.to_string());
                }
            }
            decisions.sort();
            made.push(json!({"counts": counts, "rows": rows, "decisions": decisions}));
        }
        let [ours, theirs] = &made[..] else { unreachable!("there are two of them") };
        ensure!(ours == theirs, "made anew:\n  ours     {ours}\n  original {theirs}");
        Ok(())
    }
}

fn gone(folder: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("failed to remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

fn copied(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true => copied(&entry.path(), &to)?,
            false => drop(fs::copy(entry.path(), to)?),
        }
    }
    Ok(())
}
