//! Ways to write into somebody else's lane, each with the verdict that we promise.

use std::fs;
use std::os::unix::fs::symlink;

use dos_tests::TestEnv;
use serde_json::{Value, json};

use super::{Verdict, alice_holds_api, call, pretool, verdict};
use crate::{API_WEB, configured};

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// It is denied: the write is proved.
    Denied,
    /// The agent is told, and may go on.
    Advised,
    /// Silence: nothing of anybody else's is written, or nobody can see it.
    Passes,
}
use Promise::{Advised, Denied, Passes};

/// `alice` holds `api`; there are files in `api` and `web`, and links from `web`.
fn scene() -> TestEnv {
    let env = alice_holds_api();
    for file in ["api/x.py", "api/y.py", "api/deep/z.py", "web/a.ts", "p.patch", ".dos/canary"] {
        env.write(file, "old\n");
    }
    symlink("../api", env.path("web/link")).unwrap();
    symlink("../api/x.py", env.path("web/x.py")).unwrap();
    symlink(env.path("api/new.py"), env.path("web/dangling")).unwrap();
    env
}

#[track_caller]
fn check(env: &TestEnv, event: &Value, promise: Promise) {
    assert_eq!(found(env, event), promise, "{event}");
}

#[track_caller]
pub fn found(env: &TestEnv, event: &Value) -> Promise {
    match verdict(&pretool(env, event)) {
        Verdict::Deny(text) => {
            assert!(text.contains("alice") || text.contains("no agent"), "{event}: {text}");
            Denied
        }
        Verdict::Warn(_) => Advised,
        Verdict::Pass => Passes,
    }
}

