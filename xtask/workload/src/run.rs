//! Runs the steps and prints the truth.

use crate::hibernate::Image;
use crate::pattern::{Content, Kind, PAGE};
use crate::steps::{Pages, Step};
use crate::sys::{self, Advice, Mapping};
use crate::{cgroup::Cgroup, pattern, truth};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::io::Write;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// State of a run.
#[derive(Debug)]
pub(crate) struct Run {
    map: Mapping,
    content: Content,
    shared: bool,
    /// Rewrites of each page; `None` when it was given back.
    generations: Vec<Option<u32>>,
    children: Vec<i32>,
    cgroup: Option<Cgroup>,
    random: u64,
    image: Option<Image>,
}

/// The swap device that hibernation takes its slots from.
const FIRST_DEVICE: &str = "/dev/vda";

impl Run {
    /// Maps the memory and fills every page.
    pub(crate) fn new(
        pages: usize,
        shared: bool,
        huge: bool,
        content: Content,
        cgroup: Option<Cgroup>,
    ) -> Result<Self> {
        let generations = vec![Some(0); pages];
        sys::lock_current().context("mlockall; run as root")?;
        let map = Mapping::new(pages, shared).context("mmap")?;
        let advice = if huge { Advice::Huge } else { Advice::NoHuge };
        map.advise(0, pages, advice).with_context(|| format!("madvise {advice:?}"))?;
        if let Some(cgroup) = &cgroup {
            cgroup.enter()?;
        }
        let random = content.seed;
        let mut run =
            Self { map, content, shared, generations, children: Vec::new(), cgroup, random, image: None };
        let mut buf = [0; PAGE];
        for page in 0..pages {
            content.fill(page, 0, &mut buf);
            run.map.write(page, &buf);
        }
        Ok(run)
    }

    /// Runs one step.
    pub(crate) fn step(&mut self, step: &Step, out: &mut impl Write) -> Result<()> {
        let total = self.map.pages();
        match step {
            Step::PageOut(pages) => self.advise(pages, Advice::PageOut),
            Step::TouchRead(pages) => pages.iter(total).try_for_each(|page| self.verify(page)),
            Step::TouchWrite(pages) => pages.iter(total).try_for_each(|page| self.rewrite(page)),
            Step::Fill(pages) => {
                pages.iter(total).for_each(|page| self.fill(page));
                Ok(())
            }
            Step::Free(pages) => {
                self.advise(pages, if self.shared { Advice::Remove } else { Advice::DontNeed })?;
                pages.iter(total).for_each(|page| self.generations[page] = None);
                Ok(())
            }
            Step::Lost(pages) => pages.iter(total).try_for_each(|page| self.is_lost(page)),
            Step::Random(count) => self.random(*count),
            Step::Churn(file, ms) => {
                // A hundred touches are a moment, and cost more than a look at the file and the clock.
                while !file.exists() {
                    self.random(100)?;
                }
                let begin = Instant::now();
                while begin.elapsed() < Duration::from_millis(*ms) {
                    self.random(100)?;
                }
                Ok(())
            }
            Step::Reclaim(pages) => {
                self.cgroup.as_ref().context("reclaim works on a cgroup; give --cgroup")?.reclaim(*pages)
            }
            Step::Cgroup(dir) => {
                let cgroup = Cgroup::create(dir, &[])?;
                cgroup.enter()?;
                self.cgroup = Some(cgroup);
                Ok(())
            }
            Step::RemoveCgroup => self.cgroup.take().context("no cgroup to remove; give --cgroup")?.remove(),
            Step::Hibernate(slots) => {
                if self.image.is_none() {
                    self.image = Some(Image::on(FIRST_DEVICE.as_ref())?);
                }
                self.image.as_mut().map_or(Ok(()), |image| image.grow(*slots))
            }
            Step::Thaw => self.image.as_mut().map_or(Ok(()), Image::free),
            Step::Set(file, value) => std::fs::write(file, value)
                .with_context(|| format!("writing '{value}' to {}", file.display())),
            Step::Fork => {
                self.children.push(sys::fork_sleeper().context("fork")?);
                Ok(())
            }
            Step::Sleep(ms) => {
                sleep(Duration::from_millis(*ms));
                Ok(())
            }
            Step::Truth => self.truth(out),
            Step::Mark(file) => std::fs::write(file, "").with_context(|| file.display().to_string()),
            Step::Wait(file) => {
                while !file.exists() {
                    sleep(Duration::from_millis(50));
                }
                Ok(())
            }
        }
    }

    fn advise(&self, pages: &Pages, advice: Advice) -> Result<()> {
        for (first, count) in pages.runs(self.map.pages()) {
            self.map
                .advise(first, count, advice)
                .with_context(|| format!("madvise {advice:?} of {count} pages from {first}"))?;
        }
        Ok(())
    }

