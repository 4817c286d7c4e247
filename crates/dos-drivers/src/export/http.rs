//! One request over HTTP, and what was answered.
//!
//! Names are looked up by the system's resolver, through `std`. No proxy is used and no redirect is
//! followed: rows go where they were sent, or nowhere. TLS is left to [`Curl`].

use std::time::Duration;

use dos_core::timestamp::Timestamp;
use ureq::Agent;
use ureq::http::{HeaderName, HeaderValue, Uri};

use super::curl::Curl;
use super::{Again, BadSetting, NotTaken};

/// Longest answer that is read, in bytes. Nobody has that much to say about a request.
pub(super) const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

/// Where requests go, with what belongs to each of them.
pub struct Endpoint {
    url: String,
    shown: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    client: Client,
}

/// Who speaks.
enum Client {
    Plain(Agent),
    Secure(Curl),
}

/// An answer that came whole.
#[derive(Debug)]
pub struct Answer {
    /// Its code.
    pub status: u16,
    /// How long to wait before another request.
    pub retry_after: Option<Duration>,
    /// What it says.
    pub body: Vec<u8>,
}

impl Endpoint {
    /// The endpoint at this URL. `hidden` where its path is a secret, as that of a webhook is.
    pub fn new(url: &str, timeout: Duration, hidden: bool) -> Result<Self, BadSetting> {
        let wrong = || BadSetting(format!("{:?} is no URL; write http://HOST:PORT", bare(url)));
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let scheme = uri.scheme_str().ok_or_else(wrong)?;
        let authority = uri.authority().ok_or_else(wrong)?;
        let host = authority.as_str().rsplit('@').next().unwrap_or_default();
        let is_secure = match scheme {
            "http" => false,
            "https" => true,
            _ => return Err(wrong()),
        };
        let path = if hidden { "/..." } else { uri.path() };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(timeout))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(concat!("dos/", env!("CARGO_PKG_VERSION")));
        Ok(Self {
            url: url.to_string(),
            shown: format!("{scheme}://{host}{path}"),
            headers: Vec::new(),
            client: match is_secure {
                false => Client::Plain(config.build().into()),
                true => Client::Secure(Curl::new(url, timeout)),
            },
        })
    }

    /// Adds a header to every request. `from` says where it was set; its value is never shown.
    pub fn header(&mut self, name: &str, value: &str, from: &str) -> Result<(), BadSetting> {
        let parsed = HeaderName::from_bytes(name.as_bytes()).ok().zip(value.parse().ok());
        let header = parsed.ok_or_else(|| {
            BadSetting(format!("{from} sets the header {name:?}, which cannot be sent"))
        })?;
        self.headers.push(header);
        Ok(())
    }

    /// The URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL for people.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Sends a request. Only an answer that came whole is one.
    pub fn post(
        &self,
        body: &[u8],
        headers: &[(&str, &str)],
        now: Timestamp,
    ) -> Result<Answer, NotTaken> {
        let own = self.headers.iter().filter_map(|(name, value)| {
            // It was a text when it was set.
            Some((name.as_str(), std::str::from_utf8(value.as_bytes()).ok()?))
        });
        let headers: Vec<(&str, &str)> = headers.iter().copied().chain(own).collect();
        let said = match &self.client {
            Client::Plain(agent) => plain(agent, &self.url, body, &headers),
            Client::Secure(curl) => curl.post(body, &headers),
        };
        let said = said.map_err(|fault| NotTaken {
            reason: format!("{} did not answer: {}", self.shown, fault.reason),
            again: if fault.for_good { Again::Mended } else { Again::Later(None) },
        })?;
        let retry_after = said.retry_after.as_deref().and_then(|text| wait_of(text, now));
        Ok(Answer { status: said.status, retry_after, body: said.body })
    }

    /// Trusts these certificates instead of the system's, and shows those, where TLS is spoken.
    pub fn certificates(&mut self, trusted: Option<&str>, own: Option<(&str, Option<&str>)>) {
        if let Client::Secure(curl) = &mut self.client {
            curl.certificates(trusted, own);
        }
    }

    /// The answer, if it is a yes; else what to do about it.
    pub fn accepted(&self, answer: Answer) -> Result<Answer, NotTaken> {
        let again = match answer.status {
            200..=299 => return Ok(answer),
            413 => Again::Smaller,
            429 | 502..=504 => Again::Later(answer.retry_after),
            _ => Again::Mended,
        };
        let said = super::said(&answer.body);
        let said = if said.is_empty() { said } else { format!(": {said}") };
        Err(NotTaken { reason: format!("{} answered {}{said}", self.shown, answer.status), again })
    }
}

