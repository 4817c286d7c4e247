//! dos-core computes and does nothing else: what it may depend on, and that no std is below it.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail};

use super::tools::{Package, Workspace, cargo, packages, run};
use super::{Outcome, judge};

const CORE: &str = "dos-core";

/// What dos-core may depend on directly, always with `default-features = false`.
const DIRECT: &[&str] = &[
    "memchr",
    "serde",
    "serde_json",
    "sha2",
    "thiserror",
    "time",
    "toml",
    "unicode-normalization",
];

/// What its tests may use besides.
const DEVELOPMENT: &[&str] = &["globset", "insta", "proptest"];

/// Every package that may be in a build of dos-core. Each was looked at: none does I/O at run time.
/// The second group runs in the compiler only.
const TRANSITIVE: &[&str] = &[
    "block-buffer",
    "cfg-if",
    "cpufeatures",
    "crypto-common",
    "deranged",
    "digest",
    "dos-core",
    "hybrid-array",
    "itoa",
    // For what it knows of processors other than ours.
    "libc",
    "memchr",
    "num-conv",
    "powerfmt",
    "serde",
    "serde_core",
    "serde_json",
    "serde_spanned",
    "sha2",
    "thiserror",
    "time",
    "time-core",
    "tinyvec",
    "tinyvec_macros",
    "toml",
    "toml_datetime",
    "toml_parser",
    "typenum",
    "unicode-normalization",
    "winnow",
    "zmij",
    //
    "proc-macro2",
    "quote",
    "serde_derive",
    "syn",
    "thiserror-impl",
    "unicode-ident",
];

/// A target that has no std: the only build that proves its absence.
const BARE_METAL: &str = "x86_64-unknown-none";

/// Features of serde_json that change what it writes, in the whole build, from any crate.
const JSON_BANNED: &[&str] = &["preserve_order", "arbitrary_precision"];

/// The dependencies of dos-core, direct and transitive, are on the lists above.
pub(super) fn core_dependencies(workspace: &Workspace) -> anyhow::Result<Outcome> {
    let packages = packages(workspace)?;
    let core = packages.iter().find(|package| package.name == CORE).context("no dos-core")?;
    let mut problems = direct_problems(core);

    let arguments = ["tree", "-p", CORE, "-e", "normal", "--prefix", "none", "--target", "all"];
    let tree = cargo(workspace, &[&arguments[..], &["--locked"]].concat())?;
    if !tree.success {
        problems.push(format!("`cargo tree -p {CORE}` failed\n{}", tree.text()));
    }
    let found: BTreeSet<&str> = tree.stdout.lines().filter_map(first_word).collect();
    for name in &found {
        if !TRANSITIVE.contains(name) {
            problems.push(format!("{name}: below {CORE}, but not on the list of known packages"));
        }
    }
    judge(problems, format!("{} packages below {CORE}, all known", found.len()))
}

fn direct_problems(core: &Package) -> Vec<String> {
    let mut problems = Vec::new();
    for dependency in &core.dependencies {
        let name = dependency.name.as_str();
        let allowed: &[&str] = match dependency.kind.as_str() {
            "normal" => DIRECT,
            "dev" => DEVELOPMENT,
            _ => &[],
        };
        if !allowed.contains(&name) {
            problems.push(format!("{CORE} -> {name} ({}): not allowed", dependency.kind));
        } else if dependency.kind == "normal" && dependency.default_features {
            problems.push(format!("{CORE} -> {name}: must not use its default features"));
        }
    }
    problems
}

/// dos-core builds for a target that has no std.
pub(super) fn build_without_std(workspace: &Workspace) -> anyhow::Result<Outcome> {
    if !bare_metal_installed(workspace) {
        // Says nothing when it fails: a machine without network, or without rustup.
        let _ = run(workspace, "rustup", &["target", "add", BARE_METAL]);
        if !bare_metal_installed(workspace) {
            let skipped = format!(
                "target {BARE_METAL} is not installed and cannot be; `std-features` is all there is"
            );
            return Ok(Outcome::Skipped(skipped));
        }
    }
    let arguments = ["check", "--quiet", "-p", CORE, "--target", BARE_METAL, "--locked"];
    let said = cargo(workspace, &arguments)?;
    if !said.success {
        bail!("{}", said.text());
    }
    Ok(Outcome::Passed(format!("built for {BARE_METAL}")))
}

fn bare_metal_installed(workspace: &Workspace) -> bool {
    run(workspace, "rustup", &["target", "list", "--installed"])
        .is_ok_and(|said| said.stdout.lines().any(|line| line.trim() == BARE_METAL))
}

/// No feature named `std` is on below dos-core. Needs no target, and cannot see a crate that uses
/// std without a feature for it; `core-deps` and `no-std` do.
pub(super) fn std_features(workspace: &Workspace) -> anyhow::Result<Outcome> {
    let arguments = ["tree", "-p", CORE, "-e", "normal,features", "--prefix", "none", "--locked"];
    let tree = cargo(workspace, &arguments)?.expect_success("cargo tree -e normal,features")?;
    let leaks: BTreeSet<&str> =
        tree.lines().filter(|line| line.contains("feature \"std\"")).collect();
    let problems = leaks.iter().map(|leak| format!("below {CORE}: {leak}")).collect();
    judge(problems, format!("no feature \"std\" below {CORE}"))
}

/// serde_json is asked for, and built, without the features that change what it writes.
pub(super) fn json_features(workspace: &Workspace) -> anyhow::Result<Outcome> {
    let mut problems = Vec::new();
    for package in packages(workspace)? {
        for dependency in package.dependencies.iter().filter(|it| it.name == "serde_json") {
            let banned = |feature: &&String| JSON_BANNED.contains(&feature.as_str());
            for feature in dependency.features.iter().filter(banned) {
                problems.push(format!("{} asks serde_json for {feature}", package.name));
            }
        }
    }

    let arguments = ["tree", "--workspace", "-e", "normal,build,dev", "--prefix", "none"];
    let tree = cargo(workspace, &[&arguments[..], &["-f", "{p}|{f}", "--locked"]].concat())?;
    if !tree.success {
        problems.push(format!("`cargo tree --workspace` failed\n{}", tree.text()));
    }
    let mut built = BTreeSet::new();
    for line in tree.stdout.lines().filter(|line| first_word(line) == Some("serde_json")) {
        let features = line.split_once('|').map_or("", |(_, features)| features);
        built.extend(features.trim_end_matches("(*)").trim().split(','));
    }
    if built.is_empty() && tree.success {
        problems.push("serde_json is not in the tree: this step looks at nothing".to_owned());
    }
    for feature in JSON_BANNED.iter().filter(|feature| built.contains(*feature)) {
        problems.push(format!("serde_json is built with {feature}"));
    }
    let built: Vec<&str> = built.into_iter().collect();
    judge(problems, format!("serde_json has {}", built.join(", ")))
}

fn first_word(line: &str) -> Option<&str> {
    line.split_whitespace().next()
}
