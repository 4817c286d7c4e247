//! Ways to write what no agent may write, while nobody holds a lane, and ways to talk about it.

use dos_tests::TestEnv;
use serde_json::json;

use super::evasion::Promise::{self, Advised, Denied, Passes};
use super::evasion::found;
use super::{Verdict, call, pretool, verdict};
use crate::{API_WEB, configured};

fn scene() -> TestEnv {
    let env = configured(API_WEB);
    for file in [
        ".git/HEAD",
        "api/x.py",
        "web/a.ts",
        ".claude/settings.json",
        ".claude/agents/a.md",
        ".dos/x",
    ] {
        env.write(file, "old\n");
    }
    env
}

#[track_caller]
fn check(env: &TestEnv, table: &[(&str, Promise)]) {
    let root = env.root().display().to_string();
    let mut broken = Vec::new();
    for (command, promise) in table {
        let command = command.replace("ROOT", &root);
        let found = found(env, &call("bob", "Bash", json!({"command": command})));
        if found != *promise {
            broken.push(format!("{command}: {found:?}, not {promise:?}"));
        }
    }
    assert_eq!(broken, [""; 0]);
}

#[test]
fn folders_that_lead_to_protected_files_are_not_closed_moved_or_replaced() {
    let env = scene();
    check(
        &env,
        &[
            ("chmod 000 .dos", Denied),
            ("chmod u-w .dos", Denied),
            ("chmod -x .claude", Denied),
            ("chmod 000 .", Denied),
            ("chmod 000 ROOT", Denied),
            ("chown nobody .claude", Denied),
            ("rmdir .dos", Denied),
            ("rm -d .dos", Denied),
            ("mv .claude c", Denied),
            ("mount --bind /tmp .dos", Denied),
            ("umount .dos", Denied),
            ("ln -sfn /tmp .codex", Denied),
            ("cp -r api .gemini", Denied),
            ("cp -r api/. .dos", Denied),
            ("cp -rT api .dos", Denied),
            ("cp -r api/. .", Passes),
            ("cp -rT api .", Passes),
            ("cp -a /tmp/x/. .", Passes),
            ("chmod 755 api", Passes),
            ("chmod 755 .", Passes),
            ("chmod u+rwx .", Passes),
            ("chmod a+rX .claude .dos", Passes),
            ("chmod 655 .dos", Denied),
            ("chmod -R 755 .dos", Denied),
            ("chmod +x api/x.py", Passes),
            ("mkdir -p .claude/agents .claude", Passes),
            ("mkdir -p .cursor", Passes),
            ("touch .claude/agents/b.md", Passes),
            ("cp \"$f\" .claude/agents/", Passes),
            ("ls -la .dos; stat .dos", Passes),
        ],
    );
}

#[test]
fn what_takes_the_whole_tree_takes_the_protected_files() {
    let env = scene();
    check(
        &env,
        &[
            ("git clean -fdx", Denied),
            ("git clean -fdX", Denied),
            ("git stash -a", Denied),
            ("git stash -u", Denied),
            ("git stash push --include-untracked", Denied),
            ("git stash push --all -m x", Denied),
            ("git checkout .", Denied),
            ("git checkout -- .", Denied),
            ("git checkout HEAD~1 -- .", Denied),
            ("git restore .", Denied),
            ("cd api && git restore :/", Denied),
            ("git checkout dos.toml", Denied),
            ("git checkout ./dos.toml", Denied),
            ("git checkout .claude", Denied),
            ("git restore dos.toml", Denied),
            ("git --work-tree=. checkout dos.toml", Denied),
            ("git --git-dir=.git checkout -- dos.toml", Denied),
            ("git --work-tree=ROOT --git-dir=ROOT/.git checkout .", Denied),
            ("cd /tmp && git -C ROOT checkout .", Denied),
            ("cd /tmp && GIT_WORK_TREE=ROOT git checkout .", Denied),
            ("export GIT_WORK_TREE=ROOT; cd /tmp; git checkout -- dos.toml", Denied),
            ("git checkout main", Passes),
            ("git checkout -b dos", Passes),
            ("git checkout api/x.py", Passes),
            ("git clean -fdxn", Passes),
            ("git clean -fdx -e .dos -e dos.toml -e .claude", Passes),
            ("git clean -fdx -e /.dos -e /dos.toml -e /.claude", Passes),
            ("git clean -fdx -e /.dos/ -e '*.toml' -e '.claude/**'", Denied),
            ("git clean -fdx -e .dos -e dos.toml -e .claude -e '!.dos'", Denied),
            ("git clean -fdx -e .dos -e dos.toml", Denied),
            ("git clean -fdx -e .dos/y -e dos.toml -e .claude", Denied),
            ("git checkout -- . ':!dos.toml' ':!.dos' ':!.claude'", Passes),
            ("git checkout -- . ':!dos.toml' ':!.dos'", Denied),
            ("git checkout -- ':!api'", Denied),
            ("git checkout -- .claude ':!.claude/settings*'", Denied),
            ("git checkout -- . ':!{dos.toml,.dos,.claude}'", Denied),
            ("git checkout -- . ':!**/dos.toml' ':!.dos' ':!.claude'", Denied),
            ("cd api && git checkout -- :/ ':!dos.toml' ':!.dos' ':!.claude'", Denied),
            ("cd api && git checkout -- :/ ':!/dos.toml' ':!/.dos' ':!/.claude'", Passes),
            ("cd api && git checkout ':!x'", Denied),
            ("git checkout HEAD ':!api'", Denied),
            (r"find . -type f -exec grep -q x {} \; -delete", Advised),
            ("find . -delete -name '*.o'", Denied),
            ("git apply <<'E'\nrename from dos.toml\n--- a/x\n+++ b/x\nE", Passes),
            ("cat > q <<'E' | patch -p1\n--- a/dos.toml\nE", Passes),
            ("git rm ':/dos.toml'", Denied),
            ("cd api && git rm -r ':!x' ':/.claude'", Denied),
            ("git rm -rf ':!api'", Denied),
            ("git clean -fd build", Passes),
            ("git stash", Passes),
            ("git stash -u -- src", Passes),
            ("git stash -- dos.toml", Denied),
            ("cd api && git stash -u", Denied),
            ("cd api && git stash save -a x", Denied),
            ("git checkout dos.toml README.md", Denied),
            ("git checkout main README.md", Passes),
            ("cd api && git checkout ':/dos.toml'", Denied),
            ("cd api && git restore ':(top)dos.toml'", Denied),
            ("rsync -a --delete /tmp/x/ .", Denied),
            ("git stash list", Passes),
            ("git add .", Passes),
            ("git diff dos.toml && git log -- .dos", Passes),
        ],
    );
}

