//! Writers that are killed by the thousand, and the look at what they leave.
//!
//! Each worker is one agent: it takes lanes, beats, gives them back, and a good part of its
//! commands die of SIGKILL. A lease that it knows to hold is witnessed by an flock of its own, so
//! that two live holders of one lane are seen at once; every acknowledged record is looked for in
//! the raw bytes of the journal.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::raw::{Identity, Raw, text};
use crate::running::Signals;
use crate::{Output, Running, TestEnv, poll_until};

const LANES: [&str; 4] = ["w", "x", "y", "z"];
const CONFIG: &str = "[lanes]\nconcurrent=[\"w\",\"x\",\"y\",\"z\"]\n[lanes.trees]\n\
    w=[\"w/**\"]\nx=[\"x/**\"]\ny=[\"y/**\"]\nz=[\"z/**\"]\n\
    [retention]\njournal_max_entries=\"none\"\n";
/// A workspace lives for as many kills: its journal stays short, as that of a fleet does.
const KILLS_A_ROUND: u64 = 400;

/// How hard it storms.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// As many processes die.
    pub kills: u64,
    /// As many workers at once.
    pub writers: u64,
    /// The choices of a run depend on it, its timing does not.
    pub seed: u64,
    /// Some of the commands compact the journal.
    pub compacting: bool,
}

/// What a storm left.
#[derive(Debug, Default)]
pub struct Report {
    /// Processes that died of SIGKILL.
    pub kills: u64,
    /// Of those, how many are known to have held the lock.
    pub holders_killed: u64,
    /// Of those, how many left a line that is none.
    pub torn: u64,
    /// Commands that answered.
    pub answered: u64,
    /// Records that were acknowledged.
    pub acknowledged: u64,
    /// Acknowledged records that are not there.
    pub missing: Vec<String>,
    /// Lanes with two holders at once, and records out of order.
    pub double_grants: Vec<String>,
    /// Whatever else should not be.
    pub other_faults: Vec<String>,
}

impl Report {
    /// Everything that should not be.
    pub fn faults(&self) -> Vec<&String> {
        self.missing.iter().chain(&self.double_grants).chain(&self.other_faults).collect()
    }

    fn add(&mut self, other: Self) {
        self.kills += other.kills;
        self.holders_killed += other.holders_killed;
        self.torn += other.torn;
        self.answered += other.answered;
        self.acknowledged += other.acknowledged;
        self.missing.extend(other.missing);
        self.double_grants.extend(other.double_grants);
        self.other_faults.extend(other.other_faults);
    }
}

/// A small generator of random numbers: what a seed gives is what it always gives.
pub struct Random(pub u64);

impl Random {
    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (bits ^ (bits >> 31)) % end
    }
}

/// Storms over this binary, in one workspace after the other; `progress` is told the kills so far.
pub fn storm(binary: &Path, plan: Plan, mut progress: impl FnMut(u64)) -> Report {
    let (mut report, mut round) = (Report::default(), 0);
    while report.kills < plan.kills {
        let kills = KILLS_A_ROUND.min(plan.kills - report.kills);
        let seed = plan.seed.wrapping_mul(1_000_003).wrapping_add(round);
        report.add(one_round(binary, Plan { kills, seed, ..plan }));
        round += 1;
        progress(report.kills);
    }
    report
}

/// What was acknowledged.
struct Acknowledged {
    op: &'static str,
    identity: Identity,
    token: Option<u64>,
}

/// A lease that the worker knows to hold, and the flock that says so to all others.
struct Lease {
    identity: Identity,
    token: u64,
    witness: File,
}

struct Worker<'a> {
    env: &'a TestEnv,
    plan: Plan,
    kills_left: &'a AtomicU64,
    name: String,
    random: Random,
    signals: Signals,
    serial: u64,
    /// How long a command takes here and now.
    usual: Duration,
    held: Option<Lease>,
    acknowledged: Vec<Acknowledged>,
    report: Report,
}

