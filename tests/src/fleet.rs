//! A fleet on a real repository: a supervisor, worker scripts, and what the journal, git and the process
//! table say of them. Nothing that the supervisor or a worker says of itself counts.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::raw::Raw;
use crate::{Output, Running, TestEnv, poll_until, signal, stopwatch};

/// Six lanes, of which four are to be worked on, and a policy in which seconds stand for minutes.
pub const FLEET: &str = r#"
[lanes]
concurrent = ["steady", "crash", "hang", "spin", "good", "extra"]
exclusive = ["global"]
autopick = ["steady", "crash", "hang", "spin", "good", "extra"]
[lanes.trees]
steady = ["steady/**"]
crash = ["crash/**"]
hang = ["hang/**"]
spin = ["spin/**"]
good = ["good/**"]
extra = ["extra/**"]
global = ["**"]
[supervise]
target = 4
spin_halt_after_ms = 2000
[liveness]
grace_ms = 8000
spin_ms = 6000
[worker]
early_ms = 2000
backoff_ms = 500
backoff_max_ms = 60000
stop_ms = 2000
"#;

/// Two lanes, both to be worked on, by who takes its lane, beats and commits.
pub const TWO: &str = r#"
[lanes]
concurrent = ["one", "two"]
autopick = ["one", "two"]
[lanes.trees]
one = ["one/**"]
two = ["two/**"]
[supervise]
target = 2
[worker]
backoff_ms = 1
backoff_max_ms = 1
"#;

/// One script for all: who crashes at once, who hangs, who spins, who works under `dos run`, and who
/// takes its lane, beats and commits. Each holds a lock of the kernel on its lane's witness while any
/// process of it runs; who finds that taken says so.
const WORKER: &str = r#"#!/bin/sh
lane=$1
exec 9> "$lane.witness"
flock -n 9 || echo "$lane $$" >> violations
echo $$ >> "$lane.pids"
commit() {
    mkdir -p $lane
    echo $$ >> $lane/log
    git add $lane
    git -c user.name=$lane -c user.email=w@example.invalid commit -q -m $lane -- $lane
}
take() {
    $DOS lease-lane acquire --lane $lane --owner $DISPATCH_OWNER --pid $$ > /dev/null || exit 3
}
beat() { $DOS lease-lane heartbeat --lane $lane --owner $DISPATCH_OWNER > /dev/null || exit 4; }
case $lane in
    crash) exit 1 ;;
    hang) take; exec sleep 1000 ;;
    spin) take; while :; do beat; sleep 0.5; done ;;
    good) exec $DOS run --lane good -- ./work.sh ;;
    *) take; while :; do beat; commit; sleep 0.5; done ;;
esac
"#;

const WORK: &str = r#"#!/bin/sh
while :; do
    mkdir -p good; echo $$ >> good/log; git add good
    git -c user.name=good -c user.email=w@example.invalid commit -q -m good -- good
    sleep 0.5
done
"#;

const SOON: Duration = Duration::from_secs(50);
const LANES: [&str; 6] = ["steady", "crash", "hang", "spin", "good", "extra"];

/// A workspace with workers, of which none outlives it.
pub struct Fleet {
    /// The workspace.
    pub env: TestEnv,
}

impl Drop for Fleet {
    fn drop(&mut self) {
        let lanes = LANES.iter().chain(&["one", "two", "auto"]);
        for pid in lanes.flat_map(|lane| self.running(lane)) {
            // Each is the first of a group of its own.
            let _ = Command::new("kill").args(["-KILL", "--", &format!("-{pid}")]).status();
        }
    }
}

impl Fleet {
    /// A repository with this `dos.toml`.
    pub fn new(binary: impl Into<PathBuf>, config: &str) -> Self {
        let mut env = TestEnv::with_config(binary, config);
        let dos = env.binary().to_owned();
        env.set("DOS", dos);
        let fleet = Self { env };
        fleet.script("worker.sh", WORKER);
        fleet.script("work.sh", WORK);
        fleet.git(&["init", "-q"]);
        fleet.git(&["add", "worker.sh"]);
        fleet.git(&["commit", "-q", "-m", "scene"]);
        fleet
    }

