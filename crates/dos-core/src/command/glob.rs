//! Shell patterns against short texts: what `${x%..}` takes away, which program `/bin/b?sh` may be.

use alloc::vec::Vec;

/// Does a pattern match all of a text? Bracket expressions hold characters and ranges.
pub fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut position) = (0, 0);
    // Where to go on when the last star takes one character more.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let step = match pattern.get(at) {
            Some('*') => {
                retry = Some((at, position));
                at += 1;
                continue;
            }
            None if position == text.len() => return true,
            None => None,
            Some(_) => text.get(position).and_then(|character| one(&pattern, at, *character)),
        };
        match (step, retry) {
            (Some(length), _) => {
                at += length;
                position += 1;
            }
            (None, Some((star, taken))) if taken < text.len() => {
                retry = Some((star, taken + 1));
                (at, position) = (star + 1, taken + 1);
            }
            _ => return false,
        }
    }
}

/// How long the element of a pattern is that matches a character.
fn one(pattern: &[char], at: usize, character: char) -> Option<usize> {
    match pattern.get(at)? {
        '?' => Some(1),
        '[' => match bracket(pattern.get(at + 1..)?, character) {
            Some((true, length)) => Some(length + 1),
            Some((false, _)) => None,
            None => (character == '[').then_some(1),
        },
        '\\' => (pattern.get(at + 1) == Some(&character)).then_some(2),
        plain => (*plain == character).then_some(1),
    }
}

/// Is the character in the bracket expression, and how long is that, its `]` included?
fn bracket(pattern: &[char], character: char) -> Option<(bool, usize)> {
    let negated = matches!(pattern.first(), Some('!' | '^'));
    let mut at = usize::from(negated);
    let start = at;
    let mut inside = false;
    loop {
        let first = *pattern.get(at)?;
        if first == ']' && at > start {
            return Some((inside != negated, at + 1));
        }
        let range = pattern.get(at + 1) == Some(&'-');
        match pattern.get(at + 2) {
            Some(last) if range && *last != ']' => {
                inside |= (first..=*last).contains(&character);
                at += 3;
            }
            _ => {
                inside |= first == character;
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_as_in_a_shell() {
        for (pattern, text) in [
            ("b?sh", "bash"),
            ("[b]ash", "bash"),
            ("*", ""),
            ("*sh", "bash"),
            ("b*h", "bash"),
            ("[!x]ash", "bash"),
            ("[a-c]ash", "bash"),
            ("[]]x", "]x"),
            ("[x", "[x"),
            ("\\*", "*"),
            ("*a*a*b", "aaaab"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in
            [("b?sh", "bsh"), ("[b]ash", "cash"), ("", "a"), ("*a*a*b", "aaaa"), ("\\*", "a")]
        {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
