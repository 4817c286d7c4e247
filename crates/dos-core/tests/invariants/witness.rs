//! Evidence and states: a delta makes `after` of `before`; the order of witnesses does not count;
//! only what the agent did not write is believed; damage is an error and never a state.

use dos_core::witness::evidence::{Operand, derived};
use dos_core::witness::receipt::{Algorithm, ReceiptError};
use dos_core::witness::rules::Place;
use dos_core::witness::value::canonical;
use dos_core::witness::{
    Accountability, Belief, Claim, EffectClaim, EvidenceSource, Expectation, Facts, Kind, Outcome,
    Receipt, Rules, Sight, Snapshot, Stance, State, StateDiff, StateError, StateReader,
    WitnessRung, diff_state, witness_effect,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A store that is there.
struct Store<'a>(&'a str, WitnessRung);

/// A store that is read in another way.
struct Otherwise<'a>(Store<'a>);

impl StateReader for Otherwise<'_> {
    fn source(&self) -> String {
        self.0.source()
    }
    fn shape(&self) -> String {
        "JSON Lines by /name".to_string()
    }
    fn rung(&self) -> WitnessRung {
        self.0.rung()
    }
    fn read(&mut self) -> Result<State, String> {
        self.0.read()
    }
}

impl StateReader for Store<'_> {
    fn source(&self) -> String {
        "store".to_string()
    }
    fn shape(&self) -> String {
        "a JSON object".to_string()
    }
    fn rung(&self) -> WitnessRung {
        self.1
    }
    fn read(&mut self) -> Result<State, String> {
        State::from_json(self.0.to_string()).map_err(|error| error.to_string())
    }
}

fn value() -> impl Strategy<Value = Value> {
    let plain = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..4).prop_map(Value::from),
        prop_oneof![Just(0.5), Just(-0.0), Just(1.0), Just(1e300), Just(1e-7)]
            .prop_map(Value::from),
        "[a\"\\\\é\u{2028}\n]{0,3}".prop_map(Value::from),
    ];
    plain.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[ab~/é\"]{0,2}", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn states() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map("[a-c \u{e9}\"\n]{0,2}", value(), 0..8)
        .prop_map(|map| map.into_iter().collect())
}

fn state(map: &Map<String, Value>) -> State {
    State::from_json(Value::Object(map.clone()).to_string()).unwrap()
}

fn facts() -> impl Strategy<Value = Vec<Facts>> {
    let stance = prop_oneof![Just(Stance::Attested), Just(Stance::Refuted), Just(Stance::NoSignal)];
    let rung = prop::sample::select(Accountability::ALL.to_vec());
    let one = ("[ab]", rung, stance).prop_map(|(source, accountability, stance)| Facts {
        source,
        accountability,
        stance,
        subject: String::new(),
        detail: String::new(),
    });
    prop::collection::vec(one, 0..6)
}

fn told(facts: &[Facts]) -> (bool, bool, Outcome) {
    let claim = EffectClaim { key: "k".to_string(), ..EffectClaim::default() };
    let belief = Belief::under_floor(facts);
    (belief.believe(), belief.refuted, witness_effect(Some(&claim), facts).outcome)
}

