//! What no agent may write, and the ways to it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::LazyCell;

use super::place::below;
use super::{Advice, Evidence, Place, Reach, Touch, meets, meets_itself};
use crate::hook::guard::GuardPolicy;
use crate::lane::region::Region;

/// A place that no agent may write.
pub(super) struct Protected {
    /// How the call names it.
    pub(super) shown: String,
    /// The pattern that says so; `None` for a part of the referee itself.
    pattern: Option<String>,
    /// Is it only the way there?
    leads: bool,
}

/// The first place that no agent may write. Of what is only `handed` on, the workspace itself proves
/// nothing.
pub(super) fn protected<'t>(
    evidence: &Evidence<'_>,
    policy: &GuardPolicy,
    touches: impl Iterator<Item = &'t Touch>,
    handed: bool,
) -> Option<Protected> {
    let mut touches = touches.peekable();
    touches.peek()?;
    let case = evidence.case;
    let patterns = || {
        let own = policy.protected.iter().map(String::as_str);
        evidence.protected.iter().copied().chain(own)
    };
    let here = Region::read(patterns().filter(|text| !is_of_home(text)), case);
    let home = LazyCell::new(|| {
        Region::read(patterns().filter_map(of_home).collect::<Vec<String>>(), case)
    });
    // Whoever closes, moves or replaces a folder does so to all that is below it.
    let leads_to = |path: &str, pattern: &str| {
        let is_way = |rest: String| !(rest.is_empty() || (handed && path.is_empty()));
        (!pattern.starts_with('!') && below(pattern, path, case).is_some_and(is_way))
            .then(|| pattern.to_string())
    };
    for touch in touches {
        let is_entry = handed || touch.reach == Reach::Entry;
        for name in &touch.names {
            let takes_all = matches!(touch.reach, Reach::Below | Reach::Entry);
            let machinery = evidence.machinery.iter().find_map(|file| {
                let is_it = below(name, file, case).is_some();
                let leads = takes_all && below(file, name, case).is_some();
                (is_it || leads).then_some((None, !is_it))
            });
            let met = |path, region: &Region| {
                let place = Place { touch, path };
                let leads = meets_itself(region, &place, case).is_none();
                let met = meets(region, &place, case).filter(|meeting| meeting.doubt.is_none());
                met.map(|meeting| (Some(meeting.held), leads))
            };
            let way = |pattern: String| (Some(pattern), true);
            let of_root = |path: String| {
                let mut ways = patterns().filter(|text| is_entry && !is_of_home(text));
                let lead = ways.find_map(|pattern| leads_to(&path, pattern));
                met(path, &here).or(lead.map(way))
            };
            let of_home = |path: String| {
                let mut ways = patterns().filter(|_| is_entry).filter_map(of_home);
                let lead = ways.find_map(|pattern| leads_to(&path, &pattern));
                met(path, &home).or(lead.map(way))
            };
            let below_home = || below(name, evidence.home?, case);
            let held = below(name, evidence.root, case)
                .and_then(of_root)
                .or_else(|| below_home().and_then(of_home));
            if let Some((pattern, leads)) = held.or(machinery) {
                return Some(Protected { shown: touch.shown.clone(), pattern, leads });
            }
        }
    }
    None
}

fn is_of_home(pattern: &str) -> bool {
    pattern.trim_start_matches('!').starts_with("~/")
}

/// A pattern that starts at the home folder, from there.
fn of_home(pattern: &str) -> Option<String> {
    let rest = pattern.trim_start_matches('!').strip_prefix("~/")?;
    Some(if pattern.starts_with('!') { format!("!{rest}") } else { rest.to_string() })
}

impl Protected {
    /// Why no agent may write it.
    pub(super) fn rule(&self) -> String {
        match (&self.pattern, self.leads) {
            (Some(pattern), true) => format!("it leads to what is protected (`{pattern}`)"),
            (Some(pattern), false) => format!("it is protected (`{pattern}`)"),
            (None, true) => "it leads to a part of the referee itself".to_string(),
            (None, false) => "it is a part of the referee itself".to_string(),
        }
    }
}

pub(super) fn self_modify(protected: &Protected) -> Advice {
    let (shown, rule) = (&protected.shown, protected.rule());
    let text = format!(
        "DOS denies this call: no agent may write {shown}; {rule}, because that says what agents may \
         do here. Go on without changing it, by whatever tool. If it must change, say so and let a \
         person do it; a person can take it out of `protected` under [guard] in dos.toml."
    );
    Advice { reason_class: "SELF_MODIFY", text, lane: None }
}
