//! Requests over TLS, by the program `curl`.
//!
//! TLS would be a third of this program, which every hook of an agent has to load, and would have
//! certificates of its own to trust. `curl` is on nearly every machine and trusts what the machine
//! trusts. What must not be seen in the process table is given to it on its standard input.

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use camino::Utf8Path;

use super::http::{ANSWER_BYTES_MAX, Fault, Said};
use crate::bounded::{self, NotEnded};
use crate::spawn;

/// `curl` gives up by itself. After so much longer it is ended.
const GRACE: Duration = Duration::from_secs(5);
/// Its exit codes that no second try changes: a URL that is none, certificates that cannot be used.
const FOR_GOOD: &[i32] = &[1, 2, 3, 4, 58, 59, 60, 77];

/// Speaks to one URL.
pub struct Curl {
    settings: String,
    within: Duration,
}

impl Curl {
    /// For that URL.
    pub fn new(url: &str, timeout: Duration) -> Self {
        let mut curl = Self { settings: String::new(), within: timeout };
        curl.set("url", url);
        curl.set("max-time", &format!("{:.3}", timeout.as_secs_f64()));
        curl.set("user-agent", concat!("dos/", env!("CARGO_PKG_VERSION")));
        curl
    }

    /// Trusts these certificates instead of the system's, and shows its own.
    pub fn certificates(&mut self, trusted: Option<&str>, own: Option<(&str, Option<&str>)>) {
        if let Some(file) = trusted {
            self.set("cacert", file);
        }
        if let Some((certificate, key)) = own {
            self.set("cert", certificate);
            if let Some(key) = key {
                self.set("key", key);
            }
        }
    }

    /// A line of a configuration of curl.
    fn set(&mut self, name: &str, value: &str) {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace(['\n', '\r'], " ");
        self.settings.push_str(&format!("{name} = \"{value}\"\n"));
    }

    /// Sends a request. Only an answer that came whole is one.
    pub(super) fn post(&self, body: &[u8], headers: &[(&str, &str)]) -> Result<Said, Fault> {
        let io = |error: std::io::Error| Fault {
            reason: format!("cannot write a temporary file: {error}"),
            for_good: true,
        };
        let mut content = tempfile::NamedTempFile::new().map_err(io)?;
        content.write_all(body).map_err(io)?;
        let mut request = Self { settings: self.settings.clone(), within: self.within };
        request.set("data-binary", &format!("@{}", content.path().display()));
        for (name, value) in headers {
            request.set("header", &format!("{name}: {value}"));
        }
        let mut input = tempfile::tempfile().map_err(io)?;
        input.write_all(request.settings.as_bytes()).map_err(io)?;
        std::io::Seek::rewind(&mut input).map_err(io)?;
        let mut command = spawn::command("curl", Utf8Path::new("/"));
        // First: else it would read settings of the user.
        command.args(["--disable", "--config", "-", "--silent", "--show-error", "--include"]);
        command.args(["--request", "POST", "--http1.1", "--header", "Expect:"]);
        // Rows go where they were sent: through no proxy of the environment, whose yes would be taken
        // for the collector's, and to one URL, whatever is in it.
        command.args(["--noproxy", "*", "--globoff"]);
        command.args(["--proto", "=https"]).stdin(Stdio::from(input));
        let most = usize::try_from(ANSWER_BYTES_MAX).unwrap_or(usize::MAX);
        let ended = bounded::run(command, self.within + GRACE, Some(most));
        let ended = ended.map_err(|error| match error {
            NotEnded::NotStarted(_) => Fault {
                reason:
                    "TLS is spoken by the program curl, which is not there; install it, or send \
                         to a collector on this machine over http"
                        .to_string(),
                for_good: true,
            },
            other => Fault { reason: other.to_string(), for_good: false },
        })?;
        if !ended.status.success() {
            let reason = super::said(&ended.stderr);
            let for_good = ended.status.code().is_some_and(|code| FOR_GOOD.contains(&code));
            return Err(Fault { reason, for_good });
        }
        answer(&ended.stdout).ok_or_else(|| Fault {
            reason: "what it answered is no answer of HTTP".to_string(),
            for_good: false,
        })
    }
}

/// Reads an answer: lines of a head, an empty one, the body.
fn answer(bytes: &[u8]) -> Option<Said> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(bytes.get(..end)?).ok()?;
    let body = bytes.get(end + 4..)?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    if (100..200).contains(&status) {
        return answer(body);
    }
    let retry_after = lines.filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        name.eq_ignore_ascii_case("retry-after").then(|| value.trim().to_string())
    });
    Some(Said { status, retry_after, body: body.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_head_and_a_body() {
        let text =
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 429 No\r\nRetry-AFTER: 7\r\n\r\nx\r\n\r\ny";
        let said = answer(text).unwrap();
        assert_eq!((said.status, said.retry_after.as_deref()), (429, Some("7")));
        assert_eq!(said.body, b"x\r\n\r\ny");
        assert!(answer(b"HTTP/1.1 200 OK\r\n").is_none());
        assert!(answer(b"no head\r\n\r\n").is_none());
    }

    #[test]
    fn a_setting_cannot_begin_another() {
        let mut curl = Curl::new("https://h/", Duration::from_secs(1));
        curl.settings.clear();
        curl.set("header", "a: \"b\"\\\noutput = \"x\"");
        assert_eq!(curl.settings, "header = \"a: \\\"b\\\"\\\\ output = \\\"x\\\"\"\n");
    }
}
