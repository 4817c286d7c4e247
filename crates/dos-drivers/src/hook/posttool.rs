//! After a tool ran: does it answer the same again and again?

use dos_core::hook::Step;
use dos_core::hook::tool_stream::{self, StreamVerdict};
use dos_core::timestamp::Timestamp;
use dos_core::verdict::VerdictEvent;
use dos_store::clock::Clock;
use dos_store::disk::RealDisk;
use dos_store::sessions::{Kept, SessionLog, SessionName};
use dos_store::workspace::Environment;
use dos_store::{StoreError, Workspace};

use super::{Answer, Caller};
use crate::host::{Moment, Word};

/// A line of a stream is shorter than this, or its tool has a name that nobody gave it.
const STEP_BYTES: u64 = 1024;
/// So many steps are looked at besides those that the policy asks for.
const STEPS_SPARE: u64 = 8;

impl<E: Environment> Caller<'_, E> {
    /// Answers a host after a tool ran.
    pub fn posttool(&self, input: &[u8]) -> Answer {
        let nothing = |remark: &str| Answer::because(remark).says(self.pass(Moment::Post));
        let Some(event) = self.event(input, Moment::Post) else {
            return nothing("no event of a call that ran");
        };
        let Some(session) = event.session.as_deref().and_then(SessionName::new) else {
            return nothing("the event names no session, so that nothing can be counted");
        };
        let start = self.start(Some(&event));
        let opened = self.open(&self.root(&start).unwrap_or(start));
        let now = self.clock.now();
        let (Ok(workspace), Ok(now)) = (opened, now) else {
            return nothing("there is no workspace that can be read");
        };
        let step = Step::of_call(&event.tool, &event.input, event.result.as_ref());
        let verdict = match self.counted(&workspace, &session, step, now) {
            Ok(verdict) => verdict,
            Err(error) => return nothing(&format!("the call could not be counted: {error}")),
        };
        let answer = match verdict.advice() {
            Some(advice) => {
                let said = self.host.say(Word::Warn(&advice), Moment::Post);
                Answer::because(advice).says(said)
            }
            None => nothing("the tool brings something new"),
        };
        let row = VerdictEvent::new("posttool", verdict.state.token())
            .about(&event.tool)
            .with("run", verdict.run)
            .with("session", event.session.as_deref());
        answer.observed(workspace, row)
    }

    /// Adds the step to its session's stream; what it looks like now.
    fn counted(
        &self,
        workspace: &Workspace,
        session: &SessionName,
        step: Step,
        now: Timestamp,
    ) -> Result<StreamVerdict, StoreError> {
        let policy = &workspace.config.tool_stream;
        let log = SessionLog::new(workspace, RealDisk, Kept::Stream, session);
        let steps = u64::from(policy.stall_n).saturating_add(STEPS_SPARE);
        let tail = log.tail(steps.saturating_mul(STEP_BYTES))?;
        let mut before = tail.rsplit(|byte| *byte == b'\n').filter_map(Step::read).peekable();
        let index = match before.peek() {
            Some((_, Some(index))) => index.saturating_add(1),
            None if tail.is_empty() => 0,
            // Whoever wrote the last one did not number it.
            _ => log.count(|line| Step::read(line).is_some())?,
        };
        let latest_first = std::iter::once(step.clone()).chain(before.map(|(step, _)| step));
        let verdict = tool_stream::classify(latest_first.take(steps as usize), policy);
        log.append(&step.record(index, &verdict, self.run_id().as_deref(), now))?;
        Ok(verdict)
    }
}