#[test]
fn shell_commands() {
    let env = scene();
    let root = env.root().display().to_string();
    let mut broken = Vec::new();
    for (command, promise) in [
        // Redirections.
        ("echo x > api/x.py", Denied),
        ("echo x >> api/x.py", Denied),
        ("echo x >| api/x.py", Denied),
        ("echo x &> api/x.py", Denied),
        ("> api/x.py", Denied),
        ("cat <<E > api/x.py\nnew\nE", Denied),
        ("true && { echo x; } > api/x.py", Denied),
        ("(cd api; echo x > new.py)", Denied),
        ("echo x > ROOT/api/x.py", Denied),
        ("echo x > web/../api/x.py", Denied),
        ("echo x > ./api//x.py", Denied),
        ("echo x > API/x.py", Denied),
        ("echo x > 'api'/\"x.py\"", Denied),
        ("echo x > a\\pi/x.py", Denied),
        ("f=api/x.py; echo x > $f", Denied),
        ("echo x > ap{i,x}/x.py", Passes),
        // Programs.
        ("cd api && touch new.py", Denied),
        ("cd web/.. && cd api && touch new.py", Denied),
        ("pushd api && touch new.py", Denied),
        ("echo x | tee api/x.py", Denied),
        ("echo x | tee -a web/a.ts api/x.py", Denied),
        ("cp web/a.ts api/x.py", Denied),
        ("cp web/a.ts api", Denied),
        ("cp -r web/. api", Denied),
        ("cp -t api web/a.ts", Denied),
        ("mv web/a.ts api/", Denied),
        ("mv api/x.py web/", Denied),
        ("rm api/x.py", Denied),
        ("rm -rf api", Denied),
        ("rm -rf ./api/", Denied),
        ("rm -f api/*.py", Denied),
        ("rm -rf *", Denied),
        ("ln -sf /tmp/x api/x.py", Denied),
        ("install -m 644 web/a.ts api/x.py", Denied),
        ("sed -i s/a/b/ api/x.py", Denied),
        ("sed -i.bak s/a/b/ api/x.py", Denied),
        ("perl -pi -e s/a/b/ api/x.py", Denied),
        ("dd if=web/a.ts of=api/x.py", Denied),
        ("truncate -s 0 api/x.py", Denied),
        ("tar xf x.tar -C api", Denied),
        ("find api -name '*.py' -delete", Advised),
        ("find web -name '*.py' -delete", Passes),
        ("git checkout -- api/x.py", Denied),
        ("git rm api/x.py", Denied),
        ("git mv api/x.py web/y.py", Denied),
        // Wrapped.
        ("sh -c 'echo x > api/x.py'", Denied),
        ("bash -lc \"rm api/x.py\"", Denied),
        ("env A=1 rm api/x.py", Denied),
        ("sudo -u root rm api/x.py", Denied),
        ("timeout 5 nice -n 5 rm api/x.py", Denied),
        ("eval 'rm api/x.py'", Denied),
        ("echo $(rm api/x.py)", Denied),
        ("f() { rm api/x.py; }; f", Denied),
        ("find . -maxdepth 0 -exec rm api/x.py ';'", Denied),
        // Links.
        ("echo x > web/link/x.py", Denied),
        ("echo x > web/x.py", Denied),
        ("echo x > web/dangling", Denied),
        ("rm web/link/x.py", Denied),
        // The whole checkout.
        ("git stash", Advised),
        ("git reset --hard", Advised),
        ("git checkout main", Advised),
        ("git add -A", Advised),
        ("git merge topic", Advised),
        ("cd web && git stash", Advised),
        // Nobody can tell: never a denial.
        ("python3 -c \"open('api/x.py', 'w')\"", Advised),
        ("python3 -c 'import evil'", Advised),
        ("node -e 'require(`fs`)'", Advised),
        ("python3 gen.py --out api/x.py", Advised),
        // Other places, other programs.
        ("ssh host 'rm api/x.py'", Passes),
        ("ssh host bash <<'E'\nrm api/x.py\nE", Passes),
        ("docker exec -it c rm api/x.py", Passes),
        ("kubectl -n x exec pod -- rm -r api", Passes),
        ("make && cat api/x.py", Passes),
        ("npx tsc -p .", Passes),
        ("npx eslint -c web/rc --fix web", Passes),
        ("pnpm -r build", Passes),
        ("sudo -E make", Passes),
        ("go test ./...", Passes),
        ("python3 -W error tool.py -c x", Passes),
        ("python3 -W error -c 'import evil'", Advised),
        ("python3 -I -c 'open(1)'", Advised),
        ("ruby -W -e 'x'; perl -W -e 'x'", Advised),
        ("perl -ne 'print'", Passes),
        ("perl -e 'print'", Advised),
        ("python3 <<'E'\nimport evil\nE", Advised),
        ("cd api && rm \"$x\"", Advised),
        ("cd api && python3 ../gen.py y.py", Advised),
        ("cd \"$x\" && touch api/x.py && make", Passes),
        ("find . -type f | xargs rm", Advised),
        ("find . -type f -delete", Denied),
        ("cat <<'E' | patch -p1\n--- a/api/x.py\n+++ b/api/x.py\nE", Denied),
        ("git clean -fdx -e api", Denied),
        ("make", Passes),
        ("cargo test", Passes),
        ("find api -print | xargs rm", Advised),
        ("ls web | xargs rm", Passes),
        ("find web | xargs grep api/x.py", Passes),
        ("parallel rm ::: web/a.ts api/x.py", Denied),
        ("awk '{print > \"api/x.py\"}' web/a.ts", Denied),
        ("awk '$1 > \"api/x.py\"' web/a.ts", Passes),
        // Names that the command itself makes.
        ("ln -s api w2; echo x > w2/y.py", Denied),
        ("ln -s ../api web/w2 && rm web/w2/x.py", Denied),
        ("ln api/x.py web/z.py", Denied),
        ("cp -l api/x.py web/z.py", Denied),
        ("link api/x.py web/z.py", Denied),
        ("ln -s ../api/x.py web/z.py", Passes),
        ("mount --bind api web; echo > web/x.py", Denied),
        ("echo x > ~+/api/x.py", Denied),
        ("cd \"$(git rev-parse --show-toplevel)\" && rm api/x.py", Denied),
        ("rm $(git rev-parse --show-toplevel)/api/x.py", Denied),
        ("rm $(git rev-parse --show-toplevel)/web/a.ts", Passes),
        // Patches in the command, and what programs put out.
        ("apply_patch <<'E'\n*** Begin Patch\n*** Update File: api/x.py\n*** End Patch\nE", Denied),
        ("patch -p1 <<'E'\n--- a/api/x.py\n+++ b/api/x.py\nE", Denied),
        ("git apply <<'E'\n--- a/api/x.py\n+++ b/api/x.py\nE", Denied),
        ("patch -p1 <<'E'\n--- a/web/a.ts\n+++ b/web/a.ts\n-api/x.py\nE", Passes),
        ("gcc -o api/x.py a.c", Denied),
        ("time -o api/x.py ls", Denied),
        ("script -c ls api/x.py", Denied),
        // Reads, talk, and one's own.
        ("cat api/x.py", Passes),
        ("grep -r x api > web/found.txt", Passes),
        ("cp api/x.py web/y.py", Passes),
        ("echo 'rm -rf api' > web/notes.txt", Passes),
        ("git commit -m 'rm api/x.py > api/y.py'", Passes),
        ("cat <<'E' > web/a.ts\nrm -rf api\nE", Passes),
        ("rm -f web/*.py.bak; ls api", Passes),
        ("git status && git diff api", Passes),
        ("mkdir -p web/new && touch web/new/a", Passes),
        ("echo x > /dev/null 2>&1", Passes),
    ] {
        let event = call("bob", "Bash", json!({"command": command.replace("ROOT", &root)}));
        let found = found(&env, &event);
        if found != promise {
            broken.push(format!("{command}: {found:?}, not {promise:?}"));
        }
    }
    assert_eq!(broken, [""; 0]);
}

