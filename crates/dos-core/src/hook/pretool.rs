//! May this call run? Evidence in, decision out.
//!
//! A call is denied only when it is proved that it writes what somebody else holds, or what no
//! agent may write. What is merely likely is advice, and what is fine is silence.

mod place;
mod protected;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

use crate::hook::guard::{GuardPolicy, Strictness};
use crate::json::Object;
use crate::lane::Case;
use crate::lane::index::{Ends, EndsIndex};
use crate::lane::lease::{Lease, ProcessId};
use crate::lane::overlap::Meeting;
use crate::lane::pattern::RepoPath;
use crate::lane::refusal::Blocker;
use crate::lane::region::Region;
use crate::timestamp::Timestamp;
use place::{below, region_of};
use protected::{protected, self_modify};

/// A place that the call writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touch {
    /// How the call names it.
    pub shown: String,
    /// Its absolute names, without `.`, `..` or links: that of a link and that of what it leads to.
    pub names: Vec<String>,
    /// What of it.
    pub reach: Reach,
}

/// What of a place is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// The place itself.
    #[default]
    Itself,
    /// It and everything below it.
    Below,
    /// Something in it, and nobody can tell what.
    Inside,
    /// Its entry: its name, its owner, its mode. That of a folder is the way to all that is below it.
    Entry,
}

/// A program that runs any code it is given, and where in the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The program.
    pub program: String,
    /// The part of the command, for people.
    pub place: String,
}

/// What a call does, with names resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doings {
    /// What it writes for certain.
    pub touches: Vec<Touch>,
    /// What it does to the whole checkout, as people name it: `git stash`.
    pub checkout_ops: Vec<String>,
    /// Checkouts of which such an operation takes all there is, committed or not. Who holds lanes in
    /// them is the business of `checkout_ops`.
    pub sweeps: Vec<Touch>,
    /// Why nobody knows all that it writes; `None` when it is known.
    pub unknown: Option<String>,
    /// Is code handed to a program in the command itself?
    pub runs_inline_code: bool,
    /// Paths that are handed to what nobody can tell the writes of.
    pub handed: Vec<Touch>,
    /// Holders whose lanes it gives away.
    pub frees: Vec<String>,
    /// What runs any code.
    pub grants: Option<Grant>,
}

/// Who makes the call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asker {
    /// Names that it may hold lanes under: the session, the owner that the environment names.
    pub names: Vec<String>,
    /// Its run.
    pub runs: Vec<String>,
    /// The processes that the hook descends from.
    pub ancestors: Vec<ProcessId>,
}

impl Asker {
    /// Is it the holder of the lease?
    pub fn holds(&self, lease: &Lease) -> bool {
        let is_named = |name: Option<&str>, names: &[String]| {
            name.is_some_and(|name| !name.is_empty() && names.iter().any(|ours| ours == name))
        };
        is_named(lease.holder(), &self.names)
            || is_named(lease.holder(), &self.runs)
            || is_named(lease.run_id(), &self.runs)
            || (!self.ancestors.is_empty()
                && lease.named_process().is_some_and(|process| self.ancestors.contains(&process)))
    }
}

/// All that the decision goes by.
pub struct Evidence<'a> {
    /// What the call does.
    pub doings: &'a Doings,
    /// Who makes it.
    pub asker: &'a Asker,
    /// The live leases.
    pub leases: &'a [&'a Lease],
    /// The root of the workspace, absolute and without links.
    pub root: &'a str,
    /// Which work tree of its repository that is, where several share a state.
    pub worktree_id: Option<&'a str>,
    /// Is the agent in another workspace, so that its commands have to name this one?
    pub is_away: bool,
    /// The user's home folder, for protected patterns that start with `~/`.
    pub home: Option<&'a str>,
    /// The built-in protected patterns.
    pub protected: &'a [&'a str],
    /// Files and folders of the referee itself, by their absolute names.
    pub machinery: &'a [String],
    /// Do letters of different case name one file?
    pub case: Case,
    /// The time.
    pub now: Timestamp,
}

/// What the agent is told, and what is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    /// The typed reason.
    pub reason_class: &'static str,
    /// The sentences for the agent.
    pub text: String,
    /// The lane that is in the way.
    pub lane: Option<String>,
}