proptest! {
    #[test]
    fn applying_the_delta_to_before_gives_after(before in states(), after in states()) {
        let (before, after) = (state(&before), state(&after));
        let delta = diff_state(&before, &after, &Rules::default());
        let made = delta.apply(&before).unwrap();
        prop_assert!(diff_state(&made, &after, &Rules::default()).changes().is_empty());
        let keys = |state: &State| state.iter().map(|(key, _)| key.to_string()).collect::<Vec<_>>();
        prop_assert_eq!(keys(&made), keys(&after));
    }

    #[test]
    fn nothing_differs_from_itself_however_it_is_written(one in states()) {
        let plain = state(&one);
        let value = Value::Object(one);
        let pretty = State::from_json(serde_json::to_string_pretty(&value).unwrap()).unwrap();
        let spaced = State::from_json(dos_core::json::canonical(&value)).unwrap();
        for other in [&plain, &pretty, &spaced] {
            prop_assert!(diff_state(&plain, other, &Rules::default()).changes().is_empty());
        }
    }

    #[test]
    fn the_delta_is_what_a_map_says(before in states(), after in states()) {
        let (old, new) = (state(&before), state(&after));
        let delta = diff_state(&old, &new, &Rules::default());
        for key in before.keys().chain(after.keys()) {
            let is = delta.of(key).map(|change| change.kind());
            let text = |value: &Value| canonical(&value.to_string()).unwrap();
            let want = match (before.get(key), after.get(key)) {
                (None, Some(_)) => Some(Kind::Inserted),
                (Some(_), None) => Some(Kind::Deleted),
                (Some(one), Some(other)) => (text(one) != text(other)).then_some(Kind::Updated),
                (None, None) => None,
            };
            prop_assert_eq!(is, want);
        }
    }

    #[test]
    fn the_belief_does_not_depend_on_the_order(
        (sorted, shuffled) in facts().prop_flat_map(|facts| (Just(facts.clone()), Just(facts).prop_shuffle()))
    ) {
        prop_assert_eq!(told(&sorted), told(&shuffled));
    }

    #[test]
    fn what_the_agent_says_itself_changes_nothing(
        facts in facts(),
        stance in prop_oneof![Just(Stance::Attested), Just(Stance::Refuted)],
    ) {
        let own = Facts {
            source: "agent".to_string(),
            accountability: Accountability::AgentAuthored,
            stance,
            subject: String::new(),
            detail: String::new(),
        };
        let more: Vec<Facts> = facts.iter().cloned().chain([own]).collect();
        prop_assert_eq!(told(&facts), told(&more));
    }

    #[test]
    fn a_canonical_text_is_its_own(value in value()) {
        let text = canonical(&value.to_string()).unwrap();
        prop_assert_eq!(&canonical(&text).unwrap(), &text);
        let back: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(canonical(&back.to_string()).unwrap(), text);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[\\[\\]{}\",:0-9eE.+\\\\ tu-]{0,40}") {
        let _ = canonical(&text);
        let _ = State::from_json(text.clone());
        let _ = State::from_json_lines(&text, &["a".to_string()]);
        let _ = Expectation::parse(&text);
    }

    #[test]
    fn no_signed_text_belongs_to_two_receipts(
        fields in prop::collection::vec("[ab=\n]{0,4}", 4), other in prop::collection::vec("[ab=\n]{0,4}", 4)
    ) {
        let receipt = |fields: &[String]| {
            let claim = EffectClaim { key: fields[0].clone(), narrated: fields[1].clone(), ..Default::default() };
            let verdict = witness_effect(Some(&claim), &[]);
            Receipt::of(&verdict, &fields[2], &fields[3], Algorithm::HmacSha256)
        };
        if let (Ok(one), Ok(two)) = (receipt(&fields), receipt(&other)) {
            prop_assert_eq!(one.canonical_bytes() == two.canonical_bytes(), one == two);
        }
    }
}

#[test]
fn numbers_are_compared_digit_by_digit() {
    for (one, other) in [
        ("1", "1.0"),
        ("100", "1e2"),
        ("0", "-0.0"),
        ("0", "0e5"),
        ("0.5", "5E-1"),
        ("12.5", "1250e-2"),
        ("1e400", "10E399"),
        ("\"\\u0061\\/\"", "\"a/\""),
        ("{\"b\":1,\"a\":[ ]}", "{ \"a\" : [], \"b\" : 1.00 }"),
    ] {
        assert_eq!(canonical(one).unwrap(), canonical(other).unwrap(), "{one} {other}");
    }
    for (one, other) in [
        ("1", "true"),
        ("0", "false"),
        ("\"1\"", "1"),
        ("9007199254740993", "9007199254740992"),
        ("99999999999999999999999", "99999999999999999999998"),
        ("0.1", "0.10000000000000000001"),
        ("1e400", "1e401"),
        ("{}", "[]"),
        ("null", "\"null\""),
    ] {
        assert_ne!(canonical(one).unwrap(), canonical(other).unwrap(), "{one} {other}");
    }
    for (number, text) in [
        ("0.00012", "0.00012"),
        ("-1.50", "-1.5"),
        ("1E22", "1e22"),
        ("1e-30", "1e-30"),
        ("120e19", "1200000000000000000000"),
    ] {
        assert_eq!(canonical(number).unwrap(), text);
    }
    assert!(canonical("1e99999999999999999999").is_err());
    assert!(canonical(r#""\ud800""#).is_err());
    assert!(canonical(r#"{"a": {"b": 1, "\u0062": 1}}"#).is_err());
}

#[test]
fn what_is_damaged_is_no_state() {
    let nested = |depth: usize| format!("{{\"k\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(State::from_json(nested(128)).is_ok());
    for (text, said) in [
        (nested(129), "128"),
        (nested(100_000), "128"),
        ("{\"k\":".to_string() + &"[".repeat(100_000), "no JSON"),
        ("{\"k\":".repeat(100_000), "no JSON"),
        (String::new(), "no JSON"),
        ("{\"a\":1} x".to_string(), "no JSON"),
        ("{\"a\":NaN}".to_string(), "no JSON"),
        ("[1]".to_string(), "an object of keys"),
        ("null".to_string(), "an object of keys"),
        ("{\"a\":1,\"b\":2,\"a\":1}".to_string(), "\"a\" is there twice"),
        ("{\"a\":1,\"\\u0061\":2}".to_string(), "\"a\" is there twice"),
        ("{\"a\":{\"x\":1,\"x\":1}}".to_string(), "\"x\" twice"),
        ("{\"a\":\"\\ud800\"}".to_string(), "no Unicode"),
        ("{\"a\":\"\\ud800\"}\n".to_string(), "\"a\""),
    ] {
        let error = State::from_json(text).unwrap_err().to_string();
        assert!(error.contains(said), "{error}: {said}");
    }
    for (text, said) in [
        ("{\"id\":1}\n{\"id\":1.0}", "\"1\" is there twice"),
        ("{\"id\":1}\nx", "line 2"),
        ("\n[]", "line 2: it is no object"),
        ("{\"x\":1}", "line 1: it has no field /id"),
        ("{\"id\":[1]}", "no text and no number"),
    ] {
        let error = State::from_json_lines(text, &["id".to_string()]).unwrap_err().to_string();
        assert!(error.contains(said), "{error}: {said}");
    }
    let lines =
        State::from_json_lines("{\"id\":\"b\"}\r\n\n{\"id\":7}", &["id".to_string()]).unwrap();
    assert_eq!(lines.iter().map(|(key, _)| key).collect::<Vec<_>>(), ["7", "b"]);
    let mut builder = State::builder();
    assert!(matches!(builder.insert("a", "{"), Err(StateError::Value { .. })));
    builder.insert("a", " 1 ").unwrap();
    assert_eq!(builder.finish().unwrap().get("a"), Some("1"));
}

#[test]
fn rules_leave_out_what_does_not_count() {
    let rules = Rules {
        ignore: ["etag", "/meta/seen", "/items/*/at"].map(|at| Place::parse(at).unwrap()).into(),
        timestamps: vec![Place::parse("when").unwrap()],
    };
    let differs = |before: &str, after: &str| {
        let state = |value: &str| State::from_json(format!("{{\"k\":{value}}}")).unwrap();
        let (before, after) = (state(before), state(after));
        !diff_state(&before, &after, &rules).changes().is_empty()
    };
    let same = |before, after| assert!(!differs(before, after), "{before} {after}");
    let other = |before, after| assert!(differs(before, after), "{before} {after}");
    same(r#"{"etag":1,"a":1}"#, r#"{"a":1}"#);
    same(r#"{"x":[{"etag":1}]}"#, r#"{"x":[{"etag":2}]}"#);
    same(r#"{"meta":{"seen":1}}"#, r#"{"meta":{"seen":2}}"#);
    other(r#"{"seen":1}"#, r#"{"seen":2}"#);
    same(r#"{"items":[{"at":1},{"at":2}]}"#, r#"{"items":[{"at":3},{"at":4}]}"#);
    other(r#"{"items":[{"at":1},{"at":2}]}"#, r#"{"items":[{"at":3}]}"#);
    let noon = r#"{"when":"2026-01-10T12:00:00Z"}"#;
    same(noon, r#"{"when":"2026-01-10 14:00:00.000+02:00"}"#);
    same(noon, r#"{"when":"2026-01-10T06:30-05:30"}"#);
    other(noon, r#"{"when":"2026-01-10T12:00:01Z"}"#);
    other(noon, r#"{"when":"soon"}"#);
    other(noon, r#"{"when":null}"#);
    same(noon, r#"{"when":"2026-01-10t13:00:00.000000000+0100"}"#);
    same(noon, r#"{"when":"2026-01-10T12:00:00,0z"}"#);
    other(noon, r#"{"when":"2026-01-10T12:00:00.000000001Z"}"#);
    other(noon, r#"{"when":"2026-01-10T12:00:00"}"#);
    let digits =
        |more: &str| format!("{{\"when\":\"1969-07-20T20:17:40.{}{more}Z\"}}", "1".repeat(40));
    same(&digits("2"), &digits("20"));
    other(&digits("2"), &digits("3"));
    for bad in ["", "/a~2", "/a~"] {
        assert!(Place::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn claims_are_judged() {
    let before = r#"{"a": {"status": "new", "n": 1, "x/y": [1, 2]}, "b": 1, "c": 1, "d": {"status": "paid", "n": 1}}"#;
    let after = r#"{"a": {"status": "paid", "n": 1.0, "x/y": [1, 3]}, "b": 1, "e": 5, "d": {"status": "paid", "n": 2}}"#;
    let read = |text| Snapshot::read(&mut Store(text, WitnessRung::OsRecorded)).unwrap();
    let (before, after) = (read(before), read(after));
    let rules = Rules::default();
    let diff = StateDiff::new(&before, &after, &rules).unwrap();
    for (key, expect, outcome) in [
        ("a", &[][..], Outcome::Confirmed),
        ("a", &["changed", "updated", "status=paid"], Outcome::Confirmed),
        ("a", &["/status=\"paid\""], Outcome::Confirmed),
        ("a", &["/x~1y/1=3"], Outcome::Confirmed),
        ("a", &["/x~1y/01=3"], Outcome::Refuted),
        ("a", &["/x~1y/1=3", "inserted"], Outcome::Refuted),
        ("a", &["status=new"], Outcome::Refuted),
        ("a", &["nosuch=1"], Outcome::Refuted),
        // It was so before, so that nobody did it.
        ("a", &["n=1"], Outcome::Refuted),
        ("d", &["status=paid"], Outcome::Refuted),
        ("d", &["n=2"], Outcome::Confirmed),
        ("b", &[], Outcome::Refuted),
        ("b", &["=1"], Outcome::Refuted),
        ("c", &[], Outcome::Refuted),
        ("c", &["deleted"], Outcome::Confirmed),
        ("c", &["=1"], Outcome::Refuted),
        ("a", &["deleted"], Outcome::Refuted),
        ("e", &["inserted", "=5.0"], Outcome::Confirmed),
        ("e", &["=\"5\""], Outcome::Refuted),
        ("nosuch", &[], Outcome::Refuted),
        ("nosuch", &["deleted"], Outcome::Refuted),
        (" e ", &[], Outcome::Confirmed),
        (" ", &[], Outcome::NoClaim),
    ] {
        let expect = expect.iter().map(|text| Expectation::parse(text).unwrap()).collect();
        let verdict = diff.judge(&Claim::new(key, "", expect));
        assert_eq!(verdict.outcome, outcome, "{key}: {}", verdict.reason);
    }
    for bad in ["gone", "/a~2=1", "a={\"x\":1,\"x\":2}"] {
        assert!(Expectation::parse(bad).is_err(), "{bad}");
    }
    let claim = json!({"key": "a", "expect": [{"path": "/status", "value": "paid"}, "updated"]});
    assert_eq!(
        diff.judge(&Claim::from_json(&claim.to_string()).unwrap()).outcome,
        Outcome::Confirmed
    );
    for bad in [json!(1), json!({}), json!({"key": "a", "expected": "deleted"}), json!({"key": 1})]
    {
        assert!(Claim::from_json(&bad.to_string()).is_err(), "{bad}");
    }
}

/// One rule for the difference and for the claims: what does not count there does not count here.
#[test]
fn claims_are_judged_by_the_rules_of_the_difference() {
    let rules = Rules {
        ignore: vec![Place::parse("etag").unwrap()],
        timestamps: vec![Place::parse("/paid/at").unwrap()],
    };
    let before = r#"{"a": {"paid": {"at": "2026-01-10T12:00:00Z", "etag": 1}, "n": 1}}"#;
    let after = r#"{"a": {"paid": {"at": "2026-01-10T13:00:00+01:00", "etag": 2}, "n": 2},
                    "b": {"paid": {"at": "2026-01-10T13:00:00.5+01:00", "etag": 3}}}"#;
    let read = |text| Snapshot::read(&mut Store(text, WitnessRung::OsRecorded)).unwrap();
    let (before, after) = (read(before), read(after));
    let diff = StateDiff::new(&before, &after, &rules).unwrap();
    for (key, expect, outcome) in [
        ("a", "n=2", Outcome::Confirmed),
        // The same instant, and not the same text: it was so before.
        ("a", "/paid/at=2026-01-10T13:00:00+01:00", Outcome::Refuted),
        ("b", "/paid/at=2026-01-10T12:00:00.500Z", Outcome::Confirmed),
        ("b", "/paid/at=2026-01-10T12:00:00.501Z", Outcome::Refuted),
        ("b", r#"/paid={"at":"2026-01-10 12:00:00.5Z"}"#, Outcome::Confirmed),
        ("a", "/paid/etag=2", Outcome::Unwitnessed),
        ("b", "/paid/etag/0=3", Outcome::Unwitnessed),
    ] {
        let claim = Claim::new(key, "", vec![Expectation::parse(expect).unwrap()]);
        let verdict = diff.judge(&claim);
        assert_eq!(verdict.outcome, outcome, "{expect}: {}", verdict.reason);
    }
}

#[test]
fn states_that_were_read_in_different_ways_are_not_compared() {
    let one = Snapshot::read(&mut Store("{}", WitnessRung::OsRecorded)).unwrap();
    let store = Store("{\"k\": 1}", WitnessRung::OsRecorded);
    let other = Snapshot::read(&mut Otherwise(store)).unwrap();
    let rules = Rules::default();
    for (before, after) in [(&one, &other), (&other, &one)] {
        let unlike = StateDiff::new(before, after, &rules).unwrap_err().to_string();
        assert!(unlike.contains("a JSON object") && unlike.contains("by /name"), "{unlike}");
    }
    assert!(StateDiff::new(&other, &other, &rules).is_ok());
}

/// A value of many megabytes, of many small parts, or nested as deep as may be, is walked along once.
#[test]
fn keys_in_any_order_on_any_level_mean_the_same() {
    let nested = |depth: usize, sorted: bool| {
        let wrap = |inner: String| match sorted {
            true => format!(r#"{{"a": [1, {{}}], "b": {inner}, "\u0063": 0}}"#),
            false => format!(r#"{{"c": 0.0, "b": {inner}, "\u0061": [1e0, {{ }}]}}"#),
        };
        (0..depth).fold("[]".to_string(), |inner, _| wrap(inner))
    };
    let (sorted, shuffled) = (nested(126, true), nested(126, false));
    assert_eq!(canonical(&sorted), canonical(&shuffled));
    assert!(canonical(&sorted).unwrap().starts_with(r#"{"a": [1, {}], "b": {"a": [1, {}], "b": "#));
    let state = |text: &str| State::from_json(format!("{{\"k\": {text}}}"));
    let (one, other) = (state(&sorted).unwrap(), state(&shuffled).unwrap());
    assert!(diff_state(&one, &other, &Rules::default()).changes().is_empty());
    let twice = shuffled.replacen("\"b\": []", "\"b\": [], \"\\u0063\": 1", 1);
    assert!(state(&twice).unwrap_err().to_string().contains("\"c\" twice"));
}

#[test]
fn a_difference_is_worth_what_its_weaker_side_is() {
    use WitnessRung::{OsRecorded, ThirdParty};
    for (one, other, rung) in [
        (OsRecorded, OsRecorded, Accountability::OsRecorded),
        (OsRecorded, ThirdParty, Accountability::OsRecorded),
        (ThirdParty, OsRecorded, Accountability::OsRecorded),
        (ThirdParty, ThirdParty, Accountability::ThirdParty),
    ] {
        let read = |text, rung| Snapshot::read(&mut Store(text, rung)).unwrap();
        let (before, after) = (read("{}", one), read("{\"k\":1}", other));
        let rules = Rules::default();
        let diff = StateDiff::new(&before, &after, &rules).unwrap();
        let verdict = diff.judge(&Claim::new("k", "", Vec::new()));
        assert_eq!(verdict.accountability, Some(rung));
    }
}

#[test]
fn no_rung_of_a_witness_is_the_agents_own() {
    for rung in [WitnessRung::OsRecorded, WitnessRung::ThirdParty] {
        assert_ne!(Accountability::from(rung), Accountability::AgentAuthored);
    }
    assert!(WitnessRung::try_from(Accountability::AgentAuthored).is_err());
    let broken = Snapshot::read(&mut Store("[]", WitnessRung::OsRecorded)).unwrap_err();
    assert!(broken.to_string().starts_with("cannot read store: "), "{broken}");
}

#[test]
fn what_is_derived_stands_on_its_weakest_operand() {
    let fact = |accountability, stance| Facts {
        source: "s".to_string(),
        accountability,
        stance,
        subject: String::new(),
        detail: String::new(),
    };
    let os = fact(Accountability::OsRecorded, Stance::Attested);
    let third = fact(Accountability::ThirdParty, Stance::Attested);
    let own = fact(Accountability::AgentAuthored, Stance::Attested);
    let silent = fact(Accountability::ThirdParty, Stance::NoSignal);
    let believed = Belief::under_floor([&os]);
    let contested =
        Belief::under_floor([&third, &fact(Accountability::OsRecorded, Stance::Refuted)]);
    let of = |operation: &str, operands: &[Operand<'_>], agrees| {
        let derived = derived("sum", operation, operands, "total", agrees);
        (derived.stance, derived.accountability)
    };
    let (os, third) = (Operand::Facts(&os), Operand::Facts(&third));
    use Accountability::{AgentAuthored, OsRecorded, ThirdParty};
    assert_eq!(of("add", &[third, third], true), (Stance::Attested, ThirdParty));
    assert_eq!(of("add", &[third, os], true), (Stance::Attested, OsRecorded));
    assert_eq!(
        of("add", &[third, Operand::Belief(&believed)], true),
        (Stance::Attested, OsRecorded)
    );
    for weak in [Operand::Facts(&own), Operand::Facts(&silent), Operand::Belief(&contested)] {
        assert_eq!(of("add", &[third, weak], true), (Stance::Attested, AgentAuthored));
        assert_eq!(of("add", &[third, weak], false), (Stance::Refuted, AgentAuthored));
    }
    assert_eq!(of("add", &[third, os], false), (Stance::Refuted, OsRecorded));
    assert_eq!(of(" ", &[third], true), (Stance::Attested, AgentAuthored));
    assert_eq!(of("add", &[], true), (Stance::Attested, AgentAuthored));
}

#[test]
fn a_witness_that_cannot_look_gives_no_signal() {
    struct Broken;
    impl EvidenceSource for Broken {
        fn name(&self) -> &str {
            "broken"
        }
        fn accountability(&self) -> Accountability {
            Accountability::ThirdParty
        }
        fn look(&self, _: &str) -> Result<(Sight, String), String> {
            Err("no route to host".to_string())
        }
    }
    let facts = Broken.gather("k");
    assert_eq!(
        (facts.stance, facts.accountability),
        (Stance::NoSignal, Accountability::ThirdParty)
    );
    let claim = EffectClaim { key: "k".to_string(), ..EffectClaim::default() };
    let verdict = witness_effect(Some(&claim), &[facts]);
    assert_eq!(verdict.outcome, Outcome::Unwitnessed);
    assert!(verdict.reason.contains("no route to host"), "{}", verdict.reason);
    assert_eq!(verdict.silent, ["broken"]);
}

#[test]
fn a_receipt_is_read_as_it_is_or_not_at_all() {
    let claim =
        EffectClaim { key: "k".to_string(), narrated: "done".to_string(), ..Default::default() };
    let facts = Facts {
        source: "w".to_string(),
        accountability: Accountability::OsRecorded,
        stance: Stance::Refuted,
        subject: String::new(),
        detail: String::new(),
    };
    let verdict = witness_effect(Some(&claim), &[facts]);
    let receipt = Receipt::of(&verdict, "", "2026-01-10T12:00:00Z", Algorithm::HmacSha256).unwrap();
    let signed = "schema=dos.attest/receipt@1\nclaim=k\nnarrated=done\nwitness_surface=k\nwitness_author=w\n\
                  accountability_tier=OS_RECORDED\nverdict=REFUTED\nbelieve=false\nrefuted=true\n\
                  timestamp=2026-01-10T12:00:00Z\nalgorithm=HMAC-SHA256";
    assert_eq!(String::from_utf8(receipt.canonical_bytes()).unwrap(), signed);
    let whole = receipt.to_json();
    let whole = whole.as_object().unwrap();
    assert_eq!(Receipt::from_json(whole).unwrap(), receipt);
    for field in whole.keys() {
        let mut less = whole.clone();
        less.remove(field);
        assert!(Receipt::from_json(&less).is_err(), "{field}");
        let mut odd = whole.clone();
        odd.insert(field.clone(), json!(1));
        assert!(Receipt::from_json(&odd).is_err(), "{field}");
    }
    for (field, value) in [
        ("verdict", json!("CONFIRMED")),
        ("verdict", json!("MAYBE")),
        ("refuted", json!(false)),
        ("accountability_tier", json!("")),
        ("accountability_tier", json!("AGENT_AUTHORED")),
        ("algorithm", json!("none")),
        ("schema", json!("dos.attest/receipt@2")),
        ("comment", json!("")),
        ("narrated", json!("a\nwitness_surface=b")),
    ] {
        let mut changed = whole.clone();
        changed.insert(field.to_string(), value);
        assert!(Receipt::from_json(&changed).is_err(), "{field}");
    }
    // An agent's words must not become fields of another receipt with the same signed text.
    let told = EffectClaim { narrated: "x\nverdict=CONFIRMED".to_string(), ..claim };
    let verdict = witness_effect(Some(&told), &[]);
    let refused = Receipt::of(&verdict, "", "", Algorithm::Ed25519);
    assert_eq!(refused.unwrap_err(), ReceiptError::LineBreak("narrated"));
}
