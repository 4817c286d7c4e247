//! A SQLite database: each row under its table and primary key.
//!
//! It is read in one transaction, so that a writer at work is seen before or after what it does, and
//! never in between. Nothing is written beside it: a database in WAL mode is opened through the
//! files that its writers keep there, or, where nobody has it open, as one that does not change,
//! which is checked afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use dos_core::json::{canonical, number_text};
use dos_core::witness::{State, StateBuilder, StateReader, WitnessRung};
use dos_store::snapshot::hex;
use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, Row};
use serde_json::{Number, Value};
use sha2::{Digest, Sha256};

/// How long a lock of a writer is waited for.
const WAIT: Duration = Duration::from_secs(5);
/// How often a database is read anew that changed while it was taken for one that does not.
const TRIES: u32 = 5;
/// Names of the row number, of which a table may use two for columns of its own.
const ROW_NUMBERS: [&str; 3] = ["rowid", "_rowid_", "oid"];
/// How the key of a row begins that has NULL in its own.
const ROW: &str = "row ";

/// A database, or one table of it.
pub struct Database<'a> {
    /// Where it is.
    path: Utf8PathBuf,
    /// The table; all when there is none.
    table: Option<&'a str>,
    /// As it was typed.
    shown: &'a str,
    /// How the keys of each table begin, and what they are made of.
    terms: BTreeMap<String, String>,
}

impl<'a> Database<'a> {
    /// The database there, or this table of it, and as it was typed.
    pub fn new(path: Utf8PathBuf, table: Option<&'a str>, shown: &'a str) -> Self {
        Self { path, table, shown, terms: BTreeMap::new() }
    }
}

impl StateReader for Database<'_> {
    fn source(&self) -> String {
        format!("sqlite:{}", self.shown)
    }

    fn shape(&self) -> String {
        match self.table {
            None => "every table of a database".to_string(),
            // SQLite takes both for one table.
            Some(table) => format!("the table {:?} of a database", table.to_ascii_lowercase()),
        }
    }

    fn rung(&self) -> WitnessRung {
        WitnessRung::OsRecorded
    }

    fn terms(&self) -> BTreeMap<String, String> {
        self.terms.clone()
    }

    fn read(&mut self) -> Result<State, String> {
        let path = self.path.canonicalize_utf8().map_err(|error| error.to_string())?;
        for _ in 0..TRIES {
            let found = Found::look(&path).map_err(|error| error.to_string())?;
            let how = match found {
                Found { wal_mode: false, .. } => "",
                Found { shared: true, .. } => "&readonly_shm=1",
                Found { log: None | Some(0), .. } => "&immutable=1",
                Found { log: Some(_), .. } => {
                    return Err(
                        "a program that is gone left changes beside it (-wal); open it once \
                                with sqlite3, which puts them in"
                            .to_string(),
                    );
                }
            };
            let read = open(&path, how).and_then(|connection| self.state(&connection));
            let read = match read {
                // The files are there, and nobody has used them yet.
                Err(Failure::Sql(error))
                    if how == "&readonly_shm=1" && is_uninitialized(&error) =>
                {
                    open(&path, "").and_then(|connection| self.state(&connection))
                }
                read => read,
            };
            let unchanged = || Found::look(&path).is_ok_and(|now| now == found);
            if how != "&immutable=1" || unchanged() {
                return read.map_err(|failure| failure.explained());
            }
        }
        Err("it was opened and closed again and again while it was read; try again".to_string())
    }
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Sql(#[from] rusqlite::Error),
    #[error("{0}")]
    State(#[from] dos_core::witness::StateError),
    #[error("{0}")]
    Table(String),
}

impl Failure {
    fn explained(&self) -> String {
        match self {
            Self::Sql(error) if error.sqlite_error_code() == Some(ErrorCode::ReadOnly) => {
                "a program that is gone left half of a change beside it (-journal); open it once \
                 with sqlite3, which takes it back"
                    .to_string()
            }
            other => other.to_string(),
        }
    }
}

/// What is there of a database, before it is opened.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    wal_mode: bool,
    /// Do its writers keep an index of their log?
    shared: bool,
    /// How long the log is.
    log: Option<u64>,
    /// Which file it is, how long, and when it was changed.
    file: (u64, u64, u64, i64, i64, i64, i64),
}