/// What becomes of the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It runs, and nothing is said.
    Pass,
    /// It runs, and the agent is told.
    Warn(Advice),
    /// It does not run.
    Deny(Advice),
}

impl Decision {
    /// What is said, if anything is.
    pub fn advice(&self) -> Option<&Advice> {
        match self {
            Self::Pass => None,
            Self::Warn(advice) | Self::Deny(advice) => Some(advice),
        }
    }

    /// The proposal that an ENFORCE record keeps; `None` when there is nothing to record.
    pub fn proposal(&self) -> Option<Object> {
        let (intervention, word, dispatch) = match self {
            Self::Pass => return None,
            Self::Warn(_) => ("WARN", "warn", true),
            Self::Deny(_) => ("BLOCK", "deny", false),
        };
        let advice = self.advice()?;
        let proposal = json!({
            "intervention": intervention,
            "dispatch_call": dispatch,
            "handler": "guard",
            "rung": "admission",
            "decision": word,
            "reason": advice.text,
            "reason_class": advice.reason_class,
        });
        match proposal {
            Value::Object(object) => Some(object),
            _ => None,
        }
    }
}

/// A name of a touched place, relative to a folder.
struct Place<'a> {
    touch: &'a Touch,
    path: String,
}

/// Decides. A denial outweighs every warning; of several warnings the first gives the class.
pub fn decide(evidence: &Evidence<'_>, policy: &GuardPolicy) -> Decision {
    let doings = evidence.doings;
    if let Some(found) = protected(evidence, policy, doings.touches.iter(), false) {
        return Decision::Deny(self_modify(&found));
    }
    if let Some(found) = protected(evidence, policy, doings.sweeps.iter(), false) {
        let mut advice = self_modify(&found);
        advice.text.push_str(" If other files are meant, name their paths in the command.");
        return Decision::Deny(advice);
    }
    let (own, others): (Vec<&Lease>, Vec<&Lease>) =
        evidence.leases.iter().copied().partition(|lease| evidence.asker.holds(lease));
    let mine = Holdings::of(&own, evidence.case);
    let theirs = Holdings::of(&others, evidence.case);
    let places = places(evidence, &doings.touches);
    let mut found: Vec<(Strictness, Advice)> = Vec::new();
    for place in &places {
        match collision(place, &mine, &theirs, evidence) {
            Some((true, advice)) => return Decision::Deny(advice),
            Some((false, advice)) => found.push((Strictness::Warn, advice)),
            None => {}
        }
    }
    let freed = |lease: &&&Lease| {
        lease.holder().is_some_and(|it| doings.frees.iter().any(|holder| holder == it))
    };
    if let Some(lease) = others.iter().find(freed) {
        found.push((Strictness::Warn, free(lease, evidence.now)));
    }
    if let Some(grant) = &doings.grants {
        found.push((policy.exec, exec(grant)));
    }
    let works_here = |lease: &&Lease| lease.works_in(evidence.root, evidence.worktree_id);
    let hit: Vec<&Lease> = others.iter().copied().filter(works_here).collect();
    if !doings.checkout_ops.is_empty() && !hit.is_empty() {
        found.push((policy.checkout_ops, checkout(&doings.checkout_ops, &hit, evidence.now)));
    }
    if let Some(place) = places.iter().find(|place| !mine.is_empty() && !mine.may_write(place)) {
        found.push((policy.outside_lane, outside(place, &own, &mine)));
    }
    found.retain(|(strictness, _)| *strictness != Strictness::Off);
    if let Some(at) = found.iter().position(|(strictness, _)| *strictness == Strictness::Deny) {
        return Decision::Deny(found.swap_remove(at).1);
    }
    if found.is_empty()
        && policy.unknown != Strictness::Off
        && let Some(advice) = unknown(evidence, policy, &mine, &theirs)
    {
        return Decision::Warn(advice);
    }
    let mut found = found.into_iter().map(|(_, advice)| advice);
    let Some(mut first) = found.next() else {
        return Decision::Pass;
    };
    for more in found {
        first.text.push('\n');
        first.text.push_str(&more.text);
    }
    Decision::Warn(first)
}

