//! The `.env` file of a workspace: settings for whoever exports from it.

use std::collections::BTreeMap;
use std::io;

use camino::Utf8Path;
use dos_store::disk::{RealDisk, read_small};

const BYTES_MAX: usize = 1024 * 1024;

/// What `.env` sets; nothing when there is none. Lines that set nothing are passed over.
pub fn read(root: &Utf8Path) -> io::Result<BTreeMap<String, String>> {
    let bytes = read_small(&RealDisk, &root.join(".env"), BYTES_MAX)?.unwrap_or_default();
    let text = String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8"))?;
    let set = |line: &str| {
        let (name, value) = line.trim().split_once('=')?;
        let named = !name.starts_with('#');
        let value = value.trim().trim_matches('"').trim_matches('\'');
        named.then(|| (name.trim().to_string(), value.to_string()))
    };
    Ok(text.lines().filter_map(set).collect())
}
