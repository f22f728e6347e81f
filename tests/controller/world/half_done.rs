//! Long lists of changes are committed in pieces: a controller may die between two of them, and the next one completes
//! what it finds.

use std::sync::Arc;

use corelane::cluster::{Change, Draft, Image, Membership};

use super::{SESSION_TIMEOUT_MS, World};

impl World {
    /// Carries a command out whose changes may be many. Now and then only some of them are committed before the controller
    /// dies; the next one is asked again.
    pub(super) fn long_command<T>(
        &mut self,
        what: &str,
        run: impl Fn(&mut Draft, &mut Membership, u64) -> T,
    ) -> T {
        let (mut draft, mut membership) = (Draft::of(&self.image), self.membership.clone());
        run(&mut draft, &mut membership, self.now_ms);
        if let Some(half_done) = self.cut(&self.image.clone(), draft.changes()) {
            self.complete(half_done);
        }
        self.command(what, run)
    }

    /// The image with some of the changes, but not all, if the controller dies.
    fn cut(&mut self, image: &Image, changes: &[Change]) -> Option<Arc<Image>> {
        if !self.controllers_die || changes.len() < 2 || self.below(8) > 0 {
            return None;
        }
        let committed = 1 + self.below(changes.len() as u64 - 1) as usize;
        let mut part = Draft::of(image);
        changes[..committed].iter().cloned().for_each(|change| part.follow(change));
        self.trace.push(format!("{} half done: {committed} of {}", self.now_ms, changes.len()));
        Some(Arc::new(part.finish()))
    }

    /// Nodes may see what is half done, and act on it. Then the next controller begins, which may die as well.
    fn complete(&mut self, mut half_done: Arc<Image>) {
        loop {
            self.checks.note_grants(&half_done);
            for at in 0..self.nodes.len() {
                if self.nodes[at].is_up && self.below(2) == 0 {
                    self.nodes[at].view = Arc::clone(&half_done);
                    self.produce(at);
                }
            }
            let mut draft = Draft::of(&half_done);
            self.membership = Membership::begin(&mut draft, SESSION_TIMEOUT_MS, self.now_ms);
            match self.cut(&half_done, draft.changes()) {
                Some(more) => half_done = more,
                None => {
                    let whole = Arc::new(draft.finish());
                    self.checks.look(&self.image, &whole, &self.nodes);
                    self.image = whole;
                    return;
                }
            }
        }
    }
}