/// The touched places inside the workspace.
fn places<'a>(evidence: &Evidence<'_>, touches: &'a [Touch]) -> Vec<Place<'a>> {
    let place = |touch: &'a Touch, name: &String| {
        Some(Place { touch, path: below(name, evidence.root, evidence.case)? })
    };
    let of = |touch: &'a Touch| touch.names.iter().filter_map(move |name| place(touch, name));
    touches.iter().flat_map(of).collect()
}

/// A region and a place that it meets: which pattern, and which path.
fn meets(region: &Region, place: &Place<'_>, case: Case) -> Option<Meeting> {
    let reach = place.touch.reach;
    if matches!(reach, Reach::Itself | Reach::Entry)
        && let Some(meeting) = meets_itself(region, place, case)
    {
        return Some(meeting);
    }
    if reach != Reach::Itself {
        let here = region_of(&place.path, case)?;
        let meeting = Meeting::from(here.meets(region)?);
        // Of something in a folder only so much is known: it is there.
        let owns_all = || probes(&place.path).iter().all(|probe| region.matches(probe));
        if reach != Reach::Below && !owns_all() {
            return None;
        }
        return Some(Meeting { requested: place.path.clone(), ..meeting });
    }
    None
}

/// A region and a place of which only the path counts.
fn meets_itself(region: &Region, place: &Place<'_>, case: Case) -> Option<Meeting> {
    let path = RepoPath::new(&place.path, case)?;
    let clause = region.clauses().get(region.decided_by(&path)?)?;
    if clause.takes_away() {
        return None;
    }
    let doubt = clause.pattern().is_err().then_some(crate::lane::region::Doubt::Unreadable);
    Some(Meeting {
        requested: place.path.clone(),
        held: clause.text().to_string(),
        witness: doubt.is_none().then(|| place.path.clone()),
        doubt,
    })
}

/// Names below a path that no pattern spells out: whoever owns them is taken to own all there is.
fn probes(path: &str) -> [String; 2] {
    [format!("{path}/\u{1}"), format!("{path}/\u{1}/\u{1}")]
        .map(|probe| probe.trim_start_matches('/').to_string())
}

/// Leases, ready to be asked which of them a place meets.
struct Holdings<'a> {
    leases: &'a [&'a Lease],
    index: EndsIndex<'a>,
    case: Case,
}

impl<'a> Holdings<'a> {
    fn of(leases: &'a [&'a Lease], case: Case) -> Self {
        let mut keys = Vec::new();
        for (number, lease) in (0..).zip(leases) {
            Ends::of_tree(&mut lease.patterns(), case, &mut |ends| keys.push((ends, number)));
        }
        Self { leases, index: EndsIndex::of(keys), case }
    }

    fn is_empty(&self) -> bool {
        self.leases.is_empty()
    }

    /// The leases that the place meets.
    fn met(&self, place: &Place<'_>) -> Vec<(&'a Lease, Meeting)> {
        if self.is_empty() {
            return Vec::new();
        }
        let near: Vec<&Lease> = match region_of(&place.path, self.case) {
            Some(region) => {
                let mut numbers: Vec<u32> = Vec::new();
                for prefix in region.prefixes() {
                    let ends = Ends { prefix: prefix.into(), ..Ends::default() };
                    numbers.extend(self.index.matching(&ends));
                }
                numbers.sort_unstable();
                numbers.dedup();
                let near = numbers.into_iter();
                near.filter_map(|number| self.leases.get(number as usize).copied()).collect()
            }
            None => self.leases.to_vec(),
        };
        near.into_iter()
            .filter_map(|lease| {
                let region = Region::read(lease.patterns(), self.case);
                Some((lease, meets(&region, place, self.case)?))
            })
            .collect()
    }

    /// Does a lease that may write own the path?
    fn owns(&self, path: &str) -> bool {
        let writing = self.leases.iter().filter(|lease| !lease.is_shared());
        writing.into_iter().any(|lease| Region::read(lease.patterns(), self.case).matches(path))
    }

    /// Is the place in a lane that may be written? The folder of a lane is.
    fn may_write(&self, place: &Place<'_>) -> bool {
        !place.path.is_empty() && (self.owns(&place.path) || self.owns_below(&place.path))
    }

    /// Do the leases own all that there can be below the path?
    fn owns_below(&self, path: &str) -> bool {
        probes(path).iter().all(|probe| self.owns(probe))
    }
}

