//! Screens drawn without a terminal, and keys pressed without one.

use dos_core::config::Config;
use dos_core::fleet::past::{History, Past};
use dos_core::fleet::view::{Commit, FleetView, Recent, Seen};
use dos_core::journal::live_set::replay;
use dos_core::lane::Moment;
use dos_core::lane::lease::ProcessId;
use dos_core::lane::vitality::ProcessState;
use dos_core::timestamp::Timestamp;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::app::{App, Page, Wish};
use super::rows::{Chip, Fleet};
use super::{draw, print};

const LANES: &str = r#"
[lanes]
concurrent = ["api", "web", "docs", "billing", "search"]
exclusive = ["release"]
[lanes.trees]
api = ["src/api/**"]
web = ["src/web/**"]
docs = ["docs/**"]
billing = ["src/billing/**"]
search = ["src/search/**"]
release = ["**"]
"#;

/// Two hours in: one who is young, one whose process is gone, one who spins, one who is silent, and
/// whoever is about to take `web`. One name tries to reach the terminal.
const JOURNAL: &str = r#"{"op":"ACQUIRE","lane":"api","loop_ts":"t1","lease":{"lane":"api","loop_ts":"t1","holder":"agent-7","host_id":"box","acquired_at":"2026-01-10T13:59:00Z","tree":["src/api/**"],"token":1}}
{"op":"ACQUIRE","lane":"docs","loop_ts":"t2","lease":{"lane":"docs","loop_ts":"t2","holder":"agent-3","host_id":"box","pid":42,"pid_start":7,"pid_boot":"b","acquired_at":"2026-01-10T13:58:00Z","tree":["docs/**"],"token":2}}
{"op":"ACQUIRE","lane":"billing","loop_ts":"t3","lease":{"lane":"billing","loop_ts":"t3","holder":"agent-4","acquired_at":"2026-01-10T12:00:00Z","heartbeat_at":"2026-01-10T13:59:30Z","tree":["src/billing/**"],"token":3}}
{"op":"ACQUIRE","lane":"search","loop_ts":"t4","lease":{"lane":"search","loop_ts":"t4","holder":"agent-5","acquired_at":"2026-01-10T13:20:00Z","tree":["src/search/**"],"token":4}}
{"op":"SPAWN","lane":"web","holder":"sup-1","run_id":"RID-1","ts":"2026-01-10T13:59:50Z"}
{"op":"ENFORCE","lane":"docs","holder":"\u001b[31mred\u0007","reason":"line\nbreak","ts":"2026-01-10T13:30:00Z"}
{"op":"REFUSE","lane":"api","holder":"agent-9","reason":"agent-7 holds api","reason_class":"LANE_HELD","ts":"2026-01-10T13:59:55Z"}
"#;

fn stamp(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn fleet_of(config: &str, journal: &str) -> Fleet {
    let config = Config::parse(config);
    let live = replay(journal.as_bytes());
    let mut recent = Recent::default();
    journal.lines().for_each(|line| recent.line(line.as_bytes()));
    let process = ProcessId { pid: 42, start: 7, boot: "b".to_string() };
    let moment = Moment {
        now: stamp("2026-01-10T14:00:00Z"),
        host: "box".to_string(),
        processes: vec![(process, ProcessState::Gone)],
        worktrees_gone: Vec::new(),
    };
    let seen = Seen { live: &live, moment: &moment, recent, commits: Vec::new() };
    let view = FleetView::of(seen, &config.liveness, &config.policy);
    let commit = |id: &str, at, subject: &str| Commit {
        id: id.to_string(),
        at: stamp(at),
        subject: subject.to_string(),
        paths: Vec::new(),
    };
    let commits = match journal.is_empty() {
        true => Vec::new(),
        false => vec![
            commit("91701ec2aa", "2026-01-10T13:40:00Z", "Explain returns"),
            commit("d9863092bb", "2026-01-09T13:40:00Z", "Route orders by warehouse"),
        ],
    };
    Fleet::of("/srv/shop", true, view, commits, &config.policy.lanes)
}

fn app() -> App {
    let mut app = App::new();
    app.update(Ok(fleet_of(LANES, JOURNAL)));
    app
}

/// What a terminal of that size shows.
fn shown(app: &App, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw::screen(app, frame.area(), frame.buffer_mut())).unwrap();
    print::of_buffer(terminal.backend().buffer(), false)
}