    /// Writes a program.
    pub fn script(&self, name: &str, text: &str) {
        self.env.write(name, text);
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.env.path(name), mode).expect("a script");
    }

    /// Runs git in the workspace.
    pub fn git(&self, arguments: &[&str]) -> String {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=t", "-c", "user.email=t@example.invalid"]).args(arguments);
        self.env.furnish(&mut git);
        let output = git.output().expect("git");
        assert!(output.status.success(), "git {arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_string()
    }

    /// Starts a supervisor.
    pub fn supervise(&self, more: &[&str]) -> Running {
        let arguments =
            ["supervise", "--interval", "500ms", "--worker", "./worker.sh {lane}", "--json"];
        self.env.spawn(arguments.iter().chain(more))
    }

    /// The processes that were started for a lane and still run, by the process table.
    pub fn running(&self, lane: &str) -> Vec<u32> {
        let pids = fs::read_to_string(self.env.path(format!("{lane}.pids"))).unwrap_or_default();
        let alive = |pid: &u32| state(*pid).is_some_and(|state| state != 'Z' && state != 'X');
        pids.lines().filter_map(|line| line.parse().ok()).filter(alive).collect()
    }

    /// Is exactly one worker at work on each of these lanes?
    pub fn at_work(&self, lanes: &[&str]) -> bool {
        lanes.iter().all(|lane| self.running(lane).len() == 1)
    }

    /// How often a worker was started for a lane.
    pub fn starts(&self, lane: &str) -> usize {
        let pids = fs::read_to_string(self.env.path(format!("{lane}.pids")));
        pids.map_or(0, |text| text.lines().count())
    }

    /// The lanes that are held, by the bytes of the journal.
    pub fn held(&self) -> BTreeSet<String> {
        self.raw().held().into_keys().map(|(lane, _)| lane).collect()
    }

    /// The journal, by a reader of its own.
    pub fn raw(&self) -> Raw {
        Raw::of(&self.env.journal())
    }

    /// Everything that must not be: a lane held twice, two workers on a lane, a damaged journal.
    pub fn faults(&self) -> Vec<String> {
        let raw = self.raw();
        let mut faults = raw.faults();
        faults.extend(raw.bad_lines.iter().map(|line| format!("line {line} is damaged")));
        let violations = fs::read_to_string(self.env.path("violations")).unwrap_or_default();
        faults.extend(violations.lines().map(|line| format!("two workers on a lane: {line}")));
        for lane in LANES.iter().chain(&["one", "two"]) {
            let running = self.running(lane);
            if running.len() > 1 {
                faults.push(format!("two workers on {lane}: {running:?}"));
            }
        }
        faults
    }

    /// What is left of it, where nothing should be.
    pub fn rest(&self) -> Vec<String> {
        let lanes = LANES.iter().chain(&["one", "two"]);
        let running = lanes.filter(|lane| !self.running(lane).is_empty());
        let mut left: Vec<String> = running.map(|lane| format!("{lane} still runs")).collect();
        left.extend(self.held().into_iter().map(|lane| format!("{lane} is still held")));
        left
    }

    /// Waits for something of the fleet.
    #[track_caller]
    pub fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        poll_until(what, SOON, || holds(self).then_some(()));
    }

    /// What `dos loop` would do.
    pub fn plan(&self) -> Value {
        self.env.dos("loop --json").exits(0).json()
    }
}

/// The children of a process that nobody has collected.
pub fn zombies(parent: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("the process table").flatten() {
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        let parents: Option<u32> = fields.get(1).and_then(|field| field.parse().ok());
        if fields.first() == Some(&"Z") && parents == Some(parent) {
            found.extend(entry.file_name().to_string_lossy().parse::<u32>().ok());
        }
    }
    found
}

/// Does the process take note of that signal instead of dying of it?
fn catches(pid: u32, signal: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}

/// The state of a process; `None` when there is none.
fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(") ").next()?.chars().next()
}

fn names(plan: &Value, part: &str) -> Vec<String> {
    let plans = plan[part].as_array().cloned().unwrap_or_default();
    plans.iter().filter_map(|plan| Some(plan["lane"].as_str()?.to_string())).collect()
}

/// What was seen of a scenario.
pub struct Seen {
    /// What the supervisor said.
    pub said: Output,
    /// Everything that must not be.
    pub faults: Vec<String>,
    /// The figures, in words.
    pub shown: String,
}