/// A URL without what follows its host, which may be a secret.
fn bare(url: &str) -> &str {
    let from = url.find("://").map_or(0, |at| at + 3);
    let end = url.get(from..).and_then(|rest| rest.find(['/', '?', '#'])).map(|at| from + at);
    let bare = end.and_then(|end| url.get(..end)).unwrap_or(url);
    if bare.contains('@') { "" } else { bare }
}

/// What was said to a request.
pub(super) struct Said {
    pub status: u16,
    pub retry_after: Option<String>,
    pub body: Vec<u8>,
}

/// Nothing was.
pub(super) struct Fault {
    pub reason: String,
    /// Is it in vain to try again?
    pub for_good: bool,
}

fn plain(agent: &Agent, url: &str, body: &[u8], headers: &[(&str, &str)]) -> Result<Said, Fault> {
    let mut request = agent.post(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut response = request.send(body).map_err(fault)?;
    let status = response.status().as_u16();
    let header = response.headers().get("retry-after");
    let retry_after = header.and_then(|value| value.to_str().ok()).map(str::to_string);
    let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
    Ok(Said { status, retry_after, body: body.map_err(fault)? })
}

fn fault(error: ureq::Error) -> Fault {
    let reason = match error {
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::Timeout(_) => "it took too long".to_string(),
        ureq::Error::HostNotFound => "its name has no address".to_string(),
        other => other.to_string(),
    };
    Fault { reason, for_good: false }
}

/// What a `Retry-After` header says: seconds, or a moment.
fn wait_of(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    // `Wed, 21 Oct 2015 07:28:00 GMT`
    let (_, rest) = text.strip_suffix(" GMT")?.split_once(", ")?;
    let mut parts = rest.split(' ');
    let (day, month, year, clock) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = months.find(month).filter(|at| at % 3 == 0 && month.len() == 3)? / 3 + 1;
    let moment = Timestamp::parse(&format!("{year}-{month:02}-{day}T{clock}Z"))?;
    Some(Duration::from_millis(moment.millis_since(now).max(0).unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_in_seconds_or_until_a_moment() {
        let now = Timestamp::parse("2015-10-21T07:27:30Z").unwrap();
        let wait = |text: &str| wait_of(text, now).map(|span| span.as_secs());
        assert_eq!(wait(" 7 "), Some(7));
        assert_eq!(wait("Wed, 21 Oct 2015 07:28:00 GMT"), Some(30));
        assert_eq!(wait("Wed, 21 Oct 2015 07:00:00 GMT"), Some(0));
        for text in ["", "-1", "soon", "Wed, 21 anF 2015 07:28:00 GMT", "Wed, 21 Oct 2015 GMT"] {
            assert_eq!(wait(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused_without_its_secrets() {
        let second = Duration::from_secs(1);
        let fault = |url: &str| Endpoint::new(url, second, false).err().unwrap().0;
        for url in ["localhost:4318", "/v1/logs", "ftp://host/x", "", "http://"] {
            assert!(fault(url).contains("is no URL"), "{url}: {}", fault(url));
        }
        assert!(!fault("ftp://user:secret@host/hidden").contains("secret"));
        assert!(!fault("ftp://host/hidden").contains("hidden"));
        let hook = Endpoint::new("http://u:secret@host/services/T1", second, true).unwrap();
        assert_eq!(hook.shown(), "http://host/...");
    }
}
