//! What pages are told: server-sent events on a loopback port of our own, for pages of the one server only.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// Longest head of a request.
const HEAD: u64 = 8 << 10;
/// How long a page may take to ask.
const PATIENCE: Duration = Duration::from_secs(5);
/// A line now and then, so that a page that is gone is noticed.
const PULSE: Duration = Duration::from_secs(15);

/// What is built by itself, and fails by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The style sheet.
    Style,
    /// Page and server.
    Page,
}

/// Something that pages are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A build has begun.
    Building,
    /// It is done, and nothing is new.
    Idle,
    /// It failed.
    Error {
        /// Of what: what is built next is told apart from what is still broken.
        part: Part,
        /// What is wrong, in a few words.
        heading: &'static str,
        /// What the compiler said, or why it does not run.
        text: String,
    },
    /// There is another style sheet.
    Style {
        /// Where.
        href: String,
    },
    /// There is another page.
    Page,
}

/// As it is sent: one line, whatever is in it.
fn message(data: &Value) -> String {
    format!("data: {data}\n\n")
}

/// Pages that listen. Cheap to clone.
#[derive(Clone)]
pub struct Events {
    pages: Arc<Mutex<Pages>>,
    origin: Arc<str>,
}

#[derive(Default)]
struct Pages {
    open: Vec<Sender<String>>,
    building: bool,
    /// What is wrong, and what was said of it.
    broken: BTreeMap<Part, (&'static str, String)>,
}

impl Pages {
    /// What the event means from now on, and what is said of it.
    fn take(&mut self, event: Event) -> Vec<String> {
        let said = match event {
            Event::Building => {
                self.building = true;
                return vec![message(&json!({ "kind": "building" }))];
            }
            Event::Error { part, heading, text } => {
                self.end(part);
                self.broken.insert(part, (heading, text));
                None
            }
            Event::Style { href } => {
                self.end(Part::Style);
                Some(json!({ "kind": "style", "href": href }))
            }
            Event::Idle => {
                self.end(Part::Page);
                Some(json!({ "kind": "idle" }))
            }
            Event::Page => {
                self.end(Part::Page);
                Some(json!({ "kind": "page" }))
            }
        };
        said.iter().map(message).chain(self.state()).collect()
    }

    /// A build came to its end. Code is built by a thread of its own, which goes on when a style is done.
    fn end(&mut self, part: Part) {
        self.building &= part == Part::Style;
        self.broken.remove(&part);
    }

    /// Where things stand, also for the page that comes later.
    fn state(&self) -> Vec<String> {
        let texts: Vec<&str> = self.broken.values().map(|(_, text)| text.as_str()).collect();
        let error =
            |(heading, _): &(&str, String)| json!({ "kind": "error", "heading": heading, "text": texts.join("\n\n") });
        let broken = self.broken.values().next().map(error);
        let building = self.building.then(|| json!({ "kind": "building" }));
        broken.iter().chain(&building).map(message).collect()
    }
}

impl Events {
    /// Listens on a free port, for pages that come from `server`.
    pub fn start(server: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listening for pages")?;
        let host = listener.local_addr()?.to_string();
        let events = Self { pages: Arc::default(), origin: format!("http://{host}").into() };
        let origins = [format!("http://{server}"), format!("http://localhost:{}", server.port())];
        let asked = Arc::new(Asked { host, origins });
        let pages = events.pages.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (pages, asked) = (pages.clone(), asked.clone());
                // Whoever goes away ends its own thread and nothing else.
                thread::spawn(move || drop(answer(stream, &asked, &pages)));
            }
        });
        Ok(events)
    }

    /// Where they are asked for.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Tells all pages.
    pub fn tell(&self, event: Event) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let said = pages.take(event).concat();
        pages.open.retain(|page| page.send(said.clone()).is_ok());
    }
}

/// By what a request is known as one of our page.
struct Asked {
    host: String,
    origins: [String; 2],
}

impl Asked {
    /// The origin to answer, when it is of our page and means this port: other sites shall not read our sources.
    fn origin_of<'a>(&self, head: &'a str) -> Option<&'a str> {
        let mut lines = head.lines();
        let asked = lines.next()?;
        let header = |wanted: &str| {
            let value = |line: &'a str| line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
            head.lines().find_map(value).map(|(_, value)| value.trim())
        };
        let origin = header("origin").filter(|origin| self.origins.iter().any(|ours| ours == origin))?;
        (asked == "GET /events HTTP/1.1" && header("host") == Some(&self.host)).then_some(origin)
    }
}

