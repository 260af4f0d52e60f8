//! nginx with its RTMP module: what Golive is compared with.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;

use crate::nginx::{Installed, Nginx};

const MODULE: &str = "ngx_rtmp_module.so";

/// Starts it, with the defaults of the module. `None` where either is not installed.
///
/// # Errors
/// It is installed and does not start.
pub(super) async fn start() -> Result<Option<Nginx>> {
    let Some(installed) = Installed::find().await? else {
        return Ok(None);
    };
    let module = installed.modules.join(MODULE);
    if !module.exists() {
        return Ok(None);
    }
    let nginx = installed.start(|address, _| configuration(address, &module));
    Ok(Some(nginx.await?))
}

/// The defaults, written out where they matter; pings are put off, because the players do not answer them.
fn configuration(address: SocketAddr, module: &Path) -> String {
    let module = module.display();
    format!(
        "\
load_module {module};
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
