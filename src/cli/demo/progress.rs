//! A progress bar on a terminal, silence elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::outcome::Progress;

/// The bar of one stage of the demo, on stderr so that stdout stays clean.
#[derive(Debug)]
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar towards `total`, hidden unless stderr is a terminal and `shown` is set.
    pub fn new(title: &'static str, total: u64, shown: bool) -> Self {
        // indicatif draws nothing when stderr is not a terminal.
        let target = if shown {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        let style = ProgressStyle::with_template("{prefix:<12} {bar:32} {pos:>7}/{len} {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(title);
        Self(bar)
    }

    pub fn show(&self, progress: Progress) {
        let total = self.0.length().unwrap_or_default();
        self.0.set_position(progress.handled.min(total));
        self.0.set_message(format!(
            "{} linked, {} waiting",
            progress.links, progress.waiting
        ));
    }

    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}
