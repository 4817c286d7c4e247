//! Events that hosts send, and what becomes of them when bytes go wrong.

use camino::Utf8Path;
use serde_json::{Value, json};

/// Random numbers from a seed.
pub struct Noise(u64);

impl Noise {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }

    /// The bytes of one event.
    pub fn event(&mut self, root: &Utf8Path) -> Vec<u8> {
        let mut event = self.whole(root);
        if self.below(3) == 0 {
            self.disturb(&mut event, 0);
        }
        let mut bytes = event.to_string().into_bytes();
        match self.below(12) {
            0 => bytes.truncate(self.below(bytes.len() + 1)),
            1 => {
                for _ in 0..=self.below(4) {
                    let at = self.below(bytes.len());
                    bytes[at] = self.next() as u8;
                }
            }
            2 => {
                let at = self.below(bytes.len());
                let depth = self.below(100_000);
                bytes.splice(at..at, std::iter::repeat_n(self.pick(b"[{\\\"u"), depth));
            }
            3 => bytes = (0..self.below(200)).map(|_| self.next() as u8).collect(),
            4 => bytes = String::from_utf8_lossy(&bytes).replace("api", "\\ud800\\u0000").into(),
            _ => {}
        }
        bytes
    }

    /// An event as one of the hosts sends it.
    fn whole(&mut self, root: &Utf8Path) -> Value {
        let session = self.pick(&["alice", "bob", "s1", "a/b", "///", "", "..", "é"]);
        let path = self.pick(&[
            "api/x.py", "web/a.ts", "dos.toml", ".dos/x", "../x", "/", "", "api", "~/x", "a\0b",
            "*",
        ]);
        let command = self.pick(&[
            "ls",
            "rm -rf api",
            "echo x > api/x.py",
            "git stash",
            "python3 -c 'x'",
            "cd $x && rm y",
            "f() { f; }; f",
            "((((",
            "cat <<E\n",
            "rm -rf *",
            "dos init --hooks codex --uninstall",
        ]);
        let tool =
            self.pick(&["Write", "Bash", "Read", "apply_patch", "mcp__a__write_file", "Odd"]);
        let input = match tool {
            "Bash" => json!({"command": command}),
            "apply_patch" => json!({"command": format!("*** Begin Patch\n*** Add File: {path}\n")}),
            _ => json!({"file_path": path, "content": "x"}),
        };
        let cwd = self.pick(&[root.as_str(), "", "api", "/nowhere", "a\0b"]);
        let mut event = match self.below(4) {
            0 => json!({"conversation_id": session, "command": command, "workspace_roots": [cwd]}),
            1 => json!({
                "conversationId": session, "workspacePaths": [cwd],
                "toolCall": {"name": tool, "args": input},
            }),
            _ => json!({
                "session_id": session, "tool_name": tool, "tool_input": input, "cwd": cwd,
                "stop_hook_active": self.below(4) == 0,
            }),
        };
        if self.below(3) == 0 {
            event["tool_response"] = self.pick(&[json!("same"), json!({"a": 1.0}), json!(null)]);
        }
        event
    }

    /// Puts something odd in the place of one value.
    fn disturb(&mut self, value: &mut Value, depth: usize) {
        let stop = depth > 2 || self.below(3) == 0;
        match value {
            Value::Object(fields) if !stop && !fields.is_empty() => {
                let at = self.below(fields.len());
                if let Some((_, value)) = fields.iter_mut().nth(at) {
                    self.disturb(value, depth + 1);
                }
            }
            Value::Array(items) if !stop && !items.is_empty() => {
                let at = self.below(items.len());
                self.disturb(&mut items[at], depth + 1);
            }
            value => {
                *value = self.pick(&[
                    json!(null),
                    json!(true),
                    json!(-1),
                    json!(1e300),
                    json!([]),
                    json!({}),
                    json!("\u{2028}"),
                    json!("x".repeat(5000)),
                    json!(["api/x.py", 5, null]),
                    json!({"path": {"path": "api/x.py"}}),
                ]);
            }
        }
    }
}