fn one_round(binary: &Path, plan: Plan) -> Report {
    let env = TestEnv::with_config(binary, CONFIG);
    let _ = env.dos("lease-lane spawn --lane w --owner first").exits(0);
    for lane in LANES {
        File::create(witness_path(&env, lane)).expect("a witness file");
    }
    let kills_left = AtomicU64::new(plan.kills);
    let workers: Vec<Worker<'_>> = std::thread::scope(|scope| {
        let (env, kills_left) = (&env, &kills_left);
        let start = |number| scope.spawn(move || Worker::new(env, plan, kills_left, number).work());
        let running: Vec<_> = (0..plan.writers).map(start).collect();
        running.into_iter().map(|worker| worker.join().expect("a worker that ends")).collect()
    });
    // Whoever comes last tidies up after the last one that was killed.
    let began = Instant::now();
    let last = env.dos("lease-lane spawn --lane w --owner last --loop-ts last-0");
    let mut report = Report::default();
    if last.code != Some(0) || began.elapsed() > Duration::from_secs(1) {
        report.other_faults.push(format!("after {:?}: {last:?}", began.elapsed()));
    }
    if plan.compacting {
        let _ = env.dos("journal compact").exits(0);
    }
    let mut left = env.leftovers();
    left.extend(env.lock_path().exists().then(|| "the lock file".to_string()));
    report.other_faults.extend(left.into_iter().map(|name| format!("left behind: {name}")));
    judge(&env, plan, workers, &mut report);
    report
}

/// Compares what the workers know with what the bytes of the journal say.
fn judge(env: &TestEnv, plan: Plan, workers: Vec<Worker<'_>>, report: &mut Report) {
    let raw = Raw::of(&env.journal());
    // A write across the end of a page can be cut short there by the death of its process. Whoever
    // comes next has closed the line.
    report.torn += raw.bad_lines.len() as u64;
    if raw.torn || raw.bad_lines.len() as u64 > plan.kills + plan.writers {
        report.other_faults.push(format!("more than killed writers can have torn: {raw:?}"));
    }
    report.double_grants.extend(raw.faults());
    let mut known: BTreeMap<(String, Identity), Vec<u64>> = BTreeMap::new();
    for record in &raw.records {
        let identity = (text(record, "lane"), text(record, "loop_ts"));
        let seq = record.get("seq").and_then(Value::as_u64).unwrap_or(0);
        known.entry((text(record, "op"), identity)).or_default().push(seq);
    }
    let mut held = raw.held();
    let mut acknowledged = Vec::new();
    for mut worker in workers {
        if let Some(lease) = worker.held.take() {
            let found = held.remove(&lease.identity);
            let token = found.as_ref().and_then(|found| found.get("token")?.as_u64());
            if token != Some(lease.token) {
                report.missing.push(format!("the lease {:?}: {found:?}", lease.identity));
            }
        }
        acknowledged.append(&mut worker.acknowledged);
        report.add(worker.report);
    }
    for identity in held.keys() {
        report.other_faults.push(format!("a lease that nobody holds: {identity:?}"));
    }
    report.acknowledged += acknowledged.len() as u64;
    // Where the history is compacted away, the leases are all that can be compared.
    if !plan.compacting {
        report.missing.extend(missing(&acknowledged, &known));
    }
}

/// The acknowledged records that are not there, or not as often.
fn missing(
    acknowledged: &[Acknowledged],
    known: &BTreeMap<(String, Identity), Vec<u64>>,
) -> Vec<String> {
    let (mut missing, mut counts) = (Vec::new(), BTreeMap::new());
    for one in acknowledged {
        let key = (one.op.to_string(), one.identity.clone());
        let count: &mut usize = counts.entry(key.clone()).or_default();
        *count += 1;
        let seqs = known.get(&key).map(Vec::as_slice).unwrap_or_default();
        if seqs.len() < *count || one.token.is_some_and(|token| !seqs.contains(&token)) {
            missing.push(format!("{key:?} {:?}", one.token));
        }
    }
    missing
}

