//! Pages checked by axe-core.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::fs;

use crate::{Browser, top_level};

/// What has to be kept: WCAG 2.2, levels A and AA.
const CHECK: &str = r#"
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"];
    const { violations } = await axe.run(document, { runOnly: tags, resultTypes: ["violations"] });
    const grave = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
    return grave.flatMap(({ id, help, nodes }) =>
        nodes.map(({ html, failureSummary }) => `${id}: ${help}\n${html}\n${failureSummary}`));"#;

impl Browser {
    /// Checks the page as it is now; `what` names it. Nothing on it may be a serious or critical hindrance.
    pub async fn is_accessible(&self, what: &str) -> Result<()> {
        let path = top_level().join("e2e/node_modules/axe-core/axe.min.js");
        let axe = fs::read_to_string(&path).await;
        let axe =
            axe.with_context(|| format!("{}: cargo xtask setup fetches it", path.display()))?;
        self.js(&axe, vec![]).await?;
        let found = self.js(CHECK, vec![]).await?;
        let found: Vec<_> = found.as_array().into_iter().flatten().collect();
        let lines: Vec<_> = found
            .iter()
            .filter_map(|found| Value::as_str(found))
            .collect();
        ensure!(lines.is_empty(), "{what}:\n\n{}", lines.join("\n\n"));
        Ok(())
    }
}