#[test]
fn what_cannot_be_told_is_advised_where_a_protected_file_is_handed_to_it() {
    let env = scene();
    check(
        &env,
        &[
            ("find .dos -delete", Denied),
            ("find .dos -type f -delete", Denied),
            ("find . -delete", Denied),
            ("find . -type f -delete", Denied),
            ("find . -mindepth 1 -delete", Denied),
            ("find . -maxdepth 1 -type f -delete", Advised),
            ("find . -type f -exec rm {} +", Advised),
            ("find . -type f -print0 | xargs -0 rm -f", Advised),
            ("find . -mindepth 1 -exec sed -i s/a/b/ {} \\;", Advised),
            ("find api -type f -exec rm {} +", Passes),
            ("find . -type f -exec grep x {} +", Passes),
            ("find api -type f -delete", Passes),
            ("find . -type f ! -path './.dos/*' -newer api/x.py -delete", Passes),
            ("find . -name dos.toml -delete", Advised),
            ("find . -name '*.toml' -delete", Advised),
            ("find . -name dos.toml | xargs rm", Advised),
            ("echo dos.toml | xargs rm", Advised),
            ("cat dos.toml; ls api | xargs rm; cat .dos/x", Passes),
            ("echo dos.toml | xargs sed -i s/a/b/", Advised),
            ("find . -type f | xargs sed -i s/a/b/", Advised),
            (
                "git apply <<'E'\n--- a/q.sql\n+++ b/q.sql\n@@ -1,2 +1 @@\n--- dos.toml\n x\nE",
                Passes,
            ),
            ("ed dos.toml", Denied),
            ("ed -s dos.toml <<< w", Denied),
            ("cat x | sponge dos.toml", Denied),
            ("python3 -c \"open('dos.toml', 'w')\"", Advised),
            ("python3 - <<'E'\nopen('dos.toml', 'w')\nE", Advised),
            ("node edit.js .claude/settings.json", Advised),
            ("find . -name '*.pyc' -delete", Passes),
            ("find . -name node_modules -exec rm -rf {} +", Passes),
            ("rm -f \"$tmp\"", Passes),
            ("git commit -m 'mention dos.toml' && rm -f \"$tmp\"", Passes),
            ("echo 'edit dos.toml' > \"$out\"", Passes),
            ("cat > \"$out\" <<E\nsee dos.toml\nE", Passes),
            ("cat dos.toml | python3 -c 'import sys'", Passes),
            ("cargo test && cat dos.toml", Passes),
            ("python3 -c 'print(1)'", Passes),
            ("cat .dos/x", Passes),
            ("grep -rn dos.toml .", Passes),
            ("echo 'rm dos.toml' | bash", Advised),
            ("cat <<'E' | python3\nopen('dos.toml', 'w')\nE", Advised),
            ("cp dos.toml \"$tmp/\"", Passes),
            ("rsync -a dos.toml \"$tmp\"", Passes),
            ("tar czf \"$out\" dos.toml", Passes),
            ("find . -name '*.toml' -exec cp {} \"$out\" \\;", Passes),
            ("cp api/x.py \".dos/$x\"", Advised),
            ("find . -path ./.dos -prune -o -name x -exec rm {} \\;", Passes),
            ("find . \\( -path ./.dos -o -name .git \\) -prune -o -name '*.log' -delete", Passes),
            ("find . \\( -path ./.dos -type d \\) -prune -o -name '*.log' -delete", Passes),
            ("find . ! \\( -name x -o \\( -path ./.dos \\) \\) -name '*.log' -delete", Passes),
            ("find . \\( -path ./.dos -o -name .git \\) -name '*.log' -delete", Advised),
            ("find . -not -path './.dos/*' -name '*.log' -delete", Passes),
            ("ssh host 'rm dos.toml'", Passes),
            ("docker exec box rm dos.toml", Passes),
            ("docker compose exec web rm dos.toml", Passes),
            ("kubectl -n x exec pod -- rm dos.toml", Passes),
            ("cd .dos && rm \"$x\"", Advised),
            ("dos lease-lane release --help", Passes),
            ("cat <<'E' | patch -p1\n--- a/dos.toml\n+++ b/dos.toml\nE", Denied),
            ("cat <<'E' | git apply -\n--- a/dos.toml\n+++ b/dos.toml\nE", Denied),
            ("git apply <<'E'\ndiff --git a/dos.toml b/dos.toml\nold mode 100644\nE", Denied),
            (
                "git apply <<'E'\ndiff --git a/dos.toml b/x\nrename from dos.toml\nrename to x\nE",
                Denied,
            ),
            (
                "git apply <<'E'\ndiff --git a/dos.toml b/x\ncopy from dos.toml\ncopy to x\nE",
                Passes,
            ),
            ("git apply <<'E'\n--- \"a/\\144os.toml\"\n+++ /dev/null\nE", Denied),
            ("echo 'rm dos.toml' > web/notes.txt", Passes),
        ],
    );
    let env = configured("[guard]\nunknown = \"off\"\n");
    check(&env, &[("echo dos.toml | xargs rm", Passes)]);
}

