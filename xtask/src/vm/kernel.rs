//! Kernels to boot: Debian packages by version, kept in target/vm/kernels, or a file.
//!
//! Patch versions come and go in the archive, so the newest package whose name matches is taken. The package lists
//! live in a folder of ours: the host's apt never hears of these suites.

use crate::sh;
use anyhow::{Context, Result, bail};
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Suites that carry the kernels we boot. Their own signatures are checked with the archive's keyring.
const SUITES: [&str; 2] = ["trixie", "trixie-backports"];
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// A kernel on this disk.
#[derive(Debug, Clone)]
pub(crate) struct Kernel {
    /// As asked for: `7.3`, or the file name.
    pub(crate) name: String,
    /// bzImage.
    pub(crate) image: PathBuf,
    /// `lib/modules/VERSION`, if there is one.
    pub(crate) modules: Option<PathBuf>,
}

/// The kernel called `spec`: a version (fetched unless cached) or a path.
pub(crate) fn find(spec: &str, modules: Option<&Path>, refresh: bool) -> Result<Kernel> {
    let Some(version) = parse_version(spec) else {
        let image = PathBuf::from(spec);
        if !image.is_file() {
            bail!("'{spec}' is neither a version like 7.3 nor a kernel image");
        }
        let name = image.file_name().map_or_else(|| "kernel".into(), |n| n.to_string_lossy().into_owned());
        return Ok(Kernel { name, image, modules: modules.map(Path::to_path_buf) });
    };
    let dir = sh::target().join("vm/kernels").join(spec);
    if refresh || !dir.join("complete").is_file() {
        sh::timed(&format!("Fetching Linux {spec}"), || fetch(version, &dir))?;
    }
    let tree = dir.join("tree");
    let image = first(&tree, &["boot", "usr/lib/modules/*", "lib/modules/*"], |p| {
        p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("vmlinuz"))
    })
    .with_context(|| format!("no vmlinuz in {}; try --refresh", tree.display()))?;
    let modules = first(&tree, &["usr/lib/modules", "lib/modules"], |p| p.join("kernel").is_dir());
    Ok(Kernel { name: spec.to_owned(), image, modules })
}

/// `7.3` to (7, 3).
fn parse_version(spec: &str) -> Option<(u32, u32)> {
    let (major, minor) = spec.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// First entry of the folders (a `*` component means every subfolder) that fits.
fn first(root: &Path, folders: &[&str], fits: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let entries = |dir: &Path| -> Vec<PathBuf> {
        let mut all: Vec<PathBuf> =
            fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path()).collect();
        all.sort();
        all
    };
    folders
        .iter()
        .flat_map(|folder| match folder.strip_suffix("/*") {
            Some(parent) => entries(&root.join(parent)).into_iter().flat_map(|dir| entries(&dir)).collect(),
            None => entries(&root.join(folder)),
        })
        .find(|path| fits(path))
}

