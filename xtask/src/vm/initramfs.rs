//! The guest's root: an initramfs with busybox, our static programs, a few modules and the script.

use super::{Guest, Programs};
use crate::setup;
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// First program of the guest.
const INIT: &str = include_str!("../../guest/init");

/// Modules a guest wants. Those that a kernel has built in are not among its modules and are left out.
const WANTED: [&str; 5] = ["virtio_pci", "virtio_blk", "virtio_console", "zram", "lzo"];

/// Modules that a script loads when it needs them (`load_more` of lib.sh): a device whose blocks can be made bad, a
/// file system for swap files, with what it asks the kernel for by name, and another compressor.
const MORE: [&str; 4] = ["null_blk", "crc32c_generic", "ext4", "deflate"];

/// The packed image. Removed when dropped.
#[derive(Debug)]
pub(crate) struct Initramfs(PathBuf);

impl Initramfs {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Initramfs {
    fn drop(&mut self) {
        // What is left behind is written over by the next run.
        let _ = fs::remove_file(&self.0);
    }
}

/// Builds the image below the guest's folder.
pub(crate) fn make(guest: &Guest, programs: &Programs) -> Result<Initramfs> {
    let dir = guest.dir();
    let root = dir.join("root");
    let clear = || match fs::remove_dir_all(&root) {
        Err(err) if err.kind() != ErrorKind::NotFound => Err(err).with_context(|| root.display().to_string()),
        _ => Ok(()),
    };
    clear()?;
    for folder in ["bin", "dev", "proc", "sys", "tmp", "out", "modules"] {
        fs::create_dir_all(root.join(folder)).with_context(|| root.display().to_string())?;
    }
    place(&setup::busybox()?, &root.join("bin/busybox"))?;
    place(&programs.vswap, &root.join("bin/vswap"))?;
    place(&programs.workload, &root.join("bin/vswap-workload"))?;
    for tool in &programs.tools {
        let to = root.join(tool.strip_prefix("/").unwrap_or(tool));
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        place(tool, &to)?;
    }
    write(&root.join("init"), INIT)?;
    write(&root.join("script"), &guest.script)?;
    let (mut order, mut more) = (String::new(), String::new());
    if let Some(modules) = &guest.kernel.modules {
        let (wanted, rest) = load_order(modules)?;
        for (list, modules) in [(&mut order, wanted), (&mut more, rest)] {
            for module in modules {
                let name = format!("{}.ko", module.name);
                fs::write(root.join("modules").join(&name), &module.bytes)?;
                list.push_str(&name);
                list.push('\n');
            }
        }
    }
    write(&root.join("modules/order"), &order)?;
    write(&root.join("modules/more"), &more)?;
    let image = dir.join("initramfs.cpio.gz");
    pack(&root, &image)?;
    clear()?;
    Ok(Initramfs(image))
}

fn place(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("copying {}", from.display()))?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| path.display().to_string())?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// Packs `root` with the cpio and gzip programs; level 1, as the guest is slower at unpacking than we are at disk space.
fn pack(root: &Path, image: &Path) -> Result<()> {
    let part = image.with_extension("part");
    let out = fs::File::create(&part).with_context(|| part.display().to_string())?;
    let script = "find . | cpio --quiet -o -H newc -R 0:0 | gzip -1";
    let status = Command::new("sh")
        .args(["-c", script])
        .current_dir(root)
        .stdout(Stdio::from(out))
        .status()
        .context("cpio")?;
    if !status.success() {
        bail!("'{script}' ended with {status}");
    }
    fs::rename(&part, image).with_context(|| image.display().to_string())
}

/// A module, unpacked.
struct Module {
    name: String,
    bytes: Vec<u8>,
}

