//! A machine with thousands of projects: what listing them and making the registry anew costs, and
//! what the registry costs those who only take a lane.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::{Bench, median, ratio, shown};

const PROJECTS: usize = 5000;
const ROUNDS: usize = 15;
const ACQUIRES: usize = 200;

impl Bench {
    /// All of it.
    pub(super) fn registry(&self) -> anyhow::Result<()> {
        let home = self.machine()?;
        let here = self.scratch.path().to_path_buf();
        let reindex = |program: &Path| self.at_home(program, &["reindex"], &here, &home);
        let projects = |program: &Path| self.at_home(program, &["projects"], &here, &home);
        reindex(&self.dos)?;
        let (mut listed, mut made) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            listed.push(projects(&self.dos)?);
            made.push(reindex(&self.dos)?);
        }
        let (listed, made) = (median(&mut listed), median(&mut made));
        let (their_list, theirs) = (projects(&self.original)?, reindex(&self.original)?);
        println!("a machine with {PROJECTS} projects, whole process, warm, median of {ROUNDS}:");
        println!(
            "  dos projects {} (wanted: at most 20 ms); the original {}: {:.1} times slower",
            shown(listed),
            shown(their_list),
            ratio(their_list, listed)
        );
        println!(
            "  dos reindex {} (wanted: at most 2000 ms); the original {}: {:.1} times slower",
            shown(made),
            shown(theirs),
            ratio(theirs, made)
        );
        self.registered_acquire(&home)
    }

    /// A lane taken in a workspace that the registry of that machine knows, beside a bare writer.
    fn registered_acquire(&self, home: &Path) -> anyhow::Result<()> {
        let bare = self.bare_writer("-")?;
        let (mut ours, mut floor) = (Vec::new(), Vec::new());
        let mut first = Duration::ZERO;
        for round in 0..ACQUIRES {
            let folder = self.scratch.path().join(format!("taken-{}", round / 50));
            fs::create_dir_all(&folder)?;
            let lane = format!("lane{round}");
            let tree = format!("{lane}/**");
            let take = ["lease-lane", "acquire", "--lane", &lane, "--tree", &tree, "--owner", "me"];
            let took = self.at_home(&self.dos, &take, &folder, home)?;
            match round {
                0 => first = took,
                _ => ours.push(took),
            }
            let file = folder.join("bare");
            floor.push(self.at_home(&bare, &[&file.to_string_lossy()], &folder, home)?);
        }
        let (ours, floor) = (median(&mut ours), median(&mut floor));
        println!("a durable acquire in a workspace that it knows, median of {ACQUIRES}:");
        println!("  dos {}, a bare write and sync {}", shown(ours), shown(floor));
        println!("  {:.2} times that (wanted: at most 2)", ratio(ours, floor));
        println!("  the first of a workspace, which tells the registry: {}\n", shown(first));
        Ok(())
    }

    /// Projects with a card, a journal and a few runs; a home that has their roots.
    fn machine(&self) -> anyhow::Result<PathBuf> {
        let home = self.scratch.path().join("machine-home");
        fs::create_dir_all(home.join("projects"))?;
        let top = self.scratch.path().join("machine").to_path_buf();
        fs::create_dir_all(&top)?;
        let top = top.canonicalize()?;
        let journal = fs::read(self.journal(20)?)?;
        let mut roots = String::new();
        for number in 0..PROJECTS {
            let root = top.join(format!("group{}/project{number}", number / 100));
            let dot_dos = root.join(".dos");
            fs::create_dir_all(dot_dos.join("runs/20260110T120000Z"))?;
            fs::write(dot_dos.join("lane-journal.jsonl"), &journal)?;
            let card = format!(
                "{{\"created_at\": \"2026-01-10T12:00:00Z\", \"project_id\": \"{number:016x}\", \
                 \"root\": {:?}, \"schema\": 1}}\n",
                root.to_string_lossy()
            );
            fs::write(dot_dos.join("project.json"), card)?;
            roots.push_str(&format!("{}\n", root.display()));
        }
        fs::write(home.join("projects/roots.log"), roots)?;
        Ok(home)
    }

    fn at_home(
        &self,
        program: &Path,
        arguments: &[&str],
        folder: &Path,
        home: &Path,
    ) -> anyhow::Result<Duration> {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(folder).env("DISPATCH_HOME", home);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let started = Instant::now();
        let status = command.status().with_context(|| format!("failed to run {program:?}"))?;
        let took = started.elapsed();
        if !status.success() {
            bail!("{program:?} {arguments:?} ended with {status}");
        }
        Ok(took)
    }
}