/// What else is there to be said of the place: `true` for a proof.
fn collision(
    place: &Place<'_>,
    mine: &Holdings<'_>,
    theirs: &Holdings<'_>,
    evidence: &Evidence<'_>,
) -> Option<(bool, Advice)> {
    let mut doubtful = None;
    for (lease, meeting) in theirs.met(place) {
        // Under `prefix` two leases may share paths: nobody is denied what is also its own.
        let shared = meeting.witness.as_deref().unwrap_or(&place.path);
        if mine.owns(shared) {
            continue;
        }
        let proved = meeting.doubt.is_none();
        let advice = in_the_way(place, lease, meeting, evidence);
        if proved {
            return Some((true, advice));
        }
        doubtful.get_or_insert((false, advice));
    }
    doubtful
}

fn in_the_way(
    place: &Place<'_>,
    lease: &Lease,
    meeting: Meeting,
    evidence: &Evidence<'_>,
) -> Advice {
    let proved = meeting.doubt.is_none();
    let blocker = Blocker { lease: lease.clone(), meeting: Some(meeting) };
    let holder = lease.holder().unwrap_or("its holder");
    let lane = lease.lane().into_owned();
    let you = evidence.asker.names.first().map_or("YOUR-NAME", String::as_str);
    let shown = &place.touch.shown;
    let opening = match (proved, lease.is_shared()) {
        (true, false) => format!("DOS denies this call: {shown} is in a lane of somebody else."),
        (true, true) => {
            format!("DOS denies this call: {shown} is in a lane that somebody else reads.")
        }
        (false, _) => format!("DOS: {shown} may be in a lane of somebody else."),
    };
    let place = match evidence.is_away {
        true => format!(" --workspace {}", word(evidence.root)),
        false => String::new(),
    };
    let text = format!(
        "{opening} {} Leave it alone, by whatever tool: work on files outside of that lane, or ask \
         {holder} to release it, or wait for it: dos lease-lane acquire{place} --lane {} --owner {} \
         --wait 10m",
        blocker.sentence(evidence.now),
        word(&lane),
        word(you),
    );
    Advice { reason_class: "TREE_OVERLAP", text, lane: Some(lane) }
}

/// A word as a shell reads it.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:@".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_string(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

/// Advice to whoever gives away what others hold.
fn free(lease: &Lease, now: Timestamp) -> Advice {
    let blocker = Blocker { lease: lease.clone(), meeting: None };
    let text = format!(
        "DOS: this gives away a lane of somebody else. {} Unless its holder asked for that, leave it \
         alone, or wait for it (--wait 10m).",
        blocker.sentence(now),
    );
    Advice { reason_class: "LANE_HELD", text, lane: Some(lease.lane().into_owned()) }
}

/// Advice where nobody can tell who holds what, because the journal cannot be read.
pub fn blind(error: &str) -> Advice {
    let text = format!(
        "DOS: nobody can tell who holds what here: {error}. The call is not held back; let a person \
         mend that (dos doctor) before you write what others may be working on."
    );
    Advice { reason_class: "UNREADABLE", text, lane: None }
}

fn exec(grant: &Grant) -> Advice {
    let Grant { program, place } = grant;
    let text = format!(
        "DOS: this command runs any code that it is given: {program}, in `{place}`. [guard] exec in \
         dos.toml asks for commands that say what they do: use a tool of the host, or a program \
         that does one thing."
    );
    Advice { reason_class: "EXEC_CAPABILITY", text, lane: None }
}

/// How many holders a sentence names.
const HOLDERS_SHOWN: usize = 5;