impl<'a> Worker<'a> {
    fn new(env: &'a TestEnv, plan: Plan, kills_left: &'a AtomicU64, number: u64) -> Self {
        Self {
            env,
            plan,
            kills_left,
            name: format!("w{number}"),
            random: Random(plan.seed.wrapping_mul(64).wrapping_add(number)),
            signals: Signals::new(),
            serial: 0,
            usual: Duration::from_millis(3),
            held: None,
            acknowledged: Vec::new(),
            report: Report::default(),
        }
    }

    fn work(mut self) -> Self {
        while self.kills_left.load(Ordering::Relaxed) > 0 {
            match self.random.below(20) {
                0 if self.plan.compacting => {
                    let _ = self.command("journal compact");
                }
                0..3 => self.append_only(),
                _ if self.held.is_none() => self.acquire(),
                3..10 => self.heartbeat(),
                _ => self.release(),
            }
            self.check_own_lease();
        }
        self
    }

    /// A name that no other command of this round has.
    fn stamp(&mut self) -> String {
        self.serial += 1;
        format!("{}-{}", self.name, self.serial)
    }

    fn acknowledge(&mut self, op: &'static str, identity: Identity, token: Option<u64>) {
        self.acknowledged.push(Acknowledged { op, identity, token });
    }

    fn append_only(&mut self) {
        let (owner, stamp) = (self.name.clone(), self.stamp());
        let command = format!("lease-lane spawn --lane w --owner {owner} --loop-ts {stamp}");
        if self.command(&command).is_some_and(|answer| answer.code == Some(0)) {
            self.acknowledge("SPAWN", ("w".into(), stamp), None);
        }
    }

    fn acquire(&mut self) {
        let lane = LANES[self.random.below(LANES.len() as u64) as usize];
        let (owner, stamp) = (self.name.clone(), self.stamp());
        let identity = (lane.to_string(), stamp.clone());
        let command = format!("lease-lane acquire --lane {lane} --owner {owner} --loop-ts {stamp}");
        match self.command(&command) {
            Some(answer) if answer.code == Some(0) => {
                let token = answer.json()["token"].as_u64().unwrap_or(0);
                self.acknowledge("ACQUIRE", identity.clone(), Some(token));
                let witness = File::open(witness_path(self.env, lane)).expect("a witness file");
                if let Err(TryLockError::WouldBlock) = witness.try_lock() {
                    self.report.double_grants.push(format!("{identity:?} beside another holder"));
                }
                self.held = Some(Lease { identity, token, witness });
            }
            Some(_) => {}
            // Nobody knows whether it was granted: a release settles it.
            None => self.settle(identity),
        }
    }

    fn heartbeat(&mut self) {
        let Some(lease) = &self.held else { return };
        let identity = lease.identity.clone();
        let command = self.about("heartbeat", &identity);
        match self.command(&command) {
            Some(answer) if answer.code == Some(0) => {
                self.acknowledge("HEARTBEAT", identity, None);
            }
            Some(answer) => self.report.missing.push(format!("{identity:?}: {answer:?}")),
            None => {}
        }
    }

    fn release(&mut self) {
        // From here on another one may hold the lane: the witness goes first.
        let Some(lease) = self.held.take() else { return };
        // Closing it is not enough: a process that starts just now has it too, until its exec.
        lease.witness.unlock().expect("a witness that can be let go");
        let identity = lease.identity;
        let command = self.about("release", &identity);
        match self.command(&command) {
            Some(answer) if answer.code == Some(0) => {
                self.acknowledge("RELEASE", identity, None);
            }
            Some(answer) => self.report.missing.push(format!("{identity:?}: {answer:?}")),
            None => self.settle(identity),
        }
    }

    /// Gives a lease back that may or may not be held.
    fn settle(&mut self, identity: Identity) {
        let command = self.about("release", &identity);
        let answer = self.env.dos(&command);
        self.look_at(&answer);
        if answer.code == Some(0) {
            self.acknowledge("RELEASE", identity, None);
        }
    }

    fn about(&self, verb: &str, (lane, stamp): &Identity) -> String {
        format!("lease-lane {verb} --lane {lane} --owner {} --loop-ts {stamp}", self.name)
    }

