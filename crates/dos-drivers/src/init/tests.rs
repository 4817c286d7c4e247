//! Deriving lanes from folders that are made here.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use camino::Utf8Path;
use dos_core::config::Config;
use dos_core::lane::overlap::{Exact, OverlapPolicy};
use dos_core::lane::pattern::{Case, Pattern};

use super::*;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn with(paths: &[&str]) -> Self {
        let folder = Self::new();
        for path in paths {
            folder.add(path);
        }
        folder
    }

    fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.0.path()).unwrap()
    }

    /// A path that ends in a slash is a folder, any other a file.
    fn add(&self, path: &str) {
        let whole = self.path().join(path);
        if path.ends_with('/') {
            std::fs::create_dir_all(whole).unwrap();
        } else {
            std::fs::create_dir_all(whole.parent().unwrap()).unwrap();
            std::fs::write(whole, "").unwrap();
        }
    }

    /// Derives, and checks what must hold of every result.
    fn derive(&self) -> Derived {
        let derived = derive(self.path()).unwrap();
        let text = derived.to_toml();
        let config = Config::parse(&text);
        assert_eq!(config.findings, [], "{text}");
        assert_eq!(config.policy.lanes, derived.declared(), "{text}");
        for lane in &derived.lanes {
            let pattern = Pattern::parse(&lane.pattern, Case::default()).unwrap();
            assert!(pattern.matches(&format!("{}/deep/er.rs", lane.folder)), "{lane:?}");
            assert!(config.policy.lanes.is_concurrent(&lane.name), "{lane:?}");
        }
        let trees: Vec<Tree> =
            derived.lanes.iter().map(|lane| Tree::new([lane.pattern.clone()])).collect();
        for (index, tree) in trees.iter().enumerate() {
            for later in trees.iter().skip(index + 1) {
                assert_eq!(Exact::default().meeting(tree, later), None);
            }
        }
        let names: BTreeSet<String> = derived.lanes.iter().map(|lane| fold(&lane.name)).collect();
        assert_eq!(names.len(), derived.lanes.len(), "{:?}", derived.lanes);
        derived
    }
}

fn names(derived: &Derived) -> Vec<&str> {
    derived.lanes.iter().map(|lane| lane.name.as_str()).collect()
}

fn why<'a>(derived: &'a Derived, folder: &str) -> &'a Why {
    &derived.left_out.iter().find(|left_out| left_out.folder == folder).unwrap().why
}

#[test]
fn source_folders_become_lanes_and_noise_does_not() {
    let folder = Folder::with(&["web/", "api/", ".github/", "node_modules/", "target/", "a.txt"]);
    let derived = folder.derive();
    assert_eq!(names(&derived), ["api", "web"]);
    assert_eq!(why(&derived, "target"), &Why::Generated);
    assert!(!derived.git);
    let lanes = derived.declared();
    assert_eq!(lanes.exclusive, ["global"]);
    assert_eq!(lanes.autopick, ["api", "web"]);
    assert_eq!(lanes.tree("global").patterns(), ["**/*"]);
}

#[test]
fn without_folders_there_is_one_lane_that_runs_alone() {
    let lanes = Folder::with(&["README.md"]).derive().declared();
    assert_eq!(lanes.exclusive, ["main"]);
    assert_eq!((lanes.concurrent.len(), lanes.autopick.len()), (0, 0));
    assert_eq!(lanes.tree("main").patterns(), ["**/*"]);
}

#[test]
fn a_folder_of_packages_becomes_a_lane_for_each_package() {
    let folder = Folder::with(&[
        "crates/core/Cargo.toml",
        "crates/cli/Cargo.toml",
        "crates/notes/",
        "crates/target/",
        "docs/",
    ]);
    let derived = folder.derive();
    assert_eq!(names(&derived), ["cli", "core", "docs"]);
    assert_eq!(derived.lanes[0].pattern, "crates/cli/**");
    assert_eq!(why(&derived, "crates/notes"), &Why::NoManifest);
    assert_eq!(why(&derived, "crates/target"), &Why::Generated);
}

#[test]
fn one_package_or_too_many_stay_one_lane() {
    let folder = Folder::with(&["apps/one/package.json", "apps/two/"]);
    for number in 0..13 {
        folder.add(&format!("packages/p{number}/package.json"));
    }
    let derived = folder.derive();
    assert_eq!(names(&derived), ["apps", "packages"]);
    assert_eq!(derived.left_out, []);
}

