//! Embeds the page.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

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
    if page.join("index.html").is_file() {
        memory_serve::load_directory("../dist");
    } else {
        memory_serve::load_directory(placeholder()?);
    }
    Ok(())
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
