//! Programs whose command is not simply behind their options.

use alloc::vec::Vec;

use super::super::interpreter;
use super::super::text::{Field, Text};
use super::{Inner, Read, Tail, Wrapper, cluster_has, command, shell_words, tail, words};

/// Arguments in which `{}` stands for what was found.
fn with_holes(fields: &[Field]) -> Vec<Field> {
    filled(fields, "{}", &Text::hole())
}

/// Arguments in which a mark stands for something.
fn filled(fields: &[Field], mark: &str, with: &Text) -> Vec<Field> {
    let one = |field: &Field| match field.as_str().find(mark).filter(|_| !mark.is_empty()) {
        None => field.clone(),
        Some(at) => {
            let mut text = field.text.part(0, at);
            text.push(with);
            text.push(&field.text.part(at + mark.len(), field.as_str().len()));
            Field { text, ..field.clone() }
        }
    };
    fields.iter().map(one).collect()
}

/// `xargs -0 program args`, with what it reads at the end, or where a mark stands.
pub(super) fn of_xargs(arguments: &[Field]) -> Vec<Inner> {
    const XARGS: Wrapper = words(
        "xargs",
        "0 r t p x o a= d= E= e? I= i? J= L= l? n= P= R= S= s= null no-run-if-empty verbose \
         interactive exit open-tty show-limits arg-file= delimiter= eof? replace? max-lines? \
         max-args= max-procs= max-chars= process-slot-var= help! version!",
        0,
    );
    let mut found = XARGS.read(arguments, Tail::Words);
    // Its own options stand before the program.
    let behind = match found.first() {
        Some(Inner::Words(words)) => words.len(),
        _ => 0,
    };
    let own = arguments.get(..arguments.len().saturating_sub(behind)).unwrap_or_default();
    let mark = own.iter().enumerate().find_map(|(at, field)| {
        let text = field.as_str();
        match text.strip_prefix("-I").or_else(|| text.strip_prefix("-J")) {
            Some("") => own.get(at + 1).map(Field::as_str),
            Some(mark) => Some(mark),
            None if text == "-i" || text == "--replace" => Some("{}"),
            None => text.strip_prefix("--replace=").or_else(|| text.strip_prefix("-i")),
        }
    });
    for inner in &mut found {
        if let Inner::Words(words) = inner {
            match mark {
                Some(mark) => *words = filled(words, mark, &Text::hole()),
                None => words.push(Field { text: Text::hole(), ..Field::default() }),
            }
        }
    }
    found
}

/// `find . -exec program args ;`.
pub(super) fn found(arguments: &[Field]) -> Vec<Inner> {
    let mut found = Vec::new();
    let mut rest = arguments;
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        if matches!(first.as_str(), "-exec" | "-execdir" | "-ok" | "-okdir") {
            let mut plus = false;
            let end = rest.iter().position(|field| {
                let ends = field.as_str() == ";" || (plus && field.as_str() == "+");
                plus = field.as_str() == "{}";
                ends
            });
            let (inner, behind) = rest.split_at(end.unwrap_or(rest.len()));
            found.extend(command(&with_holes(inner), Tail::Words));
            rest = behind;
        }
    }
    found
}

/// `capsh --drop=all -- -c 'text'`, whose words behind the dashes are those of a shell.
pub(super) fn of_capsh(arguments: &[Field]) -> Vec<Inner> {
    let ends = |field: &Field| matches!(field.as_str(), "--" | "==");
    let behind = arguments.iter().position(ends).and_then(|at| arguments.get(at + 1..));
    let script = behind.and_then(|handed| interpreter::script("bash", handed, None));
    script.map(|(text, _)| Inner::Script(text)).into_iter().collect()
}

/// `mapfile -C 'text'` and `compgen -C 'text'`.
pub(super) fn of_callback(arguments: &[Field]) -> Vec<Inner> {
    let mut found = Vec::new();
    let mut rest = arguments;
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        let text = first.as_str();
        match (text.strip_prefix("-C"), behind.first()) {
            (Some(""), Some(next)) => found.push(Inner::Script(next.text.clone())),
            (Some(attached), _) if !attached.is_empty() => {
                found.push(Inner::Script(first.behind(2).text));
            }
            _ => {}
        }
    }
    found
}