impl Found {
    fn look(path: &Utf8Path) -> io::Result<Self> {
        let beside = |suffix: &str| match fs::metadata(format!("{path}{suffix}")) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        let metadata = fs::metadata(path)?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        if metadata.len() == 0 {
            return Err(io::Error::other("it is empty, as a database is that was cut off"));
        }
        let mut header = Vec::new();
        fs::File::open(path)?.take(20).read_to_end(&mut header)?;
        Ok(Self {
            // What may be read and written without knowing of a log is 1, and 2 with it.
            wal_mode: header.get(18..20) == Some(&[2, 2]),
            shared: beside("-shm")?.is_some(),
            log: beside("-wal")?,
            file: (
                metadata.dev(),
                metadata.ino(),
                metadata.len(),
                metadata.mtime(),
                metadata.mtime_nsec(),
                metadata.ctime(),
                metadata.ctime_nsec(),
            ),
        })
    }
}

fn is_uninitialized(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ReadOnly)
        || error.sqlite_error_code() == Some(ErrorCode::CannotOpen)
}

fn open(path: &Utf8Path, how: &str) -> Result<Connection, Failure> {
    let uri = format!("file:{}?mode=ro{how}", escaped(path));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(uri, flags)?;
    connection.busy_timeout(WAIT)?;
    // The schema is the agent's: it may not make us call functions.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    Ok(connection)
}

/// A path in an address.
fn escaped(path: &Utf8Path) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    let shown = |byte: u8| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    path.as_str().bytes().map(shown).collect()
}

impl Database<'_> {
    fn state(&mut self, connection: &Connection) -> Result<State, Failure> {
        connection.execute_batch("BEGIN")?;
        let mut tables = tables(connection)?;
        if let Some(wanted) = self.table {
            let is_wanted = |table: &String| table.eq_ignore_ascii_case(wanted);
            if !tables.iter().any(is_wanted) {
                let known = tables.join(", ");
                return Err(Failure::Table(format!("it has no table {wanted:?}, but {known}")));
            }
            tables.retain(is_wanted);
        }
        let mut state = State::builder();
        self.terms.clear();
        for table in &tables {
            let (begin, made_of) = rows(connection, table, &mut state)?;
            self.terms.insert(begin, made_of);
        }
        Ok(state.finish()?)
    }
}

