//! Invariant 7: a verdict is a function of its inputs.

use dos_core::config::Config;
use dos_core::journal::LiveSet;
use dos_core::journal::compaction::compact;
use dos_core::journal::live_set::replay;
use dos_core::lane::command::Acquire;
use dos_core::lane::decide::live_leases;
use dos_core::lane::{Command, Outcome, decide};
use proptest::prelude::*;
use proptest::sample::select;

use crate::conflicts::Rule;
use crate::journals::whole_lines;
use crate::scripts::Rules;
use crate::values::{MINUTE, acquire, adopt, after, bytes_of, cases, claim, heartbeat, scavenge};

fn commands() -> Vec<Command> {
    let mut commands = Vec::new();
    for lane in ["", "src", "SRC", "docs", "5", "solo", "hot"] {
        let recorded = Acquire { record_refusal: true, ..acquire(lane, "src") };
        commands.extend([
            Command::Acquire(recorded),
            Command::Release(claim(lane, "src")),
            heartbeat(lane, "docs"),
            adopt(lane, "p", None),
            adopt(lane, "p", Some("src")),
            scavenge(lane),
        ]);
    }
    commands
}

proptest! {
    #![proptest_config(cases(1500))]

    /// Decides on one history twice, each time with everything built anew.
    #[test]
    fn invariant_7_a_verdict_is_a_function_of_its_inputs(
        lines in whole_lines(),
        command in select(commands()),
        rule in select(vec![Rule::Exact, Rule::Prefix]),
        minutes in select(vec![0, 1, 54, 56, 5000]),
    ) {
        let journal = lines.concat();
        let moment = after(minutes * MINUTE);
        let verdict = |live: &LiveSet| {
            let decision = decide(live, &command, &moment, &Rules::new(rule, 2).policy);
            let lines = decision.as_ref().map(|decision| bytes_of(&decision.entries));
            let text = match decision.as_ref().map(|decision| &decision.outcome) {
                Ok(Outcome::Refused(refusal)) => format!(
                    "{} {}", refusal.explain(moment.now), refusal.blockers_json(moment.now)
                ),
                other => format!("{other:?}"),
            };
            (decision.clone(), lines.ok(), text)
        };
        let live = replay(&journal);
        let first = verdict(&live);
        prop_assert_eq!(&verdict(&live), &first, "deciding changes nothing");
        prop_assert_eq!(&verdict(&replay(&journal)), &first);
        prop_assert_eq!(&verdict(&live.clone()), &first);
        let again = replay(&journal);
        prop_assert_eq!(live_leases(&live, &moment), live_leases(&again, &moment));
        prop_assert_eq!(bytes_of(&compact(&journal)), bytes_of(&compact(&journal)));
    }

    #[test]
    fn invariant_7_a_configuration_is_a_function_of_its_text(text in "(\\[lanes\\]\n|[a-z]{1,4} = (1|\"x\"|\\[\\])\n){0,6}") {
        let (one, two) = (Config::parse(&text), Config::parse(&text));
        prop_assert_eq!(one.findings, two.findings);
        prop_assert_eq!(one.policy.lanes, two.policy.lanes);
    }
}