/// `fd -x program args`.
pub(super) fn of_fd(arguments: &[Field]) -> Vec<Inner> {
    let starts = |field: &Field| {
        let text = field.as_str();
        let cluster = text.starts_with('-') && !text.starts_with("--");
        let last = text.ends_with('x') || text.ends_with('X');
        matches!(text, "--exec" | "--exec-batch")
            || (cluster && last && text.len() <= 4 && text.len() > 1)
    };
    let mut found = Vec::new();
    let mut rest = arguments;
    while let Some(at) = rest.iter().position(starts) {
        rest = rest.get(at + 1..).unwrap_or_default();
        let end = rest.iter().position(|field| field.as_str() == ";").unwrap_or(rest.len());
        let (inner, behind) = rest.split_at(end);
        let mut inner = with_holes(inner);
        if inner.iter().all(|field| field.text.settled()) && !inner.is_empty() {
            // What is found stands at the end.
            inner.push(Field { text: Text::hole(), ..Field::default() });
        }
        found.extend(command(&inner, Tail::Words));
        rest = behind;
    }
    for field in arguments {
        if let Some(name) =
            ["--exec=", "--exec-batch="].iter().find(|option| field.as_str().starts_with(**option))
        {
            found.push(Inner::Words(Vec::from([field.behind(name.len())])));
        }
    }
    found
}

/// `su user -c 'text'`, `runuser -u user -- program`.
pub(super) fn of_su(name: &str, arguments: &[Field]) -> Vec<Inner> {
    const SU: Wrapper = words(
        "su runuser",
        "c$ session-command$ command$ f l m p P T g= G= s= u= w= login fast pty no-pty \
         preserve-environment group= supp-group= shell= user= whitelist-environment=",
        0,
    );
    let by_user = arguments
        .iter()
        .any(|field| field.as_str().starts_with("--user") || cluster_has(field, 'u'));
    let mut found = Vec::new();
    // Options may stand behind the user.
    let mut rest = arguments;
    while let Some((first, behind)) = rest.split_first() {
        let text = first.as_str();
        rest = behind;
        if text == "--" {
            break;
        }
        if !text.starts_with('-') || text == "-" {
            if name == "runuser" && by_user {
                rest = arguments.get(arguments.len() - behind.len() - 1..).unwrap_or_default();
                break;
            }
            continue;
        }
        let dashes = if text.starts_with("--") { 2 } else { 1 };
        let option = text.get(dashes..).unwrap_or_default();
        let (taken, read) = match dashes {
            2 => SU.long(option, 2, first, behind.first()),
            _ => SU.short(option, first, behind.first()),
        };
        rest = behind.get(taken..).unwrap_or_default();
        if let Read::Script(text) = read {
            found.push(Inner::Script(text));
        }
    }
    if name == "runuser" && by_user && found.is_empty() {
        found.extend(command(rest, Tail::Words));
    }
    found
}

/// `sg group -c 'text'` and `sg group text`.
pub(super) fn of_sg(arguments: &[Field]) -> Vec<Inner> {
    let mut rest = arguments.iter().filter(|field| !matches!(field.as_str(), "-" | "-c" | "--"));
    rest.next();
    shell_words(rest)
}

/// `parallel program {} ::: inputs`, whose words a shell reads again.
pub(super) fn of_parallel(arguments: &[Field]) -> Vec<Inner> {
    const PARALLEL: Wrapper = tail(
        "parallel",
        "j= J= n= N= L= l? I= i? P= S= a= C= d= E= e? s= u k t v q r x X m M p 0 D= U= W= w= \
         jobs= max-procs= max-args= max-replace-args= max-lines= replace= arg-file= arg-file-sep= \
         arg-sep= colsep= delimiter= delay= env= halt= halt-on-error= joblog= load= memfree= \
         results= retries= rpl= sshlogin= sshloginfile= tagstring= tempdir= tmpdir= timeout= \
         block= block-size= recstart= recend= workdir= wd= basefile= bf= return= nice= \
         line-buffer linebuffer lb keep-order ungroup group tag bar eta progress pipe pipepart \
         pipe-part dry-run dryrun verbose quote null no-run-if-empty will-cite citation cat fifo \
         semaphore id= fg bg wait shuf trim= header= link xapply resume resume-failed \
         transferfile= trc= cleanup plain profile= number-of-cores number-of-cpus",
        0,
        Tail::Joined,
    );
    let inputs = |field: &&Field| field.as_str().starts_with(":::");
    let before = arguments.iter().take_while(|field| !inputs(field)).count();
    let (told, given) = arguments.split_at(before);
    // What is handed over one by one is known.
    if let Some((mark, each)) = given.split_first()
        && mark.as_str() == ":::"
        && each.len() <= INPUTS_MAX
        && each.iter().all(|field| field.text.settled() && !inputs(&field))
        && matches!(PARALLEL.read(told, Tail::Words).as_slice(), [Inner::Words(_)])
    {
        let one = |input: &Field| {
            let mut words = filled(told, "{}", &input.text);
            if words.iter().zip(told).all(|(word, told)| word.as_str() == told.as_str()) {
                words.push(input.clone());
            }
            PARALLEL.read(&words, Tail::Joined)
        };
        return each.iter().flat_map(one).collect();
    }
    let mut told = with_holes(told);
    if told.iter().all(|field| field.text.settled()) {
        // What it is given stands at the end.
        told.push(Field { text: Text::hole(), ..Field::default() });
    }
    // Words that a shell would leave alone keep what is not known of them.
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,@%+{}".contains(c);
    let tail = match told.iter().all(|field| field.as_str().chars().all(plain)) {
        true => Tail::Words,
        false => Tail::Joined,
    };
    let command = PARALLEL.read(&told, tail);
    let says = |inner: &Inner| match inner {
        Inner::Script(text) => !text.text.trim().is_empty(),
        Inner::Words(words) => words.iter().any(|field| !field.as_str().is_empty()),
    };
    if command.iter().any(says) {
        return command;
    }
    let given = given.iter().filter(|field| !inputs(field));
    given.map(|field| Inner::Script(field.text.clone())).collect()
}