#[test]
fn a_denial_says_what_is_led_to_and_what_to_name() {
    let env = scene();
    let said = |command: &str| {
        let said = verdict(&pretool(&env, &call("bob", "Bash", json!({"command": command}))));
        let Verdict::Deny(text) = said else { panic!("{command} is not denied") };
        text
    };
    let text = said("rm -rf .");
    assert!(
        text.contains("no agent may write .; it leads to what is protected (`.dos/**`)"),
        "{text}"
    );
    let text = said("rm dos.toml");
    assert!(text.contains("no agent may write dos.toml; it is protected (`dos.toml`)"), "{text}");
    let text = said("git clean -fdx -e .dos -e dos.toml");
    assert!(text.contains(".claude; it leads to") && text.contains("name their paths"), "{text}");
}

#[test]
fn what_stands_before_an_error_is_run() {
    let env = scene();
    let long = format!("rm dos.toml\n: {}\n", "x".repeat(70_000));
    let padded = format!(": {}\nrm dos.toml\n", "x ".repeat(40_000));
    let document = format!("cat > web/big <<'E'\n{}\nE\n", "text\n".repeat(20_000));
    check(
        &env,
        &[
            ("sed -i s/a/b/ dos.toml\n(((", Denied),
            ("cat <<E\nx\nE\nrm dos.toml\nif", Denied),
            ("true\nrm dos.toml; (((", Advised),
            ("echo 'unclosed\nrm api/x.py", Passes),
            (&long, Denied),
            (&padded, Advised),
            (&document, Passes),
        ],
    );
}

#[test]
fn shortened_options_are_the_same_options() {
    let env = scene();
    check(
        &env,
        &[
            ("sed --in-plac s/a/b/ dos.toml", Denied),
            ("cp --target=.dos api/x.py", Denied),
            ("cp --targ .dos api/x.py", Denied),
            ("rm --recurs .claude", Denied),
            ("sort --outp=dos.toml api/x.py", Denied),
            ("tar -x --dir=.dos -f x.tar", Denied),
            ("tar --list --file x.tar", Passes),
            ("install --strip api/x.py web/x", Passes),
        ],
    );
}

#[test]
fn a_journal_that_cannot_be_read_is_no_silence() {
    let env = configured(API_WEB);
    env.write(".dos/lane-journal.jsonl/x", "");
    let write = call("bob", "Write", json!({"file_path": "api/x.py"}));
    let Verdict::Warn(text) = verdict(&pretool(&env, &write)) else { panic!("silence") };
    assert!(text.contains("nobody can tell who holds what"), "{text}");
    let read = call("bob", "Read", json!({"file_path": "api/x.py"}));
    assert_eq!(verdict(&pretool(&env, &read)), Verdict::Pass);
}
