//! Whatever the text is: no panic, and no more work than its length allows.

use dos_core::command::syntax::work_of;
use dos_core::command::{Capability, ExecPolicy, Profile, classify_command, footprint};
use dos_core::limits::{COMMAND_BYTES_MAX, COMMAND_WORK_PER_BYTE};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::bash::Dice;

/// Everything at once: both profiles, and what is written.
fn everything(text: &str) -> Capability {
    let extended = ExecPolicy { profile: Profile::Extended, extra: Vec::new() };
    let wide = classify_command(text, &extended).capability;
    let narrow = classify_command(text, &ExecPolicy::default());
    let footprint = footprint(text);
    for span in
        footprint.writes.iter().map(|write| write.span).chain(narrow.grant.map(|it| it.span))
    {
        assert!(span.start <= span.end && span.end <= text.len(), "{span:?} of {}", text.len());
    }
    // What the closed set finds, the extended profile finds too.
    let grants = |capability| capability == Capability::GrantsArbitraryExec;
    assert!(grants(wide) || !grants(narrow.capability), "{text:?}");
    wide
}

const TOKENS: &[&str] = &[
    "a",
    "python",
    "'",
    "\"",
    "`",
    "\\",
    "$",
    "$(",
    "${",
    "$((",
    "(",
    ")",
    "((",
    "))",
    "{",
    "}",
    "[[",
    "]]",
    "<",
    ">",
    "<<E",
    "<<-'E'",
    "\nE\n",
    "<<<",
    "<(",
    ">(",
    "|",
    "||",
    "&",
    "&&",
    ";",
    ";;",
    "\n",
    "\r\n",
    " ",
    "\t",
    "#",
    "!",
    "*",
    "?",
    "[",
    "]",
    "~",
    "=",
    "+=",
    "a=",
    "a=(",
    ":-",
    "##",
    "//",
    "@",
    "if",
    "then",
    "fi",
    "else",
    "elif",
    "while",
    "do",
    "done",
    "for",
    "in",
    "case",
    "esac",
    "function",
    "f()",
    "time",
    "coproc",
    "select",
    "é",
    "\u{2028}",
    "\0",
    "-c",
    "-exec",
    "{}",
    "env",
    "sudo",
    "find",
    "eval",
    "trap",
    "xargs",
    "sh -c",
    "echo",
    "printf %s",
    "set --",
    "$@",
    "${x:-",
    "${!x}",
    "${x//a/b}",
    "{a,b}",
    "{1..9}",
    "cd",
    "git",
    "sed -i",
    "awk",
    "$'\\x41'",
    "\\\n",
    "2>&1",
    "{fd}>",
    "$[",
    "1",
    "..",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn soup_of_tokens(tokens in vec(select(TOKENS), 0..60), blanks in any::<bool>()) {
        everything(&tokens.join(if blanks { " " } else { "" }));
    }

    #[test]
    fn random_text(text in any::<String>(), bytes in vec(any::<u8>(), 0..200)) {
        everything(&text);
        everything(&String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn the_work_is_linear_in_the_length() {
    let pieces = [
        "(",
        "((",
        "$(",
        "$((",
        "${",
        "${x:-",
        "{ ",
        "`",
        "\"$(",
        "if ",
        "while ",
        "case x in ",
        "[[ ",
        "<<E ",
        "<(",
        "a=(",
        "f() { ",
        "! ",
        "time ",
        "coproc ",
        "$'",
        "\\`",
        "((a);",
        "$((a);",
        "x[",
        "{",
        "{a,",
        "ls;",
        "ls|",
        "a ",
        "'a' ",
        "\"a\" ",
        "\\a",
        "$x ",
        "${x} ",
        "$(a) ",
        "`a` ",
        "((1));",
        "((a);b);",
        "cat <<E\nE\n",
        "#",
        "# a\n",
        "\n",
        "\\\n",
        "\r\n",
        "é",
        "@(",
        "a]=",
        "function f ",
        "for i in a; do ",
        "case x in a) ",
        "for ((;;)) ",
        "&& ",
        "[[ a =~ (",
        "<<'E'\n",
        "$[",
        "$(<",
    ];
    let mut worst = 0.0_f64;
    for piece in pieces {
        for size in [COMMAND_BYTES_MAX / 16, COMMAND_BYTES_MAX] {
            let text = piece.repeat(size / piece.len());
            let work = work_of(&text);
            let per_byte = work as f64 / text.len() as f64;
            worst = worst.max(per_byte);
            assert!(work <= COMMAND_WORK_PER_BYTE * text.len() + 2048, "{piece:?}: {work}");
            everything(&text);
        }
    }
    println!("at worst {worst:.1} looks at a byte");
    let longer = "ls ".repeat(COMMAND_BYTES_MAX);
    assert_eq!(everything(&longer), Capability::GrantsArbitraryExec, "too long to be judged");
    assert!(work_of(&longer) <= COMMAND_BYTES_MAX);
}

#[test]
fn what_grows_out_of_a_short_text_is_bounded() {
    let doubling = format!("x=a;{}$x", "x=$x$x;".repeat(8000));
    let functions: String =
        (0..2000).map(|n| format!("f{n}() {{ f{} a; f{} b; }};", n + 1, n + 1)).collect();
    let branches = format!("x={};{}", "a".repeat(20_000), "a || x=$x;".repeat(4000));
    let values: String = (0..3000).map(|n| format!("a||x={n};")).collect();
    let nested = (0..12).fold("ls".to_string(), |text, _| format!("eval {text:?}"));
    for text in [
        doubling,
        format!("{functions} f0"),
        branches,
        format!("{values} $x $x"),
        format!("echo {}", "{a,b}".repeat(1000)),
        format!("echo {}", "{a,".repeat(10_000)),
        "echo {1..1000000000}{1..99999}".to_string(),
        "f() { f x; f y; f z; }; f".to_string(),
        "f() { f \"$1$1\"; }; f ab".to_string(),
        format!("for i in {}; do {} done", "a ".repeat(60), "echo $i;".repeat(5000)),
        format!("x={}; {}", "a*".repeat(120), "echo ${x%%*b*a*b};".repeat(3000)),
        format!("set -- {}; {}", "a ".repeat(5000), "f() { echo \"$@\"; }; f \"$@\";".repeat(1000)),
        format!("printf -v x '%s' {}; $x", "a".repeat(30_000)),
        format!(
            "alias {}; a0",
            (0..500).map(|n| format!("a{n}='a{} a{}' ", n + 1, n + 1)).collect::<String>()
        ),
        nested,
        (0..5000).map(|n| format!("ln -s . b{n}\n")).collect(),
        format!(
            "{}{}",
            (0..64).map(|n| format!("ln -s b a{n};")).collect::<String>(),
            "touch a1 a2/b;".repeat(4000)
        ),
        "$(".repeat(30) + &"echo a;".repeat(4000) + &")".repeat(30),
    ] {
        everything(&text);
    }
}

#[test]
fn names_that_lead_elsewhere_do_not_multiply() {
    for text in ["ln a b\n".repeat(8000), "ln a b\nln b a\n".repeat(4000)] {
        let found = footprint(&text);
        assert!(found.writes.len() < 5 * 8000, "{}", found.writes.len());
    }
    let links: String = (0..65).map(|n| format!("ln -s api n{n}\n")).collect();
    assert!(footprint(&links).unknown.iter().any(|it| it.what.contains("followed")));
}

#[test]
fn a_mutated_command_never_panics() {
    let mut dice = Dice(99);
    let entries = crate::corpus::labelled("vectors/exec_adversarial.jsonl", Profile::Closed);
    for entry in &entries {
        let mut command: Vec<char> = entry.command.chars().collect();
        for _ in 0..4 {
            let at = dice.roll(command.len() + 1);
            command.splice(at..at, dice.pick(TOKENS).chars());
            if command.len() > 3 {
                let at = dice.roll(command.len() - 2);
                command.drain(at..at + 2);
            }
            everything(&command.iter().collect::<String>());
        }
    }
}
