//! Builtins of a shell that change what the commands behind them mean.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use super::run::{Followed, Walker};
use super::shell::{Directory, Value};
use super::syntax::{Part, Span, Word};
use super::text::{Field, Text, joined};

/// Does what a builtin does to the memory of the shell.
pub(super) fn follow(walker: &mut Walker, name: &str, arguments: &[Field]) -> Followed {
    match name {
        "cd" | "chdir" | "pushd" | "popd" => change_directory(walker, name, arguments),
        "set" => set(walker, arguments),
        "shift" => shift(walker, arguments),
        "alias" => aliases(walker, arguments),
        "hash" => {
            // `hash -p file name`: the name runs that file.
            if let [option, file, names @ ..] = arguments
                && option.as_str() == "-p"
            {
                for name in names {
                    walker.shell.set_alias(name.as_str(), file.text.clone());
                }
            }
        }
        "eval" => {
            let text = joined(arguments);
            let span = arguments.first().map_or(Span::default(), |field| field.span);
            if !arguments.is_empty() {
                return walker.text(&text, span);
            }
        }
        "export" | "declare" | "typeset" | "local" | "readonly" => {
            declare(walker, arguments);
            return walker.evaluated(arguments);
        }
        "read" | "mapfile" | "readarray" | "getopts" => {
            for field in arguments.iter().filter(|field| !field.as_str().starts_with('-')) {
                walker.shell.unset(field.as_str());
            }
            return walker.evaluated(arguments);
        }
        "unset" => {
            for field in arguments {
                walker.shell.unset(field.as_str());
            }
            return walker.evaluated(arguments);
        }
        "let" => return walker.evaluated(arguments),
        "test" | "[" => {
            let variable = arguments.windows(2).filter_map(|pair| match pair {
                [option, name] if matches!(option.as_str(), "-v" | "-R") => Some(name.clone()),
                _ => None,
            });
            let variable: Vec<Field> = variable.collect();
            return walker.evaluated(&variable);
        }
        "printf" => return printf(walker, arguments),
        _ => {}
    }
    Ok(())
}

fn change_directory(walker: &mut Walker, name: &str, arguments: &[Field]) {
    let here = Rc::clone(walker.shell.directory());
    let mut operands = arguments.iter().filter(|field| {
        let text = field.as_str();
        !(text.starts_with('-') && text.len() > 1)
    });
    let next = match (name, operands.next()) {
        ("popd", _) | ("pushd", None) => Directory { doubtful: true, ..(*here).clone() },
        (_, None) => here.join("~", false),
        (_, Some(field)) if field.as_str() == "-" || field.as_str().starts_with('+') => {
            Directory { doubtful: true, ..(*here).clone() }
        }
        (_, Some(field)) if field.as_str() == "." => (*here).clone(),
        (_, Some(field)) => {
            let doubtful = !field.text.settled() || field.pattern;
            let quoted_tilde = field.as_str().starts_with('~') && !field.tilde;
            match quoted_tilde {
                true => here.join(&alloc::format!("./{}", field.as_str()), doubtful),
                false => here.join(field.as_str(), doubtful),
            }
        }
    };
    walker.shell.go(next);
}

fn set(walker: &mut Walker, arguments: &[Field]) {
    let mut rest = arguments;
    while let Some((first, behind)) = rest.split_first() {
        match first.as_str() {
            "--" | "-" => {
                walker.assign("@", Value::List(behind.to_vec()));
                return;
            }
            "-o" | "+o" => rest = behind.get(1..).unwrap_or_default(),
            option if option.starts_with(['-', '+']) => rest = behind,
            _ => {
                walker.assign("@", Value::List(rest.to_vec()));
                return;
            }
        }
    }
}

fn shift(walker: &mut Walker, arguments: &[Field]) {
    let count = arguments.first().map_or(Some(1), |field| field.as_str().parse().ok());
    let count = count.unwrap_or(1);
    let left = |value: &Value| match value {
        Value::List(fields) => Value::List(fields.get(count..).unwrap_or_default().to_vec()),
        text => text.clone(),
    };
    let shifted: Vec<Value> = walker.shell.values("@").iter().map(left).collect();
    walker.shell.replace("@", shifted);
}

fn aliases(walker: &mut Walker, arguments: &[Field]) {
    for field in arguments {
        if let Some((name, _)) = field.as_str().split_once('=') {
            let text = field.behind(name.len() + 1).text;
            walker.shell.set_alias(name, text);
        }
    }
}

fn declare(walker: &mut Walker, arguments: &[Field]) {
    // The name of another variable, whose value may be anything by the time it is read.
    let reference = |field: &Field| {
        let text = field.as_str();
        text.starts_with('-') && !text.starts_with("--") && text.contains('n')
    };
    let refers = arguments.iter().any(reference);
    for field in arguments.iter().filter(|field| !field.as_str().starts_with('-')) {
        // An array that was declared in the same word is there already.
        if let Some((name, value)) = field.as_str().split_once('=')
            && !(value.is_empty() && matches!(walker.shell.values(name), [Value::List(_)]))
        {
            let text = match refers {
                true => Text::hole(),
                false => field.behind(name.len() + 1).text,
            };
            walker.assign(name.trim_end_matches('+'), Value::Text(text));
        }
    }
}

/// `declare a=(b c)`.
pub(super) fn declare_arrays(walker: &mut Walker, words: &[Word]) {
    for word in words {
        if let (Some(array), Some(Part::Text { text, .. })) = (&word.array, word.parts.first()) {
            let name: String = text.trim_end_matches(['=', '+']).into();
            let fields = walker.array(array);
            walker.assign(&name, Value::List(fields));
        }
    }
}

/// `printf -v name format ..`, whose name may have a subscript.
fn printf(walker: &mut Walker, arguments: &[Field]) -> Followed {
    let (name, rest) = match arguments {
        [option, name, rest @ ..] if option.as_str() == "-v" => (name.clone(), rest),
        [option, rest @ ..] if option.as_str().starts_with("-v") => (option.behind(2), rest),
        _ => return Ok(()),
    };
    let text = super::expand::printf(rest).unwrap_or_else(Text::hole);
    walker.assign(name.as_str(), Value::Text(text));
    walker.evaluated(&[name])
}