#[test]
fn file_tools() {
    let env = scene();
    let root = env.root();
    let real = root.join("api/x.py").display().to_string();
    let outer = env.outer().join("door");
    symlink(&root, &outer).unwrap();
    let door = outer.join("api/x.py").display().to_string();
    let uri = format!("file://{real}");
    for (path, promise) in [
        ("api/x.py", Denied),
        ("./api/../api/x.py", Denied),
        ("web/link/new/deep.py", Denied),
        ("web/x.py", Denied),
        ("web/dangling", Denied),
        ("API/X.PY", Denied),
        ("api\\x.py", Denied),
        (real.as_str(), Denied),
        (&door, Denied),
        (&uri, Denied),
        ("web/a.ts", Passes),
        ("apix/x.py", Passes),
        ("/tmp/api/x.py", Passes),
    ] {
        for tool in ["Write", "Edit", "write_file", "str_replace_editor"] {
            check(&env, &call("bob", tool, json!({"path": path})), promise);
        }
    }
    let patch = "*** Begin Patch\n*** Update File: web/a.ts\n@@\n-old\n+new\n*** Move to: api/w.ts\n*** End Patch\n";
    check(&env, &call("bob", "apply_patch", json!({"command": patch})), Denied);
    let edits = json!({"edits": [{"file_path": "web/a.ts"}, {"file_path": "api/x.py"}]});
    check(&env, &call("bob", "MultiEdit", edits), Denied);
    let served = json!({"path": "api/x.py"});
    check(&env, &call("bob", "mcp__files__write_file", served), Advised);
    check(&env, &call("bob", "mcp__files__write_file", json!({"path": real})), Denied);
    let served = json!({"path": "api/x.py"});
    check(&env, &call("bob", "mcp__files__search_replace", served), Advised);
    check(&env, &call("bob", "replace_symbol", json!({"relative_path": "api/x.py"})), Advised);
    for tool in ["Monitor", "PowerShell"] {
        check(&env, &call("bob", tool, json!({"command": "echo x > api/x.py"})), Denied);
    }
    let served =
        |command: &str| call("bob", "mcp__box__execute_command", json!({"command": command}));
    check(&env, &served("echo x > api/x.py"), Advised);
    check(&env, &served(&format!("echo x > {real}")), Denied);
    check(&env, &served("cat api/x.py"), Passes);
    let info = json!({"path": "api/x.py"});
    check(&env, &call("bob", "mcp__files__get_file_info", info), Passes);
    let odd = r#"{"session_id":"bob","tool_name":"Write","tool_input":{"file_path":"api/x.py","content":"\ud800"}}"#;
    assert!(env.fed("hook pretool", odd).exits(0).stdout.contains("deny"));
}