/// The tables that hold rows of their own, in the order of their names.
fn tables(connection: &Connection) -> Result<Vec<String>, Failure> {
    let mut listed = connection.prepare(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' \
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    )?;
    let names = listed.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(names)
}

/// Puts the rows of a table into the state. How their keys begin, and what they are made of.
fn rows(
    connection: &Connection,
    table: &str,
    state: &mut StateBuilder,
) -> Result<(String, String), Failure> {
    let mut columns =
        connection.prepare("SELECT name FROM pragma_table_info(?1) WHERE pk > 0 ORDER BY pk")?;
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let columns: Vec<String> =
        columns.query_map([table], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let keys: Vec<String> = columns.iter().map(|name| format!("t.{}", quoted(name))).collect();
    let number = row_number(connection, table)?;
    let no_key = || Failure::Table(format!("a row of {table} has no key of its own"));
    if keys.is_empty() && number.is_none() {
        return Err(no_key());
    }
    let first = number.map_or("NULL".to_string(), |number| format!("t.{number}"));
    let selected = [std::slice::from_ref(&first), &keys].concat();
    let table_name = quoted(table);
    let query = format!("SELECT {}, t.* FROM main.{table_name} AS t", selected.join(", "));
    let mut query = connection.prepare(&query)?;
    let names: Vec<String> = query
        .column_names()
        .skip(selected.len())
        .map(|name| canonical(&Value::String(name.to_string())))
        .collect();
    let mut found = query.query([])?;
    let mut value = String::new();
    // Else `a:b` and a key could be `a` and another key.
    let shown = match table.contains([':', '"']) {
        true => canonical(&Value::String(table.to_string())),
        false => table.to_string(),
    };
    while let Some(row) = found.next()? {
        value.clear();
        for (name, index) in names.iter().zip(selected.len()..) {
            value.push_str(if value.is_empty() { "{" } else { ", " });
            value.push_str(name);
            value.push_str(": ");
            value.push_str(&json_of(row.get_ref(index)?));
        }
        value.push('}');
        let key = match (key_of(row, keys.len())?, row.get_ref(0)?) {
            (Some(key), _) => key,
            (None, ValueRef::Null) => return Err(no_key()),
            (None, number) if keys.is_empty() => json_of(number),
            (None, number) => format!("{ROW}{}", json_of(number)),
        };
        state.insert(&format!("{shown}:{key}"), &value)?;
    }
    let made_of = if columns.is_empty() { "row number".to_string() } else { columns.join(", ") };
    Ok((format!("{shown}:"), format!("{shown} ({made_of})")))
}

/// By which name the rows of a table can be asked for their number, if they have one.
fn row_number(
    connection: &Connection,
    table: &str,
) -> Result<Option<&'static str>, rusqlite::Error> {
    let mut listed = connection
        .prepare("SELECT wr FROM pragma_table_list(?1) WHERE schema = 'main' AND type = 'table'")?;
    if listed.query_row([table], |row| row.get::<_, bool>(0))? {
        return Ok(None);
    }
    let mut named = connection.prepare("SELECT lower(name) FROM pragma_table_xinfo(?1)")?;
    let taken: Vec<String> =
        named.query_map([table], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(ROW_NUMBERS.into_iter().find(|name| !taken.iter().any(|it| it == name)))
}

/// A key of one column is its value, of several a list. A text that could be taken for something
/// else is in quotes. There is none where a column of it is NULL, as many rows may have it.
fn key_of(row: &Row<'_>, count: usize) -> Result<Option<String>, rusqlite::Error> {
    let columns: Vec<ValueRef<'_>> =
        (1..=count).map(|index| row.get_ref(index)).collect::<Result<_, _>>()?;
    let value = match *columns.as_slice() {
        [] => return Ok(None),
        _ if columns.contains(&ValueRef::Null) => return Ok(None),
        [value] => value,
        _ => {
            let values: Vec<String> = columns.into_iter().map(json_of).collect();
            return Ok(Some(format!("[{}]", values.join(", "))));
        }
    };
    Ok(Some(match value {
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) if is_plain(text) => text.to_string(),
            _ => json_of(value),
        },
        ValueRef::Blob(bytes) => format!("x'{}'", hex(bytes)),
        _ => json_of(value),
    }))
}

fn is_plain(text: &str) -> bool {
    let odd = text.starts_with(['"', '[', '{']) || text.starts_with("x'") || text == "null";
    let odd = odd || text.starts_with(ROW);
    !odd && text.parse::<f64>().is_err()
}

fn json_of(value: ValueRef<'_>) -> String {
    let digest = |kind: &str, bytes: &[u8]| {
        let sha256 = hex(&Sha256::digest(bytes));
        format!("{{\"{kind}\": {}, \"sha256\": \"{sha256}\"}}", bytes.len())
    };
    match value {
        ValueRef::Null => "null".to_string(),
        ValueRef::Integer(whole) => whole.to_string(),
        ValueRef::Real(real) => match Number::from_f64(real) {
            Some(number) => number_text(&number),
            None => format!("{{\"real\": \"{real}\"}}"),
        },
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => canonical(&Value::String(text.to_string())),
            Err(_) => digest("text_bytes", bytes),
        },
        ValueRef::Blob(bytes) => digest("blob_bytes", bytes),
    }
}
