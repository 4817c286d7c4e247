//! What commands write.

use dos_core::command::{Footprint, footprint};

/// Short enough to be read in a table: how, path, names in a folder in braces, and a sign each for
/// doubtful `?`, inside `/`, recursive `r`, pattern `*` and `x` for what is a path only if it is there; then operations and what is unknown.
fn shown(footprint: &Footprint) -> String {
    let mut shown = Vec::new();
    for write in &footprint.writes {
        let flags = [
            (write.doubtful, '?'),
            (write.inside, '/'),
            (write.recursive, 'r'),
            (write.pattern, '*'),
            (write.if_there, 'x'),
        ];
        let flags: String = flags.iter().filter(|(on, _)| *on).map(|(_, flag)| flag).collect();
        let names = match write.names.is_empty() {
            true => String::new(),
            false => format!("{{{}}}", write.names.join(",")),
        };
        let line = format!("{} {}{names} {flags}", write.how, write.full_path());
        shown.push(format!("{}{}", line.trim_end(), without(&write.spares)));
    }
    for operation in &footprint.checkout_ops {
        let place = if operation.directory.is_empty() { "" } else { " in " };
        let spares = without(&operation.spares);
        shown.push(format!("[{}{place}{}{spares}]", operation.name, operation.directory));
    }
    shown.extend(footprint.unknown.iter().map(|unknown| format!("unknown {}", unknown.what)));
    shown.join("; ")
}

fn without(spares: &[String]) -> String {
    spares.iter().map(|spared| format!(" -{spared}")).collect()
}

