//! Hooks in a JSON file of a host. The text is changed where it must be and nowhere else.

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstArray, CstInputValue, CstNode, CstObject, CstRootNode};
use serde_json::Value;

use super::Moment;
use super::wiring::{Form, Settings, SettingsError, Wired, verb_of};

/// See [`Settings::merged`].
pub fn merged(settings: &Settings, text: &str, strict: bool) -> Result<String, SettingsError> {
    let Form::Json { under, version, typed } = settings.form else { return Ok(text.to_string()) };
    let is_new = text.trim().is_empty();
    let root = parse(if is_new { "{}\n" } else { text })?;
    let top = top_of(&root)?;
    let mut changed = is_new;
    if let Some(version) = version.filter(|_| top.get("version").is_none()) {
        top.insert(0, "version", CstInputValue::Number(version.to_string()));
        changed = true;
    }
    let hooks = match top.get(under) {
        Some(_) => top.object_value(under).ok_or_else(|| wrong(under, "object"))?,
        None => top.object_value_or_set(under),
    };
    // What we wired before, elsewhere or otherwise, goes first.
    let wanted = |event: &str| settings.events.iter().find(|(name, ..)| *name == event);
    let mut there = Vec::new();
    for (event, list) in lists(&hooks) {
        for hook in ours(&list) {
            let keeps = wanted(&event).is_some_and(|(_, moment, grouped)| {
                !there.contains(&event)
                    && hook.grouped == *grouped
                    && hook.is(&entry(settings, *moment, typed, strict))
            });
            match keeps {
                true => there.push(event.clone()),
                false => {
                    hook.remove();
                    changed = true;
                }
            }
        }
    }
    for (event, moment, grouped) in settings.events {
        if there.iter().any(|name| name == event) {
            continue;
        }
        let list = match hooks.get(event) {
            Some(_) => hooks
                .array_value(event)
                .ok_or_else(|| wrong(&format!("{under}.{event}"), "list"))?,
            None => hooks.array_value_or_set(event),
        };
        let entry = input(&entry(settings, *moment, typed, strict));
        list.ensure_multiline();
        list.append(match grouped {
            true => {
                let group = ("hooks".to_string(), CstInputValue::Array(vec![entry]));
                CstInputValue::Object(vec![group])
            }
            false => entry,
        });
        changed = true;
    }
    prune(&top, under, &hooks, settings, false);
    Ok(if changed { root.to_string() } else { text.to_string() })
}

/// See [`Settings::without`].
pub fn without(settings: &Settings, text: &str) -> Result<String, SettingsError> {
    let Form::Json { under, .. } = settings.form else { return Ok(text.to_string()) };
    if text.trim().is_empty() {
        return Ok(text.to_string());
    }
    let root = parse(text)?;
    let top = top_of(&root)?;
    let Some(hooks) = top.object_value(under) else { return Ok(text.to_string()) };
    let mut removed = false;
    for (_, list) in lists(&hooks) {
        for hook in ours(&list) {
            hook.remove();
            removed = true;
        }
    }
    if !removed {
        return Ok(text.to_string());
    }
    prune(&top, under, &hooks, settings, true);
    Ok(root.to_string())
}

/// See [`Settings::wired`].
pub fn wired(settings: &Settings, text: &str) -> Result<Vec<Wired>, SettingsError> {
    let Form::Json { under, .. } = settings.form else { return Ok(Vec::new()) };
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let root = parse(text)?;
    let Some(hooks) = root.object_value().and_then(|top| top.object_value(under)) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for (event, list) in lists(&hooks) {
        found.extend(
            ours(&list)
                .into_iter()
                .map(|hook| Wired { event: event.clone(), command: hook.command }),
        );
    }
    Ok(found)
}

fn parse(text: &str) -> Result<CstRootNode, SettingsError> {
    CstRootNode::parse(text, &ParseOptions::default())
        .map_err(|error| SettingsError::Unreadable { form: "JSON", problem: error.to_string() })
}

fn top_of(root: &CstRootNode) -> Result<CstObject, SettingsError> {
    root.object_value_or_create().ok_or_else(|| wrong("(the whole file)", "object"))
}

