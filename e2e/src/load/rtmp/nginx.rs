//! nginx with its RTMP module: what Golive is compared with.

use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::load::process::Process;
use crate::{SOON, eventually, target_dir};

/// Debian's program is not on everybody's path.
const PROGRAMS: [&str; 2] = ["nginx", "/usr/sbin/nginx"];
const MODULE: &str = "ngx_rtmp_module.so";

/// A running nginx. Ended when dropped.
#[derive(Debug)]
pub struct Nginx {
    master: Child,
    /// The process that does the work.
    pub worker: Process,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Nginx {
    /// Starts one worker that listens at `address`, with the defaults of nginx and its module. `None` where
    /// either is not installed.
    ///
    /// # Errors
    /// It is installed and does not start.
    pub async fn start(address: &str) -> Result<Option<Self>> {
        let Some((program, module)) = installed().await? else {
            return Ok(None);
        };
        let directory = target_dir().join("e2e").join("nginx");
        fs::create_dir_all(&directory)?;
        let file = directory.join(format!("{}.conf", std::process::id()));
        fs::write(&file, configuration(address, &module, &directory))?;
        let mut master = Command::new(program)
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
            Ok(Process::new(only_child(pid)?))
        });
        let worker = worker.await??;
        Ok(Some(Self {
            master,
            worker,
            address: address.parse()?,
        }))
    }

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

/// The program and the module, where both are there.
async fn installed() -> Result<Option<(&'static str, PathBuf)>> {
    for program in PROGRAMS {
        let said = match Command::new(program).arg("-V").output().await {
            Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error).context("nginx cannot be run"),
        };
        let module = modules_path(&said).join(MODULE);
        if module.exists() {
            return Ok(Some((program, module)));
        }
    }
    Ok(None)
}

/// Where its modules are, by what `nginx -V` says.
fn modules_path(said: &str) -> &Path {
    let path = said
        .split_ascii_whitespace()
        .find_map(|word| word.strip_prefix("--modules-path="));
    Path::new(path.unwrap_or("/usr/lib/nginx/modules"))
}

/// The defaults, written out where they matter. Room for many connections is not the default; pings are
/// put off, because the players do not answer them.
fn configuration(address: &str, module: &Path, directory: &Path) -> String {
    let (module, directory) = (module.display(), directory.display());
    format!(
        "\
load_module {module};
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{
    worker_connections 8192;
}}
rtmp {{
    access_log off;
    server {{
        listen {address};
        chunk_size 4096;
        ping 30m;
        application live {{
            live on;
        }}
    }}
}}
"
    )
}

/// The process that this one has started.
fn only_child(pid: u32) -> Result<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    let mut children = children.split_ascii_whitespace();
    match (children.next(), children.next()) {
        (Some(child), None) => Ok(child.parse()?),
        _ => bail!("nginx does not have one worker"),
    }
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
