//! Programs outside the closed set that run code, by how they are told to.

/// Whatever they are given: interpreters, shells, programs that run what a project keeps.
pub(super) const ALWAYS: &str = "
    abcl airflow ammonite ansible ansible-console ansible-playbook ansible-pull ant ash at
    autoreconf ava avocado babashka babel-node batch bats bazel bazelisk bb behave bigloo bloop
    bpftrace bpython bpython3 buck buck2 byebug cap ccl celery chez clisp clj clojure cmd codecept
    concurrently cscript csh csharp csi ctest cucumber cypress d8 dash dotnet-script
    drush dtrace duk ecl ed electron elixir elvish erl escript esno expect fastlane flask
    foreman forever frida fsharpi fsi gatling gauche gcl gdb gdbserver gforth ghci ghciwatch gksu
    gksudo gmake gnuplot gosh gotestsum gprolog gradle gradlew groovy groovysh grunt gsi gsudo
    guile gulp gunicorn gxargs hardhat honcho hugs hy hypercorn iex inv invoke ipdb ipython
    ipython3 irb janet jasmine java javaws jbang jdb jest jimsh jjs jruby js js102 js78 js91
    jshell julia jupyter jupyter-console jupyter-lab jupyter-notebook just jython karma kdesudo
    kotlin ksh ksh93 lein leiningen lerna lldb locust luajit luau lxc-attach lxc-execute m4
    machinectl mage make minitest mit-scheme mksh mocha mono mosh msbuild mshta mujs mvn mvnw
    nashorn nbb newlisp ninja nix-shell node-gyp nodejs nodemon nose nosetests nosetests2 nosetests3 nox nu
    nx ocaml ocamlrun octave octave-cli osascript overmind pdb perl6 pest petite phing php-cgi
    php-cli phpdbg phpunit picolisp playwright pnpx poe powershell powershell_ise pry psysh
    ptipython ptpython pudb pwsh py py.test pypy pypy2 pypy3 pytest pytest-3 pythonw qjs quickjs r
    racket rails rake raku rakudo rbash rbx rc rdmd rhino rlogin robo robot rscript rsh rspec
    rundll32 runghc runhaskell rust-script samu sbcl sbt scala scala-cli scheme scons serverless
    spidermonkey streamlit supervisord swipl systemd-nspawn task tcl tclsh tcsh testcafe testem
    tox ts-node ts-node-dev tup turbo utop uvicorn uvx vite-node vitest waf waitress-serve wasmer
    wasmtime wine wine64 winpdb wish wscript wsl xonsh yarnpkg yash yesod zx
";

/// By a verb: names, and the verbs that run code.
pub(super) const VERBS: &[(&str, &str)] = &[
    ("apptainer singularity", "exec run shell instance"),
    ("asdf", "exec"),
    ("adb", "shell"),
    ("aws-vault", "exec login-shell"),
    ("bundle", "exec console open"),
    (
        "cargo",
        "run r test t bench miri nextest watch make xtask tarpaulin llvm-cov fuzz flamegraph \
      mutants criterion insta leptos tauri shuttle lambda script careful hack \
      insta play loco pgrx dinghy embed",
    ),
    ("chamber doppler infisical op envchain teller berglas summon", "exec run"),
    ("composer", "run run-script exec x test"),
    ("conda mamba micromamba", "run"),
    ("corepack", "pnpm yarn npm npx pnpx use"),
    ("crystal", "run eval spec play tool i"),
    ("dart", "run test"),
    ("direnv", "exec"),
    ("distrobox toolbox", "enter run ephemeral"),
    ("docker podman nerdctl finch", "run exec"),
    ("docker-compose podman-compose", "run exec up start"),
    ("dotnet", "run test watch exec script fsi msbuild tool ef vstest"),
    ("dune", "exec test runtest utop"),
    ("fly flyctl", "ssh console"),
    ("flutter", "run test drive"),
    ("gcloud", "ssh"),
    ("gh", "codespace cs"),
    ("go", "run test generate tool"),
    ("hatch", "run test shell"),
    ("heroku", "run ps:exec local"),
    ("incus lxc", "exec shell console"),
    ("kubectl oc microk8s.kubectl k3s", "exec run debug attach plugin"),
    ("limactl lima colima multipass minikube", "shell exec ssh"),
    ("meson", "test"),
    ("mise rtx", "exec x run r task en"),
    (
        "mix",
        "run test phx.server ecto.migrate cmd do eval phx.gen task profile.cprof \
      profile.eprof profile.fprof",
    ),
    ("moon", "run r ci check"),
    ("nim", "r e test"),
    ("nix", "run shell develop"),
    ("nix-shell", "*"),
    ("nvm fnm volta n nodenv pyenv rbenv jenv goenv", "exec run x"),
    ("pdm rye", "run test x"),
    ("pants", "run test repl"),
    ("pip", "install"),
    ("pipenv poetry", "run shell"),
    ("pipx", "run runpip"),
    ("pixi", "run r exec x shell"),
    ("pm2", "start restart exec serve reload"),
    ("pre-commit lefthook husky overcommit lint-staged", "run try-repo"),
    ("pulumi", "up preview destroy"),
    ("rush rushx", "*"),
    ("rustup", "run"),
    ("sail artisan", "*"),
    ("sam", "local"),
    ("sbt", "*"),
    ("spack", "load-run build-env"),
    (
        "stack cabal",
        "exec run test bench runghc runhaskell ghci repl ghc script v2-run v2-test v2-exec",
    ),
    ("swift", "run test repl"),
    (
        "tmux",
        "new-session new new-window neww split-window splitw respawn-pane respawnp \
      respawn-window respawnw run-shell run if-shell if send-keys send pipe-pane pipep popup \
      display-popup source-file source",
    ),
    ("uv", "run tool x"),
    ("vagrant", "ssh provision up"),
    ("v", "run test repl"),
    ("wasm-pack", "test"),
    ("zig", "run test"),
    ("bazel bazelisk", "run test"),
    ("enable", "-f"),
    ("complete compgen", "-C"),
    ("bind", "-x"),
    ("source .", "*"),
];

