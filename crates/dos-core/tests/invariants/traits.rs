//! The two traits that an embedding program may implement are asked, and quoted in refusals.

use std::cell::RefCell;
use std::rc::Rc;

use dos_core::journal::LiveSet;
use dos_core::lane::admission::{AdmissionPredicate, Candidate};
use dos_core::lane::overlap::{Meeting, OverlapPolicy};
use dos_core::lane::{Cause, Command, Lease, Policy, Tree};

use crate::values::{acquire, after, granted, lanes, policy, refused, run};

/// Refuses one lane, and remembers what it was asked.
struct Closed {
    name: &'static str,
    lane: &'static str,
    asked: Rc<RefCell<Vec<String>>>,
}

impl AdmissionPredicate for Closed {
    fn name(&self) -> &str {
        self.name
    }

    fn objection(&self, candidate: &Candidate<'_>, live: Option<&Lease>) -> Option<String> {
        let beside = live.map_or("nobody".into(), Lease::lane);
        self.asked.borrow_mut().push(format!("{}: {} beside {beside}", self.name, candidate.lane));
        (candidate.lane == self.lane).then(|| format!("{} is closed", candidate.lane))
    }
}

/// The policy of three lanes with a condition for each pair of name and closed lane.
fn conditioned(closed: &[(&'static str, &'static str)]) -> (Policy, Rc<RefCell<Vec<String>>>) {
    let asked = Rc::new(RefCell::new(Vec::new()));
    let mut policy = policy(&[("src", &["src/**"]), ("docs", &["docs/**"]), ("etc", &["etc/**"])]);
    for (name, lane) in closed {
        let condition = Closed { name, lane, asked: Rc::clone(&asked) };
        policy.conditions.predicates.push(Box::new(condition));
    }
    (policy, asked)
}

fn condition(name: &str, reason: &str) -> Cause {
    Cause::Condition { name: name.to_string(), reason: reason.to_string() }
}

#[test]
fn a_condition_refuses_and_is_named_in_the_refusal() {
    let (policy, asked) = conditioned(&[("maintenance", "docs")]);
    let mut live = LiveSet::default();
    let docs = Command::Acquire(acquire("docs", "p"));
    let refusal = refused(run(&mut live, &docs, &after(0), &policy));
    assert_eq!(refusal.cause, condition("maintenance", "docs is closed"));
    assert_eq!(refusal.cause.token(), "CONDITION");
    assert_eq!(
        refusal.explain(after(0).now),
        "Condition maintenance refuses: docs is closed. Ask whoever set up this condition."
    );
    assert_eq!(*asked.borrow(), ["maintenance: docs beside nobody"]);
    granted(run(&mut live, &Command::Acquire(acquire("src", "p")), &after(0), &policy));
    let refusal = refused(run(&mut live, &docs, &after(0), &policy));
    assert_eq!(refusal.blockers[0].lease.lane(), "src", "asked about the lease it objects to");
    assert_eq!(asked.borrow().last().unwrap(), "maintenance: docs beside src");
}

#[test]
fn invariant_7_conditions_are_asked_in_the_order_in_which_they_were_set_up() {
    for (names, first) in [(["a", "b"], "a"), (["b", "a"], "b")] {
        let (policy, asked) = conditioned(&names.map(|name| (name, "docs")));
        let mut live = LiveSet::default();
        let docs = Command::Acquire(acquire("docs", "p"));
        let refusal = refused(run(&mut live, &docs, &after(0), &policy));
        assert_eq!(refusal.cause, condition(first, "docs is closed"));
        assert_eq!(asked.borrow().len(), 1, "the first objection decides");
    }
}

#[test]
fn a_picked_lane_passes_over_what_a_condition_refuses() {
    let (policy, _) = conditioned(&[("maintenance", "src"), ("audit", "docs")]);
    let mut live = LiveSet::default();
    let grant = granted(run(&mut live, &Command::Acquire(acquire("", "p")), &after(0), &policy));
    assert_eq!(grant.lease.lane(), "etc");
    assert!(grant.admission.auto_picked);
}

#[test]
fn force_skips_conditions() {
    let (policy, asked) = conditioned(&[("maintenance", "docs")]);
    let mut forced = acquire("docs", "p");
    forced.request.force = true;
    granted(run(&mut LiveSet::default(), &Command::Acquire(forced), &after(0), &policy));
    assert!(asked.borrow().is_empty());
}

/// Trees meet when both have a pattern with the same first letter.
struct FirstLetter;

impl OverlapPolicy for FirstLetter {
    fn name(&self) -> &'static str {
        "first-letter"
    }

    fn meeting(&self, requested: &Tree, held: &Tree) -> Option<Meeting> {
        requested.patterns().iter().find_map(|ours| {
            let first = |text: &str| text.chars().next();
            let theirs = held.patterns().iter().find(|theirs| first(theirs) == first(ours))?;
            let witness = first(ours).map(String::from);
            let (requested, held) = (ours.clone(), theirs.clone());
            Some(Meeting { requested, held, witness, doubt: None })
        })
    }
}

#[test]
fn an_overlap_policy_of_the_embedding_program_decides_and_is_quoted() {
    let declared = lanes(&[("src", &["src/**"]), ("spec", &["x", "spec/**"]), ("docs", &["docs"])]);
    let mut policy = Policy::new(declared, Box::new(FirstLetter));
    let asked = Rc::new(RefCell::new(Vec::new()));
    let closed = Closed { name: "late", lane: "spec", asked: Rc::clone(&asked) };
    policy.conditions.predicates.push(Box::new(closed));
    assert_eq!(policy.conditions.overlap.name(), "first-letter");
    let mut live = LiveSet::default();
    granted(run(&mut live, &Command::Acquire(acquire("src", "p")), &after(0), &policy));
    let spec = Command::Acquire(acquire("spec", "q"));
    let refusal = refused(run(&mut live, &spec, &after(0), &policy));
    assert_eq!(refusal.cause, Cause::TreeOverlap, "overlap comes before conditions");
    let text = refusal.explain(after(0).now);
    assert!(text.contains("pattern `spec/**` meets `src/**` at s"), "{text}");
    let docs = Command::Acquire(acquire("docs", "q"));
    granted(run(&mut live, &docs, &after(0), &policy));
}