#[test]
fn names_that_are_not_unique_say_where_they_are() {
    let folder = Folder::with(&[
        "apps/web/package.json",
        "apps/docs/package.json",
        "packages/Web/package.json",
        "packages/global/package.json",
        "docs/",
        "global/",
    ]);
    let derived = folder.derive();
    let expected = ["apps-docs", "apps-web", "docs", "global-2", "packages-Web", "packages-global"];
    assert_eq!(names(&derived), expected);
}

#[test]
fn only_so_many_folders_become_lanes() {
    let folder = Folder::new();
    for number in 10..30 {
        folder.add(&format!("f{number}/"));
    }
    let derived = folder.derive();
    assert_eq!(derived.lanes.len(), FOLDERS_MAX);
    assert_eq!(derived.left_out.len(), 8);
    assert_eq!(why(&derived, "f22"), &Why::TooMany);
}

#[test]
fn odd_names_are_escaped_or_left_out() {
    let folder = Folder::new();
    let usable = ["a*b", "what?", "[x]", "{y,z}", "q\"q", "ein ordner", "ünï", "a.b", "#"];
    let unusable = [" blank", "back\\slash", "line\nbreak"];
    for name in usable.iter().chain(&unusable) {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    std::fs::create_dir(folder.0.path().join(OsStr::from_bytes(b"l\xe4nge"))).unwrap();
    let derived = folder.derive();
    let mut found = names(&derived);
    found.sort_unstable();
    let mut expected = usable.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);
    for name in unusable {
        assert!(matches!(why(&derived, name), Why::Unnameable(_)), "{name:?}");
    }
    assert!(matches!(why(&derived, "l\u{fffd}nge"), Why::Unnameable(_)));
    let star = derived.lanes.iter().find(|lane| lane.name == "a*b").unwrap();
    assert_eq!(star.pattern, "a[*]b/**");
    assert!(!Pattern::parse(&star.pattern, Case::default()).unwrap().matches("axb/file"));
}

#[test]
fn a_name_that_looks_like_a_comment_or_an_exception_is_escaped() {
    let derived = Folder::with(&["#x/", "!y/"]).derive();
    let patterns: Vec<&str> = derived.lanes.iter().map(|lane| lane.pattern.as_str()).collect();
    assert_eq!(patterns, ["\\!y/**", "\\#x/**"]);
    let tree = derived.declared().tree("!y");
    assert!(tree.region(Case::default()).matches("!y/file"));
}

#[test]
fn folders_that_differ_in_case_only_share_a_lane() {
    let derived = Folder::with(&["Docs/", "docs/"]).derive();
    assert_eq!(names(&derived), ["Docs"]);
    assert_eq!(why(&derived, "docs"), &Why::SharedWith("Docs".to_string()));
}

#[test]
fn a_symbolic_link_to_a_folder_is_left_out() {
    let folder = Folder::with(&["src/"]);
    std::os::unix::fs::symlink("src", folder.path().join("link")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join("dangling")).unwrap();
    let derived = folder.derive();
    assert_eq!(names(&derived), ["src"]);
    assert_eq!(why(&derived, "link"), &Why::SymbolicLink);
}

#[test]
fn what_git_ignores_is_left_out() {
    let folder = Folder::with(&["src/", "my \"gen\"/", "crates/a/go.mod", "crates/b/go.mod"]);
    folder.add("crates/c/go.mod");
    folder.add(":(top)/");
    git::run(folder.path(), &["init", "-q"]).unwrap();
    assert_eq!(names(&folder.derive()), [":(top)", "a", "b", "c", "my \"gen\"", "src"]);
    std::fs::write(folder.path().join(".gitignore"), "my*/\ncrates/b/\n").unwrap();
    let derived = folder.derive();
    assert!(derived.git);
    assert_eq!(names(&derived), [":(top)", "a", "c", "src"]);
    assert_eq!(why(&derived, "crates/b"), &Why::Ignored);
    assert_eq!(enclosing_repository(folder.path()), None);
    let inside = enclosing_repository(&folder.path().join("src")).unwrap();
    assert_eq!(inside, folder.path().canonicalize_utf8().unwrap());
}

#[test]
fn a_file_is_put_whole_and_replaced_only_on_demand() {
    let folder = Folder::new();
    let path = folder.path().join("dos.toml");
    put(&path, "one", false).unwrap();
    let error = put(&path, "two", false).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "one");
    put(&path, "two", true).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "two");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
