//! The tables that hooks go by: `[marker]`, `[tool_stream]`, `[guard]`.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use toml::de::DeTable;

use super::{Problem, Reader, Value, expected, named, number, string_list};
use crate::hook::{GuardPolicy, MarkerPolicy, StreamPolicy, Strictness};
use crate::lane::{Case, Region};

const MARKER_KEYS: [&str; 3] = ["arm_on_env", "max_streak", "respect_stop_hook_active"];
const STREAM_KEYS: [&str; 3] = ["ignore_tools", "repeat_n", "stall_n"];
const GUARD_KEYS: [&str; 5] = ["checkout_ops", "exec", "outside_lane", "protected", "unknown"];
/// What is unknown is never denied.
const UNKNOWN_NAMES: [&str; 2] = ["warn", "off"];
/// A streak beyond this is no bound at all.
const COUNT_MAX: u32 = 10_000;

impl<'t> Reader<'t> {
    pub(super) fn marker(&mut self, value: &Value<'t>) -> Result<MarkerPolicy, Problem> {
        let table = self.keys(value, "marker", &MARKER_KEYS)?;
        let mut policy = MarkerPolicy::default();
        if let Some(value) = table.get("max_streak") {
            policy.max_streak = count(value, "max_streak", 0)?;
        }
        if let Some(value) = table.get("arm_on_env") {
            policy = policy.armed_by(&one_or_more(value, "arm_on_env")?);
        }
        if let Some(value) = table.get("respect_stop_hook_active") {
            policy.respect_stop_hook_active = value.get_ref().as_bool().ok_or_else(|| {
                let example = "respect_stop_hook_active = true";
                expected(value, "respect_stop_hook_active", "true or false", example)
            })?;
        }
        Ok(policy)
    }

    pub(super) fn tool_stream(&mut self, value: &Value<'t>) -> Result<StreamPolicy, Problem> {
        let table = self.keys(value, "tool_stream", &STREAM_KEYS)?;
        let mut policy = StreamPolicy::default();
        if let Some(value) = table.get("repeat_n") {
            policy.repeat_n = count(value, "repeat_n", 1)?;
        }
        if let Some(value) = table.get("stall_n") {
            policy.stall_n = count(value, "stall_n", 1)?;
        }
        if let Some(value) = table.get("ignore_tools") {
            policy.ignore_tools = one_or_more(value, "ignore_tools")?;
        }
        if policy.stall_n < policy.repeat_n {
            return Err(Problem {
                span: table.get("stall_n").unwrap_or(value).span(),
                what: format!(
                    "stall_n ({}) must not be below repeat_n ({})",
                    policy.stall_n, policy.repeat_n
                ),
                suggestion: "write it like this: repeat_n = 3 and stall_n = 5".to_string(),
            });
        }
        Ok(policy)
    }

    pub(super) fn guard(&mut self, value: &Value<'t>) -> Result<GuardPolicy, Problem> {
        let table = self.keys(value, "guard", &GUARD_KEYS)?;
        let mut policy = GuardPolicy::default();
        for (key, rule) in [
            ("exec", &mut policy.exec),
            ("checkout_ops", &mut policy.checkout_ops),
            ("outside_lane", &mut policy.outside_lane),
        ] {
            if let Some(value) = table.get(key) {
                // The name that applies when the text names none comes first.
                let mut names = Strictness::NAMES;
                names.sort_by_key(|name| *name != rule.token());
                *rule = named(value, key, &names, "rule", Strictness::named)?;
            }
        }
        if let Some(value) = table.get("unknown") {
            let rule = |name: &str| match name {
                "deny" => None,
                name => Strictness::named(name),
            };
            policy.unknown = named(value, "unknown", &UNKNOWN_NAMES, "rule", rule)?;
        }
        if let Some(value) = table.get("protected") {
            policy.protected = self.protected(value)?;
        }
        Ok(policy)
    }

    /// A pattern that cannot be read is reported and left out: it would protect everything.
    fn protected(&mut self, value: &Value<'t>) -> Result<Vec<String>, Problem> {
        let mut readable = Vec::new();
        for text in string_list(value, "protected")? {
            let bare = text.strip_prefix('!').unwrap_or(&text);
            let bare = bare.strip_prefix("~/").unwrap_or(bare);
            let region = Region::read([bare], Case::default());
            match region.errors().next() {
                None => readable.push(text),
                Some(error) => {
                    let items = value.get_ref().as_array().into_iter().flat_map(|list| list.iter());
                    let place = items.clone().find(|item| item.get_ref().as_str() == Some(&text));
                    let span = place.map_or(value.span(), |item| item.span());
                    let suggestion = "until it is mended it protects nothing".to_string();
                    self.report(Problem { span, what: format!("{error}"), suggestion }, true);
                }
            }
        }
        Ok(readable)
    }

    /// A table, whose unknown keys are reported.
    fn keys<'v>(
        &mut self,
        value: &'v Value<'t>,
        name: &str,
        known: &[&str],
    ) -> Result<&'v DeTable<'t>, Problem> {
        let Some(table) = value.get_ref().as_table() else {
            return Err(expected(value, name, "a table", &format!("[{name}]")));
        };
        self.unknown_keys(table, known, &format!("[{name}]"));
        Ok(table)
    }
}

/// A whole number.
fn count(value: &Value<'_>, name: &str, least: u32) -> Result<u32, Problem> {
    let range = f64::from(least)..=f64::from(COUNT_MAX);
    match number(value).filter(|count| *count % 1.0 == 0.0 && range.contains(count)) {
        Some(count) => Ok(count as u32),
        None => Err(Problem {
            span: value.span(),
            what: format!("{name} must be a whole number from {least} to {COUNT_MAX}"),
            suggestion: format!("write it like this: {name} = 5"),
        }),
    }
}

/// A list of texts, or one.
fn one_or_more(value: &Value<'_>, name: &str) -> Result<Vec<String>, Problem> {
    match value.get_ref().as_str() {
        Some(one) => Ok(Vec::from([one.to_string()])),
        None => string_list(value, name),
    }
}
