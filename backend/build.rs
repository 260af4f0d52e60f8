//! Embeds the page.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use base64::prelude::{BASE64_STANDARD, Engine};
use sha2::{Digest, Sha256};

/// What is served until `cargo xtask build` has built the page.
const PLACEHOLDER: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Golive</title>
<p>The server runs, but this program was built without its page. <code>cargo xtask build</code> builds both.
</html>
"#;

fn main() -> io::Result<()> {
    let page = Path::new("../dist");
    // Cargo looks whether the folder changes; if there were none, it would build anew each time.
    fs::create_dir_all(page)?;
    println!("cargo::rerun-if-changed=../dist");
    println!("cargo::rerun-if-changed=build.rs");
    let folder = if page.join("index.html").is_file() {
        page.to_owned()
    } else {
        placeholder()?
    };
    let html = fs::read_to_string(folder.join("index.html"))?;
    println!(
        "cargo::rustc-env=GOLIVE_PAGE_SCRIPTS={}",
        script_hashes(&html)
    );
    memory_serve::load_directory(folder);
    Ok(())
}

/// What a Content-Security-Policy calls the scripts that are written in a page (W3C CSP Level 3 section
/// 8.4), each with a space before it.
fn script_hashes(html: &str) -> String {
    let scripts = html.split("<script").skip(1).filter_map(|rest| {
        let (attributes, rest) = rest.split_once('>')?;
        let (script, _) = rest.split_once("</script>")?;
        (!attributes.contains("src=")).then_some(script)
    });
    scripts
        .map(|script| {
            let hash = BASE64_STANDARD.encode(Sha256::digest(script));
            format!(" 'sha256-{hash}'")
        })
        .collect()
}

fn placeholder() -> io::Result<PathBuf> {
    let out = env::var_os("OUT_DIR")
        .map(PathBuf::from)
        .unwrap_or_default();
    let folder = out.join("placeholder");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("index.html"), PLACEHOLDER)?;
    Ok(folder)
}