    /// Whatever others compact, and whoever dies of it: what is held stays held.
    fn check_own_lease(&mut self) {
        let Some(lease) = self.held.as_ref().filter(|_| self.plan.compacting) else { return };
        if !Raw::of(&self.env.journal()).held().contains_key(&lease.identity) {
            self.report.missing.push(format!("the lease {:?}", lease.identity));
        }
    }

    /// Runs a command, and perhaps kills it: then there is no answer.
    fn command(&mut self, arguments: &str) -> Option<Output> {
        let began = Instant::now();
        let running = self.env.start(arguments);
        let most = self.usual.as_micros() as u64 + 200;
        let answer = match self.random.below(20) {
            0..7 => Some(running.finish()),
            7..12 => {
                std::thread::sleep(Duration::from_micros(self.random.below(most)));
                running.kill_unless_done()
            }
            _ => self.kill_holding(running, began),
        };
        match &answer {
            Some(answer) => {
                self.usual = (self.usual * 7 + began.elapsed()) / 8;
                self.look_at(answer);
            }
            None => {
                self.report.kills += 1;
                let _ =
                    self.kills_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                        Some(left.saturating_sub(1))
                    });
            }
        }
        answer
    }

    /// Stops a process once it shows its lock, makes sure that it still has it, and kills it.
    fn kill_holding(&mut self, mut running: Running, began: Instant) -> Option<Output> {
        let pid = running.pid();
        let mark = format!("\npid: {pid}\n");
        let shows_lock = || {
            let body = fs::read_to_string(self.env.lock_path()).unwrap_or_default();
            body.contains(&mark)
        };
        while running.is_running() && !shows_lock() {
            if began.elapsed() > self.usual * 3 {
                return running.kill_unless_done();
            }
            std::thread::sleep(Duration::from_micros(50));
        }
        // Somewhere in what it does with the lock, not always at its start.
        std::thread::sleep(Duration::from_micros(self.random.below(300)));
        let stopped = self.signals.stop(pid);
        let holds = stopped && shows_lock();
        let answer = running.kill_unless_done();
        self.report.holders_killed += u64::from(holds && answer.is_none());
        answer
    }

    fn look_at(&mut self, answer: &Output) {
        self.report.answered += 1;
        if !matches!(answer.code, Some(0 | 1)) || answer.stderr.contains("panicked") {
            self.report.other_faults.push(format!("{answer:?}"));
        }
    }
}

fn witness_path(env: &TestEnv, lane: &str) -> PathBuf {
    env.outer().join(format!("witness-{lane}"))
}

/// How long a writer takes that nobody is in the way of: the median of so many.
pub fn alone(binary: &Path, times: usize) -> Duration {
    let env = TestEnv::new(binary);
    let one = |_| {
        let began = Instant::now();
        let _ = env.dos("lease-lane spawn --lane w --owner next").exits(0);
        began.elapsed()
    };
    let mut took: Vec<Duration> = (0..times).map(one).collect();
    took.sort_unstable();
    took.get(times / 2).copied().unwrap_or_default()
}

/// Kills so many lock holders, each with one writer that waits for it; from the death to that
/// writer's answer. `holder` is the writer that takes its time.
pub fn recovery(binary: &Path, holder: &Path, times: usize) -> Vec<Duration> {
    let env = TestEnv::new(binary);
    env.dos("lease-lane spawn --lane w --owner first").exits(0);
    env.write("hold", "");
    let one = |_| {
        let mut command = Command::new(holder);
        env.furnish(&mut command);
        let victim = Running::start(command);
        let mark = format!("\npid: {}\n", victim.pid());
        poll_until("the holder shows its lock", Duration::from_secs(10), || {
            fs::read_to_string(env.lock_path()).is_ok_and(|body| body.contains(&mark)).then_some(())
        });
        let next = env.start("lease-lane spawn --lane w --owner next");
        // By then it asks for the lock again and again.
        std::thread::sleep(Duration::from_millis(8));
        let death = Instant::now();
        victim.kill();
        let _ = next.finish().exits(0);
        death.elapsed()
    };
    let mut took: Vec<Duration> = (0..times).map(one).collect();
    took.sort_unstable();
    took
}
