//! Random lives of a workspace: owners who take lanes, beat, give back, halt and compact.

use std::path::{Path, PathBuf};

use anyhow::ensure;
use serde_json::{Value, json};

use super::Case;
use super::lanes::{Lanes, Request, fold, lane_of, recased};
use super::requests::{DECISION, coded, decision, expected, plain};
use super::rng::Rng;
use super::tally::{Explanation, Mismatch, Tally};
use super::world::World;

const OWNERS: [&str; 4] = ["alice", "bob", "carol@host", "Zoë"];
const LOOPS: [&str; 4] = ["T1", "T2", "T3", "2026-01-02T03:04:05Z"];
const JOURNAL: &str = ".dos/lane-journal.jsonl";

/// One workspace for each of us, and in a sample one more for the original's command line.
struct Play<'a> {
    world: &'a mut World,
    tally: &'a mut Tally,
    lanes: Lanes,
    ours: PathBuf,
    original: PathBuf,
    sample: Option<PathBuf>,
    /// What was done so far, for whoever has to read a difference.
    story: Vec<Value>,
    /// Identities of leases whose kind was decided to be another than was asked for, with the kind
    /// that was asked for.
    kinds: Vec<(String, String, String)>,
}

/// The answers to one step.
type Step = anyhow::Result<Result<(), Box<Mismatch>>>;

/// Plays one random script on both sides.
pub fn run(world: &mut World, tally: &mut Tally, rng: &mut Rng, case: &Case<'_>) -> Step {
    let lanes = Lanes::random(rng);
    let place = |name: &str| case.folder.join(name);
    let sample = case.sample.then(|| place("sample"));
    let (ours, original) = (place("ours"), place("original"));
    let mut play =
        Play { world, tally, lanes, ours, original, sample, story: Vec::new(), kinds: Vec::new() };
    play.open(rng, case)?;
    for _ in 0..4 + rng.below(11) {
        let step = match rng.weighted(&[40, 20, 10, 5, 5, 6, 14]) {
            0 => play.acquire(rng),
            1 => play.release(rng),
            2 => play.heartbeat(rng),
            3 => play.spawn(rng),
            4 => play.halt(rng),
            5 => play.compact(),
            _ => play.arbitrate(rng),
        };
        if let Err(mismatch) = step? {
            return Ok(Err(mismatch));
        }
        if let Err(mismatch) = play.compare_state()? {
            return Ok(Err(mismatch));
        }
    }
    play.compare_command_lines()
}

