//! Hooks in a TOML file of a host. Comments, order and spelling of everything else stay.

use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, TableLike};

use super::wiring::{Form, Settings, SettingsError, Wired, verb_of};

/// See [`Settings::merged`].
pub fn merged(settings: &Settings, text: &str) -> Result<String, SettingsError> {
    let Form::Toml { under } = settings.form else { return Ok(text.to_string()) };
    let mut document = parse(text)?;
    let is_there = |wired: &[Wired], event: &str, command: &str| {
        wired.iter().filter(|wired| wired.event == event && wired.command == command).count() == 1
    };
    let before = found(&document, under);
    let events = settings.events;
    let complete = before.len() == events.len()
        && events
            .iter()
            .all(|(event, moment, _)| is_there(&before, event, &settings.command(*moment)));
    if complete {
        return Ok(text.to_string());
    }
    remove(&mut document, under);
    let hooks = document.as_table_mut().entry(under).or_insert_with(|| {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    });
    let wrong = |place: String, wanted| SettingsError::WrongKind { place, wanted };
    // What stands on one line is put on lines of its own.
    if hooks.is_inline_table()
        && let Ok(table) = core::mem::take(hooks).into_table()
    {
        *hooks = Item::Table(table);
    }
    let hooks = hooks.as_table_mut().ok_or_else(|| wrong(under.to_string(), "table"))?;
    for (event, moment, _) in events {
        let groups =
            hooks.entry(event).or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
        if groups.as_array().is_some_and(|list| list.iter().all(toml_edit::Value::is_inline_table))
        {
            // It fails for an empty one alone.
            let tables = core::mem::take(groups).into_array_of_tables().unwrap_or_default();
            *groups = Item::ArrayOfTables(tables);
        }
        let groups = groups
            .as_array_of_tables_mut()
            .ok_or_else(|| wrong(format!("{under}.{event}"), "list of tables"))?;
        let mut entry = Table::new();
        entry.insert("type", toml_edit::value("command"));
        entry.insert("command", toml_edit::value(settings.command(*moment)));
        let mut entries = ArrayOfTables::new();
        entries.push(entry);
        let mut group = Table::new();
        group.insert("hooks", Item::ArrayOfTables(entries));
        groups.push(group);
    }
    Ok(document.to_string())
}

/// See [`Settings::without`].
pub fn without(settings: &Settings, text: &str) -> Result<String, SettingsError> {
    let Form::Toml { under } = settings.form else { return Ok(text.to_string()) };
    let mut document = parse(text)?;
    match remove(&mut document, under) {
        true => Ok(document.to_string()),
        false => Ok(text.to_string()),
    }
}

/// See [`Settings::wired`].
pub fn wired(settings: &Settings, text: &str) -> Result<Vec<Wired>, SettingsError> {
    let Form::Toml { under } = settings.form else { return Ok(Vec::new()) };
    Ok(found(&parse(text)?, under))
}

fn parse(text: &str) -> Result<DocumentMut, SettingsError> {
    text.parse().map_err(|error: toml_edit::TomlError| SettingsError::Unreadable {
        form: "TOML",
        problem: error.to_string().lines().next().unwrap_or_default().to_string(),
    })
}

fn is_ours(entry: &dyn TableLike) -> bool {
    command(entry).is_some_and(|command| verb_of(command).is_some())
}

fn command(entry: &dyn TableLike) -> Option<&str> {
    entry.get("command")?.as_str()
}

/// Our hooks, in tables or in lists on one line.
fn found(document: &DocumentMut, under: &str) -> Vec<Wired> {
    let mut found = Vec::new();
    let Some(hooks) = document.get(under).and_then(Item::as_table_like) else {
        return found;
    };
    for (event, groups) in hooks.iter() {
        each_table(groups, &mut |group| {
            if let Some(entries) = group.get("hooks") {
                each_table(entries, &mut |entry| {
                    if let Some(command) = command(entry).filter(|_| is_ours(entry)) {
                        let (event, command) = (event.to_string(), command.to_string());
                        found.push(Wired { event, command });
                    }
                });
            }
        });
    }
    found
}

fn each_table(item: &Item, take: &mut dyn FnMut(&dyn TableLike)) {
    if let Some(tables) = item.as_array_of_tables() {
        tables.iter().for_each(|table| take(table));
    }
    if let Some(list) = item.as_array() {
        list.iter().filter_map(|value| value.as_inline_table()).for_each(|table| take(table));
    }
}

/// Removes our hooks and what only held them. Says whether there were any.
fn remove(document: &mut DocumentMut, under: &str) -> bool {
    let Some(hooks) = document.get_mut(under).and_then(Item::as_table_like_mut) else {
        return false;
    };
    let mut removed = false;
    let mut empty = Vec::new();
    for (event, groups) in hooks.iter_mut() {
        let mut touched = false;
        if let Some(groups) = groups.as_array_of_tables_mut() {
            groups.retain(|group| {
                let held = holds_ours(group);
                touched |= held;
                !held || others_left(group)
            });
            groups.iter_mut().for_each(drop_ours);
        }
        if let Some(groups) = groups.as_array_mut() {
            retain_inline(groups, &mut touched);
        }
        removed |= touched;
        let count = groups
            .as_array_of_tables()
            .map(ArrayOfTables::len)
            .or_else(|| groups.as_array().map(Array::len));
        if touched && count == Some(0) {
            empty.push(event.get().to_string());
        }
    }
    for event in empty {
        hooks.remove(&event);
    }
    let unused = removed && hooks.is_empty();
    let implicit = document.get(under).and_then(Item::as_table).is_some_and(Table::is_implicit);
    if unused && implicit {
        document.remove(under);
    }
    removed
}

fn holds_ours(group: &Table) -> bool {
    let mut held = false;
    if let Some(entries) = group.get("hooks") {
        each_table(entries, &mut |entry| held |= is_ours(entry));
    }
    held
}

fn others_left(group: &Table) -> bool {
    let mut others = false;
    if let Some(entries) = group.get("hooks") {
        each_table(entries, &mut |entry| others |= !is_ours(entry));
    }
    others
}

fn drop_ours(group: &mut Table) {
    let Some(entries) = group.get_mut("hooks") else { return };
    if let Some(entries) = entries.as_array_of_tables_mut() {
        entries.retain(|entry| !is_ours(entry));
    }
    if let Some(entries) = entries.as_array_mut() {
        entries.retain(|entry| !entry.as_inline_table().is_some_and(|entry| is_ours(entry)));
    }
}

fn retain_inline(groups: &mut Array, touched: &mut bool) {
    groups.retain(|group| {
        let entries = group.as_inline_table().and_then(|group| group.get("hooks"));
        let Some(entries) = entries.and_then(toml_edit::Value::as_array) else {
            return true;
        };
        let is_held =
            |value: &toml_edit::Value| value.as_inline_table().is_some_and(|entry| is_ours(entry));
        let held = entries.iter().filter(|entry| is_held(entry)).count();
        *touched |= held > 0;
        held == 0 || held < entries.len()
    });
}
