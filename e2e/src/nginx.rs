//! nginx, as a process of its own: to compare with, and to stand in front.

use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, bail, ensure};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::load::process::Process;
use crate::{SOON, eventually, target_dir};

/// Debian's program is not on everybody's path.
const PROGRAMS: [&str; 2] = ["nginx", "/usr/sbin/nginx"];

/// An nginx that is installed.
#[derive(Clone, Debug)]
pub struct Installed {
    program: &'static str,
    /// Where its modules are.
    pub modules: PathBuf,
}

/// A running nginx. Ended when dropped.
#[derive(Debug)]
pub struct Nginx {
    master: Child,
    /// The process that does the work.
    pub worker: Process,
    /// Where it listens.
    pub address: SocketAddr,
    /// What belongs to it alone.
    pub directory: PathBuf,
}

impl Installed {
    /// Looks for it.
    ///
    /// # Errors
    /// It is there and cannot be run.
    pub async fn find() -> Result<Option<Self>> {
        for program in PROGRAMS {
            match Command::new(program).arg("-V").output().await {
                Ok(output) => {
                    let said = String::from_utf8_lossy(&output.stderr);
                    let modules = modules_path(&said).to_owned();
                    return Ok(Some(Self { program, modules }));
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error).context("nginx cannot be run"),
            }
        }
        Ok(None)
    }

    /// Starts one worker. `configure` says what it does, at an address and with a directory of its own; the
    /// rest is nginx's default, but that it takes many connections.
    ///
    /// # Errors
    /// It does not start.
    pub async fn start(
        &self,
        configure: impl FnOnce(SocketAddr, &Path) -> String,
    ) -> Result<Nginx> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let directory = new_directory()?;
        let file = directory.join("nginx.conf");
        let what = configure(address, &directory);
        fs::write(&file, configuration(&directory, &what))?;
        let mut master = Command::new(self.program)
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()?;
        let pid = master.id().context("nginx ended at once")?;
        let worker = eventually("nginx has a worker", SOON, async || {
            if let Some(status) = master.try_wait()? {
                return Ok(Err(anyhow::anyhow!("nginx ended at once with {status}")));
            }
            TcpStream::connect(address)?;
            Ok(worker_of(pid))
        });
        let worker = worker.await??;
        Ok(Nginx {
            master,
            worker,
            address,
            directory,
        })
    }
}

impl Nginx {
    /// Ends it.
    ///
    /// # Errors
    /// It did not end in time, or not well.
    pub async fn stop(mut self) -> Result<()> {
        terminate(&self.master)?;
        let status = timeout(SOON, self.master.wait())
            .await
            .context("nginx still runs after SIGTERM")??;
        ensure!(status.success(), "nginx ended with {status}");
        Ok(())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Killed, it would leave its worker behind.
        let _ = terminate(&self.master);
    }
}

fn configuration(directory: &Path, what: &str) -> String {
    let directory = directory.display();
    format!(
        "\
worker_processes 1;
daemon off;
user root;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{
    worker_connections 8192;
}}
{what}"
    )
}

/// Nobody else has used it.
fn new_directory() -> Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("{}-{count}", std::process::id());
    let directory = target_dir().join("e2e").join("nginx").join(name);
    if directory.exists() {
        fs::remove_dir_all(&directory)?;
    }
    fs::create_dir_all(&directory)?;
    Ok(directory)
}

/// Where its modules are, by what `nginx -V` says.
fn modules_path(said: &str) -> &Path {
    let path = said
        .split_ascii_whitespace()
        .find_map(|word| word.strip_prefix("--modules-path="));
    Path::new(path.unwrap_or("/usr/lib/nginx/modules"))
}

/// The process that does the work of this one. The others look after a cache.
fn worker_of(pid: u32) -> Result<Process> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    for child in children.split_ascii_whitespace() {
        let title = fs::read_to_string(format!("/proc/{child}/cmdline"))?;
        if title.contains("worker process") {
            return Process::new(child.parse()?);
        }
    }
    bail!("nginx has no worker")
}

fn terminate(process: &Child) -> Result<()> {
    if let Some(pid) = process.id() {
        let mut kill = std::process::Command::new("kill");
        let status = kill.arg(pid.to_string()).status()?;
        ensure!(status.success(), "SIGTERM could not be sent");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nginx_says_where_its_modules_are() {
        let said = "nginx version: 1\nconfigure arguments: --with-x --modules-path=/a/b --with-y";
        assert_eq!(modules_path(said), Path::new("/a/b"));
    }

    #[test]
    fn elsewhere_they_are_where_debian_has_them() {
        assert_eq!(
            modules_path("nginx version: 1"),
            Path::new("/usr/lib/nginx/modules")
        );
    }
}
