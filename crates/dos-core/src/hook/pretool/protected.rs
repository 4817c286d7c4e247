//! What no agent may write, and the ways to it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::LazyCell;

use super::place::below;
use super::{Advice, Evidence, Place, Reach, Touch, meets};
use crate::hook::guard::GuardPolicy;
use crate::lane::region::Region;

/// The first place that no agent may write, and the pattern that says so; `None` for a part of the
/// referee itself. Of what is only `handed` on, the workspace itself proves nothing.
pub(super) fn protected<'t>(
    evidence: &Evidence<'_>,
    policy: &GuardPolicy,
    touches: impl Iterator<Item = &'t Touch>,
    handed: bool,
) -> Option<(String, Option<String>)> {
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
            let machinery = evidence.machinery.iter().any(|file| {
                below(name, file, case).is_some()
                    || (takes_all && below(file, name, case).is_some())
            });
            let met = |path, region: &Region| {
                let place = Place { touch, path };
                meets(region, &place, case).filter(|meeting| meeting.doubt.is_none())
            };
            let of_root = |path: String| {
                let mut ways = patterns().filter(|text| is_entry && !is_of_home(text));
                let way = ways.find_map(|pattern| leads_to(&path, pattern));
                met(path, &here).map(|meeting| meeting.held).or(way)
            };
            let of_home = |path: String| {
                let mut ways = patterns().filter(|_| is_entry).filter_map(of_home);
                let way = ways.find_map(|pattern| leads_to(&path, &pattern));
                met(path, &home).map(|meeting| meeting.held).or(way)
            };
            let below_home = || below(name, evidence.home?, case);
            let held = below(name, evidence.root, case)
                .and_then(of_root)
                .or_else(|| below_home().and_then(of_home));
            if machinery || held.is_some() {
                return Some((touch.shown.clone(), held));
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

/// Why no agent may write it.
pub(super) fn rule(pattern: Option<&str>) -> String {
    match pattern {
        Some(pattern) => format!("it is protected (`{pattern}`)"),
        None => "it is a part of the referee itself".to_string(),
    }
}

pub(super) fn self_modify(shown: &str, pattern: Option<&str>) -> Advice {
    let rule = rule(pattern);
    let text = format!(
        "DOS denies this call: no agent may write {shown}; {rule}, because it says what agents may \
         do here. Go on without changing it, by whatever tool. If it must change, say so and let a \
         person do it; a person can take it out of `protected` under [guard] in dos.toml."
    );
    Advice { reason_class: "SELF_MODIFY", text, lane: None }
}