fn answer(mut stream: TcpStream, asked: &Asked, pages: &Mutex<Pages>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut head = String::new();
    let mut reader = BufReader::new((&stream).take(HEAD));
    while reader.read_line(&mut head)? > 2 {}
    let Some(origin) = asked.origin_of(&head) else {
        return stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nConnection: close\r\n\
         Access-Control-Allow-Origin: {origin}\r\nVary: Origin\r\n\r\nretry: 500\n\n"
    )?;
    let (sender, receiver) = mpsc::channel();
    let state = {
        let mut pages = pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.open.push(sender);
        pages.state().concat()
    };
    stream.write_all(state.as_bytes())?;
    loop {
        match receiver.recv_timeout(PULSE) {
            Ok(message) => stream.write_all(message.as_bytes())?,
            Err(RecvTimeoutError::Timeout) => stream.write_all(b":\n\n")?,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SERVER: &str = "127.0.0.1:3000";

    /// Asks, and reads until the end of the head.
    fn ask(events: &Events, request: &str, headers: &[(&str, &str)]) -> (String, BufReader<TcpStream>) {
        let mut stream = TcpStream::connect(events.origin().trim_start_matches("http://")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        stream.write_all(format!("{request}\r\n{headers}\r\n").as_bytes()).unwrap();
        let (mut reader, mut head) = (BufReader::new(stream), String::new());
        while reader.read_line(&mut head).unwrap() > 2 {}
        (head, reader)
    }

    fn next(reader: &mut BufReader<TcpStream>) -> Value {
        loop {
            let mut line = String::new();
            assert!(reader.read_line(&mut line).unwrap() > 0, "the stream ended");
            if let Some(data) = line.strip_prefix("data: ") {
                return serde_json::from_str(data).unwrap();
            }
        }
    }

    #[test]
    fn our_page_is_told_in_order_and_a_late_one_learns_what_is_wrong() {
        let events = Events::start(SERVER.parse().unwrap()).unwrap();
        let host = events.origin().trim_start_matches("http://").to_owned();
        let headers = [("Host", &*host), ("Origin", "http://127.0.0.1:3000")];
        let text = "error: expected `;`\n\n<script>alert(1)</script>\r\ndata: x".to_owned();
        events.tell(Event::Error { part: Part::Page, heading: "Wrong", text: text.clone() });
        let (head, mut page) = ask(&events, "GET /events HTTP/1.1", &headers);
        assert!(head.contains("200 OK") && head.contains("Allow-Origin: http://127.0.0.1:3000\r\n"), "{head}");
        // It came later than the error.
        assert_eq!(next(&mut page), json!({ "kind": "error", "heading": "Wrong", "text": text }));
        for event in [Event::Building, Event::Page] {
            events.tell(event);
        }
        assert_eq!(next(&mut page), json!({ "kind": "building" }));
        assert_eq!(next(&mut page), json!({ "kind": "page" }));
        assert!(events.pages.lock().unwrap().state().is_empty(), "nothing is wrong any more");
    }

    /// The kinds of what is said of each event, an error with its text.
    fn kinds(events: &[Event]) -> Vec<String> {
        let mut pages = Pages::default();
        let said = |event: &Event| {
            let kind = |line: &String| {
                let said: Value = serde_json::from_str(line.trim().strip_prefix("data: ").unwrap()).unwrap();
                [&said["kind"], &said["text"]].iter().filter_map(|text| text.as_str()).collect::<Vec<_>>().join(":")
            };
            pages.take(event.clone()).iter().map(kind).collect::<Vec<_>>().join(" ")
        };
        events.iter().map(said).collect()
    }

    #[test]
    fn what_is_still_broken_stays_shown_whatever_else_is_built() {
        let error = |part, text: &str| Event::Error { part, heading: "Wrong", text: text.into() };
        let style = || Event::Style { href: "/a.css".into() };
        assert_eq!(
            kinds(&[error(Part::Page, "p"), style(), error(Part::Style, "s"), style(), Event::Building, Event::Idle]),
            ["error:p", "style error:p", "error:s\n\np", "style error:p", "building", "idle"]
        );
        assert_eq!(
            kinds(&[Event::Building, style(), error(Part::Style, "s"), Event::Page, style()]),
            ["building", "style building", "error:s building", "page error:s", "style"]
        );
    }

    #[test]
    fn other_sites_and_other_requests_are_told_nothing() {
        let events = Events::start(SERVER.parse().unwrap()).unwrap();
        events.tell(Event::Error { part: Part::Page, heading: "Wrong", text: "secret".into() });
        let host = events.origin().trim_start_matches("http://").to_owned();
        let (ours, get) = (("Origin", "http://localhost:3000"), "GET /events HTTP/1.1");
        for (request, headers) in [
            (get, vec![("Host", &*host)]),
            (get, vec![("Host", &*host), ("Origin", "https://evil.example")]),
            (get, vec![("Host", &*host), ("Origin", "http://127.0.0.1:3001")]),
            (get, vec![("Host", &*host), ("Origin", "null")]),
            // Another name that leads here.
            (get, vec![("Host", "evil.example"), ours]),
            (get, vec![ours]),
            ("GET / HTTP/1.1", vec![("Host", &*host), ours]),
            ("POST /events HTTP/1.1", vec![("Host", &*host), ours]),
            ("", vec![]),
        ] {
            let (head, mut rest) = ask(&events, request, &headers);
            let mut body = String::new();
            rest.read_to_string(&mut body).unwrap();
            assert!(head.starts_with("HTTP/1.1 403") && body.is_empty(), "{request} {headers:?}: {head}{body}");
        }
        let honest = ask(&events, get, &[("Host", &*host), ours]);
        assert!(honest.0.starts_with("HTTP/1.1 200"), "{}", honest.0);
    }
}
