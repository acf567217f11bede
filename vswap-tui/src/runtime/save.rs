//! The shown instant as a file: the object of `report --json`, readable by its owner only.

use crate::app::App;
use crate::report::Report;
use anyhow::Context;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Writes the shown instant; returns what came of it, in words. A file that exists is never replaced.
pub(super) fn write(app: &App, file: Option<&str>) -> String {
    let path = file.map_or_else(|| PathBuf::from(name()), PathBuf::from);
    match save(app, &path) {
        Ok(()) => format!("saved to {}", path.display()),
        Err(e) => format!("not saved: {e:#}"),
    }
}

/// `vswap-1700000000.json`: seconds, so that files sort by time.
fn name() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("vswap-{}.json", now.as_secs())
}

fn save(app: &App, path: &Path) -> anyhow::Result<()> {
    let damage = app.frame.end.as_ref().and_then(|e| e.damage.clone());
    let mut report = Report::new(&app.frame.snapshot, None, damage);
    if let Some(beside) = &app.frame.beside {
        report.check = beside.agreement.as_ref();
        report.models = &beside.designs;
    }
    let text = serde_json::to_string_pretty(&report).context("make JSON")? + "\n";
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| path.display().to_string())?;
    file.write_all(text.as_bytes()).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Origin;
    use ratatui::layout::Size;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    #[test]
    fn an_instant_is_saved_for_its_owner_and_replaces_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        let app = App::new(Origin::Demo, Duration::from_millis(250), None, Size::new(80, 24));
        let file = path.to_str();
        assert!(write(&app, file).starts_with("saved to"));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(json["events"], 0);
        let again = write(&app, file);
        assert!(again.starts_with("not saved") && again.contains("a.json"), "{again}");
        assert!(write(&app, Some("/nonexistent/x.json")).contains("/nonexistent"));
    }
}