/// Four of six lanes are worked on by a steady worker, one that crashes at once, one that hangs without
/// beats, one that spins with beats, one under `dos run`, and one that fills in.
pub fn scenario(binary: impl Into<PathBuf>, seconds: u64) -> Seen {
    let fleet = Fleet::new(binary, FLEET);
    let began = stopwatch();
    let supervisor = fleet.supervise(&[]);
    fleet.until("the hanging worker is replaced", |fleet| fleet.starts("hang") >= 2);
    fleet.until("three others are at work", |fleet| fleet.at_work(&["steady", "spin", "good"]));
    fleet.until("a halt of the spinner is proposed", |fleet| {
        names(&fleet.plan(), "proposed_halt") == ["spin"]
    });
    let mut faults = Vec::new();
    let (mut looks, mut at_target) = (0, 0);
    let started = stopwatch();
    while started.elapsed() < Duration::from_secs(seconds) {
        faults.extend(fleet.faults());
        // One that has ended this very moment is still to be collected.
        let seen = zombies(supervisor.pid());
        std::thread::sleep(Duration::from_millis(400));
        let still = zombies(supervisor.pid());
        faults.extend(
            seen.iter().filter(|pid| still.contains(pid)).map(|pid| format!("zombie {pid}")),
        );
        let plan = fleet.plan();
        looks += 1;
        at_target += u32::from(plan["alive"] == 4);
        let flagged = names(&plan, "flag");
        let healthy = ["steady", "good", "extra"].map(String::from);
        faults.extend(healthy.into_iter().filter(|lane| flagged.contains(lane)));
    }
    fleet.until("four workers are alive", |fleet| fleet.plan()["alive"] == 4);
    let (crashes, hangs) = (fleet.starts("crash"), fleet.starts("hang"));
    let authors = fleet.git(&["log", "--format=%an"]);
    let authors: BTreeSet<&str> = authors.lines().collect();
    for (author, wanted) in [("steady", true), ("good", true), ("spin", false)] {
        if authors.contains(author) != wanted {
            faults.push(format!("commits of {author}: {authors:?}"));
        }
    }
    supervisor.signal("TERM");
    let said = supervisor.finish();
    faults.extend(fleet.faults());
    faults.extend(fleet.rest());
    if fleet.starts("spin") != 1 {
        faults.push(format!("the spinner was started {} times", fleet.starts("spin")));
    }
    // Rests of 0.5, 1, 2, 4 ... seconds: the n-th start is not before the 2^(n-2)-th half second.
    let most = 3 + (2.0 * began.elapsed().as_secs_f64()).log2() as usize;
    if !(1..=most).contains(&crashes) {
        faults.push(format!("{crashes} crashes, at most {most} wanted"));
    }
    // A look that falls between an end and the next start sees three; a few looks prove no share.
    if looks >= 100 && at_target * 10 < looks * 8 {
        faults.push(format!("four workers in only {at_target} of {looks} looks"));
    }
    let unproven = |record: &&Map<String, Value>| {
        let reason = record.get("reason").and_then(Value::as_str).unwrap_or_default();
        !reason.contains("is gone from this host")
    };
    let raw = fleet.raw();
    faults.extend(raw.of_op("SCAVENGE").filter(unproven).map(|record| format!("{record:?}")));
    let shown = format!(
        "{looks} looks, four workers in {at_target} of them; {crashes} crashes, {hangs} hanging workers, \
         {} records, {} faults",
        raw.records.len(),
        faults.len()
    );
    Seen { said, faults, shown }
}

/// Kills supervisors at random moments, one after the other, and now and then a worker. Returns
/// everything that must not be, and the figures in words.
pub fn kills(binary: impl Into<PathBuf>, count: u32, seed: u64) -> (Vec<String>, String) {
    let fleet = Fleet::new(binary, TWO);
    let mut faults = Vec::new();
    let mut random = seed;
    let mut below = |bound: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005);
        random = random.wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % bound
    };
    let mut longest = Duration::ZERO;
    for round in 1..=count {
        let supervisor = fleet.supervise(&[]);
        std::thread::sleep(Duration::from_millis(below(150)));
        if below(3) == 0 {
            let lane = ["one", "two"][below(2) as usize];
            fleet.running(lane).iter().for_each(|pid| signal(*pid, "KILL"));
            std::thread::sleep(Duration::from_millis(below(60)));
        }
        supervisor.kill();
        faults.extend(fleet.faults().into_iter().map(|fault| format!("round {round}: {fault}")));
        if round % 5 == 0 || round == count {
            // Left alone for a moment, the next one has both lanes at work again.
            let started = stopwatch();
            let supervisor = fleet.supervise(&[]);
            fleet.until("both lanes are at work", |fleet| {
                let at_work = fleet.held().len() == 2 && fleet.at_work(&["one", "two"]);
                // Before it listens a signal would end it, and its workers would run on.
                at_work && catches(supervisor.pid(), 15)
            });
            longest = longest.max(started.elapsed());
            match round == count {
                true => {
                    supervisor.signal("TERM");
                    supervisor.finish().exits(0);
                }
                false => supervisor.kill(),
            }
        }
    }
    faults.extend(fleet.faults());
    faults.extend(fleet.rest());
    let starts = fleet.starts("one") + fleet.starts("two");
    let shown = format!(
        "{count} supervisors killed (seed {seed}), {starts} workers started, both lanes at work again \
         within {:.1} s, {} faults",
        longest.as_secs_f64(),
        faults.len()
    );
    (faults, shown)
}
