//! The little script of a run: `pageout:all,touch-read:0-255,free:400-500/2,fork,truth`.

use std::fmt;
use std::path::PathBuf;

/// One thing to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// `MADV_PAGEOUT`: swap out exactly these pages.
    PageOut(Pages),
    /// Read and verify.
    TouchRead(Pages),
    /// Verify and rewrite with the next generation.
    TouchWrite(Pages),
    /// Write without a look at what is there: a page that is not there comes as the kernel likes, large if it may.
    Fill(Pages),
    /// Give back: `MADV_DONTNEED`, `MADV_REMOVE` for shared memory.
    Free(Pages),
    /// Reads that must fail, because the device does: `MADV_POPULATE_READ`, which kills nobody.
    Lost(Pages),
    /// So many touches of random pages, every third one a rewrite.
    Random(u64),
    /// Touches as of `random` until the file exists, and for so many milliseconds after that.
    Churn(PathBuf, u64),
    /// Let the kernel reclaim so many pages of the cgroup: also those that are written but still in the swap cache.
    Reclaim(u64),
    /// Make another cgroup and move there: what is touched from now on is charged to it.
    Cgroup(PathBuf),
    /// Move to the root and remove the cgroup, whatever of it is in swap.
    RemoveCgroup,
    /// Hold so many slots on the first swap device as hibernation does for its image.
    Hibernate(u64),
    /// Give those slots back.
    Thaw,
    /// Write a setting of the kernel: `set:FILE=VALUE`.
    Set(PathBuf, String),
    /// A child that shares all pages and lives as long as we do.
    Fork,
    /// Milliseconds of rest.
    Sleep(u64),
    /// Print where the pages are.
    Truth,
    /// Create this file: "I am here".
    Mark(PathBuf),
    /// Wait until this file exists: several workers wait for each other, and slots stay while others look.
    Wait(PathBuf),
}

/// Page ranges, ends included, with a stride.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Pages(Vec<Range>);

#[derive(Clone, PartialEq, Eq, Debug)]
struct Range {
    first: usize,
    last: usize,
    stride: usize,
}

impl Pages {
    /// Every page, in the order written; pages beyond `total` are left out.
    pub(crate) fn iter(&self, total: usize) -> impl Iterator<Item = usize> + '_ {
        self.0
            .iter()
            .flat_map(move |r| (r.first..=r.last.min(total.saturating_sub(1))).step_by(r.stride))
            .filter(move |page| *page < total)
    }

    /// Runs of neighbouring pages as (first, count): one system call each.
    pub(crate) fn runs(&self, total: usize) -> Vec<(usize, usize)> {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for page in self.iter(total) {
            match runs.last_mut() {
                Some((first, count)) if *first + *count == page => *count += 1,
                _ => runs.push((page, 1)),
            }
        }
        runs
    }
}

/// A step that cannot be read, in words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct StepError(String);

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StepError {}

/// Reads a whole script.
pub(crate) fn parse(script: &str) -> Result<Vec<Step>, StepError> {
    script.split(',').map(str::trim).filter(|s| !s.is_empty()).map(step).collect()
}

fn step(text: &str) -> Result<Step, StepError> {
    let (name, arg) = text.split_once(':').unwrap_or((text, ""));
    Ok(match name {
        "pageout" => Step::PageOut(pages(text, arg)?),
        "touch-read" => Step::TouchRead(pages(text, arg)?),
        "touch-write" => Step::TouchWrite(pages(text, arg)?),
        "fill" => Step::Fill(pages(text, arg)?),
        "free" => Step::Free(pages(text, arg)?),
        "lost" => Step::Lost(pages(text, arg)?),
        "random" => Step::Random(number(text, arg)?),
        "churn" => match arg.rsplit_once(':') {
            Some((file, ms)) if !file.is_empty() => Step::Churn(file.into(), number(text, ms)?),
            _ => return Err(StepError(format!("'{text}' is not like churn:FILE:MILLISECONDS"))),
        },
        "reclaim" => Step::Reclaim(number(text, arg)?),
        "sleep" => Step::Sleep(number(text, arg)?),
        "hibernate" => Step::Hibernate(number(text, arg)?),
        "thaw" if arg.is_empty() => Step::Thaw,
        "cgroup" if !arg.is_empty() => Step::Cgroup(arg.into()),
        "remove-cgroup" if arg.is_empty() => Step::RemoveCgroup,
        "set" => match arg.split_once('=') {
            Some((file, value)) if !file.is_empty() => Step::Set(file.into(), value.to_owned()),
            _ => return Err(StepError(format!("'{text}' is not like set:FILE=VALUE"))),
        },
        "mark" if !arg.is_empty() => Step::Mark(arg.into()),
        "wait" if !arg.is_empty() => Step::Wait(arg.into()),
        "fork" if arg.is_empty() => Step::Fork,
        "truth" if arg.is_empty() => Step::Truth,
        _ => {
            return Err(StepError(format!(
                "'{text}' is no step; there are pageout, touch-read, touch-write, fill, free, lost (with pages: all, 5, \
                 0-255, 0-255/2, 1-2+7-9), random:N, churn:FILE:MS, reclaim:N, sleep:MS, mark:FILE, wait:FILE, set:FILE=VALUE, \
                 hibernate:N, thaw, cgroup:FOLDER, remove-cgroup, fork, truth"
            )));
        }
    })
}