/// Most inputs that are looked at one by one.
const INPUTS_MAX: usize = 64;

/// `ip netns exec name program`.
pub(super) fn of_ip(arguments: &[Field]) -> Vec<Inner> {
    let texts: Vec<&str> = arguments.iter().map(Field::as_str).collect();
    let at = texts.windows(2).position(|pair| {
        matches!(pair, ["netns" | "vrf", short] if !short.is_empty() && "exec".starts_with(short))
    });
    match at {
        Some(at) => command(arguments.get(at + 3..).unwrap_or_default(), Tail::Words),
        None => Vec::new(),
    }
}

/// `perf stat program`.
pub(super) fn of_perf(arguments: &[Field]) -> Vec<Inner> {
    const PERF: Wrapper = words(
        "perf",
        "e= o= p! t! C= F= c= r= G= x= I= D= M= i a g v q d A S n s j? b B output= event= pid! \
         tid! call-graph= repeat= cpu= freq= count= delay= timeout= metrics= field-separator= \
         interval-print= per-core per-socket all-cpus no-inherit verbose detailed summary \
         append null",
        0,
    );
    match arguments.split_first() {
        Some((verb, rest)) if matches!(verb.as_str(), "stat" | "record" | "trace" | "mem") => {
            let rest = match rest.split_first() {
                Some((verb, rest)) if verb.as_str() == "record" => rest,
                _ => rest,
            };
            PERF.read(rest, Tail::Words)
        }
        _ => Vec::new(),
    }
}

/// `setarch x86_64 -R program`, whose first operand may be missing.
pub(super) fn of_setarch(arguments: &[Field]) -> Vec<Inner> {
    const SETARCH: Wrapper =
        words("setarch", "B F I L R S T X Z 3 v addr-no-randomize 32bit uname-2.6 verbose", 0);
    const MACHINES: [&str; 12] = [
        "aarch64", "arm64", "armv7l", "i386", "i486", "i586", "i686", "linux32", "linux64",
        "ppc64le", "s390x", "x86_64",
    ];
    let known = |field: &Field| MACHINES.contains(&field.as_str()) || !field.text.settled();
    match arguments.split_first() {
        Some((machine, rest)) if known(machine) => SETARCH.read(rest, Tail::Words),
        _ => SETARCH.read(arguments, Tail::Words),
    }
}

/// `gdb --args program args` and `lldb -- program args`.
pub(super) fn of_debugger(arguments: &[Field]) -> Vec<Inner> {
    let ends = |field: &Field| matches!(field.as_str(), "--args" | "-args" | "--");
    let behind = arguments.iter().position(ends).and_then(|at| arguments.get(at + 1..));
    command(behind.unwrap_or_default(), Tail::Words)
}

/// `trap 'text' EXIT`.
pub(super) fn of_trap(arguments: &[Field]) -> Vec<Inner> {
    let mut rest = arguments;
    if rest.first().is_some_and(|field| field.as_str() == "--") {
        rest = rest.get(1..).unwrap_or_default();
    }
    match rest.split_first() {
        Some((text, signals)) if !text.as_str().starts_with('-') && !signals.is_empty() => {
            Vec::from([Inner::Script(text.text.clone())])
        }
        _ => Vec::new(),
    }
}

/// `start-stop-daemon --start --exec program -- args`.
pub(super) fn of_start_stop(arguments: &[Field]) -> Vec<Inner> {
    let texts = arguments.iter().map(Field::as_str);
    let at = texts.clone().position(|text| {
        matches!(text, "--exec" | "-x" | "--startas" | "-a") || text.starts_with("--exec=")
    });
    let starts = texts.clone().any(|text| text == "--start" || text == "-S");
    let behind = texts.clone().position(|text| text == "--").map_or(arguments.len(), |at| at + 1);
    let rest = arguments.get(behind..).unwrap_or_default();
    match at.and_then(|at| Some((arguments.get(at)?, arguments.get(at + 1)))) {
        Some((option, next)) if starts => {
            let program = match option.as_str().strip_prefix("--exec=") {
                Some(_) => Some(option.behind("--exec=".len())),
                None => next.cloned(),
            };
            let words = program.into_iter().chain(rest.iter().cloned()).collect();
            Vec::from([Inner::Words(words)])
        }
        _ => Vec::new(),
    }
}