/// By an option: names, and the options that carry a command or code. One letter is a short one.
pub(super) const OPTIONS: &[(&str, &str)] = &[
    (
        "bsdtar tar gtar",
        "to-command checkpoint-action F info-script new-volume-script rsh-command rmt-command",
    ),
    ("clang gcc g++ cc c++", "wrapper fplugin"),
    ("cpio", "rsh-command"),
    ("emacs", "eval execute l load f funcall script batch"),
    ("ex vi view vim nvim gvim vimdiff rvim", "S s"),
    ("expect", "c"),
    ("fzf sk", "preview bind"),
    ("ghc", "e run"),
    ("gpg", "photo-viewer exec-path"),
    ("less more", "+!"),
    ("man", "P pager H"),
    ("mysql mariadb", "pager"),
    ("nc netcat ncat", "e c exec sh-exec lua-exec"),
    ("nmap", "script"),
    ("openssl", "engine provider provider-path"),
    ("rclone", "password-command"),
    ("rg", "pre hostname-bin"),
    ("rsync", "e rsh rsync-path"),
    ("scp sftp", "S"),
    ("sort", "compress-program"),
    ("split", "filter"),
    ("ssh-copy-id ssh-keygen ssh-add", "D"),
    ("tcpdump", "z"),
    ("tshark", "X"),
    ("wget", "use-askpass"),
    ("zip", "TT unzip-command"),
    ("sqlite3 sqlite", "cmd"),
    ("task-spooler ts tsp", "S"),
];

/// Variables whose value is a command, or that load code.
pub(super) const VARIABLES: &str = "
    BASH_ENV BROWSER CARGO_BUILD_RUSTC CC DYLD_INSERT_LIBRARIES EDITOR ENV GIT_ASKPASS GIT_EDITOR
    GIT_EXTERNAL_DIFF GIT_PAGER GIT_PROXY_COMMAND GIT_SEQUENCE_EDITOR GIT_SSH GIT_SSH_COMMAND
    LD_AUDIT LD_PRELOAD LESSCLOSE LESSEDIT LESSOPEN MANPAGER PAGER PERL5OPT PROMPT_COMMAND
    PYTHONSTARTUP RSYNC_RSH RUBYOPT RUSTC_WRAPPER SHELL SSH_ASKPASS SUDO_ASKPASS SYSTEMD_PAGER
    SYSTEMD_EDITOR TAR_OPTIONS VISUAL
";
/// Those that load code, whatever they name.
pub(super) const LOADING: &str =
    "BASH_ENV DYLD_INSERT_LIBRARIES LD_AUDIT LD_PRELOAD LESSCLOSE LESSOPEN PROMPT_COMMAND";