/// The modules wanted at once and those wanted later, each after what it needs. Packages carry no modules.dep (depmod makes it on installation), so
/// the needs are read from the modules themselves.
fn load_order(modules: &Path) -> Result<(Vec<Module>, Vec<Module>)> {
    let mut files = Vec::new();
    walk(&modules.join("kernel"), &mut files)?;
    let (mut order, mut more) = (Vec::new(), Vec::new());
    let mut seen = BTreeSet::new();
    for name in WANTED {
        visit(name, &files, &mut seen, &mut order)?;
    }
    for name in MORE {
        visit(name, &files, &mut seen, &mut more)?;
    }
    Ok((order, more))
}

fn visit(name: &str, files: &[PathBuf], seen: &mut BTreeSet<String>, order: &mut Vec<Module>) -> Result<()> {
    if !seen.insert(name.to_owned()) {
        return Ok(());
    }
    let Some(file) = files.iter().find(|file| module_name(file).as_deref() == Some(name)) else {
        return Ok(());
    };
    let bytes = unpacked(file)?;
    for need in needs(&bytes) {
        visit(&need, files, seen, order)?;
    }
    order.push(Module { name: name.to_owned(), bytes });
    Ok(())
}

/// `.../virtio-rng.ko.xz` to `virtio_rng`: files may have dashes where the kernel has underscores.
fn module_name(file: &Path) -> Option<String> {
    let name = file.file_name()?.to_str()?;
    let (stem, _) = name.split_once(".ko")?;
    Some(stem.replace('-', "_"))
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

fn unpacked(file: &Path) -> Result<Vec<u8>> {
    let program = match file.extension().and_then(|e| e.to_str()) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        Some("gz") => "gzip",
        _ => return fs::read(file).with_context(|| file.display().to_string()),
    };
    let out = Command::new(program).arg("-dc").arg(file).output().with_context(|| program.to_owned())?;
    if !out.status.success() {
        bail!(
            "{program} -dc {} ended with {}: {}",
            file.display(),
            out.status,
            String::from_utf8_lossy(&out.stderr)
        );
    }
    Ok(out.stdout)
}

/// Names in the `depends=` entry of a module's .modinfo section.
fn needs(module: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(at) = module.windows(KEY.len()).position(|w| w == KEY) else { return Vec::new() };
    let value = module[at + KEY.len()..].split(|b| *b == 0).next().unwrap_or_default();
    String::from_utf8_lossy(value).split(',').filter(|s| !s.is_empty()).map(|s| s.replace('-', "_")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(dir: &Path, path: &str, depends: &str) {
        let file = dir.join("kernel").join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, format!("\u{7f}ELF\0license=GPL\0depends={depends}\0name=x\0")).unwrap();
    }

    #[test]
    fn a_module_comes_after_what_it_needs() {
        let dir = tempfile::tempdir().unwrap();
        module(dir.path(), "drivers/block/zram/zram.ko", "lz4hc-compress,lz4_compress");
        module(dir.path(), "lib/lz4/lz4_compress.ko", "");
        module(dir.path(), "lib/lz4/lz4hc_compress.ko", "lz4_compress");
        module(dir.path(), "drivers/block/virtio_blk.ko", "");
        module(dir.path(), "drivers/net/virtio_net.ko", "");
        module(dir.path(), "fs/ext4/ext4.ko", "jbd2,lz4_compress");
        module(dir.path(), "fs/jbd2/jbd2.ko", "");
        let (at_once, more) = load_order(dir.path()).unwrap();
        let names = |modules: Vec<Module>| modules.into_iter().map(|m| m.name).collect::<Vec<_>>();
        assert_eq!(names(at_once), ["virtio_blk", "lz4_compress", "lz4hc_compress", "zram"]);
        assert_eq!(names(more), ["jbd2", "ext4"], "what is loaded already is not loaded again");
    }

    #[test]
    fn needs_of_odd_modules() {
        assert!(
            needs(b"").is_empty() && needs(b"\0depends=").is_empty() && needs(b"\0depends=\0").is_empty()
        );
        assert_eq!(needs(b"x\0depends=a,b-c"), ["a", "b_c"]);
    }
}
