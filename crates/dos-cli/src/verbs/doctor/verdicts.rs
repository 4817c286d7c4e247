//! Is what is decided recorded, and can it be?

use dos_store::Workspace;
use dos_store::disk::{Disk, RealDisk};
use dos_store::inspect::write_obstacle;
use serde_json::{Value, json};

use super::findings::{Finding, Severity};
use super::text::{bytes, counted};
use crate::context::Context;

/// The verdict journal as it is. Nobody reads its rows for that: it may be long.
pub struct Verdicts {
    armed: bool,
    segments: usize,
    bytes: u64,
}

impl Verdicts {
    /// Looks at it.
    pub fn gather(context: &Context, workspace: &Workspace) -> Self {
        let segments = workspace.verdict_journal(RealDisk).segments().unwrap_or_default();
        let files = segments.iter().chain([&workspace.verdicts]);
        let bytes = files.filter_map(|file| RealDisk.stat(file).ok().flatten()).map(|it| it.len);
        Self {
            armed: context.records(&workspace.config),
            segments: segments.len(),
            bytes: bytes.sum(),
        }
    }

    /// What keeps verdicts from being recorded where they are to be.
    pub fn finding(&self, workspace: &Workspace) -> Option<Finding> {
        let obstacle = write_obstacle(&workspace.verdicts).filter(|_| self.armed)?;
        let what = format!("verdicts are answered and not recorded: {obstacle}");
        let fix = "let this user write there, or put the verdict journal elsewhere with \
                   DISPATCH_VERDICT_JOURNAL_PATH";
        let finding =
            Finding::new(Severity::Warning, "VERDICTS_NOT_RECORDED", what, fix.to_string());
        Some(Finding { file: Some(workspace.verdicts.clone()), ..finding })
    }

    /// In words.
    pub fn text(&self) -> String {
        let armed = if self.armed { "recorded" } else { "not recorded" };
        match (self.bytes, self.segments) {
            (0, _) => armed.to_string(),
            (total, 0) => format!("{armed}, {}", bytes(total)),
            (total, count) => {
                let archived = counted(count as u64, "archived segment");
                format!("{armed}, {} with {archived}", bytes(total))
            }
        }
    }

    /// For programs.
    pub fn json(&self, workspace: &Workspace) -> Value {
        let policy = workspace.config.observe;
        json!({
            "recorded": self.armed,
            "journal": workspace.verdicts.as_str(),
            "archived_segments": self.segments,
            "bytes": self.bytes,
            "segment_max_bytes": policy.segment_max_bytes,
            "segments_keep_last": policy.segments_keep_last,
        })
    }
}
