//! The program alone: copied into an empty folder it serves the page that it was built with, and asks nothing of the
//! machine that it was built on. Without a built page it says so and serves the rest.
#![cfg(all(feature = "ssr", feature = "app"))]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Read as _},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use reqwest::{
    Client, Response,
    header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, IF_NONE_MATCH},
};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_use-aa");
/// What the page's build left, when it ran before this test was built.
const SITE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/site");

/// The built page, which then has to be inside the program.
fn built() -> Option<PathBuf> {
    Some(PathBuf::from(SITE)).filter(|site| site.join("page.json").is_file())
}

/// A chain node and a bundler that only know their chain's id.
fn upstream() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = stream.and_then(answer);
        }
    });
    url
}

fn answer(mut stream: std::net::TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line)? > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or_default();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let call: Value = serde_json::from_slice(&body).unwrap_or_default();
    let result = match call["method"].as_str() {
        Some("eth_supportedEntryPoints") => json!(["0x5FF137D4b0FDCD49DcA30c7CF57E578a026d2789"]),
        _ => json!("0x7a69"),
    };
    let text = json!({"jsonrpc": "2.0", "id": call["id"], "result": result}).to_string();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: ";
    std::io::Write::write_all(&mut stream, format!("{head}{}\r\n\r\n{text}", text.len()).as_bytes())
}

/// The program in a folder of its own, with nothing around it.
struct Alone {
    folder: tempfile::TempDir,
    upstream: String,
}