fn fetch(version: (u32, u32), dir: &Path) -> Result<()> {
    let (lists, debs, tree) = (dir.join("lists"), dir.join("debs"), dir.join("tree"));
    for folder in [&debs, &tree] {
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
    }
    let _ = fs::remove_file(dir.join("complete"));
    for folder in [&lists.join("partial"), &dir.join("cache/archives/partial"), &debs, &tree] {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let mirror = match std::env::var("VSWAP_DEBIAN_MIRROR") {
        Ok(mirror) => mirror,
        Err(_) => debian_mirror(&sh::output(Command::new("apt-get").args([
            "indextargets",
            "--format",
            "$(REPO_URI)",
        ]))?)
        .context("apt knows no Debian mirror here: set VSWAP_DEBIAN_MIRROR to the address of one")?,
    };
    let sources: String = SUITES
        .iter()
        .map(|suite| format!("deb [arch=amd64 signed-by={KEYRING}] {mirror} {suite} main\n"))
        .collect();
    fs::write(dir.join("sources.list"), sources)?;
    let apt = |program: &str| {
        let mut cmd = Command::new(program);
        for option in [
            format!("Dir::Etc::sourcelist={}", dir.join("sources.list").display()),
            "Dir::Etc::sourceparts=/dev/null".to_owned(),
            format!("Dir::State::Lists={}", lists.display()),
            format!("Dir::Cache={}", dir.join("cache").display()),
            "APT::Sandbox::User=root".to_owned(),
            "Acquire::Languages=none".to_owned(),
        ] {
            cmd.args(["-o", &option]);
        }
        cmd
    };
    sh::run(apt("apt-get").args(["update", "-qq"]))?;
    let names = sh::output(apt("apt-cache").args(["pkgnames", "linux-"]))?;
    let choices = choose(version, names.lines());
    if choices.is_empty() {
        bail!("no package for Linux {}.{} in {}", version.0, version.1, SUITES.join(", "));
    }
    // A name can outlive its package in the lists; the next best one is as good.
    let mut errors = Vec::new();
    for packages in choices {
        sh::say(format!("downloading {}", packages.join(" ")));
        match sh::output(apt("apt-get").current_dir(&debs).args(["download", "-qq"]).args(&packages)) {
            Ok(_) => {
                pooled_modules(&mirror, &debs)?;
                return unpack(&debs, &tree)
                    .and_then(|()| Ok(fs::write(dir.join("complete"), packages.join("\n"))?));
            }
            Err(err) => errors.push(format!("{err:#}")),
        }
    }
    bail!("{}", errors.join("; "))
}

/// The mirror this host's apt uses for Debian itself (not its security archive, nor anybody else's packages).
fn debian_mirror(repositories: &str) -> Option<String> {
    let uri = repositories.lines().map(|l| l.trim_end_matches('/')).find(|l| l.ends_with("/debian"))?;
    Some(uri.to_owned())
}

/// The modules of kernels up to 7.1 are in the archive's pool but no longer in its lists: fetched by name beside
/// their vmlinuz. No list has their checksum; they only ever run in a guest.
fn pooled_modules(mirror: &str, debs: &Path) -> Result<()> {
    let mut names = Vec::new();
    for deb in fs::read_dir(debs)? {
        names.push(deb?.file_name().to_string_lossy().into_owned());
    }
    let Some(file) = unlisted_modules(&names) else { return Ok(()) };
    sh::say(format!("downloading {file} from the pool"));
    let mut helper = Command::new("/usr/lib/apt/apt-helper");
    helper.arg("download-file").arg(format!("{mirror}/pool/main/l/linux/{file}")).arg(debs.join(&file));
    sh::output(&mut helper)?;
    Ok(())
}

/// File name of the modules that belong to a split vmlinuz and are not among `debs`.
fn unlisted_modules(debs: &[String]) -> Option<String> {
    let rest = debs.iter().find_map(|name| name.strip_prefix("linux-binary-"))?;
    let modules = format!("linux-modules-{rest}");
    (!debs.contains(&modules)).then_some(modules)
}

fn unpack(debs: &Path, tree: &Path) -> Result<()> {
    for deb in fs::read_dir(debs)? {
        let deb = deb?.path();
        sh::run(Command::new("dpkg").arg("-x").arg(&deb).arg(tree))?;
        fs::remove_file(deb)?;
    }
    Ok(())
}

/// Package sets for a version, best first: newest patch version; then the small cloud flavour, which has zswap only
/// from 7.0 on (the other one has it before, too); then split packages (vmlinuz and modules apart) before whole ones.
fn choose<'a>((major, minor): (u32, u32), names: impl Iterator<Item = &'a str> + Clone) -> Vec<Vec<String>> {
    let all: HashSet<&str> = names.clone().collect();
    let prefix = format!("{major}.{minor}.");
    let mut found: Vec<(Vec<u32>, bool, bool, Vec<String>)> = Vec::new();
    for name in names {
        let (split, rest) = match (name.strip_prefix("linux-binary-"), name.strip_prefix("linux-image-")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) => continue,
        };
        let Some(release) = rest.strip_suffix("-amd64") else { continue };
        let (abi, cloud) = release.strip_suffix("-cloud").map_or((release, false), |abi| (abi, true));
        // Real-time and unsigned flavours have one more part; bare version names are for metapackages.
        if !abi.starts_with(&prefix) || abi.contains('-') || (cloud && major < 7) {
            continue;
        }
        let patch = abi.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
        let mut packages = vec![name.to_owned()];
        // Those of 7.1 and before are fetched by `pooled_modules`.
        let modules = format!("linux-modules-{rest}");
        if split && all.contains(modules.as_str()) {
            packages.push(modules);
        }
        found.push((patch, cloud, split, packages));
    }
    found.sort();
    found.into_iter().rev().map(|(_, _, _, packages)| packages).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirror_is_debians_own() {
        let apt =
            "http://other.example/ubuntu/\nhttp://sec.example/debian-security/\nhttp://m.example/debian/\n";
        assert_eq!(debian_mirror(apt).as_deref(), Some("http://m.example/debian"));
        assert_eq!(debian_mirror("http://other.example/ubuntu/\n"), None);
    }

    const NAMES: [&str; 12] = [
        "linux-image-6.12.9+deb13-amd64",
        "linux-image-6.12.107+deb13-amd64",
        "linux-image-6.12.107+deb13-cloud-amd64",
        "linux-image-6.12.107+deb13-rt-amd64",
        "linux-image-6.12.107+deb13-amd64-dbg",
        "linux-image-6.12.107+deb13-amd64-unsigned",
        "linux-image-amd64",
        "linux-binary-7.3.4+deb13-cloud-amd64",
        "linux-binary-7.3.10+deb13-cloud-amd64",
        "linux-binary-7.3.10+deb13-amd64",
        "linux-image-7.3.10+deb13-cloud-amd64",
        "linux-modules-7.3.10+deb13-cloud-amd64",
    ];

    #[test]
    fn newest_patch_and_right_flavour() {
        let choices = choose((6, 12), NAMES.into_iter());
        assert_eq!(choices, [["linux-image-6.12.107+deb13-amd64"], ["linux-image-6.12.9+deb13-amd64"]]);
        let choices = choose((7, 3), NAMES.into_iter());
        assert_eq!(
            choices[0],
            ["linux-binary-7.3.10+deb13-cloud-amd64", "linux-modules-7.3.10+deb13-cloud-amd64"]
        );
        assert!(choices.last().unwrap()[0].contains("7.3.4"));
        let with_modules = ["linux-binary-7.1.13+deb13-cloud-amd64", "linux-image-7.1.13+deb13-cloud-amd64"];
        assert_eq!(choose((7, 1), with_modules.into_iter())[0], ["linux-binary-7.1.13+deb13-cloud-amd64"]);
        assert_eq!(choose((7, 1), NAMES.into_iter()), [] as [Vec<String>; 0]);
        assert_eq!(choose((6, 1), NAMES.into_iter()), [] as [Vec<String>; 0]);
    }

    #[test]
    fn modules_that_no_list_has_are_named() {
        let binary = "linux-binary-7.1.13+deb13-cloud-amd64_7.1.13-1_amd64.deb".to_owned();
        let modules = "linux-modules-7.1.13+deb13-cloud-amd64_7.1.13-1_amd64.deb".to_owned();
        assert_eq!(unlisted_modules(std::slice::from_ref(&binary)), Some(modules.clone()));
        assert_eq!(unlisted_modules(&[modules, binary]), None);
        assert_eq!(unlisted_modules(&["linux-image-6.12.1-amd64_6.12.1-1_amd64.deb".into()]), None);
    }

    #[test]
    fn versions_and_paths() {
        assert_eq!(parse_version("7.3"), Some((7, 3)));
        assert_eq!(parse_version("/boot/vmlinuz-7.3"), None);
        assert!(find("/no/such/image", None, false).unwrap_err().to_string().contains("/no/such/image"));
    }
}