fn checkout(ops: &[String], others: &[&Lease], now: Timestamp) -> Advice {
    let mut text =
        format!("DOS: {} changes the whole checkout, which others work in.", ops.join(", "));
    for lease in others.iter().take(HOLDERS_SHOWN) {
        let blocker = Blocker { lease: (*lease).clone(), meeting: None };
        text.push(' ');
        text.push_str(&blocker.sentence(now));
    }
    if let Some(more) = others.len().checked_sub(HOLDERS_SHOWN).filter(|more| *more > 0) {
        text.push_str(&format!(" And {more} more."));
    }
    text.push_str(
        " Name the paths that you mean (git add PATH, git checkout -- PATH, git stash push -- PATH), \
         or work in a checkout of your own (git worktree add).",
    );
    let lane = others.first().map(|lease| lease.lane().into_owned());
    Advice { reason_class: "CHECKOUT_OP", text, lane }
}

fn outside(place: &Place<'_>, own: &[&Lease], mine: &Holdings<'_>) -> Advice {
    let lanes: Vec<String> =
        own.iter().take(HOLDERS_SHOWN).map(|lease| lease.lane().into_owned()).collect();
    let shown = &place.touch.shown;
    let reads = own.iter().any(|lease| {
        lease.is_shared() && Region::read(lease.patterns(), mine.case).matches(&place.path)
    });
    let text = match reads {
        true => format!(
            "DOS: {shown} is in a lane that you hold for reading only ({}). Take a lane that writes \
             before you change it, so that nobody else changes it too.",
            lanes.join(", ")
        ),
        false => format!(
            "DOS: {shown} is outside of the lane that you hold ({}). Nobody holds it now, but nothing \
             keeps others from writing it too: take a lane that covers it first.",
            lanes.join(", ")
        ),
    };
    Advice { reason_class: "OUTSIDE_LANE", text, lane: lanes.first().cloned() }
}

/// Advice about what cannot be known: when a protected path is handed to it, and, while others hold
/// lanes, when a path of theirs stands in the call, or when it runs code that nobody can read.
fn unknown(
    evidence: &Evidence<'_>,
    policy: &GuardPolicy,
    mine: &Holdings<'_>,
    theirs: &Holdings<'_>,
) -> Option<Advice> {
    let doings = evidence.doings;
    let why = doings.unknown.as_deref()?;
    if let Some(found) = protected(evidence, policy, doings.handed.iter(), true) {
        let text = format!(
            "DOS: it cannot be told what this call writes ({why}). {} stands in it, and {}: no \
             agent may write that. If it writes there, do not run it; else go on.",
            found.shown,
            found.rule(),
        );
        return Some(Advice { reason_class: "UNKNOWN_FOOTPRINT", text, lane: None });
    }
    if theirs.is_empty() {
        return None;
    }
    // What is handed a folder may write in it.
    let below = |touch: &Touch| Touch { reach: Reach::Below, ..touch.clone() };
    let handed: Vec<Touch> = doings.handed.iter().map(below).collect();
    let mentioned = places(evidence, &handed).into_iter().find_map(|place| {
        let (lease, meeting) = theirs.met(&place).into_iter().next()?;
        let shared = meeting.witness.as_deref().unwrap_or(&place.path);
        (!mine.owns(shared)).then(|| (place.touch.shown.clone(), lease, meeting))
    });
    if mentioned.is_none() && !doings.runs_inline_code {
        return None;
    }
    let lane = mentioned.as_ref().map(|(_, lease, _)| lease.lane().into_owned());
    let who = match mentioned {
        Some((shown, lease, meeting)) => {
            let blocker = Blocker { lease: lease.clone(), meeting: Some(meeting) };
            format!("{shown} stands in it: {}", blocker.sentence(evidence.now))
        }
        None => {
            let lanes: Vec<String> = theirs
                .leases
                .iter()
                .take(HOLDERS_SHOWN)
                .map(|lease| {
                    format!("{} ({})", lease.lane(), lease.holder().unwrap_or("nobody named"))
                })
                .collect();
            format!("Others hold {}.", lanes.join(", "))
        }
    };
    let text = format!(
        "DOS: it cannot be told what this call writes ({why}). {who} If it writes there, do not run \
         it; else go on."
    );
    Some(Advice { reason_class: "UNKNOWN_FOOTPRINT", text, lane })
}
