//! What stands in `deploy/` is true: units that systemd accepts, settings that the program has, an image whose parts
//! are in the tree. The image itself is not built here.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output},
};

const UNITS: [&str; 2] = ["use-aa.service", "use-aa-dan-node@.service"];
const PROGRAM: &str = env!("CARGO_BIN_EXE_use-aa");
/// Where the units and the image have the program.
const INSTALLED: &str = "/usr/local/bin/use-aa";
/// First systemd whose `security` reads unit files, and says with its exit code what it found.
const READS_FILES: u32 = 250;
/// Highest exposure that a unit may have, in tenths (`systemd-analyze security`: 0 is none, 100 is all).
const EXPOSURE: &str = "--threshold=15";
/// Of the top level, what the image is built without.
const NOT_COPIED: &str = ".ci .gitignore CHANGELOG.md CONTRIBUTING.md LICENSE contracts deploy docs end2end \
    rustfmt.toml tests webdriver.json";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(name: &str) -> String {
    let path = root().join("deploy").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Past the test runner, which would keep it to itself.
fn note(text: &str) {
    std::io::stderr().write_all(format!("NOTE: {text}\n").as_bytes()).unwrap();
}

fn analyze(words: &[&str], units: &[PathBuf]) -> Option<Output> {
    Command::new("systemd-analyze").args(words).args(units).env("SYSTEMD_PAGER", "cat").output().ok()
}

fn version() -> Option<u32> {
    let output = Command::new("systemd-analyze").arg("--version").output().ok()?;
    String::from_utf8_lossy(&output.stdout).split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn the_units_are_what_systemd_understands() {
    let Some(version) = version() else {
        note("systemd-analyze is not here: the units of deploy/ were not verified");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    // It wants the program to be there.
    let units = UNITS.map(|name| {
        let path = folder.path().join(name);
        fs::write(&path, text(name).replace(INSTALLED, PROGRAM)).unwrap();
        path
    });
    let verified = analyze(&["verify", "--man=no"], &units).unwrap();
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    // A key that it does not know is only a warning to it; other units of this machine are not our concern.
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("use-aa")).collect();
    assert!(verified.status.success() && ours.is_empty(), "{said}");
    if version < READS_FILES {
        note(&format!("systemd {version} cannot read how exposed a unit is: not looked at"));
        return;
    }
    for unit in units {
        let output = analyze(&["security", "--offline=true", EXPOSURE], &[unit]).unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn a_wrong_unit_would_be_noticed() {
    if version().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("use-aa.service");
    let unit = text("use-aa.service").replace(INSTALLED, PROGRAM).replace("ProtectClock=", "ProtectClocks=");
    fs::write(&path, unit).unwrap();
    let said = analyze(&["verify", "--man=no"], &[path]).unwrap().stderr;
    assert!(String::from_utf8_lossy(&said).contains("use-aa.service:"), "{said:?}");
}

#[test]
fn a_unit_sets_and_reads_what_the_program_knows() {
    for (unit, command) in UNITS.into_iter().zip(["serve", "dan-node"]) {
        let unit_text = text(unit);
        let lines = |key: &str| unit_text.lines().filter_map(|line| line.strip_prefix(key)).collect::<Vec<_>>();
        assert_eq!(lines("ExecStart="), [format!("{INSTALLED} {command}")]);
        let known = variables(&help(&[command]));
        for line in lines("Environment=") {
            let name = line.split('=').next().unwrap();
            assert!(known.contains(name), "{unit}: {name}");
        }
    }
}

/// What `--help` says, with nothing set.
fn help(words: &[&str]) -> String {
    let output = Command::new(PROGRAM).args(words).arg("--help").env_clear().output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// All our variables that a text names.
fn variables(text: &str) -> BTreeSet<String> {
    let words = text
        .split(|character: char| !character.is_ascii_uppercase() && !character.is_ascii_digit() && character != '_');
    words.filter(|word| word.starts_with("USE_AA_")).map(str::to_owned).collect()
}

/// Variables that an example offers, each below a line that says what it is.
fn offered(name: &str) -> BTreeSet<String> {
    let text = text(name);
    let lines: Vec<&str> = text.lines().collect();
    let mut found = BTreeSet::new();
    for (index, line) in lines.iter().enumerate() {
        let setting = line.trim_start_matches('#');
        let Some((variable, value)) = setting.split_once('=').filter(|(variable, _)| !variable.contains(' ')) else {
            assert!(line.is_empty() || line.starts_with("# "), "{name}: {line}");
            continue;
        };
        assert!(line.starts_with('#'), "{name}: {variable} is only an example");
        assert!(lines[index - 1].starts_with("# "), "{name}: nothing says what {variable} is");
        assert!(!value.contains(['"', '\'', ' ']), "{name}: {variable}: systemd and podman read quotes differently");
        let secret = ["_KEY", "_TOKEN"].iter().any(|end| variable.ends_with(end));
        assert!(!secret || value.is_empty(), "{name}: {variable} is a secret");
        assert!(found.insert(variable.to_owned()), "{name}: {variable} stands there twice");
    }
    found
}

#[test]
fn the_examples_offer_what_the_program_knows_and_nothing_else() {
    // Those of all commands are named on the first page.
    let of_all = variables(&help(&[]).lines().skip_while(|line| !line.contains("RUST_LOG")).collect::<String>());
    assert!(of_all.contains("USE_AA_LOG_FORMAT"), "{of_all:?}");
    for (example, command) in [("environment.example", "serve"), ("dan-node.environment.example", "dan-node")] {
        let ours: BTreeSet<_> = offered(example).into_iter().filter(|name| name.starts_with("USE_AA_")).collect();
        let known: BTreeSet<_> = variables(&help(&[command])).union(&of_all).cloned().collect();
        let missing: Vec<_> = known.difference(&ours).collect();
        let unknown: Vec<_> = ours.difference(&known).collect();
        assert!(missing.is_empty() && unknown.is_empty(), "{example}: missing {missing:?}, unknown {unknown:?}");
    }
}

/// Instructions of the Containerfile, continued lines as one.
fn instructions() -> Vec<(String, Vec<String>)> {
    let text = text("Containerfile");
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    let words = joined.lines().map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    words.filter(|words| !words.is_empty()).map(|mut words| (words.remove(0), words)).collect()
}

#[test]
fn the_image_is_made_of_what_is_in_the_tree() {
    let instructions = instructions();
    let of =
        |name: &str| instructions.iter().filter(|(found, _)| found == name).map(|(_, words)| words).collect::<Vec<_>>();
    let known = ["FROM", "RUN", "ENV", "WORKDIR", "COPY", "USER", "VOLUME", "EXPOSE", "ENTRYPOINT", "CMD"];
    for (name, words) in &instructions {
        assert!(known.contains(&name.as_str()) && !words.is_empty(), "{name}");
    }
    for image in of("FROM") {
        let (_, tag) = image[0].rsplit_once(':').expect("a tag");
        assert!(!tag.contains('/') && tag != "latest", "{image:?}");
        assert!(image[0].starts_with("docker.io/"), "podman has no registry of its own: {image:?}");
    }
    let mut copied = BTreeSet::new();
    for words in of("COPY") {
        let (_, sources) = words.split_last().unwrap();
        if words[0].starts_with("--from=") {
            continue;
        }
        for source in sources {
            assert!(root().join(source).exists(), "{source} is not in the tree");
            copied.insert(source.as_str());
        }
    }
    // From where it is built to where it is started; also what the units start.
    let folder = of("WORKDIR")[0][0].clone();
    let program = ["--from=build".to_owned(), format!("{folder}/target/release/use-aa"), INSTALLED.to_owned()];
    assert!(of("COPY").iter().any(|words| words[..] == program), "{program:?}");
    assert_eq!(of("ENTRYPOINT")[0][..], [format!("[\"{INSTALLED}\"]")]);
    assert_eq!(of("CMD")[0][..], ["[\"serve\"]"]);
    assert_ne!(of("USER")[0][0], "0:0");
    for words in of("ENV") {
        let ours = words.iter().filter_map(|word| word.split('=').next()).filter(|name| name.starts_with("USE_AA_"));
        let known = variables(&help(&["serve"]));
        assert!(ours.into_iter().all(|name| known.contains(name)), "{words:?}");
    }
    // What is new at the top level is either copied, or said to be not needed.
    let listed = Command::new("git").args(["ls-tree", "--name-only", "HEAD"]).current_dir(root()).output();
    let Some(listed) = listed.ok().filter(|output| output.status.success()) else {
        note("this is no git checkout: whether deploy/Containerfile copies all that it needs was not looked at");
        return;
    };
    for name in String::from_utf8(listed.stdout).unwrap().lines() {
        let decided = NOT_COPIED.split_whitespace().any(|other| other == name) || copied.contains(name);
        assert!(decided, "deploy/Containerfile does not copy {name}; if that is right, add it to NOT_COPIED");
    }
}