/// `\n` in a command is a line end.
const TABLE: &[(&str, &str)] = &[
    ("echo a > out", "redirection out"),
    ("echo a >> out 2>&1", "redirection out"),
    ("echo a >| out", "redirection out"),
    (r#"echo a &> "my file""#, "redirection my file"),
    ("prog >&2", ""),
    ("prog >& log", "redirection log"),
    (r#"cat <<EOF > a.txt\nrm -rf /\nEOF"#, "redirection a.txt"),
    (r#"cat > a.txt <<'EOF'\n$(rm x)\nEOF"#, "redirection a.txt"),
    (r#"cat <<EOF\n$(touch gone)\nEOF"#, "touch gone"),
    ("tee -a one two < in", "tee one; tee two"),
    ("sudo tee /etc/x <<< y", "tee /etc/x"),
    ("cd src && echo a > b", "redirection src/b"),
    ("(cd src; touch a); touch b", "touch src/a; touch b"),
    ("cd src; cd ../lib; rm -f x", "rm src/../lib/x"),
    (r#"cd "$D" && touch a"#, "touch a ?"),
    ("cd /abs && touch a", "touch /abs/a"),
    ("if x; then cd a; touch b; fi; touch c", "touch a/b; touch a/c ?"),
    ("cd a || cd b; touch c", "touch a/b/c ?"),
    ("cp a b", "cp b{a}"),
    ("cp a b c/", "cp c/{a,b} /"),
    ("cp -t dest a b", "cp dest{a,b} /"),
    ("cp -r src lib", "cp lib{src} r"),
    ("mv a b", "mv a r; mv b{a} r"),
    ("mv a b dir", "mv a r; mv b r; mv dir{a,b} /r"),
    ("ln -s target", "ln .{target} /"),
    ("ln -s target name", "ln name{target}"),
    ("install -m 755 a /usr/local/bin/a", "install /usr/local/bin/a{a}"),
    ("install -d x y", "install x; install y"),
    ("rm -rf a b/*", "rm a r; rm b/* r*"),
    (r#"rm "$X""#, "unknown a path that rm writes"),
    (
        "rm src/$X.txt",
        r#"unknown a path that rm writes, "src/.txt" and something that is not settled"#,
    ),
    ("mkdir -p a/b", "mkdir a/b"),
    ("sed -i 's/a/b/' f g", "sed -i f; sed -i g"),
    ("sed -i.bak -e s/a/b/ f", "sed -i f"),
    ("sed -n 's/a/b/w out' f", "sed out"),
    ("sed 's/rm/w x/' f", ""),
    ("perl -pi -e 's/a/b/' f g", "perl f; perl g; unknown code that perl runs"),
    ("perl -e 'print 1'", "unknown code that perl runs"),
    ("dd if=/dev/zero of=img bs=1M", "dd img"),
    ("patch -p1 < x.diff", "unknown files that a patch names"),
    ("patch a.c x.diff", "patch a.c"),
    ("patch -p1 --dry-run < x", ""),
    ("git checkout main", "[git checkout]"),
    ("git checkout -b new", ""),
    ("git checkout -b new origin/main", "[git checkout]"),
    ("git checkout -- a b", "git checkout a r; git checkout b r"),
    ("git checkout HEAD~1 a", "git checkout HEAD~1 rx; git checkout a r"),
    ("git checkout .", "[git checkout]"),
    ("git switch main", "[git switch]"),
    ("git switch -c x", ""),
    ("git restore a", "git restore a r"),
    ("git restore --staged a", ""),
    ("git restore .", "[git restore]"),
    ("git reset --hard", "[git reset --hard]"),
    ("git reset a", ""),
    ("git reset HEAD~1", "[git reset]"),
    ("git reset", "[git reset]"),
    ("git stash", "[git stash]"),
    ("git stash list", ""),
    ("git stash pop", "[git stash]"),
    ("git stash push -- a", "git stash a r"),
    ("git stash -u -- a", "git stash a r"),
    ("git stash -- a", "git stash a r"),
    ("git stash -q", "[git stash]"),
    ("cp -r a/. b", "cp b{*} r"),
    ("cp -rT a b", "cp b{*} r"),
    ("mv -T a b", "mv a r; mv b r"),
    ("git clean -fdx -e a --exclude=b", "[git clean -a -b]"),
    ("git clean -fdx -e a b", "git clean b r -a"),
    ("git checkout -- . ':!a' ':^b' ':(top,exclude)c'", "[git checkout -a -b -c]"),
    ("git checkout . ':!a'; git checkout ':!a'", "[git checkout -a]; [git checkout -a]"),
    ("git checkout HEAD src ':!src/a'", "git checkout HEAD r -src/a; git checkout src r -src/a"),
    ("git rm -r ':/a'; git rm -r ':!a'", "git rm \u{1}top/a r; git rm . r -a"),
    ("git clean -fdn", ""),
    ("git clean -fd", "[git clean]"),
    ("git clean -fd build", "git clean build r"),
    ("git apply --check x", ""),
    ("git apply x.patch", "[git apply]"),
    ("git mv a b", "git mv a r; git mv b{a} r"),
    ("git rm -r a", "git rm a r"),
    ("git rm --cached a", ""),
    ("git add -A", "[git add -A]"),
    ("git add .", "[git add -A]"),
    ("git add a.c", ""),
    ("git add -u", "[git add -A]"),
    ("git commit -am x", "[git commit -a]"),
    ("git commit -m 'git add -A'", ""),
    ("git commit -m x", ""),
    ("git -C sub checkout main", "[git checkout in sub]"),
    ("git -C sub rm f", "git rm sub/f r"),
    (
        "git merge x; git rebase x; git pull; git cherry-pick a; git revert b; git am x",
        "[git merge]; [git rebase]; [git pull]; [git cherry-pick]; [git revert]; [git am]",
    ),
    ("git clone https://x/y/repo.git", "git clone repo r"),
    ("git worktree add ../wt main", "git worktree ../wt r"),
    ("rsync -a src/ dst/", "rsync dst/ /r"),
    ("rsync -a src dst", "rsync dst{src} r"),
    ("rsync -an src dst", ""),
    ("rsync a host:b", ""),
    ("tar xzf a.tgz", "tar . /r"),
    ("tar -x -C out -f a.tar", "tar out/. /r"),
    ("tar czf out.tgz src", "tar out.tgz"),
    ("tar tf a", ""),
    ("unzip -d out a.zip", "unzip out /r"),
    ("unzip -l a.zip", ""),
    ("zip -r out.zip src", "zip out.zip"),
    ("gzip a", "gzip a; gzip a.gz"),
    ("gunzip a.gz", "gunzip a.gz; gunzip a"),
    ("gzip -c a", ""),
    ("curl -o f http://x", "curl f"),
    ("curl -O http://x/y/z.tgz?q", "curl z.tgz"),
    ("curl -s http://x", ""),
    ("wget -O f http://x", "wget f"),
    ("wget http://x/y/z.tgz", "wget z.tgz"),
    ("wget -P out http://x/z", "wget out/z"),
    ("chmod +x a", "chmod to open a"),
    ("chmod 755 a; chmod u+rwx,go= a", "chmod to open a; chmod to open a"),
    (
        "chmod 0655 a; chmod a=rx a; chmod 07 a; chmod u+x,u-w a",
        "chmod a; chmod a; chmod a; chmod a",
    ),
    ("rsync -a --delete src/ dst", "rsync --delete dst r"),
    ("rsync -a --delete --exclude x src/ dst", "rsync dst /r"),
    ("chmod -x a", "chmod a"),
    ("chmod -R 755 d", "chmod d r"),
    ("chown u:g a", "chown a"),
    ("bash -c 'cd src; rm x'", "rm src/x"),
    (r#"sh -c "echo a > b""#, "redirection b"),
    ("bash script.sh", "unknown code that bash runs"),
    (r#"bash <<'EOF'\ntouch here\nEOF"#, "touch here"),
    (r#"eval "touch x""#, "touch x"),
    ("find . -name '*.o' -delete", "unknown files that find finds and deletes"),
    (r#"find . -exec rm {} \;"#, "unknown a path that rm writes"),
    ("ls | xargs rm", "unknown a path that rm writes"),
    ("ls | xargs -i cp a {}", "unknown a path that cp writes"),
    ("ls | xargs sed -i s/a/b/", "unknown a path that sed -i writes"),
    (
        "ls | xargs -I% mv % old/%",
        r#"unknown a path that mv writes; unknown a path that mv writes, "old/" and something that is not settled"#,
    ),
    ("ls | xargs -0 grep x", ""),
    ("parallel rm ::: a b", "rm a; rm b"),
    ("parallel cp {} {}.bak ::: a", "cp a.bak{a}"),
    ("parallel -j2 rm {}", "unknown a path that rm writes"),
    ("awk '{print > \"out\"}' in", "awk out"),
    ("awk '{ printf \"%s\", $1 >> \"a b\" } END { print 1 }'", "awk a b"),
    ("awk '{print > \"out\" NR}'", "unknown a path that awk writes"),
    ("awk '$1 > \"x\" {print ($2 > 3)}'", ""),
    ("gawk -i inplace '{print}' f", "awk f; unknown code that gawk runs"),
    ("ln -s web w; echo > w/b", "ln w{web}; redirection w/b; redirection web/b"),
    ("cd d; ln a b; echo > b", "ln d/b{a}; link d/a; redirection d/b; redirection d/a"),
    ("gcc -o out a.c", "gcc out"),
    ("gcc-12 -Wno-x -oout a.c", "gcc-12 out"),
    ("time -o t gcc a.c -o b", "time t; gcc b"),
    ("strace -f -o t ls -o", "strace t"),
    ("script -c ls log", "script log"),
    ("echo > ~+/a", "redirection ./a"),
    ("patch -p1 <<'E'\\n--- a/x/y\\n+++ b/x/y\\nE", "patch x/y"),
    ("git apply <<'E'\\n--- a/x/y\\n+++ b/x/y\\nE", "git apply x/y"),
    ("apply_patch <<'E'\\n*** Begin Patch\\n*** Add File: x\\nE", "apply_patch x"),
    ("apply_patch '*** Begin Patch\\n*** Update File: x y\\n'", "apply_patch x y"),
    ("find a b -delete", "find a r; find b r"),
    ("find a -type f -delete", "find a/* r*; find a/.* r*"),
    ("find -mindepth 1 -delete", "find ./* r*; find ./.* r*"),
    ("find a -maxdepth 1 -delete", "unknown files that find finds and deletes"),
    ("cat <<'E' | patch -p1\\n--- a/x/y\\n+++ b/x/y\\nE", "patch x/y"),
    ("cat - <<'E' | (cd s; git apply)\\n--- a/x\\n+++ b/x\\nE", "git apply s/x"),
    ("cat a <<'E' | git apply\\n--- a/x\\nE", "[git apply]"),
    ("cat <<'E' | patch < p\\n--- a/x\\nE", "unknown files that a patch names"),
    ("git apply <<'E'\\nrename from a b\\nrename to c\\nE", "git apply a b; git apply c"),
    ("mount --bind a b", "mount b"),
    ("git --work-tree=x checkout -- y", "git checkout x/y r"),
    ("sed --in-plac s/a/b/ f", "sed -i f"),
    ("cp --targ d a", "cp d{a} /"),
    ("git add --al", "[git add -A]"),
    (r#"python -c 'open("x","w")'"#, "unknown code that python runs"),
    ("python x.py", "unknown code that python runs"),
    ("echo 'rm x' | sh", "unknown code that sh runs"),
    (r#"f() { rm "$1"; }; f a"#, "rm a"),
    ("for f in a b; do rm $f; done", "rm a; rm b"),
    ("X=a; rm $X", "rm a"),
    ("touch {a,b}.txt", "touch a.txt; touch b.txt"),
    ("echo 'a > b' # > c", ""),
    ("grep '> x' f", ""),
    ("cat a b > /dev/null", ""),
    ("trap 'rm -f tmp' EXIT", "rm tmp"),
    ("nohup make > log 2>&1 &", "redirection log; unknown code that make runs"),
    ("./x.sh", "unknown code that x.sh runs"),
    ("docker run -v .:/x y rm z", "unknown code that docker runs"),
    ("env -C sub touch x", "touch x ?"),
    ("cat > $OUT", "unknown a path that redirection writes"),
    (
        r#"echo "unclosed"#,
        "unknown text that is no shell: a double quote that is not closed at byte 5",
    ),
    ("split -l 10 big part_", "split part_* *"),
    ("sort -o out in", "sort out"),
    ("truncate -s 0 log", "truncate log"),
    ("ssh host 'rm x'", "unknown code that ssh runs"),
    ("npm install", "unknown code that npm runs"),
    ("cp a $DIR/", r#"unknown a path that cp writes, "/" and something that is not settled"#),
    ("cp *.c dst/", "cp dst/{*.c} /"),
    (r#"touch a\ b 'c d'"#, "touch a b; touch c d"),
    ("git stash show; git status; git log > l", "redirection l"),
    ("exec > log", "redirection log"),
    ("while read x; do echo $x; done < in > out", "redirection out"),
    ("tar -C a -xf b c/d", "tar a/c/d r"),
    ("pushd a; touch b; popd; touch c", "touch a/b; touch a/c ?"),
    (r#"rm ~/a "~/b" $HOME/c "$HOME"/d '$HOME'"#, "rm ~/a; rm ./~/b; rm ~/c; rm ~/d; rm $HOME"),
    ("env -C sub touch x", "touch x ?"),
    ("chroot /srv touch /x", "touch /x ?"),
    (r#"cd "$D"; touch /abs rel"#, "touch /abs; touch rel ?"),
    (r#"cd "~/x"; touch a"#, "touch ./~/x/a"),
    ("cd ~/x; touch a", "touch ~/x/a"),
    ("sudo -u a -- rm f", "rm f"),
    (r#"find . -execdir touch x \;"#, "touch x ?"),
    (r#"cd "$HOME/p" && touch a"#, "touch ~/p/a"),
    ("command cd x; touch a", "touch x/a"),
];

#[test]
fn commands_write_what_the_table_says() {
    for (command, expected) in TABLE {
        let command = command.replace("\\n", "\n");
        assert_eq!(shown(&footprint(&command)), *expected, "{command}");
    }
}

#[test]
fn a_place_is_that_of_the_path() {
    for (command, place) in [
        ("echo a > out", "out"),
        ("cd src && sudo tee 'a b' < x", "'a b'"),
        ("bash -c 'cd src; rm x'", "x"),
        ("echo `echo $(touch here)`", "here"),
    ] {
        let footprint = footprint(command);
        let span = footprint.writes[0].span;
        assert_eq!(&command[span.start..span.end], place, "{command}");
    }
}