fn pages(step: &str, arg: &str) -> Result<Pages, StepError> {
    if arg == "all" {
        return Ok(Pages(vec![Range { first: 0, last: usize::MAX, stride: 1 }]));
    }
    arg.split('+').map(|part| range(step, part)).collect::<Result<_, _>>().map(Pages)
}

fn range(step: &str, part: &str) -> Result<Range, StepError> {
    let (span, stride) = part.split_once('/').unwrap_or((part, "1"));
    let (first, last) = span.split_once('-').unwrap_or((span, span));
    let range =
        Range { first: number(step, first)?, last: number(step, last)?, stride: number(step, stride)? };
    if range.last < range.first || range.stride == 0 {
        return Err(StepError(format!("'{part}' in '{step}' holds no page")));
    }
    Ok(range)
}

fn number<T: std::str::FromStr>(step: &str, text: &str) -> Result<T, StepError> {
    text.parse().map_err(|_| StepError(format!("'{text}' in '{step}' is not a number")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(script: &str, total: usize) -> Vec<usize> {
        match parse(script).unwrap().remove(0) {
            Step::PageOut(pages) => pages.iter(total).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_script_is_its_steps_in_order() {
        let steps =
            parse("pageout:all, touch-read:0-3,touch-write:5,free:6-7,random:9,sleep:10,fork,truth").unwrap();
        assert_eq!(steps.len(), 8);
        assert_eq!(steps[4..], [Step::Random(9), Step::Sleep(10), Step::Fork, Step::Truth]);
        assert_eq!(parse("mark:/a,wait:/b"), Ok(vec![Step::Mark("/a".into()), Step::Wait("/b".into())]));
        assert_eq!(
            parse("set:/sys/a=+1-2,hibernate:4,thaw,remove-cgroup"),
            Ok(vec![
                Step::Set("/sys/a".into(), "+1-2".into()),
                Step::Hibernate(4),
                Step::Thaw,
                Step::RemoveCgroup
            ])
        );
        assert_eq!(parse("churn:/a:b:90"), Ok(vec![Step::Churn("/a:b".into(), 90)]));
        assert!(matches!(&parse("lost:3-4").unwrap()[..], [Step::Lost(pages)] if pages.runs(9) == [(3, 2)]));
        assert_eq!(parse(""), Ok(vec![]));
    }

    #[test]
    fn pages_are_counted_right() {
        assert_eq!(listed("pageout:all", 3), [0, 1, 2]);
        assert_eq!(listed("pageout:2", 9), [2]);
        assert_eq!(listed("pageout:1-7/3", 9), [1, 4, 7]);
        assert_eq!(listed("pageout:7-8+0-1", 9), [7, 8, 0, 1]);
        assert_eq!(listed("pageout:5-20", 7), [5, 6], "what lies beyond the mapping is left out");
        assert_eq!(listed("pageout:30-40", 7), [] as [usize; 0]);
        assert_eq!(listed("pageout:all", 0), [] as [usize; 0]);
    }

    #[test]
    fn neighbours_become_one_call() {
        let Step::Free(pages) = parse("free:0-3+6+7-8+20-24/2").unwrap().remove(0) else { panic!() };
        assert_eq!(pages.runs(100), [(0, 4), (6, 3), (20, 1), (22, 1), (24, 1)]);
    }

    #[test]
    fn mistakes_are_named() {
        for bad in [
            "pageout",
            "pageout:x",
            "pageout:4-2",
            "free:1-9/0",
            "sleep",
            "fork:3",
            "dance",
            "random:-1",
            "mark",
            "wait:",
            "churn:/a",
            "churn:/a:b",
            "set:x",
            "thaw:2",
        ] {
            let err = parse(bad).unwrap_err().to_string();
            assert!(err.contains(bad), "{bad}: {err}");
        }
    }
}
