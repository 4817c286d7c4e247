//! The lane map as a graph for Graphviz.

use dos_core::lane::map::LaneMap;
use dos_core::lane::policy::Role;

use crate::verbs::doctor::{counted, plain};

/// A node for each lane, a line between those that meet.
pub fn graph(map: &LaneMap) -> String {
    let mut text = String::from("graph lanes {\n  node [shape=box, style=rounded];\n");
    for (place, lane) in map.lanes.iter().enumerate() {
        let files = match map.files_total {
            Some(_) => format!("\n{}", counted(lane.files as u64, "file")),
            None => String::new(),
        };
        let shape = match lane.role {
            Role::Exclusive => ", shape=doubleoctagon",
            Role::Shared => ", style=\"rounded,dashed\"",
            Role::Concurrent | Role::Named => "",
        };
        let label = quoted(&format!("{}{files}", lane.name));
        text.push_str(&format!("  l{place} [label={label}{shape}];\n"));
    }
    for meeting in &map.meetings {
        let label = match meeting.files {
            0 => meeting.meeting.witness.clone().unwrap_or_else(|| "?".to_string()),
            files => counted(files as u64, "file"),
        };
        let (left, right) = (meeting.left, meeting.right);
        text.push_str(&format!("  l{left} -- l{right} [label={}];\n", quoted(&label)));
    }
    text.push_str("}\n");
    text
}

fn quoted(text: &str) -> String {
    let escaped: String = text
        .chars()
        .map(|character| match character {
            '"' => "\\\"".to_string(),
            '\\' => "\\\\".to_string(),
            '\n' => "\\n".to_string(),
            other => plain(other.encode_utf8(&mut [0; 4])),
        })
        .collect();
    format!("\"{escaped}\"")
}
