//! When the agent wants to end its turn: may it wait once more?

use dos_core::hook::marker::{self, Arming, Budget};
use dos_core::hook::{Event, Tally};
use dos_core::verdict::VerdictEvent;
use dos_store::clock::Clock;
use dos_store::disk::RealDisk;
use dos_store::sessions::{Kept, SessionLog, SessionName};
use dos_store::workspace::Environment;

use super::{Answer, Caller};
use crate::host::{Moment, Word};

/// A line of a tally is shorter than this.
const MARK_BYTES: u64 = 512;
/// So many are looked at besides those of the budget.
const MARKS_SPARE: u64 = 8;

/// How the hook is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MarkerCall {
    /// The turn made progress: the tally starts anew.
    pub reset: bool,
    /// It is a stop in a loop, whatever the environment says.
    pub in_loop: bool,
    /// The budget, instead of that of `dos.toml`.
    pub max_markers: Option<u32>,
    /// Answer programs, not a host.
    pub json: bool,
}

impl<E: Environment> Caller<'_, E> {
    /// Answers a host at a stop.
    pub fn marker(&self, input: &[u8], how: MarkerCall) -> Answer {
        let nothing = |remark: &str| Answer::because(remark).says(self.pass(Moment::Stop));
        let event = self.event(input, Moment::Stop);
        let session = event.as_ref().and_then(|event| event.session.as_deref()).or(self.session);
        let Some(session) = session.and_then(SessionName::new) else {
            return nothing("the event names no session, so that nothing can be counted");
        };
        let start = self.start(event.as_ref());
        let opened = self.open(&self.root(&start).unwrap_or(start));
        let (Ok(workspace), Ok(now)) = (opened, self.clock.now()) else {
            return nothing("there is no workspace that can be read");
        };
        let log = SessionLog::new(&workspace, RealDisk, Kept::Markers, &session);
        let run_id = self.run_id();
        if how.reset {
            let reset = log.append(&marker::reset_record(run_id.as_deref(), now));
            return match reset {
                Ok(()) => nothing("the tally starts anew"),
                Err(error) => nothing(&format!("the tally could not be started anew: {error}")),
            };
        }
        let arming = self.arming(event.as_ref(), how.in_loop, &workspace.config.marker);
        if !arming.is_armed() {
            return nothing(&arming.to_string());
        }
        let most = how.max_markers.unwrap_or(workspace.config.marker.max_streak);
        let window = u64::from(most).saturating_add(MARKS_SPARE).saturating_mul(MARK_BYTES);
        let tally = match log.tail(window) {
            Ok(tail) => Tally::read(&tail),
            Err(error) => return nothing(&format!("the tally cannot be read: {error}")),
        };
        let budget = Budget::after(tally.waited, most);
        if budget.allows {
            // First the count: a turn is not held open that nobody counted.
            let counted = log.append(&marker::marker_record(&budget, run_id.as_deref(), now));
            if let Err(error) = counted {
                return nothing(&format!("the turn could not be counted: {error}"));
            }
        }
        let said = match (how.json, budget.allows) {
            (true, _) => Some(budget.to_json()),
            (false, true) => self.host.say(Word::Deny(&budget.held_open()), Moment::Stop),
            (false, false) => self.pass(Moment::Stop),
        };
        let row = VerdictEvent::new("marker", budget.token())
            .with("markers_emitted", budget.spent)
            .with("max_markers", budget.most);
        Answer::because(format!("{budget} ({arming})")).says(said).observed(workspace, row)
    }

    fn arming(
        &self,
        event: Option<&Event>,
        in_loop: bool,
        policy: &dos_core::hook::MarkerPolicy,
    ) -> Arming {
        let active = event.is_some_and(|event| event.stop_hook_active);
        let set: Vec<(&String, String)> = policy
            .arm_on_env
            .iter()
            .filter_map(|name| Some((name, self.environment.variable(name).ok()??)))
            .collect();
        let variable = |name: &str| {
            set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
        };
        marker::decide(active, in_loop, variable, policy)
    }
}
