//! A recording over several files: `NAME.vswap` becomes `NAME-000001.vswap` and so on, each readable alone.

use crate::trace::file;
use anyhow::Context;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// When the next file begins, and how many stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// Bytes of a file.
    pub size: Option<u64>,
    /// Age of a file.
    pub time: Option<Duration>,
    /// Files kept, the newest, those of earlier recordings of that name included.
    pub keep: Option<u32>,
}

/// Files of one name with running numbers.
#[derive(Debug)]
pub struct Series {
    rotation: Rotation,
    folder: PathBuf,
    stem: String,
    extension: String,
    /// Number of the newest file.
    number: u64,
    part: u32,
}

impl Series {
    /// The series of `path`, going on after the files that are there.
    ///
    /// # Errors
    /// If the path has no file name in UTF-8, or its folder cannot be read.
    pub fn new(path: &Path, rotation: Rotation) -> anyhow::Result<Self> {
        let name = path.file_name().and_then(|n| n.to_str());
        let name = name.with_context(|| format!("{} is no name for a series of files", path.display()))?;
        let (stem, extension) = match name.rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() => (stem.to_owned(), format!(".{extension}")),
            _ => (name.to_owned(), String::new()),
        };
        let folder = match path.parent() {
            Some(p) if !p.as_os_str().is_empty() => p.to_path_buf(),
            _ => PathBuf::from("."),
        };
        let mut series = Self { rotation, folder, stem, extension, number: 0, part: 0 };
        series.number = series.present()?.last().copied().unwrap_or(0);
        Ok(series)
    }

    /// Makes the next file, and removes those beyond the number that is kept.
    ///
    /// # Errors
    /// If the file cannot be made. That an old one cannot be removed is only told.
    pub fn next_file(&mut self) -> anyhow::Result<(PathBuf, File)> {
        self.number += 1;
        let path = self.path(self.number);
        let made = file::create(&path, false)?;
        self.part = self.part.saturating_add(1);
        if let Some(keep) = self.rotation.keep {
            let present = self.present()?;
            let surplus = present.len().saturating_sub(keep.max(1) as usize);
            for number in &present[..surplus] {
                let old = self.path(*number);
                if let Err(e) = fs::remove_file(&old) {
                    log::warn!(
                        "cannot remove {}: {e}; the recording takes more room than --keep says",
                        old.display()
                    );
                }
            }
        }
        Ok((path, made))
    }

    /// The file is large or old enough.
    pub fn due(&self, bytes: u64, age: Duration) -> bool {
        self.rotation.size.is_some_and(|size| bytes >= size)
            || self.rotation.time.is_some_and(|time| age >= time)
    }

    /// Files made by this recording.
    pub fn part(&self) -> u32 {
        self.part
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{}-{number:06}{}", self.stem, self.extension))
    }

    /// Numbers of the files that are there, ascending.
    fn present(&self) -> anyhow::Result<Vec<u64>> {
        let entries = fs::read_dir(&self.folder)
            .with_context(|| format!("read the folder {}", self.folder.display()))?;
        let number = |name: &str| {
            let digits = name.strip_prefix(&self.stem)?.strip_prefix('-')?.strip_suffix(&self.extension)?;
            (digits.len() >= 6).then(|| digits.parse().ok()).flatten()
        };
        let mut all: Vec<u64> =
            entries.flatten().filter_map(|e| e.file_name().to_str().and_then(number)).collect();
        all.sort_unstable();
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_and_the_oldest_go() {
        let dir = tempfile::tempdir().unwrap();
        for other in ["t-000007.vswap", "t-7.vswap", "u-000009.vswap", "t-000008.txt"] {
            fs::write(dir.path().join(other), "").unwrap();
        }
        let rotation = Rotation { keep: Some(2), size: Some(100), time: None };
        let mut s = Series::new(&dir.path().join("t.vswap"), rotation).unwrap();
        let names: Vec<_> = (0..3)
            .map(|_| s.next_file().unwrap().0.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["t-000008.vswap", "t-000009.vswap", "t-000010.vswap"]);
        assert_eq!(s.present().unwrap(), [9, 10]);
        for other in ["t-7.vswap", "u-000009.vswap", "t-000008.txt"] {
            assert!(dir.path().join(other).exists(), "{other} is not ours");
        }
        assert!(s.due(100, Duration::ZERO) && !s.due(99, Duration::MAX));
        assert_eq!(s.part(), 3);
    }
}