fn wrong(place: &str, wanted: &'static str) -> SettingsError {
    SettingsError::WrongKind { place: place.to_string(), wanted }
}

/// The events and their lists.
fn lists(hooks: &CstObject) -> Vec<(String, CstArray)> {
    let events = hooks.properties().into_iter();
    events.filter_map(|event| Some((event.decoded_name()?, event.array_value()?))).collect()
}

/// A hook of ours in a list.
struct Hook {
    entry: CstObject,
    command: String,
    /// Is it in a group, and the list of that group?
    grouped: bool,
    group: Option<(CstNode, CstArray)>,
}

/// Our hooks in a list, those in groups and those by themselves.
fn ours(list: &CstArray) -> Vec<Hook> {
    let mut found = Vec::new();
    for node in list.elements() {
        let Some(object) = node.as_object() else { continue };
        found.extend(hook(&object, None));
        let Some(group) = object.array_value("hooks") else { continue };
        for inner in group.elements() {
            let inner = inner.as_object();
            let group = Some((node.clone(), group.clone()));
            found.extend(inner.and_then(|inner| hook(&inner, group)));
        }
    }
    found
}

fn hook(entry: &CstObject, group: Option<(CstNode, CstArray)>) -> Option<Hook> {
    let command = text_of(&entry.get("command")?.value()?)?;
    verb_of(&command)?;
    Some(Hook { entry: entry.clone(), command, grouped: group.is_some(), group })
}

fn text_of(node: &CstNode) -> Option<String> {
    node.as_string_lit()?.decoded_value().ok()
}

impl Hook {
    /// Does it say what we would write?
    fn is(&self, wanted: &[(&'static str, Value)]) -> bool {
        let same = |(name, value): &(&str, Value)| {
            let found = self.entry.get(name).and_then(|found| found.value());
            found.is_some_and(|found| {
                serde_json::from_str::<Value>(&found.to_string()).is_ok_and(|found| found == *value)
            })
        };
        self.entry.properties().len() == wanted.len() && wanted.iter().all(same)
    }

    /// Removes it, and its group when nothing is left in that.
    fn remove(self) {
        self.entry.remove();
        if let Some((group, list)) = self.group.filter(|(_, list)| list.elements().is_empty()) {
            drop(list);
            group.remove();
        }
    }
}

/// The fields of the hook for a moment.
fn entry(
    settings: &Settings,
    moment: Moment,
    typed: bool,
    strict: bool,
) -> Vec<(&'static str, Value)> {
    let mut fields = Vec::new();
    if typed {
        fields.push(("type", "command".into()));
    }
    fields.push(("command", settings.command(moment).into()));
    if let Some(option) = settings.strict.as_ref().filter(|_| strict && moment == Moment::Pre) {
        fields.push((option.field, option.value.clone()));
    }
    fields
}

fn input(fields: &[(&'static str, Value)]) -> CstInputValue {
    let input = |value: &Value| match value {
        Value::Bool(flag) => CstInputValue::Bool(*flag),
        Value::String(text) => CstInputValue::String(text.clone()),
        other => CstInputValue::String(other.to_string()),
    };
    CstInputValue::Object(
        fields.iter().map(|(name, value)| (name.to_string(), input(value))).collect(),
    )
}

/// Removes what holds nothing any more: lists of events, the object of hooks, and with `all` a
/// version that nothing is left for.
fn prune(top: &CstObject, under: &str, hooks: &CstObject, settings: &Settings, all: bool) {
    for event in hooks.properties() {
        if event.array_value().is_some_and(|list| list.elements().is_empty()) {
            event.remove();
        }
    }
    if !all || !hooks.properties().is_empty() {
        return;
    }
    if let Some(property) = top.get(under) {
        property.remove();
    }
    let Form::Json { version: Some(ours), .. } = settings.form else { return };
    let only_version = top.properties().len() == 1;
    // Another version is not of ours.
    let is_ours = |value: CstNode| value.to_string() == ours.to_string();
    if let Some(version) = top.get("version").filter(|_| only_version)
        && version.value().is_some_and(is_ours)
    {
        version.remove();
    }
}