impl Play<'_> {
    /// Makes the workspaces, some of them with a history.
    fn open(&mut self, rng: &mut Rng, case: &Case<'_>) -> anyhow::Result<()> {
        let toml = self.lanes.toml();
        let (history, closed) = match rng.chance(30) {
            true => self.history(rng, case),
            false => (String::new(), String::new()),
        };
        self.story.push(json!({"dos.toml": toml, "history": history}));
        for (workspace, history) in [Some(&self.ours), Some(&self.original), self.sample.as_ref()]
            .into_iter()
            .flatten()
            .zip([&history, &closed, &closed])
        {
            std::fs::create_dir_all(workspace.join(".dos"))?;
            std::fs::write(workspace.join("dos.toml"), &toml)?;
            if !history.is_empty() {
                std::fs::write(workspace.join(JOURNAL), history)?;
            }
        }
        Ok(())
    }

    /// A journal to begin with, and the same with its last line closed: the original writes its
    /// next record into a line that is not.
    fn history(&mut self, rng: &mut Rng, case: &Case<'_>) -> (String, String) {
        let mut text = String::new();
        for seq in 1..=rng.below(5) + 1 {
            let mut lease = json!({
                "lane": self.lanes.lane(rng), "loop_ts": format!("H{seq}"),
                "lane_kind": self.lanes.kind(rng), "tree": rng.some(&["src/**", "docs/*"], 0, 2),
                "acquired_at": case.stamp(rng.below(20)), "note": "kept as it is",
            });
            if rng.chance(85) {
                lease["holder"] = rng.text(&OWNERS).into();
            }
            let record = json!({
                "op": "ACQUIRE", "lane": lease["lane"], "loop_ts": lease["loop_ts"], "seq": seq,
                "ts": case.stamp(5), "lease": lease,
            });
            text.push_str(&format!("{record}\n"));
        }
        match rng.below(10) {
            0 => text.push_str("{\"op\": \"ACQ"),
            1 => {
                text.pop();
            }
            _ => return (text.clone(), text),
        }
        self.tally.explain(Explanation::LastLineClosed);
        (text.clone(), format!("{text}\n"))
    }

    fn acquire(&mut self, rng: &mut Rng) -> Step {
        let mut request = Request::random(rng, &self.lanes);
        request.force = false;
        let owner = if rng.chance(2) { String::new() } else { rng.text(&OWNERS) };
        // Requests without a name may all be granted, so that the time would not tell them apart.
        let timed = !request.lane.is_empty() && rng.chance(20);
        let loop_ts = match timed {
            true => String::new(),
            false if rng.chance(40) => LOOPS[0].into(),
            false => rng.text(&LOOPS),
        };
        let run_id = if rng.chance(20) { "RID-1" } else { "" };
        let mut words: Vec<String> =
            ["lease-lane", "acquire", "--owner", &owner, "--loop-ts", &loop_ts, "--run-id", run_id]
                .map(String::from)
                .into();
        words.extend(request.arguments());
        self.story.push(json!(words));
        let held = self.live(&self.ours.clone())?;
        let held_by_original = self.live(&self.original.clone())?;
        let said = self.world.ours(&self.ours, &words)?;
        let keys: Vec<&str> =
            DECISION.into_iter().chain(["journaled", "owner", "run_id"]).collect();
        let ours = decision(&said, &keys);

        let mut question = request.question(&self.original, &[]);
        question["owner"] = owner.clone().into();
        question["loop_ts"] = loop_ts.clone().into();
        question["run_id"] = run_id.into();
        let theirs = coded(self.world.ask(question, "acquire")?);
        self.check_sample(&words, &theirs, &keys)?;

        let mut meant = self.meant(&request, &held, &held_by_original, &theirs)?;
        let identity = (meant["lane"].as_str().unwrap_or_default().to_string(), loop_ts.clone());
        let taken = meant["outcome"] == "acquire"
            && held.iter().any(|lease| (lane_of(lease), loop_of(lease)) == identity);
        if owner.is_empty() || taken {
            let why = match owner.is_empty() {
                true => Explanation::EmptyOwner,
                false => Explanation::SameIdentity,
            };
            self.tally.explain(why);
            let check = self.compare("acquire is an error", &json!(said.code), &json!(2));
            return self.follow(check);
        }
        meant["journaled"] = (meant["outcome"] == "acquire").into();
        meant["owner"] = owner.clone().into();
        if !run_id.is_empty() {
            meant["run_id"] = run_id.into();
        }
        let check = self.compare("acquire", &ours, &meant);
        if check.is_err() {
            return Ok(check);
        }
        let granted = ours["outcome"] == "acquire";
        if granted && let Err(mismatch) = self.check_grant(&held, &ours, &request, &loop_ts)? {
            return Ok(Err(mismatch));
        }
        // A picked lane without a tree: the lease may cover what the requested one declares.
        let by_rule = granted && ours["tree"] == json!([]) && request.tree.is_empty();
        let wider = by_rule && self.lanes.covers_by_rule(&request.lane);
        // Each program stamped a timed grant with its own second.
        match ours == theirs && !wider && !(granted && timed) {
            true => Ok(Ok(())),
            false => self.follow(Ok(())),
        }
    }

    /// What the original means by a request, read by our rules over what we hold. What it said in
    /// its own workspace has to follow from what it holds itself.
    fn meant(
        &mut self,
        request: &Request,
        held: &[Value],
        held_by_original: &[Value],
        said: &Value,
    ) -> anyhow::Result<Value> {
        let place = self.original.clone();
        let meant = expected(self.world, self.tally, &place, &self.lanes, request, held)?;
        let on_ours = plain(self.world, &place, request, held)?;
        let on_theirs = plain(self.world, &place, request, held_by_original)?;
        let agrees = DECISION.iter().all(|key| on_theirs[*key] == said[*key]);
        ensure!(agrees, "the driver answers {said} and {on_theirs} to one request");
        if on_ours != on_theirs {
            self.tally.explain(Explanation::DecidedKind);
        }
        Ok(meant)
    }

    /// Our new lease has to say what was answered, and the original's what it makes of that.
    fn check_grant(
        &mut self,
        held: &[Value],
        ours: &Value,
        request: &Request,
        loop_ts: &str,
    ) -> Step {
        let live = self.live(&self.ours.clone())?;
        let new: Vec<&Value> = live.iter().filter(|lease| !held.contains(lease)).collect();
        let Some(lease) = new.first().filter(|_| new.len() == 1) else {
            return Ok(self.compare("a grant is one lease", &json!(new), &json!("one lease")));
        };
        let mut wanted = json!({
            "lane": ours["lane"], "lane_kind": ours["lane_kind"], "tree": ours["tree"],
            "holder": ours["owner"], "pid": null, "host_id": "oracle-host",
            "loop_ts": loop_ts, "acquired_at": lease["acquired_at"], "token": lease["token"],
        });
        // What a lane without a tree covers is compared with the original's lease.
        if ours["tree"] == json!([]) {
            wanted["tree"] = lease["tree"].clone();
        }
        if loop_ts.is_empty() {
            wanted["loop_ts"] = lease["loop_ts"].clone();
        }
        if !ours["run_id"].is_null() {
            wanted["run_id"] = ours["run_id"].clone();
        }
        let identity = (lane_of(lease), loop_of(lease));
        self.kinds.retain(|(lane, stamp, _)| (lane, stamp) != (&identity.0, &identity.1));
        if ours["lane_kind"] != request.kind.as_str() {
            self.tally.explain(Explanation::DecidedKind);
            self.kinds.push((identity.0, identity.1, request.kind.clone()));
        }
        Ok(self.compare("a granted lease", lease, &wanted))
    }

    fn arbitrate(&mut self, rng: &mut Rng) -> Step {
        let request = Request::random(rng, &self.lanes);
        let mut words: Vec<String> = vec!["arbitrate".into()];
        words.extend(request.force.then(|| "--force".into()));
        words.extend(request.arguments());
        self.story.push(json!(words));
        let held = self.live(&self.ours.clone())?;
        let held_by_original = self.live(&self.original.clone())?;
        let ours = decision(&self.world.ours(&self.ours, &words)?, &DECISION);
        let place = self.original.clone();
        let theirs = plain(self.world, &place, &request, &held_by_original)?;
        self.check_sample(&words, &theirs, &DECISION)?;
        let meant = self.meant(&request, &held, &held_by_original, &theirs)?;
        Ok(self.compare("arbitrate on the journal", &ours, &meant))
    }

    fn release(&mut self, rng: &mut Rng) -> Step {
        let (lane, loop_ts, owner) = self.claim(rng)?;
        self.claimed(&["lease-lane", "release"], &lane, &loop_ts, &owner, &[], json!({}))
    }

    fn heartbeat(&mut self, rng: &mut Rng) -> Step {
        let (lane, loop_ts, owner) = self.claim(rng)?;
        let coalesce = *rng.pick(&["0", "86400"]);
        let more = ["--coalesce-within-s", coalesce];
        let seconds: f64 = coalesce.parse()?;
        let question = json!({"coalesce": seconds});
        self.claimed(&["lease-lane", "heartbeat"], &lane, &loop_ts, &owner, &more, question)
    }

    /// A release or a heartbeat: both name a lease by lane, owner and perhaps loop stamp.
    fn claimed(
        &mut self,
        verb: &[&str; 2],
        lane: &str,
        loop_ts: &str,
        owner: &str,
        more: &[&str],
        mut question: Value,
    ) -> Step {
        let mut words: Vec<String> = verb.iter().map(|word| (*word).to_string()).collect();
        words.extend(["--lane", lane, "--owner", owner, "--loop-ts", loop_ts].map(String::from));
        words.extend(more.iter().map(|word| (*word).to_string()));
        self.story.push(json!(words));
        let held = self.live(&self.ours.clone())?;
        let said = self.world.ours(&self.ours, &words)?;
        let keys = ["released", "beat", "lane", "owner"];
        let matches = |lease: &&Value| {
            fold(&lane_of(lease)) == fold(lane)
                && (loop_ts.is_empty() || loop_of(lease) == loop_ts)
                && (lease["holder"].is_null() || lease["holder"] == owner)
        };
        let spelled = held.iter().rfind(matches).map_or(lane.to_string(), lane_of);
        question["workspace"] = json!(self.original);
        question["lane"] = spelled.clone().into();
        question["loop_ts"] = loop_ts.into();
        question["owner"] = owner.into();
        let mut theirs = coded(self.world.ask(question, verb[1])?);
        if spelled != lane {
            self.tally.explain(Explanation::NameCase);
            theirs["lane"] = lane.into();
            words[3] = spelled;
        }
        let mut in_sample = theirs.clone();
        in_sample["lane"] = words[3].clone().into();
        self.check_sample(&words, &in_sample, &keys)?;
        if owner.is_empty() {
            self.tally.explain(Explanation::EmptyOwner);
            let check =
                self.compare(&format!("{} is an error", verb[1]), &json!(said.code), &json!(2));
            return self.follow(check);
        }
        Ok(self.compare(verb[1], &decision(&said, &keys), &theirs))
    }

    fn spawn(&mut self, rng: &mut Rng) -> Step {
        let lane = rng.text(&["api", "docs", "nowhere"]);
        let (owner, loop_ts) = (rng.text(&OWNERS), rng.text(&LOOPS));
        let reason = rng.text(&["", "nightly"]);
        let words = [
            "lease-lane",
            "spawn",
            "--lane",
            &lane,
            "--owner",
            &owner,
            "--loop-ts",
            &loop_ts,
            "--reason",
            &reason,
        ]
        .map(String::from);
        self.story.push(json!(words));
        let keys = ["recorded", "lane", "loop_ts", "holder"];
        let ours = decision(&self.world.ours(&self.ours, &words)?, &keys);
        let question = json!({
            "workspace": self.original, "lane": lane, "owner": owner, "loop_ts": loop_ts,
            "run_id": "", "reason": reason,
        });
        let theirs = coded(self.world.ask(question, "spawn")?);
        self.check_sample(&words, &theirs, &keys)?;
        Ok(self.compare("spawn", &ours, &theirs))
    }

    fn halt(&mut self, rng: &mut Rng) -> Step {
        let (mut lane, mut loop_ts, owner) = self.claim(rng)?;
        if rng.chance(30) {
            lane.clear();
        }
        if rng.chance(30) {
            loop_ts.clear();
        }
        let command = rng.text(&["docker stop x", "kill 5", "halt -- ü", ""]);
        let mut words = [
            "halt",
            "--handle",
            "job-7",
            "--lane",
            &lane,
            "--loop-ts",
            &loop_ts,
            "--owner",
            &owner,
            "--reason",
            "spinning",
            "--command",
            &command,
        ]
        .map(String::from);
        self.story.push(json!(words));
        let held = self.live(&self.ours.clone())?;
        let keys = ["recorded", "handle", "command", "lane", "loop_ts"];
        let ours = decision(&self.world.ours(&self.ours, &words)?, &keys);
        // The lease that we correlate with, by the spelling that the original finds it under.
        let meant = held.iter().find(|lease| {
            fold(&lane_of(lease)) == fold(&lane)
                && (loop_ts.is_empty() || loop_of(lease) == loop_ts)
        });
        if let Some(lease) = meant.filter(|lease| !lane.is_empty() && lane_of(lease) != lane) {
            self.tally.explain(Explanation::NameCase);
            words[4] = lane_of(lease);
        }
        let question = json!({
            "workspace": self.original, "handle": "job-7", "lane": words[4], "loop_ts": loop_ts,
            "owner": owner, "reason": "spinning", "run_id": "", "command": command,
        });
        let theirs = coded(self.world.ask(question, "halt")?);
        self.check_sample(&words, &theirs, &keys)?;
        Ok(self.compare("halt", &ours, &theirs))
    }

    fn compact(&mut self) -> Step {
        let words = ["journal", "compact"].map(String::from);
        self.story.push(json!(words));
        let keys = ["entries_before", "entries_after"];
        let ours = decision(&self.world.ours(&self.ours, &words)?, &keys);
        let question = json!({"journal": self.original.join(JOURNAL)});
        let mut theirs = self.world.ask(question, "compact")?;
        theirs["exit"] = 0.into();
        if let Some(object) = theirs.as_object_mut() {
            object.remove("bytes_reclaimed");
        }
        self.check_sample(&words, &theirs, &keys)?;
        Ok(self.compare("compact", &ours, &theirs))
    }

    /// A claim that is often right.
    fn claim(&mut self, rng: &mut Rng) -> anyhow::Result<(String, String, String)> {
        let held = self.live(&self.ours.clone())?;
        let (mut lane, mut loop_ts) = (self.lanes.lane(rng), rng.text(&["", "", "T1", "T2"]));
        let mut owner = rng.text(&OWNERS);
        if !held.is_empty() && rng.chance(80) {
            let lease = rng.pick(&held);
            lane = recased(rng, &lane_of(lease), 10);
            if let Some(holder) = lease["holder"].as_str().filter(|_| rng.chance(80)) {
                owner = holder.to_string();
            }
            loop_ts = if rng.chance(40) { loop_of(lease) } else { String::new() };
            // A loop stamp that is the time of the grant differs by program.
            if !LOOPS.contains(&loop_ts.as_str()) && !loop_ts.starts_with('H') {
                loop_ts.clear();
            }
        }
        if rng.chance(2) {
            owner.clear();
        }
        Ok((lane, loop_ts, owner))
    }

    /// Goes on from our journal after a difference that was explained.
    fn follow(&mut self, check: Result<(), Box<Mismatch>>) -> Step {
        if check.is_ok() {
            // Where we wrote nothing yet there is none.
            let mut journal = std::fs::read(self.ours.join(JOURNAL)).unwrap_or_default();
            if journal.last().is_some_and(|byte| *byte != b'\n') {
                journal.push(b'\n');
            }
            for workspace in std::iter::once(&self.original).chain(&self.sample) {
                std::fs::write(workspace.join(JOURNAL), &journal)?;
            }
            self.kinds.clear();
        }
        Ok(check)
    }

    fn compare(&mut self, what: &str, ours: &Value, expected: &Value) -> Result<(), Box<Mismatch>> {
        self.tally.compare(what, &json!(self.story), ours, expected)
    }

    /// Does the same step through the original's command line, which has to say the same.
    fn check_sample(
        &mut self,
        words: &[String],
        theirs: &Value,
        keys: &[&str],
    ) -> anyhow::Result<()> {
        let Some(workspace) = &self.sample else {
            return Ok(());
        };
        self.tally.both_command_lines += 1;
        let mut said = decision(&self.world.original(workspace, words)?, keys);
        let mut theirs = theirs.clone();
        // The driver and the command line may be in different seconds.
        if words.iter().any(|word| word == "--loop-ts") && said["loop_ts"] != theirs["loop_ts"] {
            said["loop_ts"] = Value::Null;
            theirs["loop_ts"] = Value::Null;
        }
        ensure!(said == theirs, "{words:?}: the driver says {theirs}, the command line {said}");
        Ok(())
    }

    fn live(&mut self, workspace: &Path) -> anyhow::Result<Vec<Value>> {
        let mut meaning = self.meanings(&[workspace.to_path_buf()])?;
        let leases = meaning[0]["replay"].as_array_mut().map(std::mem::take);
        Ok(leases.unwrap_or_default())
    }

    fn meanings(&mut self, workspaces: &[PathBuf]) -> anyhow::Result<Value> {
        let journals: Vec<PathBuf> =
            workspaces.iter().map(|workspace| workspace.join(JOURNAL)).collect();
        self.world.ask(json!({"journals": journals}), "live")
    }

    /// Both journals mean the same to the original.
    fn compare_state(&mut self) -> Step {
        let both = self.meanings(&[self.ours.clone(), self.original.clone()])?;
        if let Err(mismatch) = self.compare("seq after a step", &both[0]["seq"], &both[1]["seq"]) {
            return Ok(Err(mismatch));
        }
        let kinds = self.kinds.clone();
        let ours = timeless(&both[0]["replay"], &kinds);
        let theirs = timeless(&both[1]["replay"], &[]);
        Ok(self.compare("live set after a step", &ours, &theirs))
    }

    /// Our command line reads our journal as the original does.
    fn compare_command_lines(&mut self) -> Step {
        let ours = self.ours.clone();
        let read = self.meanings(std::slice::from_ref(&ours))?;
        let say = |words: [&str; 2]| self.world.ours(&ours, &words.map(String::from));
        let (replay, seq) = (say(["journal", "replay"])?.json(), say(["journal", "seq"])?.json());
        if let Err(mismatch) = self.compare("replay at the end", &replay, &read[0]["replay"]) {
            return Ok(Err(mismatch));
        }
        Ok(self.compare("seq at the end", &seq, &read[0]["seq"]))
    }
}

fn loop_of(lease: &Value) -> String {
    lease["loop_ts"].as_str().unwrap_or_default().to_string()
}

/// Leases without what depends on the time and the program, with the kinds that were asked for.
fn timeless(leases: &Value, kinds: &[(String, String, String)]) -> Value {
    let mut leases = leases.clone();
    for lease in leases.as_array_mut().into_iter().flatten() {
        let (lane, loop_ts) = (lane_of(lease), loop_of(lease));
        let asked = kinds.iter().find(|(l, stamp, _)| (l, stamp) == (&lane, &loop_ts));
        if let Some((_, _, kind)) = asked {
            lease["lane_kind"] = kind.as_str().into();
        }
        let beaten = !lease["heartbeat_at"].is_null();
        if let Some(object) = lease.as_object_mut() {
            for field in ["acquired_at", "heartbeat_at", "pid", "host_id", "token"] {
                object.remove(field);
            }
            if !LOOPS.contains(&loop_ts.as_str()) && !loop_ts.starts_with('H') {
                object.insert("loop_ts".into(), "the time".into());
            }
            object.insert("beaten".into(), beaten.into());
        }
    }
    leases
}
