//! X1 to X3: which commands can run any code.

use serde_json::Value;

use crate::{configured, empty};

#[track_caller]
fn asked(command: &str, arguments: &[&str]) -> Value {
    let env = empty();
    let output =
        env.run([&["exec-capability", "--json", "--command", command], arguments].concat());
    let answer = output.json();
    let code = if answer["capability"] == "GRANTS_ARBITRARY_EXEC" { 3 } else { 0 };
    output.exits(code).is_quiet();
    assert_eq!(env.tree(), [""; 0], "a question changes nothing");
    answer
}

#[test]
fn x01_quotes_options_versions_and_later_commands_hide_nothing() {
    for command in [
        "\"python\" x",
        "p'y'thon x",
        "nice -n 5 python x",
        "env -i bash",
        "timeout 5 python x",
        "python3.11 x",
        "python.exe x",
        "busybox sh",
        "ls; python x",
        "ls && bash",
        "ls|sh",
        "$(python x)",
        "ls\npython x",
        "python/",
    ] {
        assert_eq!(asked(command, &[])["capability"], "GRANTS_ARBITRARY_EXEC", "{command}");
    }
    // Not in the original's set of programs, and so in the wider profile.
    for command in ["dash -c x", "uv run x"] {
        assert_eq!(asked(command, &[])["capability"], "BOUNDED", "{command}");
        let wider = asked(command, &["--profile", "extended"]);
        assert_eq!(wider["capability"], "GRANTS_ARBITRARY_EXEC", "{command}");
    }
}

#[test]
fn x02_a_bare_wrapper_is_a_program() {
    let sudo = asked("sudo", &[]);
    assert_eq!(
        (&sudo["capability"], &sudo["program"]),
        (&"GRANTS_ARBITRARY_EXEC".into(), &"sudo".into())
    );
    let env = asked("A=1 env", &[]);
    assert_eq!((&env["capability"], &env["program"]), (&"BOUNDED".into(), &"env".into()));
    assert_eq!(asked("A=1", &[])["capability"], "EMPTY");
}

#[test]
fn x03_changed_options_are_no_programs_and_assignments_are_those_of_a_shell() {
    let sudo = asked("sudo -u x ls", &[]);
    assert_eq!((&sudo["program"], &sudo["via"]), (&"ls".into(), &"sudo".into()));
    let asks = asked("command -v python", &[]);
    assert_eq!((&asks["capability"], &asks["program"]), (&"BOUNDED".into(), &"command".into()));
    let odd = asked("1=2 python", &[]);
    assert_eq!((&odd["capability"], &odd["program"]), (&"BOUNDED".into(), &"1=2".into()));
}

#[test]
fn the_place_is_shown_and_the_policy_comes_from_the_file() {
    let env = empty();
    let command = "cd web &&\n  timeout 5 npm test";
    let shown = env.run(["exec-capability", "--command", command]);
    assert_eq!(
        shown.exits(3).stdout,
        "GRANTS_ARBITRARY_EXEC  \"npm\" can run any code\n    2 |   timeout 5 npm test\n      |             ^^^\n"
    );
    let place = asked(command, &[])["place"].clone();
    assert_eq!(&command[place["start"].as_u64().unwrap() as usize..][..3], "npm");
    assert_eq!((place["line"].as_u64(), place["column"].as_u64()), (Some(2), Some(13)));

    let ours = configured("[exec_capability]\nprofile = \"extended\"\nextra = [\"Terraform\"]\n");
    ours.dos("exec-capability --command make").exits(3);
    ours.dos("exec-capability --command make --profile closed").exits(0);
    ours.dos("exec-capability --command terraform").exits(3);
    ours.dos("exec-capability --command packer --extra packer,x").exits(3);
    let wrong = configured("[exec_capability]\nprofile = \"extnded\"\n");
    wrong.dos("exec-capability --command make").exits(0).says("2:11").says("extended");
    wrong.dos("doctor --check").exits(1);
    env.dos("exec-capability --command ls --profile nosuch").exits(2).says("closed");
    env.dos("exec-capability").exits(2).says("--stdin");
}

#[test]
fn a_command_may_come_on_the_standard_input() {
    let env = empty();
    std::fs::write(env.path("script"), "cat <<'EOF'\npython x\nEOF\n").unwrap();
    let with_input = |name: &str| {
        let mut command = env.command(["exec-capability", "--stdin"]);
        command.stdin(std::fs::File::open(env.path(name)).unwrap());
        dos_tests::Running::start(command).finish()
    };
    with_input("script").exits(0);
    std::fs::write(env.path("script"), "cat <<EOF\n$(python x)\nEOF\n").unwrap();
    with_input("script").exits(3);
    // Neither UTF-8 nor of a length that is judged.
    std::fs::write(env.path("script"), [0xff, 0xfe, 0].repeat(100)).unwrap();
    with_input("script").exits(3).no_panic();
    std::fs::write(env.path("script"), "ls\n".repeat(50_000)).unwrap();
    assert!(with_input("script").exits(3).stdout.contains("65536"));
}
