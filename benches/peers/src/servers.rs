//! The servers, and how they are built and run.

use std::env;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use crate::nginx;
use crate::scenarios::Scenario;

/// A server.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Whether it ends a connection when the client asks for it.
    closes: bool,
}

/// Where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The project itself.
    Squall,
    /// A package in `servers/`, and the crate whose version is told.
    Package(&'static str, Option<&'static str>),
    Nginx,
    Tornado,
}

/// All of them, in the order of the tables.
pub(crate) fn all() -> [Server; 8] {
    let package =
        |name, package, shown| Server { name, kind: Kind::Package(package, shown), closes: true };
    [
        package("bare", "peer-bare", None),
        Server { name: "Squall", kind: Kind::Squall, closes: true },
        Server { closes: false, ..package("may_minihttp", "peer-may", Some("may_minihttp")) },
        package("axum", "peer-axum", Some("axum")),
        package("actix-web", "peer-actix", Some("actix-web")),
        Server { name: "nginx", kind: Kind::Nginx, closes: true },
        package("threads", "peer-threads", None),
        Server { name: "Tornado", kind: Kind::Tornado, closes: true },
    ]
}

impl Server {
    /// Builds it, and returns its version; none if it is not installed.
    pub(crate) fn prepare(&self, here: &Path, target: &Path) -> io::Result<Option<String>> {
        match self.kind {
            Kind::Squall => {
                let root = here.ancestors().nth(2).unwrap_or(here);
                build(root, &["--example", "bench", "--target-dir"], &target.join("squall"))?;
                Ok(Some(version_in(&root.join("Cargo.lock"), "squall")?))
            }
            Kind::Package(package, shown) => {
                build(here, &["--package", package, "--target-dir"], target)?;
                let lock = here.join("Cargo.lock");
                shown.map_or(Ok(String::new()), |name| version_in(&lock, name)).map(Some)
            }
            Kind::Nginx => Ok(said(Command::new("nginx").arg("-v"))
                .and_then(|text| text.split('/').nth(1).map(|version| version.trim().to_owned()))),
            Kind::Tornado => {
                let script = "import tornado, platform as p; \
                              print(tornado.version, 'on Python', p.python_version())";
                Ok(said(Command::new(python()).args(["-c", script])))
            }
        }
    }

    /// Whether it can do what the scenario asks for.
    pub(crate) fn serves(&self, scenario: &Scenario) -> bool {
        let has_route = self.kind != Kind::Nginx || !scenario.name.starts_with("echo");
        let behind_itself = self.kind == Kind::Nginx && scenario.proxy.is_some();
        has_route && !behind_itself && (self.closes || !scenario.server_closes())
    }

    /// What runs it.
    pub(crate) fn command(
        &self,
        port: u16,
        scenario: &Scenario,
        target: &Path,
    ) -> io::Result<Command> {
        let mut command = match self.kind {
            Kind::Squall => Command::new(target.join("squall/release/examples/bench")),
            Kind::Package(package, _) => Command::new(target.join("release").join(package)),
            Kind::Nginx => return nginx::server(port, target),
            Kind::Tornado => {
                let mut command = Command::new(python());
                command.arg(crate::here().join("servers/tornado/app.py"));
                command
            }
        };
        command.arg(port.to_string());
        // It does not read what is asked of it.
        if self.name == "bare" && scenario.server_closes() {
            command.arg("close");
        }
        Ok(command)
    }
}

fn python() -> String {
    env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

fn build(folder: &Path, arguments: &[&str], target: &Path) -> io::Result<()> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args(["build", "--release", "--locked", "--quiet"]).args(arguments).arg(target);
    match cargo.current_dir(folder).status()?.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("{cargo:?} has failed"))),
    }
}

/// The version of a crate, by a lock file.
fn version_in(lock: &Path, name: &str) -> io::Result<String> {
    let text = fs::read_to_string(lock)?;
    let after =
        text.split_once(&format!("name = \"{name}\"\nversion = \"")).map(|(_, after)| after);
    let version = after.and_then(|after| after.split('"').next());
    version.map(str::to_owned).ok_or_else(|| io::Error::other(format!("no {name} in {lock:?}")))
}

/// What a program prints, if there is such a program and it succeeds.
fn said(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    let said = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    Some(String::from_utf8_lossy(&said).trim().to_owned())
}