fn press(app: &mut App, keys: &str) {
    for key in keys.chars() {
        code(app, KeyCode::Char(key));
    }
}

fn code(app: &mut App, code: KeyCode) -> Wish {
    app.key(KeyEvent::new(code, KeyModifiers::NONE), 24)
}

fn lanes(app: &App) -> Vec<&str> {
    app.rows().iter().map(|row| row.lane.as_str()).collect()
}

#[test]
fn a_wide_screen() {
    let wanted = r#"
dos top  /srv/shop                                                                                        box  14:00:00Z
1 advancing · 1 spinning · 1 stalled · 1 dead · 1 spawning · 1 free
 LANE    STATE          HELD     BEAT  HOLDER   WHY
 api     ● ADVANCING  1m 00s   1m 00s  agent-7  it beats, and is 1m 00s old: too young to be accused of spinning
 web     ◌ SPAWNING      10s           sup-1    a worker is on its way; it has no lease yet
 docs    × DEAD       2m 00s   2m 00s  agent-3  its process 42 is gone from this host
 billing ◐ SPINNING   2h 00m      30s  agent-4  it beat 30s ago, and nothing has moved in 2h 00m
 search  ○ STALLED   40m 00s  40m 00s  agent-5  no beat for 40m 00s, and no commit
 release · FREE

Refused, halted, enforced                                    Commits
      5s  REFUSE  api by agent-9  LANE_HELD: agent-7 holds…   20m 00s  91701ec2  Explain returns
 30m 00s  ENFORCE docs by �[31mred�  line�break                1d 00h  d9863092  Route orders by warehouse






q quit  ↑↓ select  Enter inspect  / filter  s sort  ? help                                                   by declared"#;
    assert_eq!(shown(&app(), 120, 20).join("\n"), wanted.trim_start());
}

#[test]
fn a_narrow_screen() {
    let wanted = r#"
dos top  /srv/shop                            box  14:00:00Z
1 advancing · 1 spinning · 1 stalled · 1 dead · 1 spawning …
 LANE    STATE           BEAT  HOLDER
 api     ● ADVANCING   1m 00s  agent-7
 web     ◌ SPAWNING            sup-1
 docs    × DEAD        2m 00s  agent-3
 billing ◐ SPINNING       30s  agent-4
 search  ○ STALLED    40m 00s  agent-5
 release · FREE

Refused, halted, enforced
      5s  REFUSE  api by agent-9  LANE_HELD: agent-7 holds …

Commits
 20m 00s  91701ec2  Explain returns
q quit  ? help                                   by declared"#;
    assert_eq!(shown(&app(), 60, 16).join("\n"), wanted.trim_start());
}

#[test]
fn a_heading_has_rows_or_is_not_there() {
    let app = app();
    for height in 1..24 {
        for width in [20, 60, 120] {
            let screen = shown(&app, width, height);
            for heading in ["Refused", "Commits"] {
                let at = screen.iter().position(|line| line.starts_with(heading));
                let below = at.and_then(|at| screen.get(at + 1));
                let bare = |line: &String| line.is_empty() || line.starts_with('q');
                assert!(!below.is_some_and(bare), "{width}x{height}: {screen:#?}");
            }
        }
    }
    assert_eq!(shown(&app, 20, 5)[2], " LANE    STATE    +5");
}

#[test]
fn an_empty_workspace() {
    let mut app = App::new();
    app.update(Ok(fleet_of("", "")));
    let wanted = r#"
dos top  /srv/shop                                                box  14:00:00Z
2 free
 LANE   STATE          HELD     BEAT  HOLDER  WHY
 main   · FREE
 global · FREE

Refused, halted, enforced
  nothing lately

Commits
  none
q quit  ↑↓ select  Enter inspect  / filter  s sort  ? help           by declared"#;
    assert_eq!(shown(&app, 80, 12).join("\n"), wanted.trim_start());
}

#[test]
fn no_size_is_too_small_and_no_page_too_long() {
    let mut app = app();
    app.history.events = vec![
        Past {
            op: "HEARTBEAT".to_string(),
            times: 12,
            at: None,
            holder: "x".to_string(),
            loop_ts: "t1".to_string(),
            reason: String::new(),
        };
        50
    ];
    for page in [Page::Fleet, Page::Lane, Page::Help] {
        (app.page, app.scroll) = (page, 0);
        for (width, height) in [(1, 1), (2, 2), (5, 3), (20, 4), (60, 5), (300, 100), (1, 50)] {
            shown(&app, width, height);
        }
        app.scroll = usize::MAX;
        shown(&app, 40, 10);
    }
    shown(&App::new(), 40, 10);
}

#[test]
fn what_is_printed_is_what_is_drawn_and_every_line_keeps_its_width() {
    let app = app();
    for width in [20, 60, 100, 160] {
        let plain = print::lines(&app, width, false);
        for line in &plain {
            let used = unicode_width::UnicodeWidthStr::width(line.as_str());
            assert!(used <= width && !line.chars().any(char::is_control), "{width}: {line:?}");
        }
        let coloured = print::lines(&app, width, true).join("\n");
        assert!(coloured.contains("\u{1b}[3"), "{coloured:?}");
        let mut bare = coloured;
        for escape in ["0", "1", "31", "32", "33"] {
            bare = bare.replace(&format!("\u{1b}[{escape}m"), "");
        }
        assert_eq!(bare, plain.join("\n"));
    }
    let all = print::lines(&app, 160, false).join("\n");
    for word in ["ADVANCING", "SPINNING", "STALLED", "DEAD", "SPAWNING", "FREE", "LANE_HELD"] {
        assert!(all.contains(word), "{word} is not in {all}");
    }
}

#[test]
fn keys_sort_filter_and_select() {
    let mut app = app();
    let declared = ["api", "web", "docs", "billing", "search", "release"];
    assert_eq!(lanes(&app), declared);
    press(&mut app, "s");
    assert_eq!(lanes(&app), ["docs", "search", "billing", "web", "api", "release"]);
    press(&mut app, "r");
    assert_eq!(lanes(&app), ["release", "api", "web", "billing", "search", "docs"]);
    press(&mut app, "rs");
    assert_eq!(lanes(&app), ["api", "billing", "docs", "release", "search", "web"]);
    press(&mut app, "s");
    assert_eq!(lanes(&app), ["docs", "billing", "search", "api", "web", "release"]);
    press(&mut app, "s");
    assert_eq!(lanes(&app), ["billing", "search", "docs", "api", "web", "release"]);
    press(&mut app, "s");
    assert_eq!(lanes(&app), declared);
    // The selection follows its lane.
    press(&mut app, "jj");
    assert_eq!(app.row().map(|row| row.chip), Some(Chip::Dead));
    press(&mut app, "s");
    assert_eq!((app.place(), app.row().map(|row| row.lane.as_str())), (0, Some("docs")));
    // While a filter is typed, keys are letters.
    press(&mut app, "/AGENT-q");
    assert_eq!((lanes(&app).len(), app.typing), (0, true));
    assert!(shown(&app, 60, 10).join("\n").contains("no lane says that"));
    code(&mut app, KeyCode::Backspace);
    assert_eq!(code(&mut app, KeyCode::Enter), Wish::Draw);
    assert_eq!(lanes(&app), ["docs", "search", "billing", "api"]);
    assert!(shown(&app, 60, 10).join("\n").contains("filter AGENT-"));
    // Escape takes back one thing after the other, and then ends.
    assert_eq!(code(&mut app, KeyCode::Esc), Wish::Draw);
    assert_eq!(lanes(&app).len(), 6);
    assert_eq!(code(&mut app, KeyCode::Esc), Wish::Quit);
}

#[test]
fn a_lane_is_looked_into() {
    let mut app = app();
    code(&mut app, KeyCode::End);
    code(&mut app, KeyCode::Home);
    assert_eq!(code(&mut app, KeyCode::Enter), Wish::Look);
    let mut history = History::of("api");
    JOURNAL.lines().for_each(|line| history.line(line.as_bytes()));
    app.history = history;
    let page = shown(&app, 80, 30).join("\n");
    for part in ["agent-7", "2026-01-10T14:54:00Z, in 54m 00s", "src/api/**", "• ", "REFUSE"] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    assert!(!page.contains("agent-4"), "{page}");
    // The lane goes on to another holder while it is looked into.
    app.update(Ok(fleet_of(LANES, "")));
    assert!(shown(&app, 80, 30).join("\n").contains("nobody holds it"));
    // And away altogether.
    app.update(Ok(fleet_of("[lanes]\nconcurrent = []\nexclusive = []\nautopick = []\n", "")));
    shown(&app, 80, 30);
    assert_eq!(code(&mut app, KeyCode::Esc), Wish::Draw);
    assert_eq!(app.page, Page::Fleet);
}

#[test]
fn what_ends_it_and_what_does_nothing() {
    let mut app = app();
    let control = |key| KeyEvent::new(KeyCode::Char(key), KeyModifiers::CONTROL);
    assert_eq!(app.key(control('c'), 24), Wish::Quit);
    assert_eq!(app.key(control('l'), 24), Wish::Anew);
    assert_eq!(app.key(control('z'), 24), Wish::Nothing);
    press(&mut app, "/");
    assert_eq!(app.key(control('c'), 24), Wish::Quit);
    assert_eq!(code(&mut app, KeyCode::Esc), Wish::Draw);
    assert_eq!(code(&mut app, KeyCode::Char('x')), Wish::Nothing);
    let mut released = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
    released.kind = KeyEventKind::Release;
    assert_eq!(app.key(released, 24), Wish::Nothing);
    press(&mut app, "?");
    assert!(shown(&app, 80, 30).join("\n").contains("SPAWNING"));
    assert_eq!(code(&mut app, KeyCode::Char('q')), Wish::Quit);
}

#[test]
fn a_look_that_failed_leaves_what_was_seen() {
    let mut app = app();
    app.update(Err("the folder is gone".to_string()));
    let lost = shown(&app, 80, 20).join("\n");
    assert!(lost.contains("the folder is gone") && lost.contains("agent-7"), "{lost}");
    app.update(Ok(fleet_of(LANES, JOURNAL)));
    assert!(!shown(&app, 80, 20).join("\n").contains("gone;"));
    let mut first = App::new();
    first.update(Err("gone".to_string()));
    assert!(shown(&first, 80, 20).join("\n").contains("gone; "));
}

#[test]
fn the_object_has_the_keys_of_the_original_and_of_the_view() {
    let shown = fleet_of(LANES, JOURNAL).to_json();
    let keys: Vec<&str> = shown.as_object().unwrap().keys().map(String::as_str).collect();
    let wanted = [
        "activity",
        "holders",
        "host",
        "initialized",
        "lanes",
        "notices",
        "now",
        "now_ms",
        "spawning",
        "workspace",
    ];
    assert_eq!(keys, wanted);
    let state = |place: usize| shown["lanes"][place]["state"].as_str().unwrap();
    let states: Vec<&str> = (0..6).map(state).collect();
    assert_eq!(states, ["ADVANCING", "SPAWNING", "DEAD", "SPINNING", "STALLED", "FREE"]);
    assert_eq!(shown["lanes"][2]["chip"], "🔴 STALLED");
    assert_eq!(shown["lanes"][5]["is_exclusive"], true);
    assert_eq!(shown["activity"][0]["sha"], "91701ec");
}
