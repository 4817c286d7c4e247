//! `dos top`: as text, as JSON, and on a terminal.

use std::fs;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dos_tests::{TestEnv, now_millis, poll_until, signal, stamp};
use serde_json::{Value, json};

use super::{git, roster};
use crate::{empty, field, skipped};

/// A process that lives as long as the test.
struct Worker(Child);

impl Worker {
    fn start() -> Self {
        let mut sleep = Command::new("sleep");
        sleep.arg("600").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(sleep.spawn().unwrap())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One who is at work, one whose process is gone, one who is about to come, a refusal and a commit.
/// Returns the process that is at work.
fn busy(env: &TestEnv) -> Worker {
    let (worker, dead) = (Worker::start(), Worker::start());
    for (lane, owner, of) in [("a", "worker-one", &worker), ("b", "worker-two", &dead)] {
        let pid = of.0.id();
        env.dos(&format!("lease-lane acquire --lane {lane} --owner {owner} --pid {pid}")).exits(0);
    }
    drop(dead);
    env.dos("lease-lane acquire --lane a --owner late").exits(1);
    env.dos("lease-lane spawn --lane c --owner coming").exits(0);
    git(env, &["init", "-q"]);
    git(env, &["commit", "-q", "--allow-empty", "-m", "a commit to be seen"]);
    worker
}

#[test]
fn what_is_printed_is_what_is_live() {
    let mut env = roster();
    let worker = busy(&env);
    let pid = worker.0.id();
    let shown = env.dos("top --json").exits(0).json();
    let state = |lane: &str| {
        let rows = shown["lanes"].as_array().unwrap();
        let row = rows.iter().find(|row| row["lane"] == lane).unwrap();
        [&row["state"], &row["holder"]].map(|value| value.as_str().unwrap().to_string())
    };
    assert_eq!(state("a"), ["ADVANCING", "worker-one"]);
    assert_eq!(state("b"), ["DEAD", "worker-two"]);
    assert_eq!(state("c"), ["SPAWNING", "coming"]);
    assert_eq!(state("global"), ["FREE", ""]);
    assert_eq!(shown["lanes"][3]["is_exclusive"], true);
    assert_eq!(shown["notices"][0]["reason_class"], "LANE_HELD");
    assert_eq!(shown["activity"][0]["subject"], "a commit to be seen");
    // The same holders, with the same verdicts, that the plan goes by.
    assert_eq!(field(&shown["holders"], "lane"), ["a", "b"]);
    assert_eq!(field(&shown["spawning"], "lane"), ["c"]);
    assert_eq!(crate::live_lanes(&env), ["a"]);
    // Piped, it is text without colour; so is `top` without a terminal.
    for command in ["top --once", "top"] {
        let text = env.dos(command).exits(0).is_quiet().stdout.clone();
        for part in ["worker-one", "× DEAD", "◌ SPAWNING", "LANE_HELD", "a commit to be seen"] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
    env.set("COLUMNS", "60");
    let narrow = env.dos("top --once").exits(0).stdout.clone();
    assert!(narrow.lines().all(|line| line.chars().count() <= 60), "{narrow}");
    // The worker's end shows without a record of it.
    drop(worker);
    let text = env.dos("top --once").exits(0).stdout.clone();
    assert!(text.contains("2 dead"), "{text}");
    env.set("COLUMNS", "120");
    assert!(env.dos("top --once").stdout.contains(&format!("its process {pid} is gone")));
}

#[test]
fn a_spinner_and_a_silent_one_are_told_apart() {
    let env = roster();
    let line = |lane: &str, begun: i64, beat: i64| {
        let [begun, beat] = [begun, beat].map(|age| stamp(now_millis() - age * 60_000));
        let lease = json!({"lane": lane, "loop_ts": "t", "holder": lane, "acquired_at": begun,
                           "heartbeat_at": beat, "tree": [format!("{lane}/**")]});
        let record = json!({"op": "ACQUIRE", "lane": lane, "loop_ts": "t", "lease": lease});
        format!("{record}\n")
    };
    env.write_journal(line("a", 120, 1) + &line("b", 40, 25));
    let shown = env.dos("top --json").exits(0).json();
    assert_eq!(field(&shown["lanes"], "state"), ["SPINNING", "STALLED", "FREE", "FREE"]);
    let planned = env.dos("loop --json").exits(0).json();
    assert_eq!(field(&planned["flag"], "lane"), ["a", "b"], "{planned}");
}

#[test]
fn an_empty_workspace_and_wrong_questions() {
    let env = empty();
    let shown = env.dos("top --json").exits(0).json();
    assert_eq!(shown["initialized"], Value::Bool(false));
    assert_eq!(field(&shown["lanes"], "lane"), ["main", "global"]);
    env.dos("top --once").exits(0).is_quiet();
    env.dos("top --interval 0").exits(2).says("--interval");
    env.dos("top --interval x").exits(2);
    env.dos("top --once --workspace nosuch").exits(2).says("nosuch");
    env.write("dos.toml", "[lanes]\nautopick = 3\n");
    env.dos("top --once").exits(0).says("autopick");
    assert_eq!(env.tree(), ["dos.toml"]);
}

/// `dos top` on a terminal of its own, which `script` makes.
struct OnTerminal {
    child: Child,
    keys: ChildStdin,
    screen: Arc<Mutex<String>>,
}

impl OnTerminal {
    /// `None` where there is no `script`.
    fn start(env: &TestEnv, arguments: &str) -> Option<Self> {
        let mut script = Command::new("script");
        let binary = env.binary().display();
        // Beside the workspace, which goes away and comes back.
        let root = env.root();
        let inner = format!(
            "stty cols 110 rows 30; echo PID$$; exec {binary} top --workspace {} {arguments}",
            root.display()
        );
        script.args(["-qefc", &inner, "/dev/null"]);
        env.furnish(&mut script);
        script.current_dir(env.outer()).env("TERM", "xterm").env("SHELL", "/bin/sh");
        script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = script.spawn().ok()?;
        let (keys, mut output) = (child.stdin.take()?, child.stdout.take()?);
        let screen = Arc::new(Mutex::new(String::new()));
        let shared = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut buffer) {
                shared.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
        });
        Some(Self { child, keys, screen })
    }

    /// Waits until the terminal was sent this, after what was looked at before.
    #[track_caller]
    fn until(&mut self, text: &str) -> String {
        poll_until(text, Duration::from_secs(30), || {
            let mut screen = self.screen.lock().unwrap();
            let found = screen.find(text)?;
            Some(screen.drain(..found + text.len()).collect())
        })
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// The code that it ends with.
    #[track_caller]
    fn code(mut self) -> Option<i32> {
        let limit = Duration::from_secs(30);
        poll_until("it ends", limit, || self.child.try_wait().unwrap()).code()
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Draws it all anew, so that each word is sent as a whole. Only what has changed is sent otherwise.
const ANEW: &str = "\u{c}";

/// What gives the terminal back.
const LEFT: &str = "\u{1b}[?1049l";

#[test]
fn on_a_terminal_it_follows_the_journal_and_survives_its_workspace() {
    let env = roster();
    let _worker = busy(&env);
    // Nothing here waits for the interval.
    let Some(mut top) = OnTerminal::start(&env, "--interval 1h") else {
        return skipped("there is no `script` to make a terminal");
    };
    top.until("worker-one");
    top.until("help");
    env.dos("lease-lane release --lane a --owner worker-one").exits(0);
    env.dos("lease-lane acquire --lane a --owner newcomer").exits(0);
    top.until("newcomer");
    top.press("\r");
    top.press(ANEW);
    top.until("stamp");
    top.until("RELEASE");
    top.press("?");
    top.press(ANEW);
    top.until("Ctrl-L");
    top.press("?");
    let away = env.outer().join("away");
    fs::rename(env.root(), &away).unwrap();
    top.press(ANEW);
    top.until("looking");
    fs::rename(&away, env.root()).unwrap();
    top.press(ANEW);
    top.until("advancing");
    top.press("/nobody\r");
    top.press(ANEW);
    top.until("nobody");
    let before = env.snapshot();
    top.press(ANEW);
    top.until("nobody");
    top.press("q");
    top.until(LEFT);
    assert_eq!(top.code(), Some(0));
    assert_eq!(env.snapshot(), before);
}

#[test]
fn signals_and_control_c_give_the_terminal_back() {
    let env = roster();
    for how in ["TERM", "HUP", "INT", "\u{3}", "\u{1b}"] {
        let Some(mut top) = OnTerminal::start(&env, "") else {
            return skipped("there is no `script` to make a terminal");
        };
        top.until("PID");
        let shown = top.until("\r\n");
        top.until("help");
        match how {
            "TERM" | "HUP" | "INT" => signal(shown.trim().parse().unwrap(), how),
            key => top.press(key),
        }
        top.until(LEFT);
        assert_eq!(top.code(), Some(0), "{how:?}");
    }
}
