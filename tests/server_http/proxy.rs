//! Behind reverse proxies: the recipe of `docs/operations.md` in a real nginx, and what other proxies make of a request.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use use_aa::server::{authority::Authority, config::Config};

use super::*;

/// A server that trusts the proxies of this machine.
async fn behind_proxies(hosts: &[&str], trusted: &[&str]) -> (Server, Upstream) {
    let upstream = Upstream::always(Reply::Result(json!("0x1"))).await;
    let mut config: Config = config(&upstream.url(), &upstream.url());
    config.protection.hosts = hosts.iter().map(|host| Authority::parse(host).unwrap()).collect();
    config.protection.trusted_proxies = trusted.iter().map(|network| network.parse().unwrap()).collect();
    (Server::start(config).await, upstream)
}

/// Status and answer of a call with these headers, over a real socket.
async fn call(server: &Server, headers: &[(&'static str, &str)]) -> (u16, String) {
    let mut lines = HeaderMap::new();
    for (name, value) in headers {
        lines.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    let request = server.post("read_chain").json(&json!({"method": "eth_blockNumber", "params": []}));
    let response = request.headers(lines).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn what_proxies_make_of_our_own_page_is_our_own_page() {
    let (server, upstream) = behind_proxies(&["aa.example"], &["127.0.0.1"]).await;
    let site = "https://aa.example:8443";
    for headers in [
        vec![("host", "aa.example:8443"), ("origin", site)],
        vec![("host", "AA.example.:8443"), ("origin", site)],
        vec![("host", "aa.example:443"), ("origin", "https://aa.example")],
        vec![("host", "aa.example:80"), ("origin", "https://aa.example"), ("sec-fetch-site", "same-origin")],
        vec![("host", "aa.example"), ("origin", site), ("sec-fetch-site", "same-origin")],
        vec![("host", "aa.example"), ("x-forwarded-port", "8443"), ("origin", site)],
        vec![("host", "127.0.0.1:3000"), ("x-forwarded-host", "aa.example:8443, b.inner"), ("origin", site)],
        vec![("host", "use-aa:3000"), ("forwarded", "for=1.1.1.1;host=\"aa.example:8443\""), ("origin", site)],
    ] {
        let (status, answer) = call(&server, &headers).await;
        assert_eq!(status, 200, "{headers:?}: {answer}");
    }
    let asked = upstream.count("eth_blockNumber");
    for (headers, refused) in [
        // Another site, and a name of its own that points here, whatever it adds.
        (vec![("host", "aa.example"), ("origin", "https://evil.example")], 403),
        (vec![("host", "aa.example"), ("origin", "http://aa.example:3001")], 403),
        (vec![("host", "aa.example"), ("origin", site), ("sec-fetch-site", "same-site")], 403),
        (vec![("host", "evil.example"), ("origin", "http://evil.example"), ("sec-fetch-site", "same-origin")], 421),
        (vec![("host", "evil.example"), ("x-forwarded-host", "aa.example"), ("origin", "http://evil.example")], 421),
        (
            vec![
                ("host", "127.0.0.1"),
                ("x-forwarded-host", "aa.example, evil.example"),
                ("origin", "http://evil.example"),
            ],
            403,
        ),
        (vec![("host", "127.0.0.1"), ("x-forwarded-host", "evil.example"), ("origin", "http://evil.example")], 421),
        // The page wrote the one header, the proxy the other.
        (
            vec![
                ("host", "127.0.0.1:3000"),
                ("x-forwarded-host", "aa.example"),
                ("forwarded", "host=evil.example"),
                ("origin", "http://evil.example"),
            ],
            421,
        ),
        (vec![("host", "aa.example"), ("x-forwarded-host", "evil.example"), ("origin", "http://evil.example")], 403),
    ] {
        let (status, answer) = call(&server, &headers).await;
        assert_eq!(status, refused, "{headers:?}: {answer}");
    }
    assert_eq!(upstream.count("eth_blockNumber"), asked, "nothing of it reached the node");
    let several =
        "POST /api/fn/chain_info HTTP/1.1\r\nhost: aa.example\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
    assert!(raw(&server, several.as_bytes()).await.starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn who_is_no_trusted_proxy_is_not_believed_and_hears_what_would_help() {
    let (server, _upstream) = behind_proxies(&["aa.example", "127.0.0.1"], &["10.0.0.0/8"]).await;
    let spoofed =
        [("host", "127.0.0.1"), ("x-forwarded-host", "aa.example:8443"), ("origin", "https://aa.example:8443")];
    let (status, answer) = call(&server, &spoofed).await;
    assert!(status == 403 && answer.contains("USE_AA_TRUSTED_PROXIES"), "{status} {answer}");
    let (status, answer) = call(&server, &[("host", "aa.example"), ("origin", "http://aa.example:8080")]).await;
    assert!(status == 403 && answer.contains("USE_AA_HOSTS"), "{status} {answer}");
    let (server, _upstream) = behind_proxies(&["aa.example:8080"], &[]).await;
    assert_eq!(call(&server, &[("host", "aa.example"), ("origin", "http://aa.example:8080")]).await.0, 200);
}

/// Ends with this value.
struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn output(program: &str, arguments: &[&str]) -> Option<Output> {
    // Debian keeps nginx where only root looks.
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    Command::new(program).env("PATH", path).args(arguments).stdin(Stdio::null()).output().ok()
}

/// The recipe of the operations page, with a port, a certificate and a server of this test's.
fn recipe(folder: &Path, port: u16, server: &str) -> String {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operations.md")).unwrap();
    let recipe = page.split("```nginx\n").nth(1).expect("a recipe").split("```").next().unwrap();
    let certificate = format!("ssl_certificate {0}/cert.pem; ssl_certificate_key {0}/key.pem;", folder.display());
    let changed = recipe
        .replace("listen 443 ssl http2;", &format!("listen 127.0.0.1:{port} ssl http2;"))
        .replace("# ssl_certificate …; ssl_certificate_key …;", &certificate)
        .replace("http://127.0.0.1:3000", server);
    assert!(
        changed.contains(&certificate) && changed.matches(server).count() == 2 && changed.contains(&port.to_string())
    );
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|of| format!("{of}_temp_path {}/{of};\n", folder.display()))
        .collect();
    let pid = folder.join("pid");
    format!(
        "daemon off; master_process off; pid {};\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}{changed}}}\n",
        pid.display()
    )
}

/// The recipe on another port than 443: page, call, refusals and stream, over HTTP/2.
#[tokio::test]
async fn the_recipe_works_in_nginx_over_http_2_on_another_port() {
    for (program, version) in [("nginx", "-v"), ("openssl", "version"), ("curl", "--version")] {
        if output(program, &[version]).is_none() {
            println!("NOTE: {program} is not installed: the recipe of the operations page was not tried");
            return;
        }
    }
    let (server, _upstream) = behind_proxies(&["aa.example"], &["127.0.0.1"]).await;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (key, certificate) = (file("key.pem"), file("cert.pem"));
    let made = output(
        "openssl",
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=aa.example",
            "-keyout",
            &key,
            "-out",
            &certificate,
        ],
    );
    assert!(made.is_some_and(|made| made.status.success()));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    fs::write(file("nginx.conf"), recipe(folder.path(), port, &server.url)).unwrap();
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let log = file("error.log");
    let nginx = Command::new("nginx").env("PATH", path).args(["-e", &log, "-c", &file("nginx.conf")]).spawn().unwrap();
    let _nginx = Nginx(nginx);
    let deadline = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        assert!(Instant::now() < deadline, "{}", fs::read_to_string(&log).unwrap_or_default());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let site = format!("https://aa.example:{port}");
    let resolve = format!("aa.example:{port}:127.0.0.1");
    // Body, then status and version of HTTP.
    let curl = async |arguments: &[&str]| {
        let mut all = vec![
            "-sk",
            "--http2",
            "--noproxy",
            "*",
            "--resolve",
            &resolve,
            "-w",
            "\n%{http_code} HTTP/%{http_version}",
        ];
        all.extend_from_slice(arguments);
        let all: Vec<String> = all.into_iter().map(str::to_owned).collect();
        let run = move || output("curl", &all.iter().map(String::as_str).collect::<Vec<_>>()).unwrap().stdout;
        String::from_utf8(tokio::task::spawn_blocking(run).await.unwrap()).unwrap()
    };
    let page = curl(&[&site]).await;
    assert!(page.contains("<html") && page.ends_with("\n200 HTTP/2"), "{}", &page[page.len().saturating_sub(300)..]);
    let function = format!("{site}/api/fn/read_chain");
    let json = "content-type: application/json";
    let data = r#"{"method":"eth_blockNumber","params":[]}"#;
    let own = format!("origin: {site}");
    for (origin, status) in
        [(own.as_str(), 200), ("origin: https://evil.example", 403), ("origin: https://aa.example", 403)]
    {
        let answer = curl(&["-H", json, "-H", origin, "-d", data, &function]).await;
        assert!(answer.ends_with(&format!("\n{status} HTTP/2")), "{origin}: {answer}");
    }
    let rebound = curl(&["-H", "host: evil.example", "-H", json, "-d", data, &function]).await;
    assert!(rebound.ends_with("\n421 HTTP/2"), "{rebound}");
    assert!(curl(&[&format!("{site}/metrics")]).await.ends_with("\n404 HTTP/2"));
    // The stream comes as it is sent: a heartbeat within some seconds, and the end is far away.
    let hashes =
        json!({"user_op_hashes": [format!("0x{}", "17".repeat(32)), format!("0x{}", "18".repeat(32))]}).to_string();
    let stream = format!("{site}/api/fn/user_operation_statuses");
    let told = curl(&["-N", "-m", "5", "-H", json, "-H", &own, "-d", &hashes, &stream]).await;
    assert!(told.starts_with('\n') && told.ends_with("\n200 HTTP/2"), "{told:?}");
}
