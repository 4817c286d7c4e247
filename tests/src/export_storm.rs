//! Exporters that are killed at random moments while others record, and what has arrived in the end.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use dos_core::verdict::{Line, ObservePolicy, decode_line};
use dos_store::disk::RealDisk;
use dos_store::verdicts::{From, VerdictJournal};

use crate::TestEnv;
use crate::receivers::Agent;

/// The journal is cut this often, so that exporters pass from one segment to the next.
const SEGMENT_BYTES: usize = 100_000;
const WRITERS: usize = 4;

/// How many exporters die, and of what.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many.
    pub kills: u32,
    /// Where random numbers begin.
    pub seed: u64,
    /// Do they send to the OpenTelemetry agent? To a file otherwise.
    pub to_agent: bool,
}

/// What came of it.
pub struct Seen {
    /// Everything that must not be.
    pub faults: Vec<String>,
    /// The figures, in words.
    pub shown: String,
}

/// Kills exporters of `dos` while programs `recorder` record. `None` where the agent is not installed.
pub fn storm(dos: &Path, recorder: &Path, plan: Plan) -> Option<Seen> {
    let agent = match plan.to_agent {
        true => Some(Agent::start()?),
        false => None,
    };
    let env = TestEnv::new(dos);
    fs::create_dir_all(env.path(".dos")).expect("a folder");
    let journal = env.path(".dos/verdict-journal.jsonl");
    let arguments: Vec<String> = match &agent {
        Some(agent) => {
            let endpoint = format!("http://127.0.0.1:{}", agent.port);
            ["export", "--to", "otlp", "--endpoint", &endpoint].map(String::from).into()
        }
        None => ["export", "--to", "file", "--path", "out.jsonl"].map(String::from).into(),
    };
    let writers: Vec<Child> = (0..WRITERS).map(|name| started(recorder, &journal, name)).collect();
    let mut random = plan.seed;
    let mut below = |bound: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005);
        random = random.wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % bound
    };
    let (mut at_work, mut moved) = (0, 0);
    let mut last = cursor(&env);
    for _ in 0..plan.kills {
        let more: &[&str] = match below(4) {
            0 => &["--since", "auto", "--batch", "3"],
            1 => &["--follow", "--follow-interval", "0", "--batch", "1"],
            _ => &["--follow", "--follow-interval", "0", "--batch", "20"],
        };
        let mut exporter =
            env.spawn(arguments.iter().map(String::as_str).chain(more.iter().copied()));
        std::thread::sleep(Duration::from_micros(below(45_000)));
        at_work += u32::from(exporter.is_running());
        exporter.kill();
        let now = cursor(&env);
        moved += u32::from(now != last);
        last = now;
    }
    let mut faults: Vec<String> = writers.into_iter().filter_map(ended).collect();
    let ended = env.run(arguments.iter().map(String::as_str).chain(["--since", "auto"]));
    if ended.code != Some(0) {
        faults.push(format!("the last export: {ended:?}"));
    }
    let wanted = recorded(&journal);
    let arrived = match &agent {
        Some(agent) => {
            // It may still be writing down the last of them.
            let mut arrived = agent.received(wanted.len()).numbers();
            let started = crate::stopwatch();
            while arrived.last() != wanted.last() && started.elapsed() < Duration::from_secs(10) {
                arrived = agent.received(wanted.len()).numbers();
            }
            arrived
        }
        None => in_file(&env.path("out.jsonl"), &mut faults),
    };
    faults.extend(compared(&wanted, &arrived));
    let segments = fs::read_dir(env.path(".dos")).expect("a folder").count();
    let shown = format!(
        "{} exporters killed (seed {}), {at_work} of them at work, {moved} after they had moved the \
         cursor; {} rows recorded by {WRITERS} writers, {} arrived, {} of them again; {segments} files \
         in .dos; {} faults",
        plan.kills,
        plan.seed,
        wanted.len(),
        arrived.len(),
        arrived.len().saturating_sub(wanted.len()),
        faults.len()
    );
    Some(Seen { faults, shown })
}

fn started(recorder: &Path, journal: &Path, name: usize) -> Child {
    let mut command = Command::new(recorder);
    command.arg(journal).arg(format!("w{name}")).arg(SEGMENT_BYTES.to_string());
    command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a recorder")
}

/// Ends a writer. What went wrong with it, if anything.
fn ended(mut writer: Child) -> Option<String> {
    drop(writer.stdin.take());
    let output = writer.wait_with_output().expect("a recorder that ends");
    (!output.status.success()).then(|| format!("a writer: {output:?}"))
}

/// The text of the only cursor; nothing while there is none.
fn cursor(env: &TestEnv) -> String {
    let names = fs::read_dir(env.path(".dos")).expect("a folder").flatten();
    let is_cursor = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.starts_with("export-cursor.")
            && name.split('.').count() == 3
            && !name.ends_with(".guard")
    };
    let file = names.map(|entry| entry.path()).find(is_cursor);
    file.and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default()
}

/// The numbers in the journal, in order.
fn recorded(journal: &Path) -> Vec<i64> {
    let path = journal.to_str().expect("a path in UTF-8");
    let journal = VerdictJournal::new(RealDisk, path.into(), ObservePolicy::default());
    let mut reader = journal.read(From::Oldest).expect("a journal that can be read");
    let mut numbers = Vec::new();
    loop {
        let batch = reader.next(1000).expect("a journal that can be read");
        if batch.events.is_empty() {
            return numbers;
        }
        numbers.extend(batch.events.iter().map(|event| event.seq));
    }
}

/// The numbers of the rows in a file, in order. Every line must be a row.
fn in_file(path: &Path, faults: &mut Vec<String>) -> Vec<i64> {
    let text = fs::read(path).unwrap_or_default();
    let mut numbers = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        match decode_line(line.trim_ascii_end(), line.ends_with(b"\n")) {
            Line::Event(event) => numbers.push(event.seq),
            other => faults.push(format!("{other:?}: {:?}", String::from_utf8_lossy(line))),
        }
    }
    numbers
}

/// Every row has arrived, none that was not recorded, and each for the first time behind all before it.
fn compared(wanted: &[i64], arrived: &[i64]) -> Vec<String> {
    let mut faults = Vec::new();
    let (all, come): (BTreeSet<i64>, BTreeSet<i64>) =
        (wanted.iter().copied().collect(), arrived.iter().copied().collect());
    let missing: Vec<&i64> = all.difference(&come).take(10).collect();
    let invented: Vec<&i64> = come.difference(&all).take(10).collect();
    if !missing.is_empty() || !invented.is_empty() {
        faults.push(format!("missing {missing:?}, invented {invented:?}"));
    }
    let mut seen = BTreeSet::new();
    let first: Vec<i64> = arrived.iter().copied().filter(|number| seen.insert(*number)).collect();
    if !first.is_sorted() {
        faults.push("rows have arrived out of order".to_string());
    }
    if wanted.is_empty() {
        faults.push("nothing was recorded".to_string());
    }
    faults
}