    /// Fails if a page does not hold what was written to it.
    fn verify(&self, page: usize) -> Result<()> {
        let (mut want, mut have) = ([0; PAGE], [0; PAGE]);
        if let Some(generation) = self.generations[page] {
            self.content.fill(page, generation, &mut want);
        }
        self.map.read(page, &mut have);
        if want != have {
            let at = want.iter().zip(&have).position(|(w, h)| w != h).unwrap_or(0);
            bail!(
                "page {page} ({}, generation {:?}) came back changed at byte {at}: {:#04x} instead of {:#04x}",
                self.content.kind(page).name(),
                self.generations[page],
                have[at],
                want[at]
            );
        }
        Ok(())
    }

    /// Fails if the page can be read.
    fn is_lost(&self, page: usize) -> Result<()> {
        match self.map.advise(page, 1, Advice::PopulateRead) {
            // What a fault that ends in SIGBUS is to this call.
            Err(err) if err.raw_os_error() == Some(libc::EFAULT) => Ok(()),
            Err(err) => Err(err).with_context(|| format!("page {page}")),
            Ok(()) => bail!("page {page} came back from a device that fails"),
        }
    }

    fn rewrite(&mut self, page: usize) -> Result<()> {
        self.verify(page)?;
        self.fill(page);
        Ok(())
    }

    /// Writes the next generation.
    fn fill(&mut self, page: usize) {
        let generation = self.generations[page].map_or(0, |g| g + 1);
        let mut buf = [0; PAGE];
        self.content.fill(page, generation, &mut buf);
        self.map.write(page, &buf);
        self.generations[page] = Some(generation);
    }

    fn random(&mut self, count: u64) -> Result<()> {
        for _ in 0..count {
            self.random = pattern::mix(self.random.wrapping_add(0x9e37_79b9_7f4a_7c15));
            let page = (self.random >> 8) as usize % self.map.pages();
            if self.random.is_multiple_of(3) {
                self.rewrite(page)?;
            } else {
                self.verify(page)?;
            }
        }
        Ok(())
    }

    /// One JSON line for every slot that holds a page of ours, then a summary line.
    fn truth(&self, out: &mut impl Write) -> Result<()> {
        // What this needs is charged elsewhere: it must not push more pages of the cgroup into swap.
        if let Some(cgroup) = &self.cgroup {
            cgroup.leave()?;
        }
        let mut slots = BTreeMap::new();
        truth::swapped("self", &mut slots)?;
        for child in &self.children {
            truth::swapped(&child.to_string(), &mut slots)?;
        }
        let mut text = String::new();
        for ((dev, off), addr) in &slots {
            // Pages of ours outside the mapping are slots too; their content is nobody's business.
            let page = addr.checked_sub(self.map.addr()).map(|d| d / PAGE).filter(|p| *p < self.map.pages());
            let line = match page {
                Some(page) => {
                    // A freed page that is swapped came back as zeroes in a huge page, and goes where that goes.
                    let freed = self.generations[page].is_none();
                    let kind = if freed { "other" } else { self.content.kind(page).name() };
                    format!(r#"{{"page":{page},"kind":"{kind}","dev":{dev},"off":{off}}}"#)
                }
                None => format!(r#"{{"page":null,"kind":"other","dev":{dev},"off":{off}}}"#),
            };
            text.push_str(&line);
            text.push('\n');
        }
        let held = self.image.as_ref().map_or(0, |image| image.slots.len());
        if let Some(image) = &self.image {
            for off in &image.slots {
                let line = format!(r#"{{"page":null,"kind":"hibernation","dev":{},"off":{off}}}"#, image.dev);
                text.push_str(&line);
                text.push('\n');
            }
        }
        text.push_str(&self.summary(slots.len() + held)?);
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("writing the truth")
    }

    fn summary(&self, slots: usize) -> Result<String> {
        let places = truth::places("self", self.map.addr(), self.map.pages())?;
        let present = places.iter().filter(|p| **p == truth::Place::Present).count();
        let swapped = places.iter().filter(|p| matches!(p, truth::Place::Swapped { .. })).count();
        let freed = self.generations.iter().filter(|g| g.is_none()).count();
        let (mut shared_swapped, mut away) = (0, [0; 3]);
        if self.shared {
            shared_swapped = truth::shared_swap_pages(self.map.addr())?;
            for (page, resident) in self.map.resident()?.into_iter().enumerate() {
                if !resident && self.generations[page].is_some() {
                    away[self.content.kind(page) as usize] += 1;
                }
            }
        }
        let away: Vec<String> =
            Kind::ALL.iter().zip(away).map(|(kind, n)| format!(r#""{}":{n}"#, kind.name())).collect();
        Ok(format!(
            concat!(
                r#"{{"summary":true,"pages":{},"present":{},"swapped":{},"freed":{},"slots":{},"children":{},"#,
                r#""shared":{},"shared_swapped":{},"shared_away":{{{}}}}}"#,
                "\n"
            ),
            self.map.pages(),
            present,
            swapped,
            freed,
            slots,
            self.children.len(),
            self.shared,
            shared_swapped,
            away.join(",")
        ))
    }
}