#[test]
fn the_case_of_letters_is_policy() {
    let env = configured(&format!("{API_WEB}\n[overlap]\ncase = \"sensitive\"\n"));
    env.dos("lease-lane acquire --lane api --owner alice").exits(0);
    check(&env, &call("bob", "Write", json!({"file_path": "API/x.py"})), Passes);
    check(&env, &call("bob", "Write", json!({"file_path": "api/x.py"})), Denied);
}

#[test]
fn the_referee_cannot_be_unhooked() {
    let env = scene();
    env.dos("init --hooks claude-code").exits(0);
    fs::create_dir_all(env.path(".codex")).unwrap();
    for (command, promise) in [
        ("rm -rf .dos", Denied),
        ("rm -rf .claude", Denied),
        ("mv .claude .claude.off", Denied),
        ("sed -i s/dos//g .claude/settings.json", Denied),
        ("echo '{}' > ~/.claude/settings.json", Denied),
        ("echo > dos.toml", Denied),
        ("cd .dos && rm lane-journal.jsonl", Denied),
        ("cp /dev/null .dos/lane-journal.jsonl", Denied),
        ("rm -rf .", Denied),
        ("dos init --hooks claude-code --uninstall", Denied),
        ("/usr/bin/dos init --hooks=codex --uninstall", Denied),
        ("dos init --force", Denied),
        ("dos init --dry-run", Passes),
        ("dos init --hooks claude-code --dry-run", Passes),
        ("dos verify x init --force", Passes),
        ("dos --workspace . init --force", Denied),
        ("dos lease-lane acquire --lane web --owner bob", Passes),
        ("cat dos.toml .dos/lane-journal.jsonl", Passes),
    ] {
        check(&env, &call("bob", "Bash", json!({"command": command})), promise);
    }
}

#[test]
fn rules_can_be_turned_up_and_down() {
    let asked = |guard: &str, command: &str| {
        let env = configured(&format!("{API_WEB}\n[guard]\n{guard}\n"));
        env.dos("lease-lane acquire --lane api --owner alice").exits(0);
        let event = call("bob", "Bash", json!({"command": command}));
        let found = verdict(&pretool(&env, &event));
        (found, super::enforced(&env))
    };
    for (guard, command, class) in [
        ("checkout_ops = \"deny\"", "git stash", Some("CHECKOUT_OP")),
        ("checkout_ops = \"off\"", "git stash", None),
        ("exec = \"deny\"", "cd web && python3 -c 'x'", Some("EXEC_CAPABILITY")),
        ("exec = \"off\"\nunknown = \"off\"", "python3 -c 'x'", None),
        ("exec = \"deny\"", "ls", None),
    ] {
        let (found, recorded) = asked(guard, command);
        assert_eq!(recorded, class.into_iter().collect::<Vec<_>>(), "{guard}: {command}");
        assert_eq!(matches!(found, Verdict::Deny(_)), class.is_some(), "{guard}: {command}");
    }
    let (found, _) = asked("exec = \"warn\"", "python3 -c 'x'");
    assert!(matches!(found, Verdict::Warn(_)));
    // Nobody else is there: nothing can be hit.
    let env = configured(API_WEB);
    let event = call("bob", "Bash", json!({"command": "git stash; python3 -c 'x'"}));
    assert_eq!(verdict(&pretool(&env, &event)), Verdict::Pass);
    assert!(env.journal().is_empty());
}