impl Alone {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Not by `fs::copy`: a process that another test starts meanwhile would hold the copy open for writing, and what
        // is open for writing cannot be run.
        let copied = Command::new("cp").arg(BINARY).arg(folder.path().join("use-aa")).status().unwrap();
        assert!(copied.success());
        fs::create_dir(folder.path().join("nowhere")).unwrap();
        Self { folder, upstream: upstream() }
    }

    fn command(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
        let mut command = Command::new(self.folder.path().join("use-aa"));
        command
            .args(arguments)
            .env_clear()
            .env("USE_AA_RPC_URL", &self.upstream)
            .env("USE_AA_BUNDLER_URL", &self.upstream)
            .env("USE_AA_DATA_DIR", self.folder.path().join("data"))
            .envs(variables.iter().copied())
            .current_dir(self.folder.path().join("nowhere"))
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        self.command(arguments, variables).output().unwrap()
    }

    /// `use-aa serve` on a free port, once it listens.
    async fn serve(&self, variables: &[(&str, &str)]) -> Server {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let mut command = self.command(&["serve"], variables);
        let mut child = command.env("USE_AA_ADDR", &address).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let kept = log.clone();
        thread::spawn(move || lines.map_while(Result::ok).for_each(|line| *kept.lock().unwrap() += &(line + "\n")));
        let client = Client::builder().no_proxy().build().unwrap();
        let server = Server { child, url: format!("http://{address}"), log, client };
        let deadline = Instant::now() + Duration::from_secs(60);
        while server.client.get(format!("{}/healthz", server.url)).send().await.is_err() {
            assert!(Instant::now() < deadline, "the server does not come up: {}", server.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        server
    }
}

struct Server {
    child: Child,
    url: String,
    log: Arc<Mutex<String>>,
    client: Client,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// What it has logged so far.
    fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    async fn get(&self, path: &str, encodings: &str) -> Response {
        let request = self.client.get(format!("{}{path}", self.url)).header(ACCEPT_ENCODING, encodings);
        request.send().await.unwrap()
    }

    async fn page(&self, path: &str) -> String {
        let response = self.get(path, "identity").await;
        assert_eq!(response.status(), 200, "{path}");
        response.text().await.unwrap()
    }
}

/// What a document loads from here.
fn loaded_by(document: &str) -> BTreeSet<String> {
    let links = document.split('"').filter(|text| text.starts_with("/pkg/") || *text == "/favicon.svg");
    links.map(str::to_owned).collect()
}

fn text(headers: &HeaderMap, name: reqwest::header::HeaderName) -> &str {
    headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

#[tokio::test]
async fn alone_in_an_empty_folder_it_serves_the_page_it_was_built_with() {
    let alone = Alone::new();
    let server = alone.serve(&[]).await;
    let document = server.page("/").await;
    assert!(document.contains("<h1"), "rendered: {document}");
    let Some(site) = built() else {
        println!("no page is built: what a program without one does is tested");
        // A line is here a moment after it was written.
        let deadline = Instant::now() + Duration::from_secs(5);
        while !server.log().contains("there is no page in target/site") && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let log = server.log();
        assert!(log.contains("there is no page in target/site") && log.contains("make front"), "{log}");
        for path in loaded_by(&document) {
            assert_eq!(server.get(&path, "br").await.status(), 404, "{path}");
        }
        let call = server.client.post(format!("{}/api/fn/chain_info", server.url)).json(&json!({}));
        assert_eq!(call.send().await.unwrap().status(), 200, "functions are served");
        return;
    };
    let log = server.log();
    assert!(!log.contains("WARN"), "{log}");
    let description: Value = serde_json::from_slice(&fs::read(site.join("page.json")).unwrap()).unwrap();
    // What the documents refer to, and what those load on demand.
    let mut paths = loaded_by(&document);
    for field in ["js", "wasm", "css"] {
        let path = description[field].as_str().unwrap();
        assert!(paths.contains(path), "/ refers to {path}: {paths:?}");
    }
    for page in ["/hooks", "/hooks/use_create_session", "/sessions"] {
        paths.extend(loaded_by(&server.page(page).await));
    }
    paths.extend(description["files"].as_array().unwrap().iter().map(|path| path.as_str().unwrap().to_owned()));
    for path in paths {
        let on_disk = |extension: &str| fs::read(site.join(format!("{}{extension}", &path[1..])));
        for (encodings, extension) in [("identity", ""), ("gzip, deflate, br", ".br"), ("gzip", ".gz")] {
            let extension = if on_disk(extension).is_ok() { extension } else { "" };
            let response = server.get(&path, encodings).await;
            let headers = response.headers().clone();
            assert_eq!(response.status(), 200, "{path}");
            let encoding = match extension {
                "" => "",
                ".br" => "br",
                _ => "gzip",
            };
            assert_eq!(text(&headers, CONTENT_ENCODING), encoding, "{path}, {encodings}");
            let expected = if path.starts_with("/pkg/") { "public, max-age=31536000, immutable" } else { "no-cache" };
            assert_eq!(text(&headers, CACHE_CONTROL), expected, "{path}");
            if path.ends_with(".wasm") {
                assert_eq!(text(&headers, CONTENT_TYPE), "application/wasm", "{path}");
            }
            assert!(response.bytes().await.unwrap() == on_disk(extension).unwrap(), "{path}{extension} is another one");
            let tag = text(&headers, ETAG);
            let again = server.client.get(format!("{}{path}", server.url)).header(IF_NONE_MATCH, tag);
            assert_eq!(again.header(ACCEPT_ENCODING, encodings).send().await.unwrap().status(), 304, "{path}");
        }
    }
    for path in ["/page.json", "/hash.txt", "/highlighted.json", "/no-such-page"] {
        let response = server.get(path, "identity").await;
        assert_eq!(
            (response.status().as_u16(), text(response.headers(), CONTENT_TYPE)),
            (404, "text/html; charset=utf-8")
        );
    }
    let highlighted = server.page("/hooks/use_create_session").await.contains("<span class=\"k\">");
    assert!(highlighted, "source texts have their colours");
}

#[tokio::test]
async fn a_folder_that_is_named_wins() {
    let alone = Alone::new();
    let folder = alone.folder.path().join("other");
    fs::create_dir_all(folder.join("pkg")).unwrap();
    fs::write(folder.join("pkg/other.77.js"), "other").unwrap();
    let names = json!({
        "pkg": "/pkg", "js": "/pkg/other.77.js", "wasm": "/pkg/other.88.wasm", "css": "/pkg/other.99.css",
        "loader": "/pkg/split.77.js", "split": {}, "files": ["/pkg/other.77.js"],
    });
    fs::write(folder.join("page.json"), names.to_string()).unwrap();
    let server = alone.serve(&[("LEPTOS_SITE_ROOT", folder.to_str().unwrap())]).await;
    let document = server.page("/").await;
    for part in ["/pkg/other.77.js", "/pkg/other.88.wasm", "/pkg/other.99.css", "\"other.77\", \"other.88\""] {
        assert!(document.contains(part), "{part}: {document}");
    }
    assert_eq!(server.page("/pkg/other.77.js").await, "other");
    assert_eq!(server.get("/pkg/other.88.wasm", "br").await.status(), 404);
    assert_eq!(server.get("/favicon.svg", "br").await.status(), 404, "not what is inside");
    // As cargo-leptos leaves it: no description, plain names.
    fs::remove_file(folder.join("page.json")).unwrap();
    let folder = folder.to_str().unwrap();
    let variables = [("LEPTOS_SITE_ROOT", folder), ("LEPTOS_HASH_FILES", "true"), ("LEPTOS_OUTPUT_NAME", "other.77")];
    let server = alone.serve(&variables).await;
    assert!(server.page("/").await.contains("\"other.77\""), "without the file of hashes plain names are written");
    assert_eq!(text(server.get("/pkg/other.77.js", "").await.headers(), CACHE_CONTROL), "no-cache");
}

#[test]
fn a_check_says_whether_there_is_a_page() {
    let alone = Alone::new();
    let output = alone.run(&["serve", "--check"], &[]);
    let lines = String::from_utf8(output.stdout).unwrap();
    let expected = if built().is_some() { "ok    page inside this program (" } else { "none  page: " };
    assert!(output.status.success() && lines.lines().any(|line| line.starts_with(expected)), "{lines}");
    let output = alone.run(&["serve", "--check"], &[("LEPTOS_SITE_ROOT", "/no/such/folder")]);
    let lines = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success() && lines.contains("WRONG page: none is in /no/such/folder"), "{lines}");
    fs::write(alone.folder.path().join("page.json"), "no JSON").unwrap();
    let damaged = alone.run(&["serve"], &[("LEPTOS_SITE_ROOT", alone.folder.path().to_str().unwrap())]);
    let error = String::from_utf8(damaged.stderr).unwrap();
    assert!(!damaged.status.success() && error.contains("page.json of the built page"), "{error}");
}

/// Where the program was built is not written into its code for the page.
#[test]
fn nothing_of_the_page_points_to_the_checkout() {
    let program = fs::read(BINARY).unwrap();
    for place in [SITE.to_owned(), format!("{SITE}.tar")] {
        assert!(!program.windows(place.len()).any(|bytes| bytes == place.as_bytes()), "{place}");
    }
    assert!(Path::new(BINARY).is_absolute());
}
