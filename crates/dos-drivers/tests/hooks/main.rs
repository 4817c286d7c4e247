//! Random and mutated events through each hook: nothing breaks it, and whatever it says is a word of
//! the host's dialect.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod noise;

use camino::{Utf8Path, Utf8PathBuf};
use dos_drivers::hook::{Answer, Caller, MarkerCall};
use dos_drivers::host::{HOSTS, Host, Moment, Word};
use dos_store::StoreError;
use dos_store::clock::RealClock;
use dos_store::workspace::Environment;
use serde_json::Value;

use noise::Noise;

/// How many events go through each hook, and from which seed on.
const EVENTS: u64 = 2_000;

/// An environment that says nothing but where home is.
struct Bare(String);

impl Environment for Bare {
    fn variable(&self, name: &str) -> Result<Option<String>, StoreError> {
        Ok((name == "HOME").then(|| self.0.clone()))
    }
}

fn asked(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |value| value.parse().unwrap())
}

fn answer(host: &'static dyn Host, moment: Moment, root: &Utf8Path, input: &[u8]) -> Answer {
    let environment = Bare(root.join("home").into_string());
    let caller = Caller {
        environment: &environment,
        clock: RealClock::start(),
        current: root,
        program: None,
        workspace: None,
        session: None,
        host,
    };
    match moment {
        Moment::Pre => caller.pretool(input),
        Moment::Post => caller.posttool(input),
        Moment::Stop => caller.marker(input, MarkerCall { in_loop: true, ..MarkerCall::default() }),
    }
}

/// Is it something that the host is told at this moment?
fn is_of_dialect(host: &dyn Host, moment: Moment, said: &Option<Value>) -> bool {
    let mut texts = vec![""];
    if let Some(said) = said {
        collect(said, &mut texts);
    }
    *said == host.say(Word::Pass, moment)
        || texts.iter().any(|text| {
            *said == host.say(Word::Warn(text), moment)
                || *said == host.say(Word::Deny(text), moment)
        })
}

fn collect<'v>(value: &'v Value, texts: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Object(fields) => fields.values().for_each(|value| collect(value, texts)),
        _ => {}
    }
}

#[test]
fn no_event_breaks_a_hook() {
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8PathBuf::from_path_buf(folder.path().canonicalize().unwrap()).unwrap();
    std::fs::create_dir_all(root.join(".dos")).unwrap();
    std::fs::create_dir_all(root.join("api")).unwrap();
    std::fs::write(root.join("dos.toml"), "[guard]\nexec = \"warn\"\n").unwrap();
    let lease = "{\"op\":\"ACQUIRE\",\"seq\":1,\"lane\":\"api\",\"loop_ts\":\"t\",\"lease\":{\"lane\":\
                 \"api\",\"loop_ts\":\"t\",\"holder\":\"alice\",\"tree\":[\"api/**\"]}}\n";
    std::fs::write(root.join(".dos/lane-journal.jsonl"), lease).unwrap();
    let (events, seed) = (asked("DOS_HOOK_EVENTS", EVENTS), asked("DOS_HOOK_SEED", 1));
    for moment in [Moment::Pre, Moment::Post, Moment::Stop] {
        let (mut passed, mut spoke) = (0_u64, 0_u64);
        for number in 0..events {
            let mut noise = Noise::new(seed.wrapping_mul(1_000_003).wrapping_add(number));
            let host = HOSTS[noise.below(HOSTS.len())];
            let input = noise.event(&root);
            // What is asked again and again is a part of it.
            for _ in 0..noise.below(4) {
                answer(host, moment, &root, &input);
            }
            let answer = answer(host, moment, &root, &input);
            let shown = || format!("seed {seed}, event {number}, {} {moment:?}", host.name());
            assert!(is_of_dialect(host, moment, &answer.said), "{}: {:?}", shown(), answer.said);
            match answer.said == host.say(Word::Pass, moment) {
                true => passed += 1,
                false => spoke += 1,
            }
        }
        println!("{moment:?}: {passed} passed, {spoke} were told something");
        assert!(passed > 0 && spoke > 0, "the noise is one-sided");
    }
    let left = std::fs::read_to_string(root.join("dos.toml")).unwrap();
    assert_eq!(left, "[guard]\nexec = \"warn\"\n");
    assert!(!root.parent().unwrap().join("streams").exists());
}
