//! Arguments taken apart into options and operands.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::super::text::Field;

/// Flags that are the start of a longer name which takes a value.
const FLAGS: [&str; 6] = ["backup", "head", "list", "output", "partial", "strip"];

/// Is an option this one, perhaps shortened? One letter stands for itself.
fn starts(known: &str, name: &str) -> bool {
    known == name || (name.len() > 1 && known.starts_with(name))
}

/// Options and operands.
pub(super) struct Parsed {
    /// Short options by letter, long ones by name, with their value where they take one.
    options: Vec<(String, Option<Field>)>,
    /// The rest, in order.
    pub(super) operands: Vec<Field>,
    /// How many operands stand before `--`, if it is there.
    pub(super) before_dashes: Option<usize>,
}

impl Parsed {
    /// Takes arguments apart. `valued` lists the options that take a value: letters, and long names.
    pub(super) fn new(arguments: &[Field], valued: &str) -> Self {
        Self::read(arguments, valued, false)
    }

    /// The same, where everything behind the first operand is one.
    pub(super) fn in_order(arguments: &[Field], valued: &str) -> Self {
        Self::read(arguments, valued, true)
    }

    fn read(arguments: &[Field], valued: &str, in_order: bool) -> Self {
        let takes = |name: &str| valued.split_ascii_whitespace().any(|known| known == name);
        // Long options may be shortened.
        let whole = |name: &str| {
            let longer = |known: &&str| known.len() > 1 && starts(known, name);
            let found = valued.split_ascii_whitespace().find(longer);
            match takes(name) || FLAGS.contains(&name) {
                true => None,
                false => found,
            }
        };
        let mut parsed = Self { options: Vec::new(), operands: Vec::new(), before_dashes: None };
        let mut rest = arguments;
        while let Some((field, behind)) = rest.split_first() {
            rest = behind;
            let text = field.as_str();
            let closed =
                parsed.before_dashes.is_some() || (in_order && !parsed.operands.is_empty());
            if closed || !text.starts_with('-') || text == "-" {
                parsed.operands.push(field.clone());
            } else if text == "--" {
                parsed.before_dashes = Some(parsed.operands.len());
            } else if let Some(long) = text.strip_prefix("--") {
                let (name, attached) = match long.split_once('=') {
                    Some((name, _)) => (name, Some(field.behind(name.len() + 3))),
                    None => (long, None),
                };
                let name = whole(name).unwrap_or(name);
                let mut value = attached;
                if value.is_none() && takes(name) {
                    value = rest.first().cloned();
                    rest = rest.get(1..).unwrap_or_default();
                }
                parsed.options.push((name.to_string(), value));
            } else {
                for (at, letter) in text.char_indices().skip(1) {
                    let name = letter.to_string();
                    if !takes(&name) {
                        parsed.options.push((name, None));
                        continue;
                    }
                    let behind = at + letter.len_utf8();
                    let value = match behind < text.len() {
                        true => Some(field.behind(behind)),
                        false => {
                            let next = rest.first().cloned();
                            rest = rest.get(1..).unwrap_or_default();
                            next
                        }
                    };
                    parsed.options.push((name, value));
                    break;
                }
            }
        }
        parsed
    }

    /// Is one of these options there?
    pub(super) fn has(&self, names: &str) -> bool {
        self.options.iter().any(|(name, _)| names.split(' ').any(|known| starts(known, name)))
    }

    /// The last value of one of these options.
    pub(super) fn value(&self, names: &str) -> Option<&Field> {
        self.values(names).last()
    }

    /// All values of these options.
    pub(super) fn values(&self, names: &str) -> impl Iterator<Item = &Field> {
        let wanted = |name: &str| names.split(' ').any(|known| known == name);
        let chosen = self.options.iter().filter(move |(name, _)| wanted(name));
        chosen.filter_map(|(_, value)| value.as_ref())
    }
}
