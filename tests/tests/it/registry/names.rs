//! One folder by two names that differ only in case: by a mount, and on a file system to which case
//! does not matter.

use std::process::Command;

use dos_tests::Running;
use serde_json::{Value, json};

use super::SHARED;
use crate::{API_WEB, empty, field, skipped};

/// Makes `W` go by `w` as well, and works in it by both names. Each line of its output is an answer.
const WORK: &str = r#"
kind=$1 base=$2 image=$3 binary=$4
case $kind in
bind) mkdir "$base/W" "$base/w" && mount --bind "$base/W" "$base/w" || exit 77 ;;
casefold)
    truncate -s 16M "$image" && mkfs.ext4 -q -O casefold "$image" || exit 77
    mount -o loop "$image" "$base" && mkdir "$base/c" && chattr +F "$base/c" || exit 77
    base=$base/c && mkdir "$base/W" ;;
esac
cd "$base" || exit 78
printf '%s' "$5" > w/dos.toml
git init -q W && git -C W add . && git -C W -c user.name=a -c user.email=a@b commit -qm x &&
    git -C W worktree add -q ../one || exit 78
take() { "$binary" lease-lane acquire --workspace "$1" --lane "$2" --owner "$3" > /dev/null; echo $?; }
take W api a; take w api b; take one api c
take w web b; take W web a; take one web a
for cwd in W w one; do
    printf '{"tool_name":"Write","session_id":"x","cwd":"%s","tool_input":{"file_path":"%s"}}' \
        "$base/$cwd" "$base/w/api/x.py" | "$binary" hook pretool | grep -c '"deny"'
done
line() { "$binary" "$@" --json | tr -d '\n'; echo; }
line projects
"$binary" reindex --under . > /dev/null || exit 78
line projects
line forget w
line projects
"#;

fn one_folder_by_two_names(kind: &str, namespaces: &str) {
    let env = empty();
    let mut command = Command::new("unshare");
    command.args([namespaces, "sh", "-c", WORK, "sh", kind]);
    command.arg(env.root()).arg(env.outer().join("image")).arg(env.binary());
    command.arg(format!("{API_WEB}{SHARED}"));
    env.furnish(&mut command);
    command.current_dir("/");
    let output = Running::start(command).finish();
    match output.code {
        Some(0) => {}
        Some(78) => panic!("{output:#?}"),
        _ => return skipped(&format!("two names of one folder ({kind}): {}", output.stderr)),
    }
    let answers: Vec<Value> =
        output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (numbers, listed) = answers.split_at(9);
    // Whoever takes a lane by one name has it by the other, and each hook denies.
    assert_eq!(*numbers, [0, 1, 1, 0, 1, 1, 1, 1, 1].map(|it| json!(it)), "{output:#?}");
    for projects in [&listed[0], &listed[1]] {
        assert_eq!(projects.as_array().unwrap().len(), 1, "{projects}");
    }
    assert_eq!(field(&listed[0], "project_id"), field(&listed[1], "project_id"));
    assert_eq!(field(&listed[2]["forgotten"], "project_id"), field(&listed[0], "project_id"));
    assert_eq!(listed[3], json!([]));
}

#[test]
fn a_folder_that_is_mounted_in_two_places_is_one_project() {
    one_folder_by_two_names("bind", "-Urm");
}

#[test]
fn a_folder_is_one_project_where_case_does_not_matter() {
    one_folder_by_two_names("casefold", "--mount");
}
