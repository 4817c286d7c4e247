//! Receipts: signed verdicts, and what any change of one does.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use dos_tests::{Output, TestEnv};
use serde_json::{Value, json};

use crate::empty;

const KINDS: [(&str, &str); 5] = [
    ("confirmed", "CONFIRMED"),
    ("refuted", "REFUTED"),
    ("unwitnessed", "UNWITNESSED"),
    ("no_claim", "NO_CLAIM"),
    ("accepted", "CONFIRMED"),
];

fn fixture(name: &str) -> String {
    format!("{}/../fixtures/receipts/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn receipt(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(fixture(&format!("{name}.json"))).unwrap()).unwrap()
}

/// The same states and key as those of the fixtures.
fn shop() -> TestEnv {
    let env = empty();
    env.write("b.json", r#"{"orders:42":{"status":"new"},"x":1}"#);
    env.write("a.json", r#"{"orders:42":{"status":"paid"},"x":1}"#);
    fs::copy(fixture("secret"), env.path("secret")).unwrap();
    env
}

fn verify(env: &TestEnv, receipt: &Value, key: &str) -> Output {
    env.write("receipt.json", receipt.to_string());
    env.run(["verify-receipt", "--receipt", "receipt.json", "--key-file", key, "--json"])
}

fn attest(env: &TestEnv, arguments: &[&str]) -> Output {
    let usual = ["attest", "--key-file", "secret", "--timestamp", "2026-01-10T12:00:00Z", "--json"];
    env.run([&usual[..], arguments].concat())
}

#[test]
fn a_receipt_of_the_original_is_valid_here() {
    let env = shop();
    for (name, verdict) in KINDS {
        let receipt = receipt(name);
        let answer = verify(&env, &receipt, "secret").exits(0).is_quiet().json();
        assert_eq!(answer["valid"], true, "{name}");
        assert_eq!(answer["receipt"], receipt, "{name}");
        assert_eq!(answer["receipt"]["verdict"], verdict);
        assert_eq!(answer["adverse"], verdict == "REFUTED");
    }
}

#[test]
fn our_receipt_is_the_originals_to_the_last_byte() {
    let env = shop();
    let states = ["--before", "b.json", "--after", "a.json"];
    let narrated = "Bestellung bezahlt ✓ = done";
    for (name, arguments, code) in [
        ("confirmed", &["--claim", "orders:42", "--narrated", narrated][..], 0),
        ("refuted", &["--claim", "x", "--narrated", "x changed", "--third-party"], 1),
        ("no_claim", &["--claim", ""], 3),
    ] {
        let minted = attest(&env, &[arguments, &states].concat());
        assert_eq!(minted.exits(code).json(), receipt(name), "{name}");
    }
    let unread = attest(&env, &["--claim", "x", "--before", "nofile", "--after", "a.json"]);
    assert_eq!(unread.exits(3).json(), receipt("unwitnessed"));
    let accepted = attest(&env, &["--claim", "tests", "--accept-cmd", "sh -c \"exit 0\""]);
    assert_eq!(accepted.exits(0).json(), receipt("accepted"));
}

#[test]
fn any_change_of_a_receipt_is_loud() {
    let mut env = shop();
    let whole = receipt("refuted");
    for (field, value) in whole.as_object().unwrap() {
        let changed = match value {
            Value::Bool(flag) => json!(!flag),
            Value::String(text) => json!(format!("{text} ")),
            other => panic!("{other}"),
        };
        let with = |value: serde_json::Value| {
            let mut receipt = whole.clone();
            receipt[field] = value;
            verify(&env, &receipt, "secret")
        };
        match field.as_str() {
            // Another kind of receipt, and another word where there are only certain ones: no receipt.
            "schema" | "accountability_tier" | "algorithm" => {
                with(changed).exits(2).says(field);
            }
            // The same kind of field with something else in it: not what was signed.
            _ => {
                with(changed).exits(1).prints("INVALID");
            }
        }
        // Another type: no receipt.
        for value in [json!(1), json!(null), json!([value])] {
            with(value).exits(2).says(field);
        }
        let mut less = whole.clone();
        less.as_object_mut().unwrap().remove(field);
        verify(&env, &less, "secret").exits(2).says(field);
    }
    let mut upper = whole.clone();
    upper["signature"] = json!(whole["signature"].as_str().unwrap().to_uppercase());
    verify(&env, &upper, "secret").exits(1);
    let mut more = whole.clone();
    more["comment"] = json!("trust me");
    verify(&env, &more, "secret").exits(1).prints("no signature covers");
    let mut unsigned = whole.clone();
    unsigned["signature"] = json!("");
    verify(&env, &unsigned, "secret").exits(1).prints("not signed");
    // One field twice: one reader would see the first, another the second.
    let twice = whole.to_string().replacen('{', "{\"verdict\":\"CONFIRMED\",", 1);
    env.write("receipt.json", twice);
    env.dos("verify-receipt --receipt receipt.json --key-file secret").exits(2).says("twice");
    // Another key, and a key that somebody has saved with a newline.
    env.write("other", "a shared secret\nof two lines\n");
    verify(&env, &whole, "other").exits(1);
    env.write("empty", "");
    verify(&env, &whole, "empty").exits(1);
    env.dos("verify-receipt --receipt receipt.json").exits(2).says("DOS_ATTEST_KEY");
    env.dos("verify-receipt --key-file secret").exits(2).says("there is no receipt");
    env.set("DOS_ATTEST_KEY", "a shared secret\nof two lines");
    env.write("receipt.json", whole.to_string());
    env.dos("verify-receipt --receipt receipt.json").exits(0).prints("ADVERSE");
    for content in ["[]", "{", "{}", "null"] {
        env.write("receipt.json", content);
        env.dos("verify-receipt --receipt receipt.json").exits(2).says("no receipt");
    }
}

#[test]
fn an_agents_words_cannot_turn_a_receipt_into_another() {
    let env = shop();
    verify(&env, &receipt("forged"), "secret").exits(1).prints("line break");
    let told = "x\nverdict=CONFIRMED";
    let refused = attest(
        &env,
        &["--claim", "x", "--narrated", told, "--before", "b.json", "--after", "a.json"],
    );
    refused.exits(2).says("line break");
}

#[test]
fn a_command_is_a_witness_by_how_it_ends() {
    let env = shop();
    for (command, code, verdict) in [
        ("true", 0, "CONFIRMED"),
        ("sh -c 'exit 7'", 1, "REFUTED"),
        ("sh -c 'kill -9 $$'", 3, "UNWITNESSED"),
        ("nosuch-program", 3, "UNWITNESSED"),
        ("'", 3, "UNWITNESSED"),
        (" ", 3, "UNWITNESSED"),
        // More than a pipe holds, on both.
        ("sh -c 'yes | head -c 1000000; yes | head -c 1000000 >&2'", 0, "CONFIRMED"),
    ] {
        let answer = attest(&env, &["--claim", "tests", "--third-party", "--accept-cmd", command]);
        let answer = answer.exits(code).json();
        assert_eq!(answer["verdict"], verdict, "{command}");
        assert_eq!(answer["witness_surface"], command);
        let rung = if code == 3 { "" } else { "OS_RECORDED" };
        assert_eq!(answer["accountability_tier"], rung, "{command}");
        verify(&env, &answer, "secret").exits(0);
    }
    for (arguments, said) in [
        (&["--claim", "k"][..], "no witness"),
        (&["--claim", "k", "--before", "b.json"], "both"),
        (
            &["--claim", "k", "--before", "b.json", "--after", "a.json", "--accept-cmd", "true"],
            "two witnesses",
        ),
        (&["--claim", "k", "--accept-cmd", "true", "--expect", "deleted"], "--expect"),
    ] {
        attest(&env, arguments).exits(2).says(said);
    }
}

#[test]
fn who_checks_a_pair_cannot_sign_with_it() {
    let env = shop();
    env.dos("attest-key signer.pem").exits(0).prints("signer.pem.pub");
    env.dos("attest-key signer.pem").exits(2).says("signer.pem");
    let mode = |name: &str| {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(env.path(name)).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(mode("signer.pem"), 0o600);
    let sign = |key: &str| {
        let states = ["--before", "b.json", "--after", "a.json", "--sign", "ed25519", "--json"];
        env.run([&["attest", "--claim", "orders:42", "--key-file", key][..], &states].concat())
    };
    let signed = sign("signer.pem").exits(0).json();
    assert_eq!(signed["algorithm"], "ED25519");
    verify(&env, &signed, "signer.pem.pub").exits(0);
    // The public half signs nothing, nor does anything else.
    sign("signer.pem.pub").exits(2).says("private key");
    sign("secret").exits(2).says("attest-key");
    env.dos("attest-key other.pem").exits(0);
    for key in ["other.pem.pub", "signer.pem", "secret"] {
        verify(&env, &signed, key).exits(1);
    }
    let mut changed = signed.clone();
    changed["claim"] = json!("orders:43");
    verify(&env, &changed, "signer.pem.pub").exits(1);
    // Nobody may take the public half for a shared secret, which everybody would know.
    let hmac =
        ["attest", "--claim", "orders:42", "--before", "b.json", "--after", "a.json", "--json"];
    let public = fs::read_to_string(env.path("signer.pem.pub")).unwrap();
    // Text before the key is PEM too.
    env.write("commented.pub", format!("# the key of CI\n{public}"));
    verify(&env, &signed, "commented.pub").exits(0);
    for key in ["signer.pem.pub", "commented.pub"] {
        env.run([&hmac[..], &["--key-file", key]].concat()).exits(2).says("PEM");
        let mut confused = receipt("confirmed");
        let keyed = sealed_with(&env, &confused, &fs::read(env.path(key)).unwrap());
        confused["signature"] = json!(keyed);
        verify(&env, &confused, key).exits(1).prints("PEM");
    }
    // Another program agrees about the signature.
    if Command::new("openssl").arg("version").output().is_err() {
        return crate::skipped("there is no openssl");
    }
    let bytes = canonical(&signed);
    env.write("bytes", &bytes);
    env.write("signature", unhex(signed["signature"].as_str().unwrap()));
    let mut openssl = Command::new("openssl");
    openssl.args(["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "signer.pem.pub"]);
    openssl.args(["-in", "bytes", "-sigfile", "signature"]);
    env.furnish(&mut openssl);
    let output = openssl.stdout(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// The signed bytes, put together here from what the format says.
fn canonical(receipt: &Value) -> String {
    let fields = "schema claim narrated witness_surface witness_author accountability_tier verdict \
                  believe refuted timestamp algorithm";
    let line = |field: &str| match &receipt[field] {
        Value::String(text) => format!("{field}={text}"),
        other => format!("{field}={other}"),
    };
    fields.split_whitespace().map(line).collect::<Vec<String>>().join("\n")
}

/// What somebody would sign who took these bytes for a shared secret.
fn sealed_with(env: &TestEnv, receipt: &Value, key: &[u8]) -> String {
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let file: PathBuf = env.path("to-sign");
    fs::write(&file, canonical(receipt)).unwrap();
    let mut openssl = Command::new("openssl");
    openssl
        .args(["dgst", "-sha256", "-mac", "HMAC", "-macopt", &format!("hexkey:{hex}")])
        .arg(file);
    match openssl.output() {
        Ok(output) => {
            let text = String::from_utf8(output.stdout).unwrap();
            text.trim().rsplit(' ').next().unwrap().to_string()
        }
        Err(_) => "00".repeat(32),
    }
}

fn unhex(text: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

#[test]
fn a_receipt_names_the_snapshots_that_it_rests_on() {
    let env = shop();
    env.dos("snapshot take before --from b.json").exits(0);
    let taken = env.dos("snapshot list --json").exits(0).json();
    let seal = taken["snapshots"][0]["sha256"].as_str().unwrap().to_string();
    let states = ["--before", "before", "--after", "a.json", "--expect", "status=paid"];
    let answer = attest(&env, &[&["--claim", "orders:42"][..], &states].concat());
    let surface = format!("before@{seal}→a.json [/status=\"paid\"]");
    assert_eq!(answer.exits(0).json()["witness_surface"], surface);
    // What did not count stands there too, also where the workspace says so.
    env.write("dos.toml", "[state_diff]\nignore = [\"/meta/*\"]\n");
    let states = ["--before", "b.json", "--after", "a.json", "--expect", "updated"];
    let rules = ["--ignore", "etag", "--timestamp-field", "at"];
    let answer = attest(&env, &[&["--claim", "orders:42"][..], &states, &rules].concat());
    let surface = "b.json→a.json [updated; ignoring /meta/*, etag; times at at]";
    assert_eq!(answer.exits(0).json()["witness_surface"], surface);
    // Nobody's characters reach the terminal.
    let odd = ["attest", "--claim", "\u{1b}[31m", "--accept-cmd", "true", "--key-file", "secret"];
    let shown = env.run(odd);
    assert!(!shown.exits(0).stdout.contains('\u{1b}'), "{shown:?}");
}

#[test]
fn a_pipe_makes_nobody_wait() {
    let env = shop();
    super::make_pipe(&env.path("pipe"));
    env.write("big", vec![b'x'; 1024 * 1024 + 1]);
    env.write("b.json", "{}");
    let receipt = receipt("refuted");
    env.write("receipt.json", receipt.to_string());
    let sides = "--before b.json --after b.json";
    for (command, said) in [
        ("verify-receipt --receipt pipe --key-file secret", "no regular file"),
        ("verify-receipt --receipt big --key-file secret", "longer than 1048576 bytes"),
        ("verify-receipt --receipt receipt.json --key-file pipe", "no regular file"),
        ("verify-receipt --receipt receipt.json --key-file big", "longer than 65536 bytes"),
        ("verify-receipt --receipt receipt.json --key-file /dev/zero", "no regular file"),
        ("attest --claim k --accept-cmd true --key-file pipe", "no regular file"),
        ("attest --claim k --accept-cmd true --key-file big", "longer than 65536 bytes"),
        (&format!("state-diff {sides} --claims pipe"), "no regular file"),
        (&format!("state-diff {sides} --claims /dev/zero"), "no regular file"),
    ] {
        env.dos(command).exits(2).says(said);
    }
}
