//! The admin port of a Corelane node, over HTTP.

use std::time::Duration;

use super::page::Page;
use crate::base::limits::TOP_PAGE_BYTES_MAX;

/// How long one look may take: it is looked at again soon.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Where the metrics are.
pub struct Admin {
    url: String,
    agent: ureq::Agent,
}

impl Admin {
    /// The admin port at `HOST:PORT`. Proxies that the environment names are left aside.
    pub fn new(address: &str) -> Self {
        let config = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).proxy(None).build();
        Self { url: format!("http://{address}/metrics"), agent: config.into() }
    }

    /// Reads the metrics; the error says what to look at.
    pub fn read(&self) -> Result<Page, String> {
        let read = || {
            let mut response = self.agent.get(&self.url).call()?;
            response.body_mut().with_config().limit(TOP_PAGE_BYTES_MAX).read_to_string()
        };
        let text = read().map_err(|error| format!("no metrics from {}: {error}", self.url))?;
        let page = Page::parse(&text);
        // Another program may listen there.
        let is_ours = page.points("corelane_build_info").next().is_some();
        is_ours
            .then_some(page)
            .ok_or_else(|| format!("{} is not the admin port of a Corelane node", self.url))
    }
}
