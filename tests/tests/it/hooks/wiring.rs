//! `dos init --hooks` and what `dos doctor` sees of it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use dos_tests::TestEnv;
use serde_json::Value;

use crate::{API_WEB, configured, empty, field};

/// The hosts whose settings are in the workspace.
const HOSTS: [(&str, &str); 5] = [
    ("antigravity", ".agents/hooks.json"),
    ("claude-code", ".claude/settings.json"),
    ("codex", ".codex/config.toml"),
    ("cursor", ".cursor/hooks.json"),
    ("gemini", ".gemini/settings.json"),
];

fn text(env: &TestEnv, name: &str) -> String {
    fs::read_to_string(env.path(name)).unwrap_or_default()
}

/// A `dos` by that name, as hosts find it.
fn installed(env: &TestEnv) -> PathBuf {
    let program = env.outer().join("dos");
    symlink(env.binary(), &program).unwrap();
    program
}

fn doctor(env: &TestEnv) -> Value {
    env.dos("doctor --json").exits(0).json()
}

fn codes(report: &Value) -> Vec<String> {
    let codes = field(&report["findings"], "code");
    codes.into_iter().filter(|code| code.starts_with("HOOK")).collect()
}

#[test]
fn every_host_is_wired_shown_and_unwired() {
    for (host, settings) in HOSTS {
        let env = configured(API_WEB);
        let shown = env.dos(&format!("init --hooks {host} --dry-run"));
        assert!(shown.exits(0).stdout.contains("+++"), "{shown:#?}");
        assert_eq!(env.tree(), ["dos.toml"], "--dry-run writes nothing");
        env.dos(&format!("init --hooks {host}")).exits(0).is_quiet();
        let wired = text(&env, settings);
        assert_eq!(wired.matches("dos hook").count(), 3, "{wired}");
        let again = env.dos(&format!("init --hooks {host} --json")).exits(0).json();
        assert_eq!(again["hooks"]["outcome"], "unchanged");
        assert_eq!(text(&env, settings), wired);
        env.dos(&format!("init --hooks {host} --uninstall")).exits(0).is_quiet();
        assert!(!text(&env, settings).contains("dos"), "{}", text(&env, settings));
        assert_eq!(text(&env, "dos.toml"), API_WEB, "the dos.toml is left alone");
    }
}

#[test]
fn wiring_a_new_folder_makes_a_workspace_of_it() {
    let env = empty();
    env.write("src/main.rs", "");
    env.dos("init --hooks claude-code").exits(0).is_quiet();
    assert!(text(&env, "dos.toml").contains("src/**"));
    let env = empty();
    env.dos("init --with-hooks").exits(0).is_quiet();
    assert!(text(&env, ".claude/settings.json").contains("dos hook pretool"));
}

#[test]
fn a_settings_file_keeps_its_owner_its_link_and_its_text() {
    let env = configured(API_WEB);
    let mine = "{\n  // mine\n  \"model\": \"x\",\n  \"b\": [1, 2]\n}\n";
    env.write("shared/settings.json", mine);
    let real = env.path("shared/settings.json");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).unwrap();
    fs::create_dir(env.path(".claude")).unwrap();
    symlink(&real, env.path(".claude/settings.json")).unwrap();
    env.dos("init --hooks claude-code --strict").exits(0).is_quiet();
    let wired = text(&env, "shared/settings.json");
    assert!(wired.contains("// mine") && wired.contains("\"onFailure\": \"block\""), "{wired}");
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::symlink_metadata(env.path(".claude/settings.json")).unwrap().is_symlink());
    env.dos("init --hooks claude-code --uninstall").exits(0);
    assert_eq!(text(&env, "shared/settings.json"), mine);
}

#[test]
fn what_cannot_be_wired_is_said() {
    let env = configured(API_WEB);
    env.dos("init --hooks nosuch").exits(2).says("claude-code").says("hermes");
    env.dos("init --hooks gemini --strict").exits(2).says("no option");
    env.dos("init --hooks hermes").exits(2).says("pre_tool_call").says("config.yaml");
    env.dos("init --uninstall").exits(2).says("--hooks");
    env.write(".claude/settings.json", "{\"hooks\": ");
    env.dos("init --hooks claude-code").exits(2).says("settings.json").says("JSON");
    assert_eq!(text(&env, ".claude/settings.json"), "{\"hooks\": ");
    fs::create_dir_all(env.path(".cursor/hooks.json")).unwrap();
    env.dos("init --hooks cursor").exits(2).says("hooks.json");
}

#[test]
fn the_doctor_runs_what_is_wired_and_expects_the_denial() {
    for (host, settings) in HOSTS {
        let env = configured(API_WEB);
        let program = installed(&env);
        assert_eq!(doctor(&env)["hosts"], serde_json::json!([]));
        env.dos(&format!("init --hooks {host}")).exits(0);
        // No `dos` is on the PATH of this test: exactly what hosts keep silent about.
        let report = doctor(&env);
        assert_eq!(codes(&report), ["HOOK_SILENT"; 3], "{report}");
        env.dos("doctor --check").exits(1);
        let wired = text(&env, settings);
        env.write(settings, wired.replace("dos hook", &format!("{} hook", program.display())));
        let before = env.snapshot();
        let report = doctor(&env);
        assert_eq!(codes(&report), [""; 0], "{report}");
        assert_eq!(report["hosts"][0]["host"], host);
        assert_eq!(field(&report["hosts"][0]["hooks"], "state"), ["answers"; 3]);
        assert_eq!(env.snapshot(), before, "nothing of it is recorded");
        let shown = env.dos("doctor");
        assert!(shown.exits(0).stdout.contains("each answered a canary"), "{shown:#?}");
    }
}

#[test]
fn the_doctor_sees_a_hook_that_does_not_guard() {
    let wired = |command: &str| {
        let env = configured(API_WEB);
        let program = installed(&env).display().to_string();
        env.dos("init --hooks claude-code").exits(0);
        let name = ".claude/settings.json";
        let text = text(&env, name).replace("dos hook", &format!("{program} hook"));
        let usual = format!("{program} hook pretool --workspace .");
        env.write(name, text.replace(&usual, &command.replace("DOS", &program)));
        (codes(&doctor(&env)), env)
    };
    for (command, expected) in [
        ("DOS hook pretool --workspace .", vec![]),
        ("DOS hook pretool --dialect gemini", vec!["HOOK_SILENT"]),
        ("DOS hook pretool --dialect nosuch", vec!["HOOK_SILENT"]),
        ("DOS hook stop", vec!["HOOK_SILENT"]),
        ("/nowhere/dos hook pretool", vec!["HOOK_SILENT"]),
        ("./dos hook pretool", vec!["HOOK_NOT_TRIED"]),
        ("dos hook pretool; touch pwned", vec!["HOOK_NOT_TRIED"]),
        ("./audit.sh", vec!["HOOK_INCOMPLETE"]),
    ] {
        let (found, env) = wired(command);
        assert_eq!(found, expected, "{command}");
        assert!(!env.path("pwned").exists());
    }
}
